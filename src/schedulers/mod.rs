//! The registry of schedulers and their kinds; owned and driven by the core (sections 3 to 9).
//!
//! Pure: time is an argument. A scheduler gets every change, decides for itself, and answers with the sets it
//! wants submitted and what it must remember.
//!
//! Invariants: every scheduler gets every change in the order of arrival, whatever the others do with it
//! (CHG-04, CHG-05); what a scheduler must know after a restart is handed out with the effects that
//! made it, so that both become durable together; due times are wall-clock times, which the owner
//! turns into deadlines. Start reading at [`Registry`], then the kind in `scheduler`.

mod scheduler;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use self::scheduler::Scheduler;
use crate::config::{SchedulerConfig, SchedulerKind};
use crate::model::{
    BuilderName, Change, ChangeNumber, Properties, SchedulerName, SourceStamp, Timestamp,
};

/// Place of a scheduler in the registry: its place in the configuration.
pub type SchedulerIx = usize;

/// All schedulers of a configuration.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

/// One scheduler.
#[derive(Debug)]
struct Entry {
    config: Arc<SchedulerConfig>,
    kind: Kind,
    /// A stopped one takes no changes and has no timer (SCH-11).
    stopped: bool,
}

/// The kinds that are built.
#[derive(Debug)]
enum Kind {
    Scheduler(Scheduler),
}

/// What schedulers want done after an event.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Effects {
    /// Sets to submit, in order.
    pub submissions: Vec<Submission>,
    /// What must be remembered of schedulers from now on.
    pub states: Vec<(SchedulerName, Option<Value>)>,
    /// Schedulers whose due time may have changed.
    pub touched: Vec<SchedulerIx>,
    /// What went wrong, and with which scheduler (CHG-05).
    pub problems: Vec<(SchedulerName, String)>,
}

/// A set that a scheduler wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Who wants it.
    pub scheduler: SchedulerName,
    /// On which builders, in order, duplicates included (SCB-02).
    pub builders: Vec<BuilderName>,
    /// What to build.
    pub stamp: SourceStamp,
    /// Why.
    pub reason: String,
    /// With which properties (SCB-08).
    pub properties: Properties,
}

impl Registry {
    /// Starts the schedulers of `configs` with what they have stored (SCB-10, SCH-11).
    pub fn new(
        configs: &[Arc<SchedulerConfig>],
        stored: &BTreeMap<SchedulerName, Value>,
        changes: &BTreeMap<ChangeNumber, Arc<Change>>,
        now: Timestamp,
    ) -> (Self, Effects) {
        let mut effects = Effects::default();
        let mut entries = Vec::with_capacity(configs.len());
        for (ix, config) in configs.iter().enumerate() {
            let mut kind = Kind::new(config);
            if let Some(state) = stored.get(&config.name) {
                if let Err(why) = kind.restore(config, state, changes, now) {
                    effects.problems.push((config.name.clone(), why));
                }
                if kind.state().as_ref() != Some(state) {
                    effects.states.push((config.name.clone(), kind.state()));
                }
            }
            effects.touched.push(ix);
            entries.push(Entry {
                config: Arc::clone(config),
                kind,
                stopped: false,
            });
        }
        for gone in stored.keys() {
            if !configs.iter().any(|c| c.name == *gone) {
                effects.states.push((gone.clone(), None));
            }
        }
        (Self { entries }, effects)
    }

    /// Tells every scheduler of a change.
    pub fn on_change(&mut self, change: &Arc<Change>, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        for (ix, entry) in self.entries.iter_mut().enumerate() {
            if !entry.stopped {
                let outcome = entry.kind.on_change(&entry.config, change, now);
                entry.collect(ix, outcome, &mut effects);
            }
        }
        effects
    }

    /// Lets a scheduler act that is due by `now`; one that is not due is left alone.
    pub fn on_timer(&mut self, ix: SchedulerIx, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        if let Some(entry) = self.entries.get_mut(ix)
            && !entry.stopped
        {
            let outcome = entry.kind.on_timer(now);
            entry.collect(ix, outcome, &mut effects);
        }
        effects
    }

    /// Stops a scheduler: its timer is cancelled (SCH-11).
    pub fn stop(&mut self, ix: SchedulerIx) {
        if let Some(entry) = self.entries.get_mut(ix) {
            entry.stopped = true;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When a scheduler wants [`Registry::on_timer`] next.
    #[must_use]
    pub fn next_due(&self, ix: SchedulerIx) -> Option<Timestamp> {
        let entry = self.entries.get(ix).filter(|e| !e.stopped)?;
        match &entry.kind {
            Kind::Scheduler(scheduler) => scheduler.next_due(),
        }
    }

    /// The future builds of a scheduler, for people (SCB-04).
    #[must_use]
    pub fn pending_build_times(&self, name: &SchedulerName) -> Vec<Timestamp> {
        let mut running = self.entries.iter().filter(|e| !e.stopped);
        let entry = running.find(|e| e.config.name == *name);
        match entry.map(|e| &e.kind) {
            Some(Kind::Scheduler(scheduler)) => {
                scheduler.pending_build_time().into_iter().collect()
            }
            None => Vec::new(),
        }
    }
}

/// What a kind answers to an event.
#[derive(Debug, Default)]
struct Outcome {
    /// Stamps to build, each a set.
    stamps: Vec<SourceStamp>,
    /// Whether there is something new to remember.
    changed: bool,
}

impl Entry {
    fn collect(&self, ix: SchedulerIx, outcome: Outcome, effects: &mut Effects) {
        let config = &self.config;
        for stamp in outcome.stamps {
            let mut properties = config.properties.clone();
            properties.set("scheduler", config.name.as_str(), "Scheduler");
            effects.submissions.push(Submission {
                scheduler: config.name.clone(),
                builders: config.builders.clone(),
                stamp,
                reason: self.reason(),
                properties,
            });
        }
        if outcome.changed {
            effects
                .states
                .push((config.name.clone(), self.kind.state()));
            effects.touched.push(ix);
        }
    }

    /// The reason of its sets (SCB-12).
    fn reason(&self) -> String {
        let name = self.config.name.as_str();
        if let Some(text) = &self.config.reason {
            return text.replace("%(name)s", name);
        }
        let kind = match self.kind {
            Kind::Scheduler(_) => "Scheduler",
        };
        format!("{kind} '{name}'")
    }
}

impl Kind {
    fn new(config: &SchedulerConfig) -> Self {
        match config.kind {
            SchedulerKind::Scheduler { .. } => Self::Scheduler(Scheduler::default()),
        }
    }

    fn restore(
        &mut self,
        config: &SchedulerConfig,
        state: &Value,
        changes: &BTreeMap<ChangeNumber, Arc<Change>>,
        now: Timestamp,
    ) -> Result<(), String> {
        match self {
            Self::Scheduler(scheduler) => scheduler.restore(&config.kind, state, changes, now),
        }
    }

    fn on_change(
        &mut self,
        config: &SchedulerConfig,
        change: &Arc<Change>,
        now: Timestamp,
    ) -> Outcome {
        match self {
            Self::Scheduler(scheduler) => scheduler.on_change(&config.kind, change, now),
        }
    }

    fn on_timer(&mut self, now: Timestamp) -> Outcome {
        match self {
            Self::Scheduler(scheduler) => scheduler.on_timer(now),
        }
    }

    fn state(&self) -> Option<Value> {
        match self {
            Self::Scheduler(scheduler) => scheduler.state(),
        }
    }
}
