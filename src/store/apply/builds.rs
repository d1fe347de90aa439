//! Builds.

use rusqlite::{Connection, params};

use super::lines;
use crate::model::journal::{BuildFinish, BuildStart};
use crate::model::{BuildId, Judgement};
use crate::store::column::{Json, int};

pub(super) fn started(conn: &Connection, start: &BuildStart) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO build (id, builder, number, slave, reason, started_at, requests, changes,
             properties, forecast, choice, blamelist, planned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        int(start.build.0),
        start.builder.as_str(),
        int(start.number.0),
        start.slave.as_str(),
        start.reason,
        start.at.0,
        Json(&start.requests),
        Json(&start.changes),
        Json(&start.properties),
        Json(&start.forecast),
        start.choice,
        Json(&start.blamelist),
        Json(&start.planned),
    ])?;
    conn.prepare_cached(
        "INSERT INTO spent_dirs (builddir, next) VALUES (?1, ?2)
         ON CONFLICT (builddir) DO UPDATE SET next = max(next, excluded.next)",
    )?
    .execute(params![start.builddir, int(start.number.next().0)])?;
    let mut claim = conn.prepare_cached(
        "UPDATE request SET build = ?2, start_count = start_count + 1 WHERE id = ?1",
    )?;
    for request in &start.requests {
        claim.execute(params![int(request.0), int(start.build.0)])?;
    }
    Ok(1)
}

pub(super) fn planned(
    conn: &Connection,
    build: BuildId,
    planned: &[String],
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE build SET planned = ?2 WHERE id = ?1")?
        .execute(params![int(build.0), Json(planned)])
}

pub(super) fn stopped(conn: &Connection, build: BuildId, reason: &str) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE build SET stop_reason = coalesce(stop_reason, ?2) WHERE id = ?1")?
        .execute(params![int(build.0), reason])
}

pub(super) fn finished(conn: &Connection, end: &BuildFinish) -> rusqlite::Result<usize> {
    let news = lines::finished(conn, end)?;
    conn.prepare_cached(
        "UPDATE build SET finished_at = ?2, result = ?3, text = ?4, stop_reason = ?5,
             properties = ?6, forecast = NULL, news = ?7,
             first_error = CASE WHEN ?3 IN (2, 4) THEN
                 (SELECT json_set(s.outcome -> '$.first_error', '$.step', s.name) FROM step s
                     WHERE s.build = ?1 AND s.outcome -> '$.first_error' IS NOT NULL
                     ORDER BY s.position LIMIT 1) END
             WHERE id = ?1",
    )?
    .execute(params![
        int(end.build.0),
        end.at.0,
        end.result.number(),
        Json(&end.text),
        end.stop_reason,
        Json(&end.properties),
        news.map(Judgement::as_str),
    ])
}
