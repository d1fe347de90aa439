//! A letter as a row.

use rusqlite::{Connection, params};

use crate::model::Letter;
use crate::store::column::Json;

/// Writes a letter.
pub(super) fn written(conn: &Connection, letter: &Letter) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO letter (target, ordering, facts, made_at, next_at) VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute(params![
        letter.target,
        letter.order,
        Json(&letter.facts),
        letter.at.0
    ])
}
