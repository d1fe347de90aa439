//! Opening the file: pragmas, and migrations forward to the schema of this program.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;

macro_rules! migrations {
    ($($number:literal)*) => {
        &[$(include_str!(concat!("migrations/", $number, ".sql"))),*]
    };
}

/// The steps to the schema of this program; the first makes it from nothing. A step that has been
/// released is never changed again.
pub(super) const MIGRATIONS: &[&str] = migrations!(
    "0001" "0002" "0003" "0004" "0005" "0006" "0007" "0008" "0009"
    "0010" "0011" "0012" "0013" "0014" "0015" "0016" "0017" "0018"
    "0019" "0020" "0021" "0022" "0023" "0024" "0025" "0026" "0027" "0028" "0029" "0030"
    "0031" "0032" "0033" "0034" "0035"
    "0036" "0037" "0038" "0039" "0040" "0041" "0042" "0043" "0044" "0045" "0046" "0047" "0048" "0049" "0050"
    "0051" "0052" "0053" "0054" "0055" "0056"
);

/// Opens the state for writing, made if it is not there, at the schema of this program.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    // SQLite gives the files beside it the mode of this one.
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| StoreError::Io {
            path: path.to_owned(),
            source,
        })?;
    let refused = |source| refused(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(refused)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    check_is_ours(&conn, path)?;
    (|| {
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        conn.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT_PAGES)?;
        keep_plans(&conn)?;
        conn.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
        conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Ok(())
    })()
    .map_err(refused)?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Opens the state for reading.
pub(super) fn open_for_reading(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(super::file::FILE);
    if !path.is_file() {
        return Err(StoreError::NoState {
            dir: dir.to_owned(),
        });
    }
    let refused = |source| refused(&path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).map_err(refused)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    check_is_ours(&conn, &path)?;
    conn.pragma_update(None, "trusted_schema", false)
        .map_err(refused)?;
    keep_plans(&conn).map_err(refused)?;
    conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    let found = version(&conn).map_err(refused)?;
    if found == 0 {
        return Err(StoreError::NoState {
            dir: dir.to_owned(),
        });
    }
    let known = known();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(conn),
        std::cmp::Ordering::Less => Err(StoreError::Older { path, found, known }),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path, found, known }),
    }
}

/// A plan depends on the text of its statement alone. SQLite otherwise looks at bound values, and
/// compiles a statement anew when they change.
fn keep_plans(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(|_| ())
}

/// The error for what SQLite refused.
pub(super) fn refused(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::of(path, source)
}

fn check_is_ours(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let (id, version, tables): (u32, u32, u32) = conn
        .query_row(
            "SELECT (SELECT application_id FROM pragma_application_id),
                    (SELECT user_version FROM pragma_user_version),
                    (SELECT count(*) FROM sqlite_schema)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(|e| refused(path, e))?;
    // Nothing in it yet: just made, or the first migration was cut off.
    let is_empty = id == 0 && version == 0 && tables == 0;
    if is_empty || id == APPLICATION_ID {
        Ok(())
    } else {
        Err(StoreError::NotOurs {
            path: path.to_owned(),
        })
    }
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let refused = |source| refused(path, source);
    let found = version(conn).map_err(refused)?;
    if found > known() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: known(),
        });
    }
    for (step, sql) in (1..).zip(MIGRATIONS) {
        if step > found {
            migrate_to(conn, step, sql).map_err(refused)?;
        }
    }
    Ok(())
}

fn migrate_to(conn: &mut Connection, step: u32, sql: &str) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", step)?;
    tx.commit()
}

fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// "BMST", so that `file` and SQLite tell our file from others.
const APPLICATION_ID: u32 = 0x424d_5354;
/// Others hold the file for an instant only: a backup tool, somebody at the `sqlite3` prompt.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The writer moves the write-ahead log into the file itself when it has time; this is for when
/// it has none for long.
const AUTO_CHECKPOINT_PAGES: u32 = 16_384;
/// What is left on disk of a write-ahead log that was larger.
const WAL_KEPT_BYTES: u32 = 16 * 1024 * 1024;
/// More than there are statements.
const CACHED_STATEMENTS: usize = 64;

#[cfg(test)]
mod tests;
