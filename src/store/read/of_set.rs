//! What became of a set.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension};

use super::super::column::{Col, int};
use super::super::recover::{collect_changes, scheduler_states};
use super::requests::{request_columns, request_of};
use super::{BuildRow, RequestRow, build};
use crate::model::{ChangeNumber, Results, SchedulerName, SetId, Timestamp};

/// The requests of a set, each with the build that serves or served it.
///
/// # Errors
/// The state cannot be read.
pub fn requests_of_set(
    conn: &Connection,
    set: SetId,
) -> rusqlite::Result<Vec<(RequestRow, Option<BuildRow>)>> {
    let mut select = conn.prepare_cached(REQUESTS)?;
    let requests = select.query_map([int(set.0)], request_of)?;
    let with_build = |request: rusqlite::Result<RequestRow>| {
        let request = request?;
        let build = match request.build {
            Some(number) => build(conn, &request.builder, number)?,
            None => None,
        };
        Ok((request, build))
    };
    requests.map(with_build).collect()
}

/// The newest set of a scheduler: its number, when it was submitted, and its result if it has finished.
///
/// # Errors
/// The state cannot be read.
pub fn last_set_of(
    conn: &Connection,
    scheduler: &SchedulerName,
) -> rusqlite::Result<Option<(SetId, Timestamp, Option<Results>)>> {
    conn.prepare_cached(LAST_SET)?
        .query_row([scheduler.as_str()], |row| {
            let result = row.get::<_, Option<Col<_>>>(2)?;
            let (set, at) = (row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0);
            Ok((set, at, result.map(|result| result.0)))
        })
        .optional()
}

/// The changes that schedulers hold, by the scheduler.
///
/// # Errors
/// The state cannot be read.
pub fn held_changes(
    conn: &Connection,
) -> rusqlite::Result<BTreeMap<SchedulerName, BTreeSet<ChangeNumber>>> {
    let mut held: BTreeMap<SchedulerName, BTreeSet<ChangeNumber>> = BTreeMap::new();
    for (name, state) in scheduler_states(conn)? {
        // One that has parts is remembered as its name, a line break, the name of the part.
        let scheduler = name.as_str().split('\n').next().unwrap_or_default();
        let changes = held.entry(scheduler.into()).or_default();
        collect_changes(&state, changes);
    }
    Ok(held)
}

pub(super) const LAST_SET: &str = "SELECT id, submitted_at, result FROM build_set
    WHERE scheduler = ?1 ORDER BY id DESC LIMIT 1";
const REQUESTS: &str = concat!(
    request_columns!(),
    "
    FROM request r JOIN build_set s ON s.id = r.build_set
    WHERE r.build_set = ?1 ORDER BY r.id"
);
