//! Build sets.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Request, Source, json};
use crate::botmaster::Live;
use crate::model::{ChangeNumber, Properties, Results, SchedulerName, SetId, Timestamp};
use crate::store::read::SetRow;
use crate::store::{State, StoreError};

/// A build set (BST-11).
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct BuildSet {
    /// Its number.
    pub id: SetId,
    /// The scheduler that submitted it; absent if it was submitted by hand.
    pub scheduler: Option<SchedulerName>,
    /// The id that a client gave it.
    pub external_id: Option<String>,
    /// Why it was submitted.
    pub reason: String,
    /// The build whose step triggered it, as `BUILDER/NUMBER`.
    pub parent: Option<String>,
    /// When it was submitted.
    #[serde(serialize_with = "json::time")]
    pub submitted_at: Timestamp,
    /// Its result; absent until all its requests have finished.
    pub result: Option<Results>,
    /// When it finished.
    #[serde(serialize_with = "json::time_if_any")]
    pub finished_at: Option<Timestamp>,
}

/// A build set with what it is made of and what became of it.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct BuildSetPage {
    /// The set.
    #[serde(flatten)]
    pub set: BuildSet,
    /// How urgent it is: sets with a higher number are built first (BRQ-09).
    pub priority: i32,
    /// The branch; absent for the default branch.
    pub branch: Option<String>,
    /// The revision that is built; absent for the newest one.
    pub revision: Option<String>,
    /// The repository.
    pub repository: String,
    /// The project.
    pub project: String,
    /// The codebase.
    pub codebase: String,
    /// All sources of a set of several codebases; the fields above are of the first then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Whether it tries a patch.
    #[serde(rename = "try")]
    pub is_try: bool,
    /// The changes it is made of.
    pub changes: Vec<ChangeNumber>,
    /// The properties that it was submitted with.
    pub properties: Properties,
    /// Its requests, in order of number.
    pub requests: Vec<Request>,
}

impl BuildSetPage {
    /// The set of this number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(state: &State, id: SetId, live: &Live) -> Result<Option<Self>, StoreError> {
        let Some(row) = state.build_set(id)? else {
            return Ok(None);
        };
        // All requests of a set have its stamps.
        let first: Vec<_> = row.requests.iter().take(1).map(|(id, _)| *id).collect();
        let (stamps, priority) = state.wishes(&first)?;
        let stamps = stamps.into_iter().next().unwrap_or_default();
        let stamp = stamps.first();
        let requests = state.requests_of_set(id)?.into_iter();
        Ok(Some(Self {
            set: BuildSet::from(&row),
            priority,
            branch: stamp.branch.as_deref().map(str::to_owned),
            revision: stamp.revision_to_build().map(str::to_owned),
            repository: stamp.repository.to_string(),
            project: stamp.project.to_string(),
            codebase: stamp.codebase.to_string(),
            sources: match stamps.single() {
                Some(_) => Vec::new(),
                None => stamps.iter().map(Source::from).collect(),
            },
            is_try: stamps.patched().is_some(),
            changes: stamps.change_numbers(),
            properties: row.properties,
            requests: requests.map(|(row, _)| Request::new(row, live)).collect(),
        }))
    }
}

impl From<&SetRow> for BuildSet {
    fn from(row: &SetRow) -> Self {
        Self {
            id: row.id,
            scheduler: row.scheduler.clone(),
            external_id: row.external_id.clone(),
            reason: row.reason.clone(),
            parent: row.parent.as_ref().map(ToString::to_string),
            submitted_at: row.submitted_at,
            result: row.finished.map(|(result, _)| result),
            finished_at: row.finished.map(|(_, at)| at),
        }
    }
}
