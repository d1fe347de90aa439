//! The differences between operating systems, one file each: Unix (Linux, macOS and others) and
//! Windows.
//!
//! On Windows, the program is a slave and a client. The master needs Unix: the rooms of the master
//! are compiled for Unix only and call Unix directly. All other rooms call this one.
//!
//! Invariants: both files offer the same names. Where Windows has nothing that corresponds, its
//! file says what happens instead.

mod tree;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use tree::{copy_tree, remove_tree};
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// Said where a pseudo terminal is wanted on a system without them.
pub const NO_TERMINALS: &str = "Windows has no pseudo terminals for commands";

/// A signal to this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// To end: SIGTERM, SIGINT; on Windows Ctrl+C, Ctrl+Break, the end of the console or of the
    /// session.
    End,
    /// SIGHUP.
    HangUp,
}

/// What is known of a file, as `stat` tells it; times in seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Look {
    /// Kind and permissions.
    pub mode: u32,
    /// Inode.
    pub inode: u64,
    /// Device.
    pub device: u64,
    /// Names that it has.
    pub links: u64,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Bytes.
    pub size: u64,
    /// Last access.
    pub accessed: (i64, i64),
    /// Last change of its contents.
    pub modified: (i64, i64),
    /// Last change of its contents or of what is known of it.
    pub changed: (i64, i64),
}

impl Look {
    /// Whether it is a directory.
    #[must_use]
    pub const fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Whether it is a plain file.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}
