//! All schedulers of a configuration, each of which gets every change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::effects::{Effects, SchedulerIx, Submission};
use super::kind::{Due, Outcome, Scheduler, Start};
use super::kinds::{self, trying};
use super::remembering::{Parts, Remembered};
use super::waiting::{self, Arrival};
use crate::config::SchedulerConfig;
use crate::model::{
    BuilderName, Change, ChangeNumber, Decision, Moment, Properties, SchedulerName, SourceStamps,
    Timestamp, TryJob,
};

/// All schedulers of a configuration.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    by_name: HashMap<SchedulerName, SchedulerIx>,
    /// Those that wait for another, in the order of the configuration (SCB-05). They are found by
    /// name, so that they follow whatever has that name (DEP-06).
    watchers: HashMap<SchedulerName, Vec<SchedulerIx>>,
}

/// One scheduler.
#[derive(Debug)]
struct Entry {
    config: Arc<SchedulerConfig>,
    kind: Box<dyn Scheduler>,
    /// A stopped one takes no changes and has no timer (SCH-11).
    stopped: bool,
}

impl Registry {
    /// Starts the schedulers of `configs` with what they have stored (SCB-10, SCH-11).
    pub fn new(
        configs: &[Arc<SchedulerConfig>],
        stored: &BTreeMap<SchedulerName, Value>,
        changes: &BTreeMap<ChangeNumber, Arc<Change>>,
        now: Moment,
    ) -> (Self, Effects) {
        // A change that arrived after the present did so by a clock that was wrong, and counts as
        // now (TIM-07).
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

    /// Goes on with other settings: who has the same as before is left alone (SCB-09); who has the
    /// name and the kind of one that was there takes over what that one had (SCB-10); the others
    /// start or end.
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
                        let none = Parts::default();
                        Entry::new(config, none, &changes, (start, now), &mut effects)
                    }
                }
                None => {
                    let (none, start) = (Parts::default(), Start::Reconfigured);
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
            let (outcome, decision) = entry.kind.on_change(change, now);
            let rules = entry.config.kind.change_rules();
            if let Some((expression, why)) =
                rules.and_then(|rules| waiting::failure(rules, change, &decision))
            {
                effects.failures.push((name.clone(), expression, why));
            }
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
            let outcome = entry.kind.on_timer(now);
            entry.collect(ix, outcome, &mut effects);
        }
        effects
    }

    /// A set of `scheduler` has finished, or could not be made: with success its watchers build the
    /// same (SCB-05, DEP-03), unless the scheduler is gone meanwhile (SCB-06).
    pub fn on_set_finished(
        &mut self,
        scheduler: &SchedulerName,
        stamps: &Arc<SourceStamps>,
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
        if entry.kind.on_set_finished(stamps, now) {
            effects.touched.push(ix);
        }
        let watchers = self.watchers.get(scheduler).filter(|_| success);
        for &ix in watchers.into_iter().flatten() {
            if let Some(watcher) = self.entries.get(ix).filter(|e| !e.stopped) {
                watcher.submit(watcher.kind.following(stamps), &mut effects);
            }
        }
        effects
    }

    /// Whether steps of builds may ask the scheduler `name` to build.
    #[must_use]
    pub fn takes_triggers(&self, name: &SchedulerName) -> bool {
        let entry = self.running(name);
        entry.is_some_and(|entry| entry.config.kind.takes_triggers())
    }

    /// Asks a Triggerable to build `stamps`, with `properties` over its own; a NightlyTriggerable
    /// keeps that for its next run. Without effect if there is none of this name.
    pub fn trigger(
        &mut self,
        name: &SchedulerName,
        stamps: &Arc<SourceStamps>,
        properties: &Properties,
        now: Moment,
    ) -> Effects {
        let mut effects = Effects::default();
        let ix = self.by_name.get(name).copied();
        if let Some(ix) = ix
            && let Some(entry) = self.entries.get_mut(ix).filter(|entry| !entry.stopped)
            && let Some(outcome) = entry.kind.trigger(stamps, properties, now)
        {
            entry.collect(ix, outcome, &mut effects);
        }
        effects
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

    /// The future builds of a scheduler, for people, earliest first (SCB-04). Those of a Dependent
    /// are its upstream's.
    #[must_use]
    pub fn pending_build_times(&self, name: &SchedulerName, now: Moment) -> Vec<Timestamp> {
        let mut name = name;
        // In a configuration without circles, this many steps reach the end.
        for _ in 0..self.entries.len() {
            let Some(entry) = self.running(name) else {
                break;
            };
            match entry.config.kind.upstream() {
                Some(upstream) => name = upstream,
                None => return entry.kind.pending_build_times(now),
            }
        }
        Vec::new()
    }

    /// The names of an AnyBranch's sub-schedulers (ANY-03).
    #[must_use]
    pub fn sub_schedulers(&self, name: &SchedulerName) -> Vec<String> {
        let entry = self.running(name);
        entry.map_or(Vec::new(), |e| e.kind.sub_schedulers(name.as_str()))
    }

    /// The set that the try scheduler `name` makes of `job`; `user` is who has logged in to hand it
    /// in.
    ///
    /// # Errors
    /// A sentence for the sender: there is no such try scheduler, or the job names a builder, a
    /// branch or a codebase that is not its (TRY-02, OPS-28, CBS-05).
    pub fn try_submission(
        &self,
        name: &SchedulerName,
        mut job: TryJob,
        user: Option<&str>,
    ) -> Result<Submission, String> {
        let entry = self.running(name);
        let (entry, codebases) = entry
            .and_then(|entry| Some((entry, entry.config.kind.try_codebases()?)))
            .ok_or_else(|| format!("there is no try scheduler {name}"))?;
        let allowed = &entry.config.builders;
        if let Some(other) = job.builders.iter().find(|b| !allowed.contains(b)) {
            return Err(format!(
                "builder {other} is not one of those that {name} may try: {}",
                joined(allowed)
            ));
        }
        trying::check_branch(&job, name, entry.config.kind.try_branches())?;
        trying::check_properties(&job)?;
        trying::cut(&mut job.comment);
        let mut submission = entry.submission(Arc::default());
        if !job.builders.is_empty() {
            submission.builders.clone_from(&job.builders);
        }
        submission.reason = trying::reason(&job, user);
        for (name, value) in &job.properties {
            submission
                .properties
                .set(name.clone(), value.clone(), "try build");
        }
        submission.external_id = Some(job.id.clone()).filter(|id| !id.is_empty());
        submission.stamps = Arc::new(trying::stamps(job, codebases)?);
        Ok(submission)
    }

    /// The builders that a try scheduler may use, in the order of its configuration (TUP-05).
    #[must_use]
    pub fn try_builders(&self, name: &SchedulerName) -> Vec<BuilderName> {
        match self
            .running(name)
            .filter(|entry| entry.config.kind.takes_try_jobs())
        {
            Some(entry) => entry.config.builders.clone(),
            None => Vec::new(),
        }
    }

    fn of(entries: Vec<Entry>) -> Self {
        let mut registry = Self {
            entries,
            ..Self::default()
        };
        for (ix, entry) in registry.entries.iter().enumerate() {
            registry.by_name.insert(entry.config.name.clone(), ix);
            if let Some(upstream) = entry.config.kind.upstream() {
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

impl Entry {
    /// A scheduler that takes over what is remembered; what of that it does not want is forgotten.
    fn new(
        config: &Arc<SchedulerConfig>,
        old: Parts,
        changes: &BTreeMap<ChangeNumber, Arrival>,
        (start, now): (Start, Moment),
        effects: &mut Effects,
    ) -> Self {
        let mut entry = Self {
            config: Arc::clone(config),
            kind: kinds::start(&config.kind, now),
            stopped: false,
        };
        if let Err(why) = entry.kind.restore(&old, changes, start, now) {
            effects.problems.push((config.name.clone(), why));
        }
        if let Some(why) = entry.kind.problem() {
            effects.problems.push((config.name.clone(), why));
        }
        entry.remembered(now).replace(old, &config.name, effects);
        entry
    }

    fn remembered(&self, now: Moment) -> Parts {
        self.kind.states(now)
    }

    fn collect(&self, ix: SchedulerIx, outcome: Outcome, effects: &mut Effects) {
        let name = &self.config.name;
        for stamps in outcome.sets {
            self.submit(Arc::new(stamps), effects);
        }
        for (stamps, properties) in outcome.triggered {
            let mut submission = self.submission(stamps);
            submission.properties.update(&properties);
            effects.submissions.push(submission);
        }
        for (part, state) in outcome.states {
            effects.states.push((part.under(name), state));
        }
        if let Some((part, waits)) = outcome.waits {
            effects.waits.push((part.under(name), waits));
        }
        if outcome.rearm {
            effects.touched.push(ix);
        }
        if let Some(why) = outcome.problem {
            effects.problems.push((name.clone(), why));
        }
    }

    fn submit(&self, stamps: Arc<SourceStamps>, effects: &mut Effects) {
        effects.submissions.push(self.submission(stamps));
    }

    fn submission(&self, stamps: Arc<SourceStamps>) -> Submission {
        let config = &self.config;
        let mut properties = config.properties.clone();
        properties.set("scheduler", config.name.as_str(), "Scheduler");
        Submission {
            scheduler: config.name.clone(),
            builders: config.builders.clone(),
            reason: self.reason(&stamps),
            stamps,
            properties,
            priority: config.priority,
            external_id: None,
        }
    }

    /// The reason of its sets (SCB-12).
    fn reason(&self, stamps: &SourceStamps) -> String {
        let name = self.config.name.as_str();
        if let Some(text) = &self.config.reason {
            return text.replace("%(name)s", name);
        }
        let (kind, name) = (self.config.kind.name(), self.kind.name_for(name, stamps));
        format!("{kind} '{name}'")
    }
}

fn joined(names: &[BuilderName]) -> String {
    let names: Vec<_> = names.iter().map(BuilderName::as_str).collect();
    names.join(", ")
}
