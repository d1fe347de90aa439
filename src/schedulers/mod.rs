//! The registry of schedulers and their kinds; owned and driven by the core (sections 3 to 9).
//!
//! Pure: time is an argument. A scheduler gets every change, decides for itself, and answers with the sets it
//! wants submitted and what it must remember.
//!
//! Invariants: every scheduler gets every change in the order of arrival, whatever the others do with it
//! (CHG-04, CHG-05); what a scheduler must know after a restart is handed out with the effects that
//! made it, so that both become durable together; what is waited for is measured in steady time, which the owner
//! turns into deadlines, and only a Nightly looks at the wall clock; the owner tells the end of every set that was wanted, also of one that could not be made.
//! Start reading at [`Registry`], then `kind`, then the kinds: `periodic` is the simplest.

mod foresight;
mod kind;
mod live;
mod nightly;
mod periodic;
mod remembering;
mod scheduler;
mod search;
#[cfg(test)]
mod tests;
mod timed;
mod trees;
mod trying;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use self::kind::Kind;
use self::remembering::{Part, Remembered};
use crate::config::{SchedulerConfig, SchedulerKind};
use crate::model::{
    BuilderName, Change, ChangeNumber, Decision, Moment, Properties, SchedulerName, SourceStamp,
    Timestamp,
};

use self::waiting::Arrival;

pub use foresight::{Foreseen, Foresight, Outlook, Runs};
pub use kind::Due;
pub use live::{LiveScheduler, WaitingTree};
pub use search::{Run, next_run};

/// Place of a scheduler in the registry: its place in the configuration.
pub type SchedulerIx = usize;

/// All schedulers of a configuration.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    by_name: HashMap<SchedulerName, SchedulerIx>,
    /// Those that wait for another, in the order of the configuration (SCB-05). They are found by name, so
    /// that they follow whatever has that name (DEP-06).
    watchers: HashMap<SchedulerName, Vec<SchedulerIx>>,
}

/// One scheduler.
#[derive(Debug)]
struct Entry {
    config: Arc<SchedulerConfig>,
    kind: Kind,
    /// A stopped one takes no changes and has no timer (SCH-11).
    stopped: bool,
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
    /// What each scheduler made of the change it was offered, in the order of the configuration; empty after
    /// other events.
    pub decisions: Vec<(SchedulerName, Decision)>,
    /// What went wrong, and with which scheduler (CHG-05).
    pub problems: Vec<(SchedulerName, String)>,
}

/// A set that a scheduler wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Who wants it.
    pub scheduler: SchedulerName,
    /// On which builders, in order; one that is listed twice gets one request (SCB-02).
    pub builders: Vec<BuilderName>,
    /// What to build.
    pub stamp: Arc<SourceStamp>,
    /// Why.
    pub reason: String,
    /// With which properties (SCB-08).
    pub properties: Properties,
    /// How urgent its requests are (BRQ-09).
    pub priority: i32,
    /// The id that a client gave it (TJD-11).
    pub external_id: Option<String>,
}

/// Why a scheduler takes over what another has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    /// The master was started.
    Restarted,
    /// The settings were changed.
    Reconfigured,
}

impl Registry {
    /// Starts the schedulers of `configs` with what they have stored (SCB-10, SCH-11).
    pub fn new(
        configs: &[Arc<SchedulerConfig>],
        stored: &BTreeMap<SchedulerName, Value>,
        changes: &BTreeMap<ChangeNumber, Arc<Change>>,
        now: Moment,
    ) -> (Self, Effects) {
        // A change that arrived after the present did so by a clock that was wrong, and counts as now (TIM-07).
        let arrival = |change: &Arc<Change>| Arrival {
            change: Arc::clone(change),
            at: now.steady_of(change.arrived_at).min(now.steady),
        };
        let changes = changes.iter().map(|(number, c)| (*number, arrival(c)));
        let changes = changes.collect();
        let mut effects = Effects::default();
        let mut remembered = Remembered::of(stored);
        let start = |config: &Arc<SchedulerConfig>| {
            let old = remembered.take(&config.name);
            let start = Start::Restarted;
            Entry::new(config, old, &changes, (start, now), &mut effects)
        };
        let entries = configs.iter().map(start).collect();
        remembered.forget(&mut effects);
        effects.touched.extend(0..configs.len());
        (Self::of(entries), effects)
    }

