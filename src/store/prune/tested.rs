//! Prunes what is known of tests: lines whose builds are gone, old changes of other lines, and
//! names that nothing refers to (TST-09).

use rusqlite::{Connection, OptionalExtension, params};

use super::Page;
use crate::model::{OldTestChanges, Pruned, TestHash, TestTable};
use crate::store::column::int;
use crate::store::{State, StoreError};

/// Most rows of one transaction.
const ROWS: u16 = 500;
/// Names that are looked at together.
const NAMES: u16 = 1_000;

impl State {
    /// Whether there is a line of tests whose builds are gone.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_dead_test_lines(&self) -> Result<bool, StoreError> {
        self.read(|conn| Ok(dead_line(conn)?.is_some()))
    }

    /// Changes of the outcomes of tests that are older than the oldest build of their line's
    /// builder, from the line `from` on. The last one of each test at that build is kept: it is
    /// the test's outcome there.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn prunable_test_changes(&self, from: u64) -> Result<Page, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(NEXT_LINE)?;
            let line = select.query_row([int(from)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
            });
            let Some((line, oldest)) = line.optional()? else {
                return Ok(Page::default());
            };
            let found = match oldest {
                Some(oldest) => old_changes(conn, line, oldest)?,
                None => Vec::new(),
            };
            let is_full = found.len() == usize::from(ROWS);
            let next = line.unsigned_abs() + u64::from(!is_full);
            Ok(Page {
                found: (!found.is_empty()).then_some(Pruned::TestChanges(found)),
                next: Some(next),
            })
        })
    }

    /// Names of tests that nothing refers to, from the place `from` on.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn prunable_test_names(&self, from: u64) -> Result<Page, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(NAMES_FROM)?;
            let first = (from ^ SIGN).cast_signed();
            let rows = select.query_map(params![first, NAMES], |row| {
                Ok((TestHash::from_signed(row.get(0)?), row.get(1)?))
            })?;
            let rows: Vec<(TestHash, bool)> = rows.collect::<rusqlite::Result<_>>()?;
            let last = rows.last().filter(|_| rows.len() == usize::from(NAMES));
            let next = last.and_then(|(last, _)| (last.0 ^ SIGN).checked_add(1));
            let free = rows.iter().filter(|(_, is_used)| !is_used);
            let mut free: Vec<_> = free.map(|(hash, _)| *hash).collect();
            if !free.is_empty() {
                let mut tables = conn.prepare_cached(TRIES)?;
                let mut tables = tables.query([])?;
                while let Some(row) = tables.next()? {
                    let table = TestTable::from_stored(row.get(0)?);
                    free.retain(|hash| table.find(*hash).is_none());
                }
            }
            Ok(Page {
                found: (!free.is_empty()).then_some(Pruned::TestNames(free)),
                next,
            })
        })
    }
}

/// Turns signed numbers into unsigned ones of the same order, and back.
const SIGN: u64 = 1 << 63;

fn dead_line(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(DEAD_LINE)?
        .query_row([], |row| row.get(0))
        .optional()
}

fn old_changes(conn: &Connection, line: i64, oldest: i64) -> rusqlite::Result<Vec<OldTestChanges>> {
    let mut select = conn.prepare_cached(CHANGES)?;
    let mut rows = select.query([line])?;
    let mut found = Vec::new();
    // The test, its newest change up to the oldest build, and whether there are older ones.
    let mut open: Option<(i64, i64, bool)> = None;
    let mut end = |open: Option<(i64, i64, bool)>| {
        if let Some((test, before, true)) = open {
            found.push(OldTestChanges {
                line,
                test: TestHash::from_signed(test),
                before: before.unsigned_abs(),
            });
        }
        found.len() < usize::from(ROWS)
    };
    while let Some(row) = rows.next()? {
        let (test, number): (i64, i64) = (row.get(0)?, row.get(1)?);
        open = match open {
            Some((known, _, _)) if known == test && number <= oldest => Some((test, number, true)),
            Some(same) if same.0 == test => Some(same),
            other => {
                if !end(other) {
                    return Ok(found);
                }
                Some((test, number, false))
            }
        };
    }
    end(open);
    Ok(found)
}

/// Removes some rows of a line whose builds are gone, and the line with the last of them.
pub(super) fn remove_some_of_dead_lines(conn: &Connection) -> rusqlite::Result<()> {
    let Some(line) = dead_line(conn)? else {
        return Ok(());
    };
    for sql in [REMOVE_CHANGES, REMOVE_LAST] {
        let removed = conn.prepare_cached(sql)?.execute(params![line, ROWS])?;
        if removed > 0 {
            return Ok(());
        }
    }
    conn.prepare_cached("DELETE FROM test_line WHERE id = ?1")?
        .execute([line])?;
    Ok(())
}

pub(super) fn remove_changes(conn: &Connection, old: &[OldTestChanges]) -> rusqlite::Result<()> {
    let mut remove = conn.prepare_cached(REMOVE_OLD)?;
    for one in old {
        remove.execute(params![one.line, one.test.signed(), int(one.before)])?;
    }
    Ok(())
}

pub(super) fn remove_names(conn: &Connection, tests: &[TestHash]) -> rusqlite::Result<()> {
    let mut remove = conn.prepare_cached(REMOVE_NAME)?;
    for test in tests {
        remove.execute([test.signed()])?;
    }
    Ok(())
}

const DEAD_LINE: &str = "SELECT t.id FROM test_line t WHERE NOT EXISTS
    (SELECT 1 FROM build b WHERE b.builder = t.builder AND b.number = t.last) LIMIT 1";
const NEXT_LINE: &str = "SELECT t.id,
        (SELECT min(b.number) FROM build b WHERE b.builder = t.builder)
    FROM test_line t WHERE t.id >= ?1 ORDER BY t.id LIMIT 1";
const CHANGES: &str = "SELECT hash, number FROM test_change WHERE line = ?1 ORDER BY hash, number";
const NAMES_FROM: &str = "SELECT n.hash,
        EXISTS (SELECT 1 FROM test_last l WHERE l.hash = n.hash)
    FROM test_name n WHERE n.hash >= ?1 ORDER BY n.hash LIMIT ?2";
const TRIES: &str = "SELECT results FROM test_report WHERE line IS NULL AND results IS NOT NULL";
const REMOVE_CHANGES: &str = "DELETE FROM test_change WHERE (line, hash, number) IN
    (SELECT line, hash, number FROM test_change WHERE line = ?1 LIMIT ?2)";
const REMOVE_LAST: &str = "DELETE FROM test_last WHERE (line, hash) IN
    (SELECT line, hash FROM test_last WHERE line = ?1 LIMIT ?2)";
const REMOVE_OLD: &str = "DELETE FROM test_change WHERE line = ?1 AND hash = ?2 AND number < ?3";
const REMOVE_NAME: &str = "DELETE FROM test_name WHERE hash = ?1
    AND NOT EXISTS (SELECT 1 FROM test_last WHERE hash = ?1)";
