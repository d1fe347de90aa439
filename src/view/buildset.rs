//! Build sets.

use serde::Serialize;

use super::json;
use crate::model::{Results, SchedulerName, SetId, Timestamp};
use crate::store::read::SetRow;

/// A build set (BST-11).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildSet {
    /// Its number.
    pub id: SetId,
    /// The scheduler that submitted it; absent if it was submitted by hand.
    pub scheduler: Option<SchedulerName>,
    /// The id that a client gave it.
    pub external_id: Option<String>,
    /// Why it was submitted.
    pub reason: String,
    /// When it was submitted.
    #[serde(serialize_with = "json::time")]
    pub submitted_at: Timestamp,
    /// Its result; absent until all its requests have finished.
    pub result: Option<Results>,
    /// When it finished.
    #[serde(serialize_with = "json::time_if_any")]
    pub finished_at: Option<Timestamp>,
}

impl From<&SetRow> for BuildSet {
    fn from(row: &SetRow) -> Self {
        Self {
            id: row.id,
            scheduler: row.scheduler.clone(),
            external_id: row.external_id.clone(),
            reason: row.reason.clone(),
            submitted_at: row.submitted_at,
            result: row.finished.map(|(result, _)| result),
            finished_at: row.finished.map(|(_, at)| at),
        }
    }
}
