//! Finds the top of a working tree, and its version control system.

use std::env;
use std::path::{Path, PathBuf};

use super::{SourceQuery, VcError};
use crate::vc::{SYSTEMS, System, Vc};

/// Maximum number of parent directories that are searched for the top file, as in Buildbot.
const MAX_LEVELS: usize = 20;

/// The directory in which the commands run.
///
/// # Errors
/// The directory must be given, or does not exist.
pub(super) fn find(query: &SourceQuery<'_>) -> Result<PathBuf, VcError> {
    let tree = absolute(query.tree);
    if let Some(topdir) = query.topdir {
        return Ok(tree.join(expand_home(topdir, env::home_dir())));
    }
    if query.vc.system().knows_top {
        return Ok(tree);
    }
    let Some(topfile) = query.topfile else {
        return Err(VcError::Option(format!(
            "{} cannot find the top of the working tree; name it with --topdir, or a file in it with --topfile",
            query.vc
        )));
    };
    let mut above = tree.ancestors().take(MAX_LEVELS);
    let top = above.find(|directory| directory.join(topfile).exists());
    top.map(Path::to_owned).ok_or_else(|| VcError::NoTopFile {
        topfile: topfile.to_owned(),
        from: tree.clone(),
    })
}

/// An absolute form of a path.
fn absolute(path: &Path) -> PathBuf {
    // This fails without a current directory. Then its parents are not found either.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path with a leading `~` replaced by the home directory.
fn expand_home(path: &Path, home: Option<PathBuf>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_), None) | (Err(_), _) => path.to_owned(),
    }
}

pub(super) fn detect(directory: &Path) -> Option<Vc> {
    absolute(directory).ancestors().find_map(|directory| {
        let lies_here = |system: &&System| directory.join(system.mark).exists();
        SYSTEMS.iter().find(lies_here).map(|system| system.vc)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::super::tests::query;
    use super::*;

    #[test]
    fn the_nearest_mark_says_what_keeps_a_tree() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        for system in SYSTEMS {
            let mark = root.path().join("a").join(system.mark);
            fs::create_dir(&mark).unwrap();
            assert_eq!(detect(&inner), Some(system.vc));
            fs::remove_dir(&mark).unwrap();
        }
        fs::create_dir(root.path().join(".git")).unwrap();
        assert_eq!(detect(&inner), Some(Vc::Git));
        fs::create_dir(root.path().join("a/.hg")).unwrap();
        assert_eq!(detect(&inner), Some(Vc::Hg));
        // A linked work tree of git has a file.
        fs::write(inner.join(".git"), "gitdir: /x").unwrap();
        assert_eq!(detect(&inner), Some(Vc::Git));
    }

    #[test]
    fn a_file_marks_the_top_for_those_who_do_not_know_it() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.path().join("README"), "").unwrap();
        let mut asked = query(Vc::Svn);
        asked.tree = &inner;
        let error = find(&asked).unwrap_err().to_string();
        assert!(
            error.starts_with("svn cannot find the top of the working tree"),
            "{error}"
        );
        asked.topfile = Some("README");
        assert_eq!(find(&asked).unwrap(), root.path());
        asked.vc = Vc::Git;
        assert_eq!(find(&asked).unwrap(), inner);
        asked.topdir = Some(Path::new(".."));
        assert_eq!(find(&asked).unwrap(), inner.join(".."));
        asked.vc = Vc::Cvs;
        asked.topdir = None;
        asked.topfile = Some("NOTHING");
        let error = find(&asked).unwrap_err().to_string();
        assert!(error.starts_with("no file 'NOTHING' in "), "{error}");
    }

    #[test]
    fn the_search_for_the_top_goes_up_so_far_and_no_further() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("README"), "").unwrap();
        let deep = |levels| root.path().join(vec!["d"; levels].join("/"));
        fs::create_dir_all(deep(MAX_LEVELS)).unwrap();
        for (levels, is_found) in [(MAX_LEVELS - 1, true), (MAX_LEVELS, false)] {
            let tree = deep(levels);
            let mut asked = query(Vc::Cvs);
            asked.tree = &tree;
            asked.topfile = Some("README");
            assert_eq!(find(&asked).is_ok(), is_found);
        }
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let home = || Some(PathBuf::from("/home/me"));
        for (path, expanded) in [
            ("~", "/home/me"),
            ("~/tree", "/home/me/tree"),
            ("~you/tree", "~you/tree"),
            ("tree/~", "tree/~"),
        ] {
            assert_eq!(expand_home(Path::new(path), home()), Path::new(expanded));
        }
        assert_eq!(expand_home(Path::new("~/x"), None), Path::new("~/x"));
    }
}
