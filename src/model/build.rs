//! A build and its steps as they are remembered and shown.

use serde::{Deserialize, Serialize};

use super::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, RequestId, Results, SlaveName, Timestamp,
};

/// A build as the state remembers it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildSummary {
    /// Its number over all builders.
    pub id: BuildId,
    /// Its builder.
    pub builder: BuilderName,
    /// Its number within the builder.
    pub number: BuildNumber,
    /// The slave that ran it.
    pub slave: SlaveName,
    /// The requests it answers for.
    pub requests: Vec<RequestId>,
    /// Why it ran.
    pub reason: String,
    /// The changes it is made of.
    pub changes: Vec<ChangeNumber>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about the result (BUI-08).
    pub text: Vec<String>,
    /// Its steps so far.
    pub steps: Vec<StepSummary>,
}

/// A step as the state remembers it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepSummary {
    /// Unique within the build (BUI-04).
    pub name: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When its own work began; absent while it waits for its locks.
    pub working_since: Option<Timestamp>,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about what it does or did.
    pub text: Vec<String>,
    /// Names of its logs, in the order in which they were opened.
    pub logs: Vec<String>,
}
