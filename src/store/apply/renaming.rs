//! A builder with another name (PRB-25).

use rusqlite::{Connection, params};

use crate::model::BuilderName;

/// Moves all that is known of builder `was` to `name`, which has no builds so far.
pub(super) fn renamed(
    conn: &Connection,
    was: &BuilderName,
    name: &BuilderName,
) -> rusqlite::Result<usize> {
    for sql in MOVES {
        conn.prepare(sql)?
            .execute(params![was.as_str(), name.as_str()])?;
    }
    Ok(1)
}

/// Whatever there is of the new name gives way.
const MOVES: [&str; 11] = [
    "UPDATE OR REPLACE builder SET name = ?2 WHERE name = ?1",
    "UPDATE OR REPLACE build SET builder = ?2 WHERE builder = ?1",
    "UPDATE OR REPLACE spent_builds SET builder = ?2 WHERE builder = ?1",
    "UPDATE OR REPLACE expectation SET builder = ?2 WHERE builder = ?1",
    "UPDATE OR REPLACE line SET builder = ?2 WHERE builder = ?1",
    "UPDATE OR REPLACE test_line SET builder = ?2 WHERE builder = ?1",
    "UPDATE OR REPLACE subject SET builder = ?2 WHERE builder = ?1",
    "UPDATE OR REPLACE quarantine SET builder = ?2 WHERE builder = ?1",
    "UPDATE problem SET builder = ?2 WHERE builder = ?1",
    "UPDATE request SET builder = ?2 WHERE builder = ?1",
    "UPDATE search SET builder = ?2, record = json_set(record, '$.builder', ?2)
        WHERE builder = ?1",
];
