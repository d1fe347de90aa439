//! Steps and their logs.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::model::journal::{LogOpening, StepFinish, StepStart};
use crate::model::{BuildId, Timestamp};
use crate::store::column::{Json, int};

pub(super) fn started(conn: &Connection, start: &StepStart) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO step (build, position, name, started_at, text, working_since)
         VALUES (?1, ?2, ?3, ?4, ?5, iif(?6, NULL, ?4))",
    )?
    .execute(params![
        int(start.build.0),
        start.index,
        start.name,
        start.at.0,
        Json(&start.text),
        start.waits,
    ])
}

pub(super) fn has_locks(
    conn: &Connection,
    build: BuildId,
    index: u32,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE step SET working_since = ?3 WHERE build = ?1 AND position = ?2")?
        .execute(params![int(build.0), index, at.0])
}

pub(super) fn described(
    conn: &Connection,
    build: BuildId,
    index: u32,
    text: &[String],
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE step SET text = ?3 WHERE build = ?1 AND position = ?2")?
        .execute(params![int(build.0), index, Json(text)])
}

pub(super) fn linked(
    conn: &Connection,
    build: BuildId,
    index: u32,
    name: &str,
    url: &str,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "UPDATE step SET links = json_insert(links, '$[#]', json_array(?3, ?4))
         WHERE build = ?1 AND position = ?2",
    )?
    .execute(params![int(build.0), index, name, url])
}

pub(super) fn counted(
    conn: &Connection,
    build: BuildId,
    index: u32,
    counts: &BTreeMap<String, u64>,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE step SET counts = ?3 WHERE build = ?1 AND position = ?2")?
        .execute(params![int(build.0), index, Json(counts)])
}

pub(super) fn finished(conn: &Connection, end: &StepFinish) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "UPDATE step SET finished_at = ?3, result = ?4, text = ?5, outcome = ?6
         WHERE build = ?1 AND position = ?2",
    )?
    .execute(params![
        int(end.build.0),
        end.index,
        end.at.0,
        end.result.number(),
        Json(&end.text),
        Json(&*end.outcome),
    ])
}

pub(super) fn log_opened(conn: &Connection, log: &LogOpening) -> rusqlite::Result<usize> {
    conn.prepare_cached(LOG_OPENED)?.execute(params![
        int(log.build.0),
        log.step,
        log.position,
        log.name,
        log.path
    ])
}

pub(super) fn log_closed(
    conn: &Connection,
    build: BuildId,
    step: u32,
    name: &str,
    size_bytes: u64,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE log SET size = ?4 WHERE build = ?1 AND step = ?2 AND name = ?3")?
        .execute(params![int(build.0), step, name, int(size_bytes)])
}

/// Has no sub-select on the table, which SQLite would compile again at each use.
pub(super) const LOG_OPENED: &str =
    "INSERT INTO log (build, step, position, name, path) VALUES (?1, ?2, ?3, ?4, ?5)";
