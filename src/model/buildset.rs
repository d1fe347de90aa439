//! Build sets and the requests they are split into (sections 10 and 11).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BuilderName, Properties, RequestId, SchedulerName, SetId, SourceStamp, Timestamp};

/// A set of requests for one source stamp on several builders (BST-01).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildSet {
    /// Its number.
    pub id: SetId,
    /// The id a client gave it, such as a try job's (TJD-11, BST-10).
    pub external_id: Option<String>,
    /// The scheduler that submitted it, if one did.
    pub scheduler: Option<SchedulerName>,
    /// What to build.
    pub stamp: Arc<SourceStamp>,
    /// Why.
    pub reason: String,
    /// Properties of the set, which its requests carry.
    pub properties: Arc<Properties>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// How urgent its requests are: those with a higher number go first (BRQ-09); 0 is usual.
    pub priority: i32,
    /// One request a builder, in the order of the builder list.
    pub requests: Vec<(RequestId, BuilderName)>,
}

/// One wish for a build on one builder (BRQ-01).
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRequest {
    /// Its number.
    pub id: RequestId,
    /// The set it belongs to.
    pub set: SetId,
    /// The builder it waits for.
    pub builder: BuilderName,
    /// What to build; shared with the set.
    pub stamp: Arc<SourceStamp>,
    /// Why; the set's reason.
    pub reason: Arc<str>,
    /// The set's properties.
    pub properties: Arc<Properties>,
    /// When it was queued; never changes again (BRQ-01).
    pub submitted_at: Timestamp,
    /// The set's priority; never changes either.
    pub priority: i32,
    /// How many builds of it ended in RETRY because their slave was lost (BUI-14).
    pub retries: u32,
    /// How many builds were started for it (BRQ-06).
    pub start_count: u32,
}
