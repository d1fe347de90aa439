//! Looks for damage to the state: briefly at a start, completely for `buildmaster verify`.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Row};

use super::error::is_damage;
use super::{State, StoreError, schema};
use crate::model::BuilderName;

/// Looks for damage for a limited time: of a large state, only the beginning is checked.
pub(super) fn glance(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let interrupt = conn.get_interrupt_handle();
    let (done, is_done) = mpsc::channel::<()>();
    let found = thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(GLANCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let found = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        drop(done);
        found
    });
    match found {
        Ok(text) if text == FINE => Ok(()),
        Ok(why) => Err(StoreError::Damaged {
            path: path.to_owned(),
            why: why.replace('\n', " "),
        }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(schema::refused(path, error)),
    }
}

/// A complete log that has not been pruned, as recorded in the state.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownLog {
    /// The builder.
    pub builder: BuilderName,
    /// The number of the build.
    pub number: u64,
    /// The path of the log, relative to the base directory and without suffix.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

impl State {
    /// The problems of a state: damage to its file, and rows that refer to missing rows.
    ///
    /// # Errors
    /// The state cannot be read for a reason other than damage.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.read(|conn| {
            let mut found = Vec::new();
            for looked in [integrity(conn), references(conn)] {
                match looked {
                    Ok(texts) => found.extend(texts),
                    Err(error) if is_damage(&error) => found.push(error.to_string()),
                    Err(error) => return Err(error),
                }
            }
            Ok(found)
        })
    }

    /// Calls `look` with each complete log that has not been pruned.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn each_log(&self, mut look: impl FnMut(KnownLog)) -> Result<(), StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare(LOGS)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                look(KnownLog {
                    builder: BuilderName::from(row.get::<_, String>(0)?.as_str()),
                    number: row.get::<_, i64>(1)?.unsigned_abs(),
                    path: row.get(2)?,
                    size: row.get::<_, i64>(3)?.unsigned_abs(),
                });
            }
            Ok(())
        })
    }

    /// Whether the log at `path` has not been pruned.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn is_log_kept(&self, path: &str) -> Result<bool, StoreError> {
        self.read(|conn| conn.prepare_cached(KEPT)?.exists([path]))
    }
}

fn integrity(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found: Vec<String> = conn
        .prepare("PRAGMA integrity_check(100)")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    found.retain(|text| text != FINE);
    Ok(found)
}

fn references(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let dangling = |row: &Row<'_>| -> rusqlite::Result<String> {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!(
            "a row of {table} refers to a missing row of {parent}"
        ))
    };
    conn.prepare("PRAGMA foreign_key_check")?
        .query_map([], dangling)?
        .collect()
}

pub(super) const KEPT: &str = "SELECT 1 FROM log l JOIN build b ON b.id = l.build
     WHERE l.path = ?1 AND b.logs_pruned = 0";

pub(super) const LOGS: &str = "SELECT b.builder, b.number, l.path, l.size
     FROM build b JOIN log l ON l.build = b.id
     WHERE b.logs_pruned = 0 AND l.size IS NOT NULL";

/// SQLite's answer for an undamaged file.
const FINE: &str = "ok";
/// Time limit for the search for damage at a start.
const GLANCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::store::Store;

    fn filled() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        let conn = schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
        conn.execute_batch(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
             INSERT INTO spent_builds SELECT 'builder-with-a-long-name-' || n, n FROM n;
             PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .unwrap();
        dir
    }

    /// Overwrites the page in which the rows of the filled table begin.
    fn damage(dir: &Path) {
        let path = dir.join(Store::FILE);
        let (page, size): (u32, u32) = {
            let conn = Connection::open(&path).unwrap();
            let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'spent_builds'";
            (
                conn.query_row(root, [], |row| row.get(0)).unwrap(),
                conn.pragma_query_value(None, "page_size", |row| row.get(0))
                    .unwrap(),
            )
        };
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[0xa5; 512], u64::from((page - 1) * size))
            .unwrap();
    }

    #[test]
    fn a_whole_state_is_fine() {
        let dir = filled();
        let state = State::open_readonly(dir.path()).unwrap();
        assert_eq!(state.verify().unwrap(), [""; 0]);
        Store::open(dir.path()).unwrap();
    }

    #[test]
    fn a_damaged_state_is_told_apart_from_a_disk_that_fails() {
        let dir = filled();
        damage(dir.path());
        match Store::open(dir.path()) {
            Err(error @ StoreError::Damaged { .. }) => {
                let told = error.to_string();
                assert!(told.contains("is damaged"), "{told}");
            }
            other => panic!("{other:?}"),
        }
        let state = State::open_readonly(dir.path()).unwrap();
        assert!(!state.verify().unwrap().is_empty());
    }

    #[test]
    fn rows_that_refer_to_nothing_are_found() {
        let dir = filled();
        let conn = Connection::open(dir.path().join(Store::FILE)).unwrap();
        conn.execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO request (id, build_set, builder, submitted_at) VALUES (1, 77, 'b', 0);",
        )
        .unwrap();
        let state = State::open_readonly(dir.path()).unwrap();
        assert_eq!(
            state.verify().unwrap(),
            ["a row of request refers to a missing row of build_set"]
        );
    }
}
