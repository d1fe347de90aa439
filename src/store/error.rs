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
    /// The directory has no state.
    #[error(
        "no {file} in {}: is this the base directory of a master? Change to it, or name it with --basedir",
        dir.display(), file = super::file::FILE
    )]
    NoState {
        /// The directory.
        dir: PathBuf,
    },
    /// A later version of this program has written the state.
    #[error(
        "{} was written by a newer buildmaster (schema version {found}, this program knows up to \
         {known}): run the newer version, or restore an older backup",
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
    /// An earlier version has written the state. Only a starting master upgrades it.
    #[error(
        "{} was written by an older buildmaster (schema version {found}, this program reads \
         {known}): start the master once to upgrade the state",
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
    /// There are logs of builds, but no state.
    #[error(
        "{path} is missing or empty, but there are logs of builds beside it: restore a backup of the state, or start over with \
         `buildmaster new-state DIR`, which keeps the old logs and gives new builds numbers above theirs",
        path = path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
    },
    /// A new state must not overwrite an existing one.
    #[error("{} has a state; move it away first, with its -wal and -shm files", path.display())]
    IsThere {
        /// The file.
        path: PathBuf,
    },
    /// The contents of the file are damaged. A retry does not help.
    #[error(
        "{path} is damaged: {why}; keep the file, and restore a backup of the state (`buildmaster verify` checks \
         whether a backup is undamaged)",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// The disk or another program prevents access. The state itself may be undamaged.
    #[error(
        "cannot use {path}: {source}; the state itself may be undamaged: check the disk (space, permissions, the \
         messages of the system) or the program that holds the file, and try again",
        path = path.display()
    )]
    Passing {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is not the state of a buildmaster.
    #[error(
        "{} is not the state of a buildmaster, or its beginning was overwritten; move it away, and restore a backup of the \
         state if there was one",
        path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file system reports an error.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Something was read that took too long.
    #[error("reading {} took too long", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The thread that read the state panicked or was cancelled.
    #[error("reading the state failed: {why}")]
    Unfinished {
        /// Why the thread ended.
        why: String,
    },
    /// SQLite reports another error.
    #[error("cannot use {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// The error for an error of SQLite about the file at `path`.
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if is_damage(&source) {
            let why = source.to_string();
            return Self::Damaged { path, why };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::TooLong { path },
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

/// Whether SQLite reports that the contents of the file are damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

fn in_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
