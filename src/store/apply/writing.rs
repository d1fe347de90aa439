//! A letter as a row.

use rusqlite::{Connection, params};

use crate::model::{Letter, LetterFacts};
use crate::store::column::Json;

/// Writes a letter. If very many wait for its target, it joins the digest of its order, unless it
/// tells a person of problems: these are few, and each must be told (OUT-10).
pub(super) fn written(conn: &Connection, letter: &Letter) -> rusqlite::Result<usize> {
    if letter.replaces {
        conn.prepare_cached(REPLACE)?
            .execute(params![letter.target, letter.order, letter.at.0])?;
    } else if !matches!(letter.facts, LetterFacts::Problems(_))
        && conn.prepare_cached(IS_FULL)?.exists([&letter.target])?
    {
        return join(conn, letter);
    }
    add(conn, letter, &letter.facts)
}

/// Adds a letter to the digest of its order, which is made if there is none (OUT-10).
fn join(conn: &Connection, letter: &Letter) -> rusqlite::Result<usize> {
    let about = letter.facts.to_string();
    let joined = conn
        .prepare_cached(JOIN)?
        .execute(params![letter.target, letter.order, about])?;
    if joined > 0 {
        return Ok(joined);
    }
    let digest = LetterFacts::Digest {
        count: 1,
        last: about,
    };
    add(conn, letter, &digest)
}

fn add(conn: &Connection, letter: &Letter, facts: &LetterFacts) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO letter (target, ordering, facts, made_at, next_at) VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute(params![
        letter.target,
        letter.order,
        Json(facts),
        letter.at.0
    ])
}

const REPLACE: &str = "UPDATE letter SET state = 3, error = 'superseded', ended_at = ?3
    WHERE state = 0 AND target = ?1 AND ordering = ?2";
/// Whether as many letters wait as may (OUT-10).
const IS_FULL: &str = "SELECT 1 FROM letter WHERE state = 0 AND target = ?1 LIMIT 1 OFFSET 9999";
const JOIN: &str = "UPDATE letter SET facts = json_set(facts, '$.count', facts ->> '$.count' + 1,
        '$.last', ?3)
    WHERE id = (SELECT max(id) FROM letter WHERE state = 0 AND target = ?1 AND ordering = ?2)
        AND facts ->> '$.kind' = 'digest'";
