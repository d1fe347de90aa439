//! Build requests.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::botmaster::Live;
use crate::model::{BuildNumber, BuilderName, RequestId, Results, SetId, Timestamp};
use crate::store::read::RequestRow;

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
    /// The values of the `request_order` of its builder, while it waits: the greater first value is
    /// built first (CFL-120).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<f64>>,
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
            order: None,
            submitted_at: row.submitted_at,
            retries: row.retries,
            starts: row.start_count,
            result: row.finished.map(|(result, _)| result),
            finished_at: row.finished.map(|(_, at)| at),
            why: row.why,
        }
    }
}
