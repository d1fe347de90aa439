//! Why the state cannot be used.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

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
        dir.display(), file = super::file::FILE
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
    /// The logs of builds are there, and the state that knows them is not.
    #[error(
        "{path} is gone or empty, but there are logs of builds beside it: put back a copy of the state, or begin anew with \
         `buildmaster new-state DIR`, which keeps the old logs and gives new builds numbers above theirs",
        path = path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
    },
    /// It is to be made anew, but must not be overwritten.
    #[error("{} has a state in it; move it away first, with its -wal and -shm files", path.display())]
    IsThere {
        /// The file.
        path: PathBuf,
    },
    /// What is in the file contradicts itself; another attempt does not help.
    #[error(
        "{path} is damaged: {why}; keep the file, and put back a copy of the state from before (`buildmaster verify` tells \
         whether a copy is whole)",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// The disk or another program is in the way, and the state may be as it should.
    #[error(
        "cannot use {path} at present: {source}; the state itself may be whole: see to the disk (space, permissions, the \
         messages of the system) or to the program that holds the file, and try again",
        path = path.display()
    )]
    Passing {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is something else.
    #[error(
        "{} is not the state of a buildmaster, or its beginning was overwritten; move it away, and put back a copy of the \
         state if there was one",
        path.display()
    )]
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
    /// The thread that read it did not come to an end.
    #[error("reading the state failed: {why}")]
    Unfinished {
        /// What became of it.
        why: String,
    },
    /// SQLite refuses.
    #[error("cannot use {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// The error for what SQLite says of the file at `path`.
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if is_damage(&source) {
            let why = source.to_string();
            return Self::Damaged { path, why };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotOurs { path },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory,
            ) => Self::Passing {
                path,
                source: source.into(),
            },
            Some(_) | None => Self::Sqlite {
                path,
                source: source.into(),
            },
        }
    }
}

impl From<StoreError> for String {
    fn from(error: StoreError) -> Self {
        error.to_string()
    }
}

/// Whether SQLite says that what is in the file contradicts itself.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

fn in_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
