//! What people say of problems (PRB-16, PRB-20 to PRB-22).

use rusqlite::{Connection, params};

use crate::model::Remark;
use crate::store::column::{Json, int};

/// Keeps a remark. The problem may be pruned meanwhile.
pub(super) fn made(conn: &Connection, remark: &Remark) -> rusqlite::Result<usize> {
    let Remark {
        problem,
        kind,
        person,
        also,
        until,
        text,
        by,
        at,
    } = remark;
    conn.prepare_cached(MADE)?.execute(params![
        int(problem.0),
        kind.as_str(),
        person,
        Json(also),
        until.map(|until| until.0),
        text,
        by,
        at.0
    ])?;
    Ok(1)
}

const MADE: &str = "INSERT INTO problem_remark (problem, kind, person, also, until, text, by, at)
    SELECT number, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM problem WHERE number = ?1";
