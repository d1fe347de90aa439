//! Requests, open and ended.

use rusqlite::{OptionalExtension, Row};

use crate::model::{BuildNumber, BuilderName, RequestId, Results, SetId, Timestamp};
use crate::store::StoreError;
use crate::store::column::{Col, int};
use crate::store::state::State;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRow {
    /// Its number.
    pub id: RequestId,
    /// Its set.
    pub set: SetId,
    /// The builder it is for.
    pub builder: BuilderName,
    /// The set's reason.
    pub reason: String,
    /// When it was queued.
    pub submitted_at: Timestamp,
    /// The build that serves it or served it.
    pub build: Option<BuildNumber>,
    /// The request whose build that is, if this one was merged into it (BRQ-07).
    pub merged_into: Option<RequestId>,
    /// How urgent it is: those with a higher number go first (BRQ-09).
    pub priority: i32,
    /// How many builds of it lost their slave.
    pub retries: u32,
    /// How many builds were started for it.
    pub start_count: u32,
    /// Its result, and when it finished.
    pub finished: Option<(Results, Timestamp)>,
    /// Why it finished, if no build says so (BUI-11).
    pub why: Option<String>,
}

impl State {
    /// The request with this number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn request(&self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(REQUEST)?
                .query_row([int(id.0)], request_of)
                .optional()
        })
    }
}

pub(super) fn request_of(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    let id = row.get::<_, Col<_>>(0)?.0;
    Ok(RequestRow {
        id,
        set: row.get::<_, Col<_>>(1)?.0,
        builder: row.get::<_, Col<_>>(2)?.0,
        reason: row.get(3)?,
        submitted_at: row.get::<_, Col<_>>(4)?.0,
        build: row.get::<_, Option<Col<_>>>(5)?.map(|n| n.0),
        retries: row.get(6)?,
        start_count: row.get(7)?,
        finished: finished(row, 8, 9)?,
        priority: row.get(10)?,
        merged_into: row
            .get::<_, Option<Col<RequestId>>>(11)?
            .map(|first| first.0)
            .filter(|&first| first != id),
        why: row.get(12)?,
    })
}

/// A result and when it was reached, from these columns.
pub(super) fn finished(
    row: &Row<'_>,
    result: usize,
    at: usize,
) -> rusqlite::Result<Option<(Results, Timestamp)>> {
    let result = row.get::<_, Option<Col<_>>>(result)?;
    let at = row.get::<_, Option<Col<_>>>(at)?;
    Ok(result.zip(at).map(|(result, at)| (result.0, at.0)))
}

/// What [`request_of`] reads.
macro_rules! request_columns {
    () => {
        "SELECT r.id, r.build_set, r.builder, s.reason, r.submitted_at,
        (SELECT b.number FROM build b WHERE b.id = r.build),
        r.retries, r.start_count, r.result, r.finished_at, r.priority,
        (SELECT b.requests ->> 0 FROM build b WHERE b.id = r.build), r.why"
    };
}
pub(super) use request_columns;

pub(super) const REQUEST: &str = concat!(
    request_columns!(),
    "
    FROM request r JOIN build_set s ON s.id = r.build_set WHERE r.id = ?1"
);
