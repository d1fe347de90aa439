//! Schedulers under a clock: each kind has a file.

#![expect(clippy::unwrap_used, reason = "tests")]

mod any_branch;
mod clocks;
mod codebases;
mod decisions;
mod dependent;
mod histories;
mod nightly;
mod periodic;
mod reconfiguration;
mod scheduler;
mod search;
mod told;
mod trees;
mod trying;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::config::calendar::Field;
use crate::config::{
    AnyBranchConfig, Calendar, ChangeRules, DependentConfig, FilePatterns, Importance,
    NightlyConfig, NightlyTriggerableConfig, PeriodicConfig, SchedulerConfig, SchedulerKind,
    SingleBranchConfig, TimedBuild, TreeStable, TriggerableConfig,
};
use crate::model::{
    Change, ChangeNumber, Decision, Moment, NewChange, Properties, SchedulerName, SourceStamp,
    SourceStamps, Timestamp, WaitingChange, Zone,
};

#[derive(Debug, Deserialize, PartialEq)]
struct ExpectedSet {
    at: f64,
    branch: Option<String>,
    changes: Vec<u64>,
    builders: Vec<String>,
}

/// Schedulers under a clock.
struct Harness {
    registry: Registry,
    sets: Vec<ExpectedSet>,
    submissions: Vec<Submission>,
    problems: Vec<String>,
    /// What was made of the last change.
    decisions: Vec<Decision>,
    stored: BTreeMap<SchedulerName, Value>,
    changes: BTreeMap<ChangeNumber, Arc<Change>>,
    /// Seconds that the wall clock is ahead of the time of the test.
    ahead: f64,
    /// How far it was ahead when the schedulers began.
    began_ahead: f64,
}

impl Harness {
    fn new(config: SchedulerConfig) -> Self {
        Self::start(0.0, vec![config])
    }

    /// Schedulers that start at `at` and run at once what is due then.
    fn start(at: f64, configs: Vec<SchedulerConfig>) -> Self {
        let mut harness = Self {
            registry: Registry::default(),
            sets: Vec::new(),
            submissions: Vec::new(),
            problems: Vec::new(),
            decisions: Vec::new(),
            stored: BTreeMap::new(),
            changes: BTreeMap::new(),
            ahead: 0.0,
            began_ahead: 0.0,
        };
        harness.restart_all(at, configs);
        harness
    }

    /// Lets the timers fire until `at`, inclusive.
    fn run_until(&mut self, at: f64) {
        let until = Timestamp::from_secs_f64(at);
        let (ahead, began_ahead) = (self.ahead, self.began_ahead);
        let due = |registry: &Registry| {
            let due = |ix| {
                let (due, ahead) = match registry.next_due(ix)? {
                    Due::Steady(due) => (due, began_ahead),
                    Due::Wall(due) => (due, ahead),
                };
                let due = Timestamp::from_secs_f64(due.as_secs_f64() - ahead);
                Some((due, ix))
            };
            let due = (0..registry.len()).filter_map(due);
            due.min().filter(|(due, _)| *due <= until)
        };
        while let Some((due, ix)) = due(&self.registry) {
            self.wake(due.as_secs_f64(), ix);
        }
    }

    /// What the clocks show at `at`.
    fn at(&self, at: f64) -> Moment {
        Moment {
            steady: Timestamp::from_secs_f64(at + self.began_ahead),
            wall: self.wall(at),
        }
    }

    fn wall(&self, at: f64) -> Timestamp {
        Timestamp::from_secs_f64(at + self.ahead)
    }

    /// Lets one timer fire at `at`, due or not.
    fn wake(&mut self, at: f64, ix: SchedulerIx) {
        let effects = self.registry.on_timer(ix, self.at(at));
        self.take(effects, at);
    }

    fn change(&mut self, at: f64, id: u64, when: Option<f64>, branch: Option<&str>, file: &str) {
        self.run_until(at);
        let arrived_at = self.wall(at);
        let change = Arc::new(Change {
            number: ChangeNumber(id),
            arrived_at,
            when: when.map_or(arrived_at, Timestamp::from_secs_f64),
            content: NewChange {
                branch: branch.map(str::to_owned),
                files: vec![file.to_owned()],
                ..NewChange::default()
            },
        });
        self.offer(at, change);
    }

    fn offer(&mut self, at: f64, change: Arc<Change>) {
        self.changes.insert(change.number, Arc::clone(&change));
        let mut effects = self.registry.on_change(&change, self.at(at));
        let decisions = std::mem::take(&mut effects.decisions).into_iter();
        self.decisions = decisions.map(|(_, decision)| decision).collect();
        self.take(effects, at);
    }

    /// The `n`th set of all ends; others may follow.
    fn finish(&mut self, at: f64, n: usize, success: bool) {
        let set = self.submissions[n].clone();
        let now = self.at(at);
        let effects = self
            .registry
            .on_set_finished(&set.scheduler, &set.stamps, success, now);
        self.take(effects, at);
    }

