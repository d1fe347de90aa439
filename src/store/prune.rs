//! Prunes history older than a horizon (MAS-08): the queries that find it, and what
//! [`Op::Pruned`](crate::model::Op::Pruned) writes.
//!
//! The oldest rows come first, a page at a time. One page is one transaction, so other writes never
//! wait for long. Rows stay prunable once they are found: builds that have ended, sets that have
//! finished, and changes that no scheduler and no open set refers to. The last finished build of a
//! builder is always kept, and so is the last one that was not a try.
//!
//! Rows are deleted first. The same transaction notes the directories of their logs. A note is
//! deleted after its directory, so no directory is forgotten when the master is killed in between.

mod tested;

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::column::{Col, Json, int};
use super::read::held::{collect_changes, scheduler_states};
use super::{State, StoreError};
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Pruned, RequestId, SetId, Timestamp,
};

/// The limits of a horizon at present. Rows beyond either limit are pruned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The number of newest rows to keep.
    pub count: Option<u32>,
    /// Older rows are pruned.
    pub since: Option<Timestamp>,
    /// Builds that show a problem are kept while it is open, and if it has ended after this time
    /// (PRB-24).
    pub proofs_since: Timestamp,
}

impl Limits {
    /// The first number within the count, if `newest` is the last one.
    fn first(&self, newest: u64) -> u64 {
        let beyond = |count| (newest + 1).saturating_sub(u64::from(count));
        self.count.map_or(0, beyond)
    }

    fn has_passed(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| at < since)
    }
}

/// Which part of builds to prune.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// The builds themselves.
    Builds,
    /// Only their logs.
    Logs,
}

/// The result of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The rows to prune.
    pub found: Option<Pruned>,
    /// The number to continue at; absent when nothing is left to prune.
    pub next: Option<u64>,
}

impl State {
    /// Builds of `builder` to prune, or to prune the logs of, from the number `from` on.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn prunable_builds(
        &self,
        builder: &BuilderName,
        what: What,
        limits: &Limits,
        from: u64,
    ) -> Result<Page, StoreError> {
        self.read(|conn| {
            let newest = number(conn, NEWEST_BUILD, builder)?;
            let last = number(conn, LAST_ENDED_BUILD, builder)?;
            let last_but_tries = number(conn, LAST_BUILD_BUT_TRIES, builder)?;
            let first = limits.first(newest.unwrap_or_default());
            let sql = match what {
                What::Builds => BUILDS,
                What::Logs => BUILDS_WITH_LOGS,
            };
            let mut found = Vec::new();
            let mut proofs: Option<BTreeSet<u64>> = None;
            let next = walk(
                conn,
                sql,
                params![builder.as_str(), int(from), int(PAGE)],
                |id, number, ended| {
                    let Some(ended) = ended else {
                        // The build runs; later builds may have ended long ago.
                        return Ok(true);
                    };
                    if number >= first && !limits.has_passed(ended) {
                        return Ok(false);
                    }
                    if proofs.is_none() {
                        proofs = Some(proofs_of_problems(conn, builder, limits.proofs_since)?);
                    }
                    if proofs.as_ref().is_some_and(|all| all.contains(&number)) {
                        return Ok(true);
                    }
                    if ![last, last_but_tries].contains(&Some(number))
                        && !is_there(conn, OPEN_SET_OF_BUILD, id)?
                    {
                        found.push(BuildId(id));
                    }
                    Ok(true)
                },
            )?;
            let found = (!found.is_empty()).then_some(match what {
                What::Builds => Pruned::Builds(found),
                What::Logs => Pruned::Logs(found),
            });
            Ok(Page { found, next })
        })
    }

    /// Sets whose requests for `builder` ended without a build and are older than the requests of
    /// the builds to keep.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn prunable_sets(
        &self,
        builder: &BuilderName,
        limits: &Limits,
    ) -> Result<Page, StoreError> {
        self.read(|conn| {
            let newest = number(conn, NEWEST_BUILD, builder)?;
            let first = limits.first(newest.unwrap_or_default());
            let begin: Option<i64> = match first {
                0 => None,
                _ => conn
                    .prepare_cached(BEGIN_OF_BUILD)?
                    .query_row((builder.as_str(), int(first)), |row| row.get(0))
                    .optional()?,
            };
            let Some(before) = begin.max(limits.since.map(|since| since.0)) else {
                return Ok(Page::default());
            };
            let sets: Vec<SetId> = conn
                .prepare_cached(UNBUILT_SETS)?
                .query_map(params![builder.as_str(), before, int(PAGE)], |row| {
                    Ok(row.get::<_, Col<_>>(0)?.0)
                })?
                .collect::<rusqlite::Result<_>>()?;
            // These sets are deleted before the next page is queried.
            let next = (!sets.is_empty()).then_some(0);
            let found = next.map(|_| Pruned::Sets(sets));
            Ok(Page { found, next })
        })
    }

    /// Changes to prune, from the number `from` on (CHG-07).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn prunable_changes(&self, limits: &Limits, from: u64) -> Result<Page, StoreError> {
        self.read(|conn| {
            let newest = conn.prepare_cached(NEWEST_CHANGE)?.query_row([], maybe)?;
            let first = limits.first(newest.unwrap_or_default());
            let mut held: Option<BTreeSet<ChangeNumber>> = None;
            let mut found = Vec::new();
            let next = walk(
                conn,
                CHANGES,
                params![int(from), int(PAGE)],
                |_, number, arrived| {
                    if number >= first && arrived.is_none_or(|at| !limits.has_passed(at)) {
                        return Ok(false);
                    }
                    if held.is_none() {
                        held = Some(held_changes(conn)?);
                    }
                    let is_held = |number| held.as_ref().is_some_and(|held| held.contains(number));
                    let number = ChangeNumber(number);
                    if !is_held(&number) && !is_there(conn, OPEN_SET_OF_CHANGE, number.0)? {
                        found.push(number);
                    }
                    Ok(true)
                },
            )?;
            let found = (!found.is_empty()).then_some(Pruned::Changes(found));
            Ok(Page { found, next })
        })
    }

    /// Directories of pruned logs, in order, starting after the directory `after`. The flag tells
    /// whether a newer build has its logs in the directory: a builder may use the directory of a
    /// former builder.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn forgotten_log_dirs(&self, after: &str) -> Result<Vec<(String, bool)>, StoreError> {
        self.read(|conn| {
            let dirs: Vec<String> = conn
                .prepare_cached(LOG_DIRS)?
                .query_map(params![after, int(PAGE)], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut is_used = conn.prepare_cached(USER_OF_LOG_DIR)?;
            let with_use = |dir: String| {
                let number = Path::new(&dir).file_name().and_then(|name| name.to_str());
                let number = number.and_then(|name| name.parse::<i64>().ok());
                let used = is_used.exists(params![number, dir])?;
                Ok((dir, used))
            };
            dirs.into_iter().map(with_use).collect()
        })
    }
}

