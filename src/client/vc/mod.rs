//! The source of a try job: base revision and difference of a tree, as `buildbot try` finds them (CLI-03).
//!
//! One file for each version control system: the commands that it runs, and pure functions that read their outputs.
//! [`run`] runs them. Invariants: nothing in the tree is changed; applying the patch at its level to a checkout of the
//! base revision gives the tree's versioned files; what a person should know and the patch does not tell is a note.

mod error;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use error::VcError;

/// Where and how to look for the source of a try job.
#[derive(Clone, Copy, Debug)]
pub struct SourceQuery<'a> {
    /// The version control system.
    pub vc: Vc,
    /// The directory to start from: where the command is run.
    pub tree: &'a Path,
    /// The branch to compare with, if given.
    pub branch: Option<&'a str>,
    /// The repository to compare with, if given (Mercurial only; the others know theirs).
    pub repository: Option<&'a str>,
    /// The base revision, if it is not to be searched for.
    pub base_revision: Option<&'a str>,
    /// The patch level, if it is not that of the version control system.
    pub patch_level: Option<u32>,
    /// The top of the tree, instead of `tree`. A leading `~` is the home directory.
    pub topdir: Option<&'a Path>,
    /// A file at the top of the tree, searched for upwards (CVS and Subversion only; the others know their top).
    pub topfile: Option<&'a str>,
}

/// What is to be tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// Its branch; absent: the default one.
    pub branch: Option<String>,
    /// What the patch is relative to; absent: the newest.
    pub base_revision: Option<String>,
    /// How many directories `patch -p` takes off the names.
    pub patch_level: u32,
    /// The difference; empty if there is none.
    pub patch: Vec<u8>,
    /// The top of the tree, which Buildbot sends as the repository if none is given.
    pub top: PathBuf,
    /// What a person should know, in sentences: local commits that are included, files that are left out.
    pub notes: Vec<String>,
}

/// A version control system that try jobs can come from.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Vc {
    /// CVS.
    Cvs,
    /// Subversion.
    Svn,
    /// Bazaar, and Breezy.
    Bzr,
    /// Mercurial.
    Hg,
    /// Perforce.
    P4,
    /// Darcs.
    Darcs,
    /// Git.
    Git,
    /// Monotone.
    Mtn,
}

impl Vc {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Cvs,
        Self::Svn,
        Self::Bzr,
        Self::Hg,
        Self::P4,
        Self::Darcs,
        Self::Git,
        Self::Mtn,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cvs => "cvs",
            Self::Svn => "svn",
            Self::Bzr => "bzr",
            Self::Hg => "hg",
            Self::P4 => "p4",
            Self::Darcs => "darcs",
            Self::Git => "git",
            Self::Mtn => "mtn",
        }
    }

    /// What keeps the tree at `directory`, by what lies there and in the directories above; the nearest wins.
    /// (Ours: Buildbot wants to be told.)
    #[must_use]
    pub fn detect(directory: &Path) -> Option<Self> {
        todo!("{directory:?}")
    }
}

impl fmt::Display for Vc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a version control system is not known.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is no known version control system; cvs, svn, bzr, hg, p4, darcs, git and mtn are")]
pub struct UnknownVc(pub String);

impl FromStr for Vc {
    type Err = UnknownVc;

    fn from_str(name: &str) -> Result<Self, UnknownVc> {
        Self::ALL
            .into_iter()
            .find(|vc| vc.name() == name)
            .ok_or_else(|| UnknownVc(name.to_owned()))
    }
}

/// Finds base revision and difference of a tree.
///
/// # Errors
/// A program is missing or fails, says something that is not understood or too much, or the options do not fit.
pub async fn find_source(query: &SourceQuery<'_>) -> Result<Source, VcError> {
    todo!("{query:?}")
}
