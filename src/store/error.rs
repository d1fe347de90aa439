//! Why the state cannot be used.

use std::io;
use std::path::PathBuf;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another master holds the lock on the state.
    #[error("a master is already running in {}{}", dir.display(), in_process(*.pid))]
    AlreadyRunning {
        /// The base directory.
        dir: PathBuf,
        /// The process that holds the lock, if it left its number.
        pid: Option<u32>,
    },
    /// There is nothing to read.
    #[error(
        "no {file} in {}: is this a master's base directory? Go there, or name it with --basedir",
        dir.display(), file = super::Store::FILE
    )]
    NoState {
        /// The directory that was looked in.
        dir: PathBuf,
    },
    /// A later version of this program has written it.
    #[error(
        "{} was written by a newer buildmaster (its form is {found}, this program knows up to \
         {known}): use that one, or put back a copy from before",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: u32,
        /// The last version that this program knows.
        known: u32,
    },
    /// An earlier version has written it, and only a starting master brings it up to date.
    #[error(
        "{} was written by an older buildmaster (its form is {found}, this program reads \
         {known}): start the master once to bring it up to date",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: u32,
        /// The version that this program reads.
        known: u32,
    },
    /// The file is something else.
    #[error("{} is not the state of a buildmaster; move it away", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("cannot use {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
}

fn in_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