/// Deletes `pruned` from the state. Rows that are already deleted are skipped.
pub(super) fn write(conn: &Connection, pruned: &Pruned) -> rusqlite::Result<usize> {
    match pruned {
        Pruned::Builds(builds) => {
            for &build in builds {
                note_log_dirs(conn, build)?;
                remove_build(conn, build)?;
            }
        }
        Pruned::Logs(builds) => {
            for &build in builds {
                note_log_dirs(conn, build)?;
                for sql in [REMOVE_LOGS, MARK_LOGS] {
                    conn.prepare_cached(sql)?.execute([int(build.0)])?;
                }
            }
        }
        Pruned::Sets(sets) => {
            for &set in sets {
                remove_set(conn, set)?;
            }
        }
        Pruned::Changes(changes) => {
            for change in changes {
                for sql in [
                    "DELETE FROM change WHERE number = ?1",
                    "DELETE FROM change_identity WHERE change = ?1",
                ] {
                    conn.prepare_cached(sql)?.execute([int(change.0)])?;
                }
            }
        }
        Pruned::Audit(before) => {
            conn.prepare_cached("DELETE FROM audit WHERE at < ?1")?
                .execute([before.0])?;
        }
        Pruned::Sessions(by) => {
            conn.prepare_cached("DELETE FROM session WHERE ends_at <= ?1")?
                .execute([by.0])?;
        }
        Pruned::Deliveries(before) => {
            conn.prepare_cached(REMOVE_DELIVERIES)?
                .execute([before.0])?;
        }
        Pruned::Letters(before) => {
            conn.prepare_cached(REMOVE_LETTERS)?.execute([before.0])?;
        }
        Pruned::Problems(before) => {
            for sql in [REMOVE_PROBLEMS, REMOVE_SEARCHES] {
                conn.prepare_cached(sql)?.execute([before.0])?;
            }
        }
        Pruned::TestLines => tested::remove_some_of_dead_lines(conn)?,
        Pruned::TestChanges(old) => tested::remove_changes(conn, old)?,
        Pruned::TestNames(tests) => tested::remove_names(conn, tests)?,
        Pruned::LogDirs(dirs) => {
            let mut remove = conn.prepare_cached("DELETE FROM pruned_log_dir WHERE path = ?1")?;
            for dir in dirs {
                remove.execute([dir])?;
            }
        }
    }
    Ok(1)
}

