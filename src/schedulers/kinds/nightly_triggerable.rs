//! `NightlyTriggerable`: keeps what a step of another build asks for, and builds it by the clock on
//! the wall. What was asked for last counts; a run without anything to build is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::nightly::Nightly;
use crate::config::{Codebases, NightlyConfig, TimedBuild};
use crate::model::{
    Change, ChangeNumber, Decision, Instead, Moment, Patch, Properties, SourceStamp, SourceStamps,
    Timestamp,
};
use crate::schedulers::codebases;
use crate::schedulers::kind::{Due, Outcome, Scheduler, Start};
use crate::schedulers::remembering::{self, Part, Parts};
use crate::schedulers::search::Run;
use crate::schedulers::waiting::{self, Arrival};

/// A `NightlyTriggerable`.
#[derive(Debug)]
pub(super) struct NightlyTriggerable {
    /// When it runs.
    clock: Nightly,
    /// The codebases of its sets.
    codebases: Codebases,
    /// What it builds then.
    asked: Option<(Arc<SourceStamps>, Properties)>,
}

/// The form in which it is stored: that of the clock, and what it builds.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<StoredTrigger>,
}

/// The stamps, and the properties that are given along.
#[derive(Debug, Deserialize, Serialize)]
struct StoredTrigger {
    #[serde(flatten)]
    first: StoredStamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<StoredStamp>,
    properties: Properties,
}

/// The diff of a patch stays with the build set of the build that asked.
#[derive(Debug, Deserialize, Serialize)]
struct StoredStamp {
    branch: Option<String>,
    revision: Option<String>,
    patch: Option<Patch>,
    changes: Vec<ChangeNumber>,
    project: String,
    repository: String,
    codebase: String,
}

impl StoredStamp {
    fn of(stamp: &SourceStamp) -> Self {
        Self {
            branch: stamp.branch.clone(),
            revision: stamp.revision.clone(),
            patch: stamp.patch.clone(),
            changes: stamp.changes.iter().map(|change| change.number).collect(),
            project: stamp.project.clone(),
            repository: stamp.repository.clone(),
            codebase: stamp.codebase.clone(),
        }
    }

    /// The stamp, with the changes that are known; the numbers of the others join `missing`.
    fn read(
        self,
        known: &BTreeMap<ChangeNumber, Arrival>,
        missing: &mut Vec<ChangeNumber>,
    ) -> SourceStamp {
        let mut changes = Vec::new();
        for number in self.changes {
            match known.get(&number) {
                Some(arrival) => changes.push(Arc::clone(&arrival.change)),
                None => missing.push(number),
            }
        }
        SourceStamp {
            branch: self.branch,
            revision: self.revision,
            patch: self.patch,
            changes,
            project: self.project,
            repository: self.repository,
            codebase: self.codebase,
        }
    }
}

impl NightlyTriggerable {
    /// Looks for the first slot after `now`.
    pub(super) fn new(config: NightlyConfig, now: Timestamp) -> Self {
        let codebases = config.what.codebases.clone();
        let always = NightlyConfig {
            force_at: None,
            what: TimedBuild::default(),
            ..config
        };
        Self {
            clock: Nightly::new(always, now),
            codebases,
            asked: None,
        }
    }

    fn state(&self, now: Moment) -> Value {
        let states = self.clock.states(now);
        let mut state = states.whole().cloned().unwrap_or_default();
        let asked = self.asked.as_ref();
        let stored = asked.map(|(stamps, properties)| StoredTrigger {
            first: StoredStamp::of(stamps.first()),
            more: stamps.more().iter().map(StoredStamp::of).collect(),
            properties: properties.clone(),
        });
        if let (Some(stored), Value::Object(state)) = (stored, &mut state) {
            let stored = serde_json::to_value(stored).expect("a stamp always has a JSON form");
            state.insert("asked".to_owned(), stored);
        }
        state
    }

    /// An outcome after which its state is remembered.
    fn remembering(&self, mut outcome: Outcome, now: Moment) -> Outcome {
        outcome.states.clear();
        outcome.remember(Part::default(), Some(self.state(now)));
        outcome
    }
}

impl Scheduler for NightlyTriggerable {
    fn restore(
        &mut self,
        old: &Parts,
        known: &BTreeMap<ChangeNumber, Arrival>,
        start: Start,
        now: Moment,
    ) -> Result<(), String> {
        self.clock.restore(old, known, start, now)?;
        let Some(state) = old.whole() else {
            return Ok(());
        };
        let stored: Stored = remembering::read(state)?;
        let Some(stored) = stored.asked else {
            return Ok(());
        };
        let mut missing = Vec::new();
        let all = [stored.first].into_iter().chain(stored.more);
        let stamps = all.map(|stamp| stamp.read(known, &mut missing));
        self.asked = Some((Arc::new(stamps.collect()), stored.properties));
        if missing.is_empty() {
            return Ok(());
        }
        Err(waiting::gone(&missing))
    }

    fn on_change(&mut self, _change: &Arc<Change>, _now: Moment) -> (Outcome, Decision) {
        let instead = Instead::Trigger;
        (Outcome::default(), Decision::LooksAtNone { instead })
    }

    fn on_timer(&mut self, now: Moment) -> Outcome {
        let mut outcome = self.clock.on_timer(now);
        if outcome.states.is_empty() {
            return outcome;
        }
        // The clock gives a set in each run.
        if !std::mem::take(&mut outcome.sets).is_empty() {
            let asked = self.asked.take().into_iter();
            let asked = asked.map(|(stamps, properties)| {
                (codebases::asked_for(&self.codebases, &stamps), properties)
            });
            outcome.triggered = asked.collect();
        }
        self.remembering(outcome, now)
    }

    fn trigger(
        &mut self,
        stamps: &Arc<SourceStamps>,
        properties: &Properties,
        now: Moment,
    ) -> Option<Outcome> {
        self.asked = Some((Arc::clone(stamps), properties.clone()));
        Some(self.remembering(Outcome::default(), now))
    }

    fn next_due(&self) -> Option<Due> {
        self.clock.next_due()
    }

    fn pending_build_times(&self, now: Moment) -> Vec<Timestamp> {
        match self.asked {
            Some(_) => self.clock.pending_build_times(now),
            None => Vec::new(),
        }
    }

    fn problem(&self) -> Option<String> {
        self.clock.problem()
    }

    fn changes(&self) -> BTreeMap<ChangeNumber, Arrival> {
        let changes = self.asked.iter().flat_map(|(stamps, _)| stamps.changes());
        changes
            .map(|change| (change.number, Arrival::now(change, change.arrived_at)))
            .collect()
    }

    fn states(&self, now: Moment) -> Parts {
        Parts::of_whole(Some(self.state(now)))
    }

    fn runs(&self, from: Timestamp) -> Option<Box<dyn Iterator<Item = Run>>> {
        self.clock.runs(from)
    }

    fn next_run(&self, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        self.clock.next_run(last, now)
    }
}
