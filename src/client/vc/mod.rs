//! Finds the source of a try job: the base revision and the diff of a working tree (CLI-03).
//!
//! Each version control system has one file, with the commands of [`crate::vc`] that it runs and
//! the notes for the user. `run` runs the commands. Invariants: nothing in the tree is changed.
//! Applying the patch at its level to a checkout of the base revision gives the versioned files of
//! the tree. A note tells the user about everything that the patch does not show.

mod bzr;
mod cvs;
mod darcs;
mod error;
mod files;
mod git;
mod hg;
mod mtn;
mod p4;
pub(in crate::client) mod run;
mod svn;
mod top;

use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::text::and_more;
use crate::vc::Vc;
use run::Runner;

pub use error::VcError;

/// The settings of the search for the source of a try job.
#[derive(Clone, Copy, Debug)]
pub struct SourceQuery<'a> {
    /// The version control system.
    pub vc: Vc,
    /// The directory in which the search starts.
    pub tree: &'a Path,
    /// The branch to compare with, if given.
    pub branch: Option<&'a str>,
    /// The repository to compare with, if given (Mercurial only).
    pub repository: Option<&'a str>,
    /// The base revision, if given.
    pub base_revision: Option<&'a str>,
    /// The patch level, if it is not the default of the version control system.
    pub patch_level: Option<u32>,
    /// The top of the tree, instead of `tree`. A leading `~` is the home directory.
    pub topdir: Option<&'a Path>,
    /// A file at the top of the tree, searched for upwards (CVS and Subversion only; the others
    /// know their top).
    pub topfile: Option<&'a str>,
}

/// The source of a try job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The branch; absent: the default branch.
    pub branch: Option<String>,
    /// The base revision of the patch; absent: the latest.
    pub base_revision: Option<String>,
    /// The patch level (`patch -p`).
    pub patch_level: u32,
    /// The diff; empty if there is no change.
    pub patch: Vec<u8>,
    /// The top of the tree, which Buildbot sends as the repository if none is given.
    pub top: PathBuf,
    /// Notes for the user, in sentences, for example on included local commits or omitted files.
    pub notes: Vec<String>,
}

/// Detects the version control system of `directory` by the files there and in its parents; the
/// nearest wins. (Our addition: Buildbot requires `--vc`.)
#[must_use]
pub fn detect(directory: &Path) -> Option<Vc> {
    top::detect(directory)
}

/// Finds the base revision and the diff of a tree.
///
/// # Errors
/// A program is missing or fails, its output is too large or not understood, or an option is
/// invalid.
pub async fn find_source(query: &SourceQuery<'_>) -> Result<Source, VcError> {
    for (option, value) in [
        ("--branch", query.branch),
        ("--baserev", query.base_revision),
        ("--repository", query.repository),
    ] {
        if value.is_some_and(|value| value.starts_with('-') || value.is_empty()) {
            let value = value.unwrap_or_default();
            return Err(VcError::Option(format!(
                "{option}: '{value}' is invalid; it must not be empty or begin with '-'"
            )));
        }
    }
    let top = top::find(query)?;
    let system = query.vc.system();
    let run = Runner::new(&top, system.programs);
    let found = match query.vc {
        Vc::Git => git::find(&run, query).await?,
        Vc::Hg => hg::find(&run, query).await?,
        Vc::Svn => svn::find(&run, query).await?,
        Vc::Bzr => bzr::find(&run, query).await?,
        Vc::Darcs => darcs::find(&run, query).await?,
        Vc::Mtn => mtn::find(&run, query).await?,
        Vc::Cvs => cvs::find(&run, query, Utc::now()).await?,
        Vc::P4 => p4::find(&run, query).await?,
    };
    let own_level = system.patch_level;
    let Found {
        branch,
        base_revision,
        patch,
        mut notes,
    } = found;
    let patch_level = query.patch_level.unwrap_or(own_level);
    if patch_level != own_level {
        notes.push(format!(
            "the patch level is {patch_level} as given; names in a patch of {} have level {own_level}",
            query.vc
        ));
    }
    Ok(Source {
        branch,
        base_revision: Some(base_revision),
        patch_level,
        patch,
        top,
        notes,
    })
}

/// The base and the diff of one version control system.
#[derive(Debug)]
struct Found {
    branch: Option<String>,
    base_revision: String,
    patch: Vec<u8>,
    notes: Vec<String>,
}

/// The note about files that are not in the patch, if there are any; `why` is the reason. Files in
/// `.buildbot` belong to this program and are ignored.
fn left_out(names: impl Iterator<Item = String>, why: &str) -> Option<String> {
    let is_own = |name: &str| name == ".buildbot" || name.starts_with(".buildbot/");
    let names: Vec<String> = names
        .filter(|name| !name.is_empty() && !is_own(name))
        .collect();
    let quoted = names.iter().map(|name| format!("'{name}'"));
    (!names.is_empty()).then(|| format!("not in the patch: {} ({why})", and_more(quoted, 1)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Asks for the source of the current directory.
    pub(super) fn query(vc: Vc) -> SourceQuery<'static> {
        SourceQuery {
            vc,
            tree: Path::new("."),
            branch: None,
            repository: None,
            base_revision: None,
            patch_level: None,
            topdir: None,
            topfile: None,
        }
    }

    #[tokio::test]
    async fn values_cannot_become_options() {
        for value in ["-x", "--output=/etc/passwd", ""] {
            let mut branch = query(Vc::Git);
            branch.branch = Some(value);
            let mut base = query(Vc::Hg);
            base.base_revision = Some(value);
            for (query, option) in [(branch, "--branch"), (base, "--baserev")] {
                let error = find_source(&query).await.unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("{option}: '{value}'")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn files_left_out_are_told_shortly() {
        let note = |names: &[&str]| left_out(names.iter().map(|name| (*name).to_owned()), "why");
        assert_eq!(note(&[]), None);
        assert_eq!(note(&[""]), None);
        assert_eq!(
            note(&[".buildbot/", ".buildbot", ".buildbot/options"]),
            None
        );
        assert_eq!(note(&["a", ""]).unwrap(), "not in the patch: 'a' (why)");
        assert_eq!(
            note(&["a", "b", "c"]).unwrap(),
            "not in the patch: 'a' and 2 more (why)"
        );
    }
}
