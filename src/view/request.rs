//! Build requests.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::botmaster::Live;
use crate::model::{BuildNumber, BuilderName, RequestId, Results, SetId, Timestamp};
use crate::store::read::{RequestRow, Which};
use crate::store::{State, StoreError};

/// A build request.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Request {
    /// Its number.
    pub id: RequestId,
    /// Its build set.
    pub set: SetId,
    /// The builder it is for.
    pub builder: BuilderName,
    /// Why its set was submitted.
    pub reason: String,
    /// How far it is.
    pub state: RequestState,
    /// The build that serves it or served it.
    pub build: Option<BuildNumber>,
    /// The request whose build that is, if this one was merged into it (BRQ-07).
    pub merged_into: Option<RequestId>,
    /// How urgent it is: requests with a higher number are built first (BRQ-09).
    pub priority: i32,
    /// When it was queued.
    #[serde(serialize_with = "json::time")]
    pub submitted_at: Timestamp,
    /// How many builds of it lost their slave.
    pub retries: u32,
    /// How many builds were started for it.
    pub starts: u32,
    /// Its result; absent until it has finished.
    pub result: Option<Results>,
    /// When it finished.
    #[serde(serialize_with = "json::time_if_any")]
    pub finished_at: Option<Timestamp>,
    /// Why it finished, if no build says so (BUI-11).
    pub why: Option<String>,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// It waits for a build.
    Pending,
    /// A build of it is being started, and has no number yet.
    Starting,
    /// It is being built.
    Building,
    /// It has finished.
    Finished,
}

impl Request {
    /// Requests of a state: open ones in the order in which they are built, all of them newest
    /// first. `live` is what a running master knows, `priorities` those of the builders.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn list(
        state: &State,
        which: Which,
        limit: u32,
        live: &Live,
        priorities: &BTreeMap<BuilderName, i32>,
    ) -> Result<Vec<Self>, StoreError> {
        let see = |rows: Vec<RequestRow>| -> Vec<Self> {
            rows.into_iter().map(|row| Self::new(row, live)).collect()
        };
        if which == Which::All {
            return Ok(see(state.requests(which, limit)?));
        }
        // Which of them come first depends on what is not on disk.
        let mut requests = see(state.requests(which, u32::MAX)?);
        let waits = |request: &Self| request.state != RequestState::Starting;
        requests.retain(|request| which == Which::Open || waits(request));
        put_in_order(&mut requests, priorities);
        requests.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(requests)
    }

    /// A request on record, with what a running master knows.
    #[must_use]
    pub fn new(row: RequestRow, live: &Live) -> Self {
        let state = match (row.finished, row.build) {
            (Some(_), _) => RequestState::Finished,
            (None, Some(_)) => RequestState::Building,
            (None, None) if live.starting.contains_key(&row.id) => RequestState::Starting,
            (None, None) => RequestState::Pending,
        };
        Self {
            id: row.id,
            set: row.set,
            builder: row.builder,
            reason: row.reason,
            state,
            build: row.build,
            merged_into: row.merged_into,
            priority: row.priority,
            submitted_at: row.submitted_at,
            retries: row.retries,
            starts: row.start_count,
            result: row.finished.map(|(result, _)| result),
            finished_at: row.finished.map(|(_, at)| at),
            why: row.why,
        }
    }
}

/// Brings open requests into the order in which they are built (BRQ-02, BRQ-09).
pub fn put_in_order(requests: &mut [Request], priorities: &BTreeMap<BuilderName, i32>) {
    requests.sort_by_key(|request| {
        let builder = priorities.get(&request.builder).copied();
        (
            Reverse(request.priority),
            Reverse(builder.unwrap_or_default()),
            request.submitted_at,
            request.id,
        )
    });
}
