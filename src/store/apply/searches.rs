//! Culprit searches (SRH-14).

use rusqlite::{Connection, params};

use crate::model::{SearchNumber, SearchOp, SearchRecord, Timestamp, Verdict};
use crate::store::column::{Json, int};
use crate::store::read::tree;

pub(super) fn write(conn: &Connection, op: &SearchOp) -> rusqlite::Result<usize> {
    match op {
        SearchOp::Begun(record) => begun(conn, record),
        SearchOp::Asked {
            search,
            point,
            request,
        } => conn
            .prepare_cached("INSERT INTO search_ask (request, search, point) VALUES (?1, ?2, ?3)")?
            .execute(params![int(request.0), int(search.0), point]),
        SearchOp::Answered {
            request,
            said,
            build,
            took_secs,
        } => conn.prepare_cached(ANSWERED)?.execute(params![
            int(request.0),
            Json(said),
            build.map(|build| int(build.0)),
            int(*took_secs)
        ]),
        SearchOp::Over {
            search,
            verdict,
            why,
            at,
        } => over(conn, *search, *verdict, why.as_deref(), *at),
    }
}

fn begun(conn: &Connection, record: &SearchRecord) -> rusqlite::Result<usize> {
    conn.prepare_cached(BEGUN)?.execute(params![
        int(record.number.0),
        record.problem.map(|problem| int(problem.0)),
        record.builder.as_str(),
        Json(tree(&record.line)),
        Json(record)
    ])
}

/// The problem of the search has its verdict among what has happened to it (SRH-17).
fn over(
    conn: &Connection,
    search: SearchNumber,
    verdict: Verdict,
    why: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    let of = params![int(search.0), Json(verdict), why, at.0];
    let changed = conn.prepare_cached(OVER)?.execute(of)?;
    let event = format!("search {search}: {}", verdict.as_str());
    conn.prepare_cached(EVENT)?
        .execute(params![int(search.0), at.0, event])?;
    Ok(changed)
}

const BEGUN: &str =
    "INSERT INTO search (number, problem, builder, tree, record) VALUES (?1, ?2, ?3, ?4, ?5)";
const ANSWERED: &str =
    "UPDATE search_ask SET said = ?2, build = ?3, took_secs = ?4 WHERE request = ?1";
const OVER: &str = "UPDATE search SET verdict = ?2, why = ?3, ended_at = ?4
    WHERE number = ?1 AND ended_at IS NULL";
const EVENT: &str = "INSERT INTO problem_event (problem, at, event, build)
    SELECT s.problem, ?2, ?3, a.build FROM search s JOIN search_ask a ON a.search = s.number
    WHERE s.number = ?1 AND s.problem IS NOT NULL AND a.build IS NOT NULL
    ORDER BY a.request DESC LIMIT 1";