    /// Goes on with other settings: who has the same as before is left alone (SCB-09); who has the name and the
    /// kind of one that was there takes over what that one had (SCB-10); the others start or end.
    pub fn reconfigure(&mut self, configs: &[Arc<SchedulerConfig>], now: Moment) -> Effects {
        let mut effects = Effects::default();
        let old = std::mem::take(self).entries.into_iter();
        let mut old: BTreeMap<_, _> = old.map(|e| (e.config.name.clone(), e)).collect();
        let mut entries = Vec::with_capacity(configs.len());
        for config in configs {
            let entry = match old.remove(&config.name) {
                Some(same) if same.config == *config && !same.stopped => same,
                Some(other) => {
                    let parts = other.remembered(now);
                    let (changes, start) = (other.kind.changes(), Start::Reconfigured);
                    if other.config.kind.name() == config.kind.name() {
                        Entry::new(config, parts, &changes, (start, now), &mut effects)
                    } else {
                        parts.forget(&config.name, &mut effects);
                        let none = remembering::Parts::default();
                        Entry::new(config, none, &changes, (start, now), &mut effects)
                    }
                }
                None => {
                    let (none, start) = (remembering::Parts::default(), Start::Reconfigured);
                    Entry::new(config, none, &BTreeMap::new(), (start, now), &mut effects)
                }
            };
            entries.push(entry);
        }
        for (name, gone) in old {
            gone.remembered(now).forget(&name, &mut effects);
        }
        effects.touched.extend(0..entries.len());
        *self = Self::of(entries);
        effects
    }

    /// Tells every scheduler of a change, and asks each what it makes of it.
    pub fn on_change(&mut self, change: &Arc<Change>, now: Moment) -> Effects {
        let mut effects = Effects {
            decisions: Vec::with_capacity(self.entries.len()),
            ..Effects::default()
        };
        for (ix, entry) in self.entries.iter_mut().enumerate() {
            let name = entry.config.name.clone();
            if entry.stopped {
                effects.decisions.push((name, Decision::Stopped));
                continue;
            }
            let (outcome, decision) = entry.kind.on_change(&entry.config.kind, change, now);
            effects.decisions.push((name, decision));
            entry.collect(ix, outcome, &mut effects);
        }
        effects
    }

    /// Lets a scheduler act that is due by `now`; one that is not due is left alone.
    pub fn on_timer(&mut self, ix: SchedulerIx, now: Moment) -> Effects {
        let mut effects = Effects::default();
        if let Some(entry) = self.entries.get_mut(ix)
            && !entry.stopped
        {
            let outcome = entry.kind.on_timer(&entry.config.kind, now);
            entry.collect(ix, outcome, &mut effects);
        }
        effects
    }

    /// A set of `scheduler` has finished, or could not be made: with success its watchers build the same
    /// (SCB-05, DEP-03), unless the scheduler is gone meanwhile (SCB-06).
    pub fn on_set_finished(
        &mut self,
        scheduler: &SchedulerName,
        stamp: &Arc<SourceStamp>,
        success: bool,
        now: Moment,
    ) -> Effects {
        let mut effects = Effects::default();
        let Some(&ix) = self.by_name.get(scheduler) else {
            return effects;
        };
        let Some(entry) = self.entries.get_mut(ix).filter(|e| !e.stopped) else {
            return effects;
        };
        if entry.kind.on_set_finished(&entry.config.kind, stamp, now) {
            effects.touched.push(ix);
        }
        let watchers = self.watchers.get(scheduler).filter(|_| success);
        for &ix in watchers.into_iter().flatten() {
            if let Some(watcher) = self.entries.get(ix).filter(|e| !e.stopped) {
                watcher.submit(Arc::clone(stamp), &mut effects);
            }
        }
        effects
    }

