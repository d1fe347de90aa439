//! Problems of what has left the configuration (PRB-15).

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::row::{close, tell};
use crate::model::{BuilderName, ProblemNumber, ProblemSubject, SlaveName, Timestamp};
use crate::store::column::Col;
use crate::store::read::subject_of;
use crate::verdict::{ProblemEvent, ProblemState};

/// Closes the open problems of builders, steps and slaves that are not configured, and forgets what
/// those have answered. The slaves are those of the state.
pub(in crate::store::apply) fn configured(
    conn: &Connection,
    builders: &[(BuilderName, Option<Vec<String>>)],
    at: Timestamp,
) -> rusqlite::Result<usize> {
    let steps: BTreeMap<_, _> = builders.iter().map(|(name, steps)| (name, steps)).collect();
    let has_step = |builder: &BuilderName, step: &String| {
        let steps = steps.get(builder);
        steps.is_some_and(|steps| steps.as_ref().is_none_or(|steps| steps.contains(step)))
    };
    for (number, builder, subject) in open(conn)? {
        let is_there = match &subject {
            ProblemSubject::Step(step) | ProblemSubject::Test { step, .. } => {
                has_step(&builder, step)
            }
            ProblemSubject::Builder => steps.contains_key(&builder),
            ProblemSubject::Slave(slave) => has_slave(conn, slave)?,
            ProblemSubject::Master => true,
        };
        if !is_there {
            close(conn, number, ProblemState::Gone, at)?;
            tell(conn, (number, ProblemEvent::Gone), at, None)?;
        }
    }
    for (builder, step) in followed(conn)? {
        if !has_step(&builder, &step) {
            conn.prepare_cached(FORGET)?
                .execute(params![builder.as_str(), step])?;
        }
    }
    Ok(1)
}

fn open(conn: &Connection) -> rusqlite::Result<Vec<(ProblemNumber, BuilderName, ProblemSubject)>> {
    conn.prepare_cached(OPEN)?
        .query_map([], |row| {
            let number = row.get::<_, Col<_>>(0)?.0;
            Ok((number, row.get::<_, Col<_>>(1)?.0, subject_of(row, 2)?))
        })?
        .collect()
}

fn has_slave(conn: &Connection, slave: &SlaveName) -> rusqlite::Result<bool> {
    conn.prepare_cached(SLAVE)?.exists([slave.as_str()])
}

fn followed(conn: &Connection) -> rusqlite::Result<Vec<(BuilderName, String)>> {
    conn.prepare_cached(FOLLOWED)?
        .query_map([], |row| Ok((row.get::<_, Col<_>>(0)?.0, row.get(1)?)))?
        .collect()
}

const OPEN: &str = "SELECT number, builder, step, test, kind, slave FROM problem WHERE state = 0";
const SLAVE: &str = "SELECT 1 FROM slave WHERE name = ?1 AND position IS NOT NULL";
const FOLLOWED: &str = "SELECT DISTINCT builder, step FROM subject";
const FORGET: &str = "DELETE FROM subject WHERE builder = ?1 AND step = ?2";
