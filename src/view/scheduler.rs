//! Schedulers: what waits in them and until when, and when they run next.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::config::SchedulerConfig;
use crate::model::{
    BuilderName, ChangeNumber, Decision, Line, Results, SchedulerName, SetId, Timestamp,
};
use crate::schedulers::next_run_of;
use crate::store::{State, StoreError};

/// A scheduler of the configuration, with what is on record of it.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Scheduler {
    /// Its name.
    pub name: SchedulerName,
    /// Its type, as the configuration calls it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The builders that it submits requests for.
    pub builders: Vec<BuilderName>,
    /// The scheduler that it follows, if it does not look at changes itself.
    pub upstream: Option<SchedulerName>,
    /// The changes that wait in it, by tree.
    pub waiting: Vec<Tree>,
    /// When it runs next by the clock.
    #[serde(serialize_with = "json::time_if_any")]
    pub next: Option<Timestamp>,
    /// The newest set that it submitted.
    pub last_set: Option<LastSet>,
}

/// Changes of one tree that wait in a scheduler.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Tree {
    /// The tree.
    #[serde(flatten)]
    pub line: Line,
    /// The changes, in order of number.
    pub changes: Vec<ChangeNumber>,
    /// When they are built; absent while none of them is important.
    #[serde(serialize_with = "json::time_if_any")]
    pub until: Option<Timestamp>,
    /// Whether a timer runs until then, at which the tree has been stable for long enough.
    #[serde(skip)]
    pub is_timer: bool,
}

/// The newest set that a scheduler submitted.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LastSet {
    /// Its number.
    pub id: SetId,
    /// When it was submitted.
    #[serde(serialize_with = "json::time")]
    pub submitted_at: Timestamp,
    /// Its result; absent until it has finished.
    pub result: Option<Results>,
}

impl Scheduler {
    /// The schedulers with these settings, as they are at `now`; `state` is absent before the first
    /// start.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn all<'a>(
        state: Option<&State>,
        configs: impl IntoIterator<Item = &'a SchedulerConfig>,
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        let mut waiting = state.map_or_else(|| Ok(BTreeMap::new()), waiting)?;
        let mut all = Vec::new();
        for config in configs {
            let last = match state {
                Some(state) => state.last_set_of(&config.name)?,
                None => None,
            };
            let last_at = last.as_ref().map(|(_, at, _)| *at);
            all.push(Self {
                name: config.name.clone(),
                kind: config.kind.name(),
                builders: config.builders.clone(),
                upstream: config.kind.upstream().cloned(),
                waiting: waiting.remove(&config.name).unwrap_or_default(),
                next: next_run_of(&config.kind, last_at, now),
                last_set: last.map(|(id, submitted_at, result)| LastSet {
                    id,
                    submitted_at,
                    result,
                }),
            });
        }
        Ok(all)
    }

    /// The changes that wait in it for this builder.
    #[must_use]
    pub fn waiting_for(&self, builder: &BuilderName) -> &[Tree] {
        match self.builders.contains(builder) {
            true => &self.waiting,
            false => &[],
        }
    }
}

/// The changes that wait in each scheduler.
fn waiting(state: &State) -> Result<BTreeMap<SchedulerName, Vec<Tree>>, StoreError> {
    let mut all = BTreeMap::new();
    for (scheduler, numbers) in state.held_changes()? {
        let trees = trees(state, &scheduler, &numbers)?;
        all.insert(scheduler, trees);
    }
    Ok(all)
}

fn trees(
    state: &State,
    scheduler: &SchedulerName,
    numbers: &BTreeSet<ChangeNumber>,
) -> Result<Vec<Tree>, StoreError> {
    let mut trees: BTreeMap<Line, Tree> = BTreeMap::new();
    for &number in numbers {
        let Some(change) = state.change(number)? else {
            continue;
        };
        let line = Line {
            branch: change.branch.clone(),
            repository: change.repository.clone(),
            project: change.project.clone(),
            codebase: change.codebase.clone(),
            more: Vec::new(),
        };
        let decisions = state.decisions(number)?.unwrap_or_default();
        let decision = decisions.into_iter().find(|(name, _)| name == scheduler);
        let decision = decision.map(|(_, decision)| decision);
        let tree = trees.entry(line.clone()).or_insert_with(|| Tree {
            line,
            changes: Vec::new(),
            until: None,
            is_timer: false,
        });
        tree.changes.push(number);
        tree.is_timer |= matches!(decision, Some(Decision::TimerRuns { .. }));
        tree.until = tree.until.max(decision.as_ref().and_then(Decision::time));
    }
    Ok(trees.into_values().collect())
}
