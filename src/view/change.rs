//! Changes, and what became of them.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::{BuildSet, Request, json};
use crate::botmaster::Live;
use crate::model::{
    self, ChangeNumber, Decision, Properties, SchedulerName, Timestamp, UnusableTime,
};
use crate::store::{State, StoreError};

/// A change.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Change {
    /// Its number, in order of arrival.
    pub number: ChangeNumber,
    /// Its author.
    pub who: String,
    /// Files it touches, relative to the tree's root.
    pub files: Vec<String>,
    /// How many more files it touches, whose names were too much to keep.
    pub files_left_out: u64,
    /// The commit message.
    pub comments: String,
    /// The revision; absent if the sender gave none.
    pub revision: Option<String>,
    /// The branch; absent for the default branch.
    pub branch: Option<String>,
    /// The project, empty by default.
    pub project: String,
    /// The repository, empty by default.
    pub repository: String,
    /// The codebase, empty by default.
    pub codebase: String,
    /// The category.
    pub category: Option<String>,
    /// A link to the revision, empty by default.
    pub revlink: String,
    /// The kind of version control, such as `git`.
    pub src: Option<String>,
    /// Its properties.
    pub properties: Properties,
    /// The time that the sender gave it, else when it arrived (CHG-06).
    #[serde(serialize_with = "json::time")]
    pub when: Timestamp,
    /// Why that time is not used (TIM-02); absent if it is.
    #[serde(serialize_with = "word")]
    #[schemars(with = "Option<String>")]
    pub when_not_used: Option<UnusableTime>,
    /// When the commit was made (TIM-01).
    #[serde(serialize_with = "json::time_if_any")]
    pub made_at: Option<Timestamp>,
    /// What the master changed of what the sender said, or did not use.
    pub notes: Vec<String>,
    /// Whether its message says that it need not be built.
    #[serde(rename = "skipped")]
    pub is_skipped: bool,
    /// When the master took it.
    #[serde(serialize_with = "json::time")]
    pub arrived_at: Timestamp,
}

/// A change with what became of it.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct ChangePage {
    /// The change.
    #[serde(flatten)]
    pub change: Change,
    /// What each scheduler decided, in the order of the configuration of then; absent if that was
    /// not recorded.
    pub schedulers: Option<Vec<Verdict>>,
    /// The build sets that it is in.
    pub sets: Vec<BuildSet>,
    /// Their requests.
    pub requests: Vec<Request>,
    /// Whether build sets, of whatever changes, were pruned.
    #[serde(skip)]
    pub sets_were_pruned: bool,
}

/// What a scheduler decided about a change.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Verdict {
    /// The scheduler.
    pub scheduler: SchedulerName,
    /// The name of the decision.
    #[serde(rename = "decision")]
    pub name: &'static str,
    /// Whether the change is a reason to build.
    pub counts: bool,
    /// The time that the decision is about.
    #[serde(serialize_with = "json::time_if_any")]
    pub at: Option<Timestamp>,
    /// The field that a filter rejected.
    pub field: Option<&'static str>,
    /// The decision in words.
    pub why: String,
    /// The decision itself.
    #[serde(skip)]
    pub decision: Decision,
}

impl ChangePage {
    /// The change of this number with what became of it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(
        state: &State,
        number: ChangeNumber,
        live: &Live,
    ) -> Result<Option<Self>, StoreError> {
        let Some(change) = state.change(number)? else {
            return Ok(None);
        };
        let decisions = state.decisions(number)?;
        let requests = state.requests_of_change(number)?.into_iter();
        let verdict = |(scheduler, decision)| Verdict::new(scheduler, decision);
        Ok(Some(Self {
            change: Change::from(&change),
            schedulers: decisions.map(|all| all.into_iter().map(verdict).collect()),
            sets: state
                .sets_of_change(number)?
                .iter()
                .map(BuildSet::from)
                .collect(),
            requests: requests.map(|row| Request::new(row, live)).collect(),
            sets_were_pruned: state.were_sets()?,
        }))
    }
}

impl Verdict {
    /// What `scheduler` decided.
    #[must_use]
    pub fn new(scheduler: SchedulerName, decision: Decision) -> Self {
        Self {
            scheduler,
            name: decision.name(),
            counts: decision.counts(),
            at: decision.time(),
            field: match decision {
                Decision::Filtered { by } => Some(by.name()),
                Decision::TimerRuns { .. }
                | Decision::BuiltAtOnce
                | Decision::KeptForRun { .. }
                | Decision::Remembered { .. }
                | Decision::Dropped
                | Decision::OffBranch
                | Decision::BranchNotListed
                | Decision::CodebaseNotListed
                | Decision::Failed { .. }
                | Decision::LooksAtNone { .. }
                | Decision::Stopped => None,
            },
            why: decision.sentence(Timestamp::to_rfc3339),
            decision,
        }
    }
}

impl From<&model::Change> for Change {
    fn from(change: &model::Change) -> Self {
        let content = change.content.clone();
        Self {
            number: change.number,
            who: content.who,
            files: content.files,
            files_left_out: content.files_left_out,
            comments: content.comments,
            revision: content.revision,
            branch: content.branch,
            project: content.project,
            repository: content.repository,
            codebase: content.codebase,
            category: content.category,
            revlink: content.revlink,
            src: content.src,
            properties: content.properties,
            when: change.when,
            when_not_used: change.usable_when().err(),
            made_at: content.made_at,
            notes: content.notes,
            is_skipped: content.is_skipped,
            arrived_at: change.arrived_at,
        }
    }
}

fn word<S: Serializer>(why: &Option<UnusableTime>, to: S) -> Result<S::Ok, S::Error> {
    why.map(UnusableTime::as_str).serialize(to)
}