    /// Asks a Triggerable to build `stamp`, with `properties` over its own.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn trigger(
        &self,
        name: &SchedulerName,
        stamp: Arc<SourceStamp>,
        properties: &Properties,
    ) -> Result<Submission, String> {
        let entry = self.running(name);
        match entry.filter(|e| matches!(e.config.kind, SchedulerKind::Triggerable)) {
            Some(entry) => {
                let mut submission = entry.submission(stamp);
                submission.properties.update(properties);
                Ok(submission)
            }
            None => Err(format!("there is no Triggerable scheduler {name}")),
        }
    }

    /// Stops a scheduler: its timer is cancelled (SCH-11, ANY-05).
    pub fn stop(&mut self, ix: SchedulerIx) {
        if let Some(entry) = self.entries.get_mut(ix) {
            entry.stopped = true;
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When a scheduler wants [`Registry::on_timer`] next.
    #[must_use]
    pub fn next_due(&self, ix: SchedulerIx) -> Option<Due> {
        self.entries.get(ix).filter(|e| !e.stopped)?.kind.next_due()
    }

    /// What each scheduler waits with, and when that is built.
    #[must_use]
    pub fn live(&self, now: Moment) -> BTreeMap<SchedulerName, LiveScheduler> {
        let running = self.entries.iter().filter(|entry| !entry.stopped);
        running
            .map(|entry| (entry.config.name.clone(), entry.kind.live(now)))
            .collect()
    }

    /// The future builds of a scheduler, for people, earliest first (SCB-04). Those of a Dependent are its
    /// upstream's.
    #[must_use]
    pub fn pending_build_times(&self, name: &SchedulerName, now: Moment) -> Vec<Timestamp> {
        let mut name = name;
        // A configuration without circles is left after so many steps.
        for _ in 0..self.entries.len() {
            let Some(entry) = self.running(name) else {
                break;
            };
            match &entry.config.kind {
                SchedulerKind::Dependent { upstream } => name = upstream,
                SchedulerKind::Scheduler { .. }
                | SchedulerKind::AnyBranch { .. }
                | SchedulerKind::Periodic { .. }
                | SchedulerKind::Nightly(_)
                | SchedulerKind::Triggerable
                | SchedulerKind::TryJobdir(_)
                | SchedulerKind::TryUserpass(_) => return entry.kind.pending_build_times(now),
            }
        }
        Vec::new()
    }

    /// The names of an AnyBranch's sub-schedulers (ANY-03).
    #[must_use]
    pub fn sub_schedulers(&self, name: &SchedulerName) -> Vec<String> {
        match self.running(name).map(|e| (&e.kind, &e.config.kind)) {
            Some((Kind::Trees(it), SchedulerKind::AnyBranch { .. })) => {
                let branches = it.branches().into_iter();
                branches
                    .map(|branch| trees::sub_name(name.as_str(), branch))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn of(entries: Vec<Entry>) -> Self {
        let mut registry = Self {
            entries,
            ..Self::default()
        };
        for (ix, entry) in registry.entries.iter().enumerate() {
            registry.by_name.insert(entry.config.name.clone(), ix);
            if let SchedulerKind::Dependent { upstream } = &entry.config.kind {
                let watchers = registry.watchers.entry(upstream.clone()).or_default();
                watchers.push(ix);
            }
        }
        registry
    }

    fn running(&self, name: &SchedulerName) -> Option<&Entry> {
        let entry = self.entries.get(*self.by_name.get(name)?)?;
        Some(entry).filter(|e| !e.stopped)
    }
}

/// What a kind answers to an event.
#[derive(Debug, Default)]
struct Outcome {
    /// Stamps to build, each a set.
    stamps: Vec<SourceStamp>,
    /// What to remember from now on.
    states: Vec<(Part, Option<Value>)>,
    /// Whether its due time may be another one.
    rearm: bool,
    /// What is wrong.
    problem: Option<String>,
}

impl Outcome {
    /// Has `state` remembered of `part`.
    fn remember(&mut self, part: Part, state: Option<Value>) {
        self.states.push((part, state));
    }
}

impl Entry {
    /// A scheduler that takes over what is remembered; what of that it does not want is forgotten.
    fn new(
        config: &Arc<SchedulerConfig>,
        old: remembering::Parts,
        changes: &BTreeMap<ChangeNumber, Arrival>,
        (start, now): (Start, Moment),
        effects: &mut Effects,
    ) -> Self {
        let mut entry = Self {
            config: Arc::clone(config),
            kind: Kind::new(&config.kind, now),
            stopped: false,
        };
        if let Err(why) = entry
            .kind
            .restore(&config.kind, &old, changes, (start, now))
        {
            effects.problems.push((config.name.clone(), why));
        }
        if let Some(why) = entry.kind.problem(&config.kind) {
            effects.problems.push((config.name.clone(), why));
        }
        entry.remembered(now).replace(old, &config.name, effects);
        entry
    }

    fn remembered(&self, now: Moment) -> remembering::Parts {
        self.kind.states(now)
    }

    fn collect(&self, ix: SchedulerIx, outcome: Outcome, effects: &mut Effects) {
        let name = &self.config.name;
        for stamp in outcome.stamps {
            self.submit(Arc::new(stamp), effects);
        }
        for (part, state) in outcome.states {
            effects.states.push((part.under(name), state));
        }
        if outcome.rearm {
            effects.touched.push(ix);
        }
        if let Some(why) = outcome.problem {
            effects.problems.push((name.clone(), why));
        }
    }

    fn submit(&self, stamp: Arc<SourceStamp>, effects: &mut Effects) {
        effects.submissions.push(self.submission(stamp));
    }

    fn submission(&self, stamp: Arc<SourceStamp>) -> Submission {
        let config = &self.config;
        let mut properties = config.properties.clone();
        properties.set("scheduler", config.name.as_str(), "Scheduler");
        Submission {
            scheduler: config.name.clone(),
            builders: config.builders.clone(),
            reason: self.reason(&stamp),
            stamp,
            properties,
            priority: config.priority,
            external_id: None,
        }
    }

    /// The reason of its sets (SCB-12).
    fn reason(&self, stamp: &SourceStamp) -> String {
        let name = self.config.name.as_str();
        if let Some(text) = &self.config.reason {
            return text.replace("%(name)s", name);
        }
        let kind = self.config.kind.name();
        if matches!(self.config.kind, SchedulerKind::AnyBranch { .. }) {
            let name = trees::sub_name(name, stamp.branch.as_deref());
            return format!("{kind} '{name}'");
        }
        format!("{kind} '{name}'")
    }
}
