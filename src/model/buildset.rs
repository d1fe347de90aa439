//! Build sets and build requests (sections 10 and 11).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    BuildId, BuildNumber, BuilderName, Properties, RequestId, SchedulerName, SearchNumber, SetId,
    SourceStamps, Timestamp,
};

/// A set of requests for the same source stamps on several builders (BST-01).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildSet {
    /// Number of the set or request.
    pub id: SetId,
    /// Id given by a client, such as the id of a try job (TJD-11, BST-10).
    pub external_id: Option<String>,
    /// Scheduler that submitted the set; absent for forced builds.
    pub scheduler: Option<SchedulerName>,
    /// Source stamps to build: one for each codebase.
    #[serde(rename = "stamp")]
    pub stamps: Arc<SourceStamps>,
    /// Reason of the set.
    pub reason: String,
    /// Properties of the set, shared by its requests.
    pub properties: Arc<Properties>,
    /// Submit time.
    pub submitted_at: Timestamp,
    /// Priority of the requests: requests with a higher priority are built first (BRQ-09). 0 is
    /// normal.
    pub priority: i32,
    /// One request for each builder, in the order of the builder list.
    pub requests: Vec<(RequestId, BuilderName)>,
    /// Build whose step triggered the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentBuild>,
}

/// The build that triggered a set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ParentBuild {
    /// Number over all builders.
    pub build: BuildId,
    /// Name of the builder.
    pub builder: BuilderName,
    /// Number within the builder.
    pub number: BuildNumber,
    /// Position of the step in the build.
    pub step: u32,
    /// Whether the step waits until the set has finished. If the build ends first, the rest of the
    /// set is cancelled.
    pub waits: bool,
}

impl fmt::Display for ParentBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.builder, self.number)
    }
}

/// A request for a build on one builder (BRQ-01).
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRequest {
    /// Number of the set or request.
    pub id: RequestId,
    /// Number of the build set.
    pub set: SetId,
    /// Name of the builder.
    pub builder: BuilderName,
    /// Source stamps, shared with the set.
    pub stamps: Arc<SourceStamps>,
    /// Reason of the set.
    pub reason: Arc<str>,
    /// Properties of the set.
    pub properties: Arc<Properties>,
    /// Submit time; never changes (BRQ-01).
    pub submitted_at: Timestamp,
    /// Priority of the set; never changes.
    pub priority: i32,
    /// Number of builds that ended as RETRY because the slave was lost (BUI-14).
    pub retries: u32,
    /// Number of builds that were started for the request (BRQ-06).
    pub start_count: u32,
}

impl BuildRequest {
    /// Whether it is one of a culprit search, which stands behind all others (SRH-11).
    #[must_use]
    pub fn is_of_search(&self) -> bool {
        self.properties.are_of_search()
    }

    /// The culprit search that it is of.
    #[must_use]
    pub fn search(&self) -> Option<SearchNumber> {
        let search = SearchNumber::of_reason(&self.reason);
        search.filter(|_| self.is_of_search())
    }
}
