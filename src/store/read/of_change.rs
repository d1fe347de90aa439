//! What became of a change: what the schedulers made of it, and what it is built in.

use rusqlite::{Connection, OptionalExtension};

use super::super::column::{Col, Json, int};
use super::requests::{request_columns, request_of};
use super::{RequestRow, SetRow, sets};
use crate::model::{ChangeNumber, Decision, SchedulerName, SetId};

/// What each scheduler made of a change, in the order of the configuration of then; absent if that was not
/// written down.
///
/// # Errors
/// The state cannot be read.
pub fn decisions(
    conn: &Connection,
    change: ChangeNumber,
) -> rusqlite::Result<Option<Vec<(SchedulerName, Decision)>>> {
    let runs: Option<Vec<(Decision, Vec<SchedulerName>)>> = conn
        .prepare_cached(DECISIONS)?
        .query_row([int(change.0)], |row| Ok(row.get::<_, Json<_>>(0)?.0))
        .optional()?;
    let one_by_one = |(decision, names): (Decision, Vec<SchedulerName>)| {
        names.into_iter().map(move |name| (name, decision))
    };
    Ok(runs.map(|runs| runs.into_iter().flat_map(one_by_one).collect()))
}

/// The requests of all sets that a change is in, in the order of sets and requests.
///
/// # Errors
/// The state cannot be read.
pub fn requests_of_change(
    conn: &Connection,
    change: ChangeNumber,
) -> rusqlite::Result<Vec<RequestRow>> {
    conn.prepare_cached(REQUESTS_OF_CHANGE)?
        .query_map([int(change.0)], request_of)?
        .collect()
}

/// The sets that a change is in, in order of number.
///
/// # Errors
/// The state cannot be read.
pub fn sets_of_change(conn: &Connection, change: ChangeNumber) -> rusqlite::Result<Vec<SetRow>> {
    let ids: Vec<SetId> = conn
        .prepare_cached(SETS_OF_CHANGE)?
        .query_map([int(change.0)], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
        .collect::<rusqlite::Result<_>>()?;
    sets(conn, ids)
}

pub(super) const DECISIONS: &str = "SELECT schedulers FROM decision WHERE change = ?1";
pub(super) const REQUESTS_OF_CHANGE: &str = concat!(
    request_columns!(),
    "
    FROM change_in_set c JOIN build_set s ON s.id = c.build_set
        JOIN request r ON r.build_set = s.id
    WHERE c.change = ?1 ORDER BY c.build_set, r.id"
);
pub(super) const SETS_OF_CHANGE: &str =
    "SELECT build_set FROM change_in_set WHERE change = ?1 ORDER BY build_set";
