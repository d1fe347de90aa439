//! What schedulers wait with, for those who look at a running master.

use serde::{Deserialize, Serialize};

use super::waiting::Waiting;
use crate::model::{ChangeNumber, Timestamp};

/// One scheduler at one moment. Times are what the wall clock will show.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LiveScheduler {
    /// When it may submit a set next, as far as it knows.
    pub next: Option<Timestamp>,
    /// The trees that have changes waiting.
    pub waiting: Vec<WaitingTree>,
}

/// A tree that has changes waiting.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct WaitingTree {
    /// Its branch; absent is the default branch.
    pub branch: Option<String>,
    /// Its project; empty also where several are mixed.
    pub project: String,
    /// Its repository; empty also where several are mixed.
    pub repository: String,
    /// Its codebase; empty also where several are mixed.
    pub codebase: String,
    /// The changes, in order of arrival.
    pub changes: Vec<ChangeNumber>,
    /// When they are built; absent while none of them is important.
    pub due: Option<Timestamp>,
}

impl WaitingTree {
    /// The tree of these changes.
    pub(super) fn of(waiting: &Waiting, due: Option<Timestamp>) -> Self {
        let changes = waiting.arrivals().map(|arrival| &arrival.change);
        let stamp = crate::model::SourceStamp::from_changes(changes.cloned().collect());
        Self {
            branch: stamp.branch,
            project: stamp.project,
            repository: stamp.repository,
            codebase: stamp.codebase,
            changes: stamp.changes.iter().map(|change| change.number).collect(),
            due,
        }
    }
}