fn note_log_dirs(conn: &Connection, build: BuildId) -> rusqlite::Result<()> {
    let mut note =
        conn.prepare_cached("INSERT OR IGNORE INTO pruned_log_dir (path) VALUES (?1)")?;
    let mut select = conn.prepare_cached("SELECT path FROM log WHERE build = ?1")?;
    let mut rows = select.query([int(build.0)])?;
    while let Some(row) = rows.next()? {
        let path: String = row.get(0)?;
        if let Some(dir) = log_dir(&path) {
            note.execute([dir])?;
        }
    }
    Ok(())
}

/// The directory of the build whose log has this path. Its name is the number of the build. Earlier
/// versions had a directory for each step inside, such as `0-compile`.
fn log_dir(path: &str) -> Option<&str> {
    let mut dirs = Path::new(path).ancestors().skip(1).map(Path::to_str);
    dirs.find(|dir| {
        let name = dir.and_then(|dir| dir.rsplit('/').next());
        name.is_some_and(|name| name.parse::<u64>().is_ok())
    })?
}

fn remove_build(conn: &Connection, build: BuildId) -> rusqlite::Result<()> {
    // A line whose last build goes has not been built for long.
    conn.prepare_cached(REMOVE_LINE)?.execute([int(build.0)])?;
    let requests: Option<Json<Vec<RequestId>>> = conn
        .prepare_cached("DELETE FROM build WHERE id = ?1 RETURNING requests")?
        .query_row([int(build.0)], |row| row.get(0))
        .optional()?;
    let mut sets = BTreeSet::new();
    let mut set_of = conn.prepare_cached("SELECT build_set FROM request WHERE id = ?1")?;
    for request in requests.map(|requests| requests.0).unwrap_or_default() {
        let set: Option<Col<SetId>> = set_of
            .query_row([int(request.0)], |row| row.get(0))
            .optional()?;
        sets.extend(set.map(|set| set.0));
    }
    sets.into_iter().try_for_each(|set| remove_set(conn, set))
}

/// The builds at the begin and the end of problems, and those that prove who has caused them
/// (PRB-24).
fn proofs_of_problems(
    conn: &Connection,
    builder: &BuilderName,
    since: Timestamp,
) -> rusqlite::Result<BTreeSet<u64>> {
    let mut proofs = BTreeSet::new();
    let mut select = conn.prepare_cached(PROOFS)?;
    let mut rows = select.query(params![builder.as_str(), since.0])?;
    while let Some(row) = rows.next()? {
        for at in 0..3 {
            proofs.extend(row.get::<_, Option<Col<BuildNumber>>>(at)?.map(|n| n.0.0));
        }
    }
    Ok(proofs)
}

/// Deletes a finished set without remaining builds.
fn remove_set(conn: &Connection, set: SetId) -> rusqlite::Result<()> {
    conn.prepare_cached(REMOVE_SET)?
        .execute([int(set.0)])
        .map(drop)
}

/// Calls `look` with each row (id, number, time) of a page until `look` returns false. Returns the
/// number at which the next page starts.
fn walk(
    conn: &Connection,
    sql: &str,
    page: impl Params,
    mut look: impl FnMut(u64, u64, Option<Timestamp>) -> rusqlite::Result<bool>,
) -> rusqlite::Result<Option<u64>> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(page)?;
    let (mut seen, mut next) = (0, 0);
    while let Some(row) = rows.next()? {
        let (id, number) = (whole(row, 0)?, whole(row, 1)?);
        let at = row.get::<_, Option<Col<_>>>(2)?.map(|at| at.0);
        if !look(id, number, at)? {
            return Ok(None);
        }
        (seen, next) = (seen + 1, number + 1);
    }
    Ok((seen == PAGE).then_some(next))
}

fn held_changes(conn: &Connection) -> rusqlite::Result<BTreeSet<ChangeNumber>> {
    let mut held = BTreeSet::new();
    for state in scheduler_states(conn)?.values() {
        collect_changes(state, &mut held);
    }
    Ok(held)
}

fn number(conn: &Connection, sql: &str, builder: &BuilderName) -> rusqlite::Result<Option<u64>> {
    conn.prepare_cached(sql)?
        .query_row([builder.as_str()], maybe)
}

fn maybe(row: &Row<'_>) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<Col<BuildNumber>>>(0)?.map(|n| n.0.0))
}

fn whole(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, Col<BuildNumber>>(column)?.0.0)
}

fn is_there(conn: &Connection, sql: &str, id: u64) -> rusqlite::Result<bool> {
    conn.prepare_cached(sql)?.exists([int(id)])
}

/// Maximum number of rows of one transaction. (A build also has rows of steps and logs.)
const PAGE: u64 = 16;

/// Some of them, so that one transaction stays short.
const REMOVE_DELIVERIES: &str = "DELETE FROM delivery WHERE (source, sum) IN
    (SELECT source, sum FROM delivery WHERE at < ?1 LIMIT 200)";
