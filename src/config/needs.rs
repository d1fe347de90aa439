//! What a configuration needs outside of its file, so that whoever can look finds out before a
//! master starts with it.
//!
//! Nothing here looks: each need only names the thing and the place in the file that asks for it.

use std::ops::Range;
use std::path::PathBuf;

use super::address::Listen;
use super::secret::Secret;

/// Something outside of the file that a part of it needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Need {
    /// Which part of the configuration needs it, for messages: ``slave `bot` ``.
    pub owner: String,
    /// What it needs.
    pub what: Needed,
    /// The bytes of the text that ask for it.
    pub span: Range<usize>,
}

/// What may be needed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Needed {
    /// A password that can be read. A master does not start without it.
    Password {
        /// Where it is.
        secret: Secret,
        /// Whether it may be a hash, which must be one that can be used then.
        may_be_hash: bool,
    },
    /// A file with users and the hashes of their passwords. A master starts without it.
    PasswordFile(PathBuf),
    /// A secret of a step that can be read. Its step would fail without it.
    Secret(Secret),
    /// Addresses that are free. A master does not start without them.
    Ports(Vec<Listen>),
    /// A template of this name. A master starts without it.
    Template(String),
    /// A directory for try jobs. A master does not start without it.
    Jobdir(PathBuf),
    /// A program on this machine, by its path or looked up in `PATH`. A master starts without it.
    Program {
        /// The program.
        program: String,
        /// What does not work without it.
        otherwise: String,
        /// What to do.
        help: String,
    },
}
