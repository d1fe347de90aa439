//! Facts about each version control system: the commands for base revision, difference and
//! checkout, and the parsers of their output.
//!
//! Pure: command lines and parsers. The callers run the commands: the client runs them locally for
//! `try`, the steps on a slave. Each system has one file and one row in `SYSTEMS`.

pub(crate) mod arch;
pub(crate) mod bzr;
pub(crate) mod cvs;
pub(crate) mod darcs;
pub(crate) mod git;
pub(crate) mod hg;
mod identity;
pub(crate) mod lines;
pub(crate) mod mtn;
pub(crate) mod p4;
pub(crate) mod patch;
pub(crate) mod repo;
pub(crate) mod svn;
pub(crate) mod unseen;

use std::fmt;
use std::str::FromStr;

use crate::text;

pub use identity::identity;

/// A version control system.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Vc {
    /// Git.
    Git,
    /// Mercurial.
    Hg,
    /// Subversion.
    Svn,
    /// Bazaar, and Breezy.
    Bzr,
    /// Darcs.
    Darcs,
    /// Monotone.
    Mtn,
    /// CVS.
    Cvs,
    /// Perforce.
    P4,
}

/// Facts about a version control system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    pub(crate) vc: Vc,
    /// Its name on command lines.
    pub(crate) name: &'static str,
    /// Programs, in order of preference.
    pub(crate) programs: &'static [&'static str],
    /// Files or directories that mark the top of a tree.
    pub(crate) mark: &'static str,
    /// Number of directories that `patch -p` strips from the names in a difference.
    pub(crate) patch_level: u32,
    /// Whether the program finds the top of a tree from inside the tree.
    pub(crate) knows_top: bool,
}

/// All systems. If a directory has several marks, the first system counts.
pub(crate) const SYSTEMS: [System; 8] = [
    system(Vc::Git, "git", &["git"], ".git", 1, true),
    system(Vc::Hg, "hg", &["hg"], ".hg", 1, true),
    system(Vc::Svn, "svn", &["svn"], ".svn", 0, false),
    system(Vc::Bzr, "bzr", &["bzr", "brz"], ".bzr", 0, true),
    system(Vc::Darcs, "darcs", &["darcs"], "_darcs", 1, true),
    system(Vc::Mtn, "mtn", &["mtn"], "_MTN", 0, true),
    system(Vc::Cvs, "cvs", &["cvs"], "CVS", 0, false),
    system(Vc::P4, "p4", &["p4"], ".p4config", 0, true),
];

const fn system(
    vc: Vc,
    name: &'static str,
    programs: &'static [&'static str],
    mark: &'static str,
    patch_level: u32,
    knows_top: bool,
) -> System {
    System {
        vc,
        name,
        programs,
        mark,
        patch_level,
        knows_top,
    }
}

impl Vc {
    /// All systems.
    pub fn all() -> impl Iterator<Item = Self> {
        SYSTEMS.into_iter().map(|system| system.vc)
    }

    /// Its name on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.system().name
    }

    /// Facts about this system.
    pub(crate) fn system(self) -> &'static System {
        SYSTEMS
            .iter()
            .find(|system| system.vc == self)
            .expect("each has its row, which a test sees to")
    }
}

impl fmt::Display for Vc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not a version control system.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not a version control system; write {known}", known = text::or(Vc::all()))]
pub struct UnknownVc(pub String);

impl FromStr for Vc {
    type Err = UnknownVc;

    fn from_str(name: &str) -> Result<Self, UnknownVc> {
        Self::all()
            .find(|vc| vc.name() == name)
            .ok_or_else(|| UnknownVc(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_a_row_and_its_name_is_read_back() {
        for vc in [
            Vc::Git,
            Vc::Hg,
            Vc::Svn,
            Vc::Bzr,
            Vc::Darcs,
            Vc::Mtn,
            Vc::Cvs,
            Vc::P4,
        ] {
            assert_eq!(vc.system().vc, vc);
            assert_eq!(vc.to_string().parse(), Ok(vc));
        }
    }

    #[test]
    fn the_register_of_repositories_knows_each_system() {
        let names = Vc::all().map(Vc::name).chain(["tla"]);
        assert!(names.eq(crate::config::KINDS_OF_VC));
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_are_known() {
        let error = "rcs".parse::<Vc>().map_err(|error| error.to_string());
        let text =
            "'rcs' is not a version control system; write git, hg, svn, bzr, darcs, mtn, cvs or p4";
        assert_eq!(error, Err(text.to_owned()));
    }
}
