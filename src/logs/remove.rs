//! Removing logs.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::place;
use crate::directory::Directory;

/// Removes the directory `dir`, which is relative to `basedir`, with all that is in it; what is not
/// there is gone. No link leads it elsewhere: of a link that lies in it, the link alone is removed.
///
/// # Errors
/// It is not below the base directory, or cannot be removed.
pub fn remove(basedir: &Path, dir: &str) -> io::Result<()> {
    let dir = Path::new(dir);
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else {
        return Err(place::outside());
    };
    let remove = || place::open(&Directory::open(basedir)?, parent, false)?.remove_all(name);
    match remove() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_goes_with_its_logs_and_nothing_else_does() {
        let base = tempfile::tempdir().unwrap();
        let logs = base.path().join("builders/full/7/0-compile");
        fs::create_dir_all(&logs).unwrap();
        fs::create_dir_all(base.path().join("builders/full/8")).unwrap();
        fs::write(logs.join("stdio.log"), "x").unwrap();
        remove(base.path(), "builders/full/7").unwrap();
        assert!(!base.path().join("builders/full/7").exists());
        assert!(base.path().join("builders/full/8").exists());
        remove(base.path(), "builders/full/7").unwrap();
    }

    #[test]
    fn no_link_leads_it_elsewhere() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let at = |path: &str| base.path().join(path);
        let precious = elsewhere.path().join("7/precious");
        fs::create_dir(elsewhere.path().join("7")).unwrap();
        fs::write(&precious, "").unwrap();
        fs::create_dir_all(at("builders/full")).unwrap();
        // In place of a builder, of a build, and in a build.
        symlink(elsewhere.path(), at("builders/linked")).unwrap();
        symlink(elsewhere.path().join("7"), at("builders/full/7")).unwrap();
        fs::create_dir_all(at("builders/full/8/0-x")).unwrap();
        symlink(elsewhere.path(), at("builders/full/8/0-x/link")).unwrap();

        let error = remove(base.path(), "builders/linked/7").unwrap_err();
        assert!(
            error.to_string().starts_with("builders/linked: "),
            "{error}"
        );
        remove(base.path(), "builders/full/7").unwrap();
        remove(base.path(), "builders/full/8").unwrap();

        assert!(precious.exists());
        assert_eq!(fs::read_dir(at("builders/full")).unwrap().count(), 0);
    }

    #[test]
    fn the_builders_may_be_on_another_disk() {
        let base = tempfile::tempdir().unwrap();
        let disk = tempfile::tempdir().unwrap();
        symlink(disk.path(), base.path().join("builders")).unwrap();
        fs::create_dir_all(disk.path().join("full/7")).unwrap();
        remove(base.path(), "builders/full/7").unwrap();
        assert_eq!(fs::read_dir(disk.path().join("full")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_below_the_base_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        for dir in ["", "..", "builders/../..", "/", "."] {
            let refused = remove(base.path(), dir).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{dir:?}");
        }
        assert!(base.path().exists());
    }
}
