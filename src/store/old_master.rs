//! The numbers that the state of a Buildbot master has come to (IST-02 to IST-07). It is only read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::column::whole;
use super::schema::{self, refused};

/// How far a master of Buildbot has counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OldNumbers {
    /// The last build of each builder.
    pub builds: BTreeMap<String, u64>,
    /// The last change.
    pub change: Option<u64>,
    /// Requests of each builder that wait.
    pub waiting: BTreeMap<String, u64>,
    /// The masters that are marked as running, with the time of their last mark in seconds since
    /// 1970. Masters do this since 0.9.
    pub running: BTreeMap<String, i64>,
    /// Whether builds are in the database alone, as since 0.9 (IST-03).
    pub is_all: bool,
}

/// Reads the database of a Buildbot master: `state.sqlite` of 0.8.0 to 4.x.
///
/// # Errors
/// It cannot be read, or is not the database of a Buildbot master.
pub fn old_numbers(file: &Path) -> Result<OldNumbers, StoreError> {
    let io = |source| StoreError::Io {
        path: file.to_owned(),
        source,
    };
    // What is not yet in the file itself is read from a copy, so that nothing is written there.
    let wal = beside(file, "-wal");
    let copy = match fs::metadata(&wal).is_ok_and(|meta| meta.len() > 0) {
        true => {
            let dir = tempfile::tempdir().map_err(io)?;
            let copy = dir.path().join("state.sqlite");
            fs::copy(file, &copy).map_err(io)?;
            fs::copy(&wal, beside(&copy, "-wal")).map_err(io)?;
            Some((dir, copy))
        }
        false => None,
    };
    let conn = match &copy {
        Some((_, copy)) => Connection::open(copy),
        None => open_untouched(file),
    };
    let read = |conn: Connection| -> rusqlite::Result<OldNumbers> {
        conn.busy_timeout(schema::BUSY_TIMEOUT)?;
        let has_ids: bool = conn.query_row(HAS_BUILDER_IDS, [], |row| row.get(0))?;
        let (builds, waiting) = match has_ids {
            true => (BUILDS, WAITING),
            false => (OLD_BUILDS, OLD_WAITING),
        };
        Ok(OldNumbers {
            builds: counts(&conn, builds)?,
            change: conn.query_row(CHANGE, [], |row| {
                Ok(row.get::<_, Option<i64>>(0)?.map(whole))
            })?,
            waiting: counts(&conn, waiting)?,
            running: match has_ids {
                true => conn
                    .prepare(RUNNING)?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<rusqlite::Result<_>>()?,
                false => BTreeMap::new(),
            },
            is_all: has_ids,
        })
    };
    conn.and_then(read).map_err(|error| refused(file, error))
}

/// Opens a file as one that nobody changes, so that SQLite makes no files beside it.
fn open_untouched(file: &Path) -> rusqlite::Result<Connection> {
    let path = file.to_string_lossy();
    let path = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{path}?mode=ro&immutable=1"), flags)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn counts(conn: &Connection, sql: &str) -> rusqlite::Result<BTreeMap<String, u64>> {
    conn.prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, whole(row.get(1)?))))?
        .collect()
}

const HAS_BUILDER_IDS: &str =
    "SELECT count(*) > 0 FROM pragma_table_info('builds') WHERE name = 'builderid'";

/// Since 0.9.
const BUILDS: &str = "SELECT b.name, max(u.number) FROM builds u
    JOIN builders b ON b.id = u.builderid GROUP BY b.name";
const WAITING: &str = "SELECT b.name, count(*) FROM buildrequests r
    JOIN builders b ON b.id = r.builderid WHERE r.complete = 0 GROUP BY b.name";
const RUNNING: &str = "SELECT name, last_active FROM masters WHERE active = 1";

/// Until 0.8.
const OLD_BUILDS: &str = "SELECT r.buildername, max(u.number) FROM builds u
    JOIN buildrequests r ON r.id = u.brid GROUP BY r.buildername";
const OLD_WAITING: &str = "SELECT buildername, count(*) FROM buildrequests
    WHERE complete = 0 GROUP BY buildername";

const CHANGE: &str = "SELECT max(changeid) FROM changes";
