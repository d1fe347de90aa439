//! The state, opened for reading.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction};

use super::file::FILE;
use super::lock::Lock;
use super::{StoreError, schema};

/// The state, opened for reading, beside a running master or without one.
///
/// This is the only way to read. Its methods stand beside their SQL: in `read`, `prune` and
/// `verify`.
#[derive(Debug)]
pub struct State {
    conn: Connection,
    basedir: PathBuf,
}

/// Instructions of SQLite's machine between two looks at the clock.
const INSTRUCTIONS_BETWEEN_LOOKS: i32 = 10_000;

/// While this exists, everything read from the [`State`] is of one moment.
#[derive(Debug)]
#[must_use]
pub struct OneMoment<'a> {
    _reading: Transaction<'a>,
}

impl State {
    /// Opens the state in `basedir`.
    ///
    /// # Errors
    /// There is none, or it is of another version of this program; see [`StoreError`].
    pub fn open_readonly(basedir: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            conn: schema::open_for_reading(basedir)?,
            basedir: basedir.to_owned(),
        })
    }

    /// Opens the state in `basedir`; a master that was never started has none.
    ///
    /// # Errors
    /// It is of another version of this program, or cannot be read; see [`StoreError`].
    pub fn open_if_any(basedir: &Path) -> Result<Option<Self>, StoreError> {
        match Self::open_readonly(basedir) {
            Err(StoreError::NoState { .. }) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Whether a master runs on the state in `basedir` now.
    #[must_use]
    pub fn is_in_use(basedir: &Path) -> bool {
        Lock::is_taken(basedir)
    }

    /// Whether a master runs on it now. Who is connected is true only then.
    #[must_use]
    pub fn is_master_running(&self) -> bool {
        Self::is_in_use(&self.basedir)
    }

    /// Holds the state as it is now, for everything that is read until the result is dropped.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn at_one_moment(&self) -> Result<OneMoment<'_>, StoreError> {
        let reading = self.read(Connection::unchecked_transaction)?;
        Ok(OneMoment { _reading: reading })
    }

    /// Ends what is read from now on with an error once `limit` is over.
    pub(super) fn limit_reading(&mut self, limit: Option<Duration>) -> Result<(), StoreError> {
        let limited = match limit {
            Some(limit) => {
                let until = Instant::now() + limit;
                let is_over = move || Instant::now() > until;
                self.conn
                    .progress_handler(INSTRUCTIONS_BETWEEN_LOOKS, Some(is_over))
            }
            None => self.conn.progress_handler(0, None::<fn() -> bool>),
        };
        limited.map_err(|source| schema::refused(&self.basedir.join(FILE), source))
    }

    /// How many instructions SQLite's machine carries out while `look` reads, in hundreds: some for
    /// each row that it goes through.
    #[cfg(test)]
    pub(crate) fn cost(&mut self, look: impl FnOnce(&Self)) -> u64 {
        let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&count);
        let relaxed = std::sync::atomic::Ordering::Relaxed;
        let note = move || {
            counted.fetch_add(1, relaxed);
            false
        };
        self.conn.progress_handler(100, Some(note)).ok();
        look(self);
        let none = None::<fn() -> bool>;
        self.conn.progress_handler(0, none).ok();
        count.load(relaxed)
    }

    /// Reads for some milliseconds.
    #[cfg(test)]
    pub(super) fn count_for_long(&self) -> Result<u32, StoreError> {
        self.read(|conn| {
            conn.query_row(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)
                SELECT max(i) FROM n",
                [],
                |row| row.get(0),
            )
        })
    }

    /// Copies the state of this moment into a new file, readable by its owner only. A master that
    /// runs goes on.
    ///
    /// # Errors
    /// The file exists or cannot be written, or the state cannot be read.
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file);
        made.map_err(|source| StoreError::Io {
            path: file.to_owned(),
            source,
        })?;
        let name = file.as_os_str().as_bytes();
        let name = std::str::from_utf8(name).map_err(|_| StoreError::Io {
            path: file.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidFilename, "the name is not UTF-8"),
        })?;
        let copied = self.conn.execute("VACUUM INTO ?1", [name]);
        copied.map_err(|source| {
            // Half a copy is worse than none.
            fs::remove_file(file).ok();
            schema::refused(file, source)
        })?;
        let synced = File::open(file).and_then(|copy| copy.sync_all());
        synced.map_err(|source| StoreError::Io {
            path: file.to_owned(),
            source,
        })
    }

    /// The base directory.
    #[must_use]
    pub fn basedir(&self) -> &Path {
        &self.basedir
    }

    /// The size of the file, without its write-ahead log.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        self.read(|conn| {
            let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
            let size: i64 = conn.query_row(pages, [], |row| row.get(0))?;
            Ok(u64::try_from(size).unwrap_or(0))
        })
    }

    /// Reads with `query`.
    pub(super) fn read<'a, T>(
        &'a self,
        query: impl FnOnce(&'a Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let path = || self.basedir.join(FILE);
        query(&self.conn).map_err(|source| schema::refused(&path(), source))
    }
}