    fn take(&mut self, effects: Effects, at: f64) {
        let problems = effects.problems.into_iter();
        self.problems
            .extend(problems.map(|(name, why)| format!("{name}: {why}")));
        for (name, state) in effects.states {
            match state {
                Some(state) => self.stored.insert(name, state),
                None => self.stored.remove(&name),
            };
        }
        for (name, waits) in effects.waits {
            waits.add_to(self.stored.get_mut(&name).expect("a state that is stored"));
        }
        for set in effects.submissions {
            self.sets.push(ExpectedSet {
                at,
                branch: set.stamps.first().branch.clone(),
                changes: set
                    .stamps
                    .first()
                    .changes
                    .iter()
                    .map(|c| c.number.0)
                    .collect(),
                builders: set.builders.iter().map(ToString::to_string).collect(),
            });
            self.submissions.push(set);
        }
    }

    /// Starts again at `at` with what is stored, perhaps with other settings.
    fn restart(&mut self, at: f64, config: SchedulerConfig) {
        self.restart_all(at, vec![config]);
    }

    fn restart_all(&mut self, at: f64, configs: Vec<SchedulerConfig>) {
        // A master begins with what the wall clock shows.
        self.began_ahead = self.ahead;
        let now = self.wall(at).into();
        let configs: Vec<_> = configs.into_iter().map(Arc::new).collect();
        let (registry, effects) = Registry::new(&configs, &self.stored, &self.changes, now);
        self.registry = registry;
        self.take(effects, at);
    }

    fn reconfigure(&mut self, at: f64, configs: Vec<SchedulerConfig>) {
        self.run_until(at);
        let now = self.at(at);
        let configs: Vec<_> = configs.into_iter().map(Arc::new).collect();
        let effects = self.registry.reconfigure(&configs, now);
        self.take(effects, at);
    }

    /// The sets until `end` that were not looked at yet: when, and of which changes.
    fn sets(&mut self, end: f64) -> Vec<(f64, Vec<u64>)> {
        self.run_until(end);
        assert_eq!(self.problems, [""; 0]);
        self.sets.drain(..).map(|s| (s.at, s.changes)).collect()
    }

    /// When the sets until `end` were submitted that were not looked at yet.
    fn times(&mut self, end: f64) -> Vec<f64> {
        self.sets(end).into_iter().map(|(at, _)| at).collect()
    }

    fn pending(&self, name: &str) -> Vec<f64> {
        let now = self.at(0.0);
        let times = self.registry.pending_build_times(&name.into(), now);
        times.into_iter().map(Timestamp::as_secs_f64).collect()
    }
}

fn config(timer: Option<u64>) -> SchedulerConfig {
    config_of("quick", single_branch(None, tree_stable(timer)))
}

fn config_of(name: &str, kind: SchedulerKind) -> SchedulerConfig {
    SchedulerConfig {
        name: name.into(),
        builders: vec!["b1".into(), "b2".into()],
        kind,
        ..SchedulerConfig::default()
    }
}

fn any_branch(branches: Option<Vec<Option<String>>>, settings: TreeStable) -> SchedulerKind {
    SchedulerKind::AnyBranch(AnyBranchConfig {
        branches,
        tree_stable: settings,
    })
}

fn single_branch(branch: Option<&str>, settings: TreeStable) -> SchedulerKind {
    SchedulerKind::Scheduler(SingleBranchConfig {
        branch: branch.map(str::to_owned),
        tree_stable: settings,
    })
}

fn dependent(name: &str, upstream: &str) -> SchedulerConfig {
    let upstream = upstream.into();
    config_of(
        name,
        SchedulerKind::Dependent(DependentConfig {
            upstream,
            ..DependentConfig::default()
        }),
    )
}

fn periodic(period: u64, resume: bool) -> SchedulerConfig {
    let config = PeriodicConfig {
        period: Duration::from_secs(period),
        resume,
        ..PeriodicConfig::default()
    };
    config_of("hourly", SchedulerKind::Periodic(config))
}

/// Every day at `hour`, universal time.
fn nightly(hour: u32) -> NightlyConfig {
    let fields = [
        Field::one_of([0]),
        Field::one_of([hour]),
        Field::Any,
        Field::Any,
        Field::Any,
    ];
    NightlyConfig {
        calendar: Calendar::new(fields).unwrap(),
        ..NightlyConfig::default()
    }
}

fn night(config: NightlyConfig) -> SchedulerConfig {
    config_of("nightly", SchedulerKind::Nightly(Box::new(config)))
}

fn tree_stable(timer: Option<u64>) -> TreeStable {
    TreeStable {
        tree_stable_timer: timer.map(Duration::from_secs),
        rules: rules(),
        ..TreeStable::default()
    }
}

/// Changes to the file `important` are so.
fn rules() -> ChangeRules {
    ChangeRules {
        importance: Some(Importance {
            files: FilePatterns::from_globs(&["important"], &[]).unwrap(),
        }),
        ..ChangeRules::default()
    }
}

/// Lets the settings of a Periodic be changed.
fn periodic_of(config: &mut SchedulerConfig) -> &mut PeriodicConfig {
    if let SchedulerKind::Periodic(settings) = &mut config.kind {
        return settings;
    }
    panic!("it is of another kind");
}

/// The settings of a Scheduler.
fn of(config: &mut SchedulerConfig) -> &mut TreeStable {
    if let SchedulerKind::Scheduler(settings) = &mut config.kind {
        return &mut settings.tree_stable;
    }
    panic!("it is of another kind");
}

fn file(important: bool) -> &'static str {
    if important { "important" } else { "doc" }
}
