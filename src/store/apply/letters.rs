//! Letters: written, tried, and what people say of them (OUT-01 to OUT-06, OUT-12).

use rusqlite::{Connection, params};

use super::told;
use super::writing::written;
use crate::model::{Fate, LetterId, LetterOp, LetterState, Timestamp};
use crate::store::column::{Json, int};

pub(super) fn write(conn: &Connection, op: &LetterOp) -> rusqlite::Result<usize> {
    match op {
        LetterOp::Written(letter) => written(conn, letter),
        LetterOp::BuildEnded(ended) => told::build_ended(conn, ended),
        LetterOp::SetEnded { set, targets, at } => told::set_ended(conn, *set, targets, *at),
        LetterOp::ProblemsTold {
            person,
            said,
            letter,
            beside,
            at,
        } => {
            let mut say = conn.prepare_cached(SAY)?;
            for (problem, said) in said {
                // Unless it was pruned meanwhile.
                say.execute(params![int(problem.0), person, Json(said), at.0])?;
            }
            for letter in letter.iter().chain(beside) {
                written(conn, letter)?;
            }
            Ok(1)
        }
        LetterOp::Tried { letter, fate, at } => tried(conn, *letter, fate, *at),
        LetterOp::Retried { letters, at } => {
            each(conn, RETRY, letters, *at)?;
            Ok(1)
        }
        LetterOp::Dropped { letters, at } => {
            each(conn, DROP, letters, *at)?;
            Ok(1)
        }
    }
}

/// What a letter came to that was dropped while it was sent still counts if it was delivered.
fn tried(
    conn: &Connection,
    letter: LetterId,
    fate: &Fate,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    let id = int(letter.0);
    match fate {
        Fate::Delivered => {
            conn.prepare_cached(DELIVERED)?
                .execute(params![id, at.0, None::<&str>])?
        }
        Fate::DeliveredInPart { why } => conn
            .prepare_cached(DELIVERED)?
            .execute(params![id, at.0, why])?,
        Fate::Split { to } => {
            let mut one = conn.prepare_cached(SPLIT)?;
            for recipient in to {
                one.execute(params![id, recipient, at.0])?;
            }
            let why = format!("became one letter for each of {} recipients", to.len());
            conn.prepare_cached(GIVEN_UP)?
                .execute(params![id, why, at.0])?
        }
        Fate::Later { why, next_at } => conn
            .prepare_cached(LATER)?
            .execute(params![id, why, next_at.0])?,
        Fate::Dropped { why } => conn
            .prepare_cached(GIVEN_UP)?
            .execute(params![id, why, at.0])?,
        Fate::Dead { why } => conn.prepare_cached(DEAD)?.execute(params![id, why, at.0])?,
    };
    Ok(1)
}

fn each(conn: &Connection, sql: &str, letters: &[LetterId], at: Timestamp) -> rusqlite::Result<()> {
    let mut update = conn.prepare_cached(sql)?;
    for letter in letters {
        update.execute(params![int(letter.0), at.0])?;
    }
    Ok(())
}

const SAY: &str = "INSERT OR IGNORE INTO problem_said (problem, person, said, at)
    SELECT number, ?2, ?3, ?4 FROM problem WHERE number = ?1";
const DELIVERED: &str = "UPDATE letter SET state = 1, tries = tries + 1, error = ?3, ended_at = ?2
    WHERE id = ?1";
/// The letters to one recipient leave one after the other, whatever those of the others do.
const SPLIT: &str = "INSERT INTO letter (target, ordering, facts, made_at, next_at, recipient)
    SELECT target, ordering || ' to ' || ?2, facts, made_at, ?3, ?2 FROM letter
    WHERE id = ?1 AND state = 0";
const LATER: &str = "UPDATE letter SET tries = tries + 1, error = ?2, next_at = ?3
    WHERE id = ?1 AND state = 0";
const DEAD: &str = "UPDATE letter SET state = 2, tries = tries + 1, error = ?2, ended_at = ?3
    WHERE id = ?1 AND state = 0";
const GIVEN_UP: &str = "UPDATE letter SET state = 3, error = ?2, ended_at = ?3
    WHERE id = ?1 AND state = 0";
const RETRY: &str = "UPDATE letter SET state = 0, tries = 0, next_at = ?2, ended_at = NULL
    WHERE id = ?1 AND state IN (0, 2)";
const DROP: &str = "UPDATE letter SET state = 3, ended_at = ?2 WHERE id = ?1 AND state IN (0, 2)";

// The statements above have the numbers of the states.
const _: () = assert!(LetterState::Dead.number() == 2 && LetterState::Dropped.number() == 3);