const REMOVE_LETTERS: &str = "DELETE FROM letter WHERE id IN
    (SELECT id FROM letter WHERE ended_at < ?1 LIMIT 200)";
const REMOVE_PROBLEMS: &str = "DELETE FROM problem WHERE number IN
    (SELECT p.number FROM problem p WHERE p.ended_at < ?1 AND NOT EXISTS
        (SELECT 1 FROM subject s
            WHERE s.builder = p.builder AND s.tree = p.tree AND s.step = p.step
                AND s.test = p.test) LIMIT 200)";
const REMOVE_SEARCHES: &str = "DELETE FROM search WHERE number IN
    (SELECT number FROM search WHERE ended_at < ?1 AND problem IS NULL LIMIT 200)";
const NEWEST_BUILD: &str = "SELECT max(number) FROM build WHERE builder = ?1";
const LAST_ENDED_BUILD: &str = "SELECT (SELECT number FROM build
    WHERE builder = ?1 AND finished_at IS NOT NULL AND result IS NOT NULL
    ORDER BY number DESC LIMIT 1)";
/// The build that `show builders` shows.
const LAST_BUILD_BUT_TRIES: &str = "SELECT (SELECT b.number FROM build b
    WHERE b.builder = ?1 AND b.finished_at IS NOT NULL AND b.result IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM request r JOIN patch p ON p.build_set = r.build_set
            WHERE r.id = b.requests ->> 0)
    ORDER BY b.number DESC LIMIT 1)";
const PROOFS: &str = "SELECT first_build, last_build, good_build FROM problem
    WHERE builder = ?1 AND (ended_at IS NULL OR ended_at >= ?2)
    UNION ALL SELECT b.number, NULL, NULL FROM problem p CROSS JOIN search s ON s.problem = p.number
        CROSS JOIN search_ask a ON a.search = s.number CROSS JOIN build b ON b.id = a.build
    WHERE p.builder = ?1 AND (p.ended_at IS NULL OR p.ended_at >= ?2) AND b.builder = ?1";
const BEGIN_OF_BUILD: &str =
    "SELECT started_at FROM build WHERE builder = ?1 AND number >= ?2 ORDER BY number LIMIT 1";
const NEWEST_CHANGE: &str = "SELECT max(number) FROM change";
const BUILDS: &str = "SELECT id, number, finished_at FROM build
    WHERE builder = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
const BUILDS_WITH_LOGS: &str =
    "SELECT id, number, finished_at FROM build INDEXED BY build_with_logs
    WHERE logs_pruned = 0 AND builder = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
const CHANGES: &str = "SELECT number, number, arrived_at FROM change
    WHERE number >= ?1 ORDER BY number LIMIT ?2";
const OPEN_SET_OF_BUILD: &str = "SELECT 1
    FROM build b CROSS JOIN json_each(b.requests) j CROSS JOIN request r ON r.id = j.value
        CROSS JOIN build_set s ON s.id = r.build_set
    WHERE b.id = ?1 AND s.finished_at IS NULL";
const OPEN_SET_OF_CHANGE: &str = "SELECT 1
    FROM change_in_set c CROSS JOIN build_set s ON s.id = c.build_set
    WHERE c.change = ?1 AND s.finished_at IS NULL";
const UNBUILT_SETS: &str = "SELECT DISTINCT r.build_set
    FROM request r INDEXED BY request_unbuilt CROSS JOIN build_set s ON s.id = r.build_set
    WHERE r.build IS NULL AND r.finished_at IS NOT NULL AND r.builder = ?1 AND r.submitted_at < ?2
        AND s.finished_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM request o JOIN build b ON b.id = o.build
            WHERE o.build_set = s.id)
    LIMIT ?3";
const LOG_DIRS: &str = "SELECT path FROM pruned_log_dir WHERE path > ?1 ORDER BY path LIMIT ?2";
const USER_OF_LOG_DIR: &str = "SELECT 1
    FROM builder x CROSS JOIN build b ON b.builder = x.name AND b.number = ?1
        CROSS JOIN log l ON l.build = b.id
    WHERE substr(l.path, 1, length(?2) + 1) = ?2 || '/'";
const REMOVE_LINE: &str = "DELETE FROM line WHERE (builder, last) =
    (SELECT builder, number FROM build WHERE id = ?1)";
const REMOVE_LOGS: &str = "DELETE FROM log WHERE build = ?1";
const MARK_LOGS: &str = "UPDATE build SET logs_pruned = 1 WHERE id = ?1";
const REMOVE_SET: &str = "DELETE FROM build_set WHERE id = ?1 AND finished_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM request r JOIN build b ON b.id = r.build
        WHERE r.build_set = build_set.id)";

#[cfg(test)]
mod tests;
