//! The data file as it is, and the options of SCH-12, hand-over and the rest one by one.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde::Deserialize;

use super::*;
use crate::config::{ChangeFilter, FilePatterns, Importance, TextMatch};
use crate::model::NewChange;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    tree_stable_timer: u64,
    branch: Option<String>,
    #[serde(default)]
    file_is_important: bool,
    builders: Vec<String>,
    events: Vec<Event>,
    end: f64,
    expect: Expect,
}

#[derive(Deserialize)]
struct Event {
    at: f64,
    id: Option<u64>,
    branch: Option<String>,
    when: Option<f64>,
    important: Option<bool>,
    #[serde(default)]
    stop: bool,
    pending: Option<u64>,
}

#[derive(Deserialize)]
struct Expect {
    buildsets: Vec<ExpectedSet>,
    #[serde(default)]
    pending: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ExpectedSet {
    at: f64,
    branch: Option<String>,
    changes: Vec<u64>,
    builders: Vec<String>,
}

/// A scheduler under a clock.
struct Harness {
    registry: Registry,
    sets: Vec<ExpectedSet>,
    state: Option<Value>,
    changes: BTreeMap<ChangeNumber, Arc<Change>>,
}

impl Harness {
    fn new(config: SchedulerConfig) -> Self {
        let (registry, _) = Registry::new(
            &[Arc::new(config)],
            &BTreeMap::new(),
            &BTreeMap::new(),
            Timestamp(0),
        );
        Self {
            registry,
            sets: Vec::new(),
            state: None,
            changes: BTreeMap::new(),
        }
    }

    /// Lets the timers fire until `at`, inclusive.
    fn run_until(&mut self, at: f64) {
        while let Some(due) = self.registry.next_due(0) {
            if due > Timestamp::from_secs_f64(at) {
                break;
            }
            let effects = self.registry.on_timer(0, due);
            self.take(effects, due.as_secs_f64());
        }
    }

    fn change(&mut self, at: f64, id: u64, when: Option<f64>, branch: Option<&str>, file: &str) {
        self.run_until(at);
        let arrived_at = Timestamp::from_secs_f64(at);
        let change = Arc::new(Change {
            number: ChangeNumber(id),
            arrived_at,
            when: when.map_or(arrived_at, Timestamp::from_secs_f64),
            said: NewChange {
                branch: branch.map(str::to_owned),
                files: vec![file.to_owned()],
                ..NewChange::default()
            },
        });
        self.changes.insert(change.number, Arc::clone(&change));
        let effects = self.registry.on_change(&change, arrived_at);
        self.take(effects, at);
    }

    fn take(&mut self, effects: Effects, at: f64) {
        assert_eq!(effects.problems, []);
        for (_, state) in effects.states {
            self.state = state;
        }
        for set in effects.submissions {
            self.sets.push(ExpectedSet {
                at,
                branch: set.stamp.branch.clone(),
                changes: set.stamp.changes.iter().map(|c| c.number.0).collect(),
                builders: set.builders.iter().map(ToString::to_string).collect(),
            });
        }
    }

    /// Starts again at `at` with what is stored, perhaps with other settings.
    fn restart(&mut self, at: f64, config: SchedulerConfig) {
        let name = config.name.clone();
        let stored = self.state.clone().map(|s| (name, s)).into_iter().collect();
        let now = Timestamp::from_secs_f64(at);
        let (registry, effects) = Registry::new(&[Arc::new(config)], &stored, &self.changes, now);
        self.registry = registry;
        self.take(effects, at);
    }

    fn sets(&mut self, end: f64) -> Vec<(f64, Vec<u64>)> {
        self.run_until(end);
        self.sets.drain(..).map(|s| (s.at, s.changes)).collect()
    }
}

fn config(timer: Option<u64>) -> SchedulerConfig {
    SchedulerConfig {
        name: "quick".into(),
        builders: vec!["b1".into(), "b2".into()],
        properties: Properties::new(),
        reason: None,
        kind: SchedulerKind::Scheduler {
            branch: None,
            tree_stable_timer: timer.map(Duration::from_secs),
            timer_from_arrival: false,
            unimportant_resets_timer: false,
            only_important: false,
            importance: Some(Importance {
                files: FilePatterns::from_globs(&["important"], &[]).unwrap(),
            }),
            filter: ChangeFilter::default(),
        },
    }
}

fn file(important: bool) -> &'static str {
    if important { "important" } else { "doc" }
}

fn run(case: &Case) {
    let mut settings = config(Some(case.tree_stable_timer));
    settings.builders = case.builders.iter().map(|b| b.as_str().into()).collect();
    let SchedulerKind::Scheduler {
        branch, importance, ..
    } = &mut settings.kind;
    branch.clone_from(&case.branch);
    if !case.file_is_important {
        *importance = None;
    }
    let mut harness = Harness::new(settings);
    let mut pending = Vec::new();
    for event in &case.events {
        harness.run_until(event.at);
        if let Some(id) = event.id {
            let file = file(event.important.unwrap_or(true));
            harness.change(event.at, id, event.when, event.branch.as_deref(), file);
        } else if event.stop {
            harness.registry.stop(0);
        } else if event.pending.is_some() {
            let times = harness.registry.pending_build_times(&"quick".into());
            pending.push(times.into_iter().map(Timestamp::as_secs_f64).collect());
        }
    }
    harness.run_until(case.end);
    assert_eq!(harness.sets, case.expect.buildsets, "{}", case.id);
    let pending: Vec<Vec<f64>> = pending;
    assert_eq!(pending, case.expect.pending, "{}", case.id);
}

#[test]
fn all_cases_of_the_one_branch_scheduler() {
    let cases: Cases =
        serde_json::from_str(include_str!("../../tests/data/scheduler-cases.json")).unwrap();
    // The others are of AnyBranch, which is not built yet.
    let mine = cases.cases.iter().filter(|c| c.kind == "scheduler");
    let count = mine.inspect(|case| run(case)).count();
    assert_eq!(count, 37);
}

#[test]
fn sb_01_the_first_important_change_sets_the_time() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(100.0, 1, Some(-500.0), None, "important");
    assert_eq!(harness.sets(1000.0), [(101.0, vec![1])]);
}

#[test]
fn sb_03_changes_are_listed_as_they_arrived() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(100.0, 1, None, None, "doc");
    harness.change(110.0, 2, None, None, "important");
    harness.change(120.0, 3, None, None, "doc");
    assert_eq!(harness.sets(1000.0), [(170.0, vec![1, 2, 3])]);
}

#[test]
fn sb_25_the_reported_time_may_be_past() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(1000.0, 1, Some(10.0), None, "important");
    let times = harness.registry.pending_build_times(&"quick".into());
    assert_eq!(times, [Timestamp::from_secs(70)]);
}

#[test]
fn without_a_timer_each_important_change_is_a_set_and_others_are_dropped() {
    let mut harness = Harness::new(config(None));
    harness.change(100.0, 1, None, None, "doc");
    harness.change(101.0, 2, None, None, "important");
    harness.change(102.0, 3, None, None, "doc");
    assert_eq!(harness.sets(1000.0), [(101.0, vec![2])]);
    assert_eq!(harness.state, None);
}

#[test]
fn the_timer_may_count_from_arrival() {
    let mut settings = config(Some(60));
    let SchedulerKind::Scheduler {
        timer_from_arrival, ..
    } = &mut settings.kind;
    *timer_from_arrival = true;
    let mut harness = Harness::new(settings);
    harness.change(100.0, 1, Some(5000.0), None, "important");
    assert_eq!(harness.sets(9000.0), [(160.0, vec![1])]);
}

#[test]
fn unimportant_changes_may_reset_a_running_timer_but_start_none() {
    let mut settings = config(Some(60));
    let SchedulerKind::Scheduler {
        unimportant_resets_timer,
        ..
    } = &mut settings.kind;
    *unimportant_resets_timer = true;
    let mut harness = Harness::new(settings);
    harness.change(50.0, 1, None, None, "doc");
    harness.change(100.0, 2, None, None, "important");
    harness.change(150.0, 3, None, None, "doc");
    assert_eq!(harness.sets(1000.0), [(210.0, vec![1, 2, 3])]);
}

#[test]
fn only_important_keeps_the_others_out() {
    let mut settings = config(Some(60));
    let SchedulerKind::Scheduler { only_important, .. } = &mut settings.kind;
    *only_important = true;
    let mut harness = Harness::new(settings);
    harness.change(100.0, 1, None, None, "doc");
    harness.change(100.0, 2, None, None, "important");
    assert_eq!(harness.sets(1000.0), [(160.0, vec![2])]);
}

#[test]
fn a_filter_on_branches_makes_a_set_for_each_branch_that_has_something_important() {
    let mut settings = config(Some(60));
    let SchedulerKind::Scheduler { filter, .. } = &mut settings.kind;
    filter.branch = Some(TextMatch::regex(&["rel-."]).unwrap());
    let mut harness = Harness::new(settings);
    harness.change(100.0, 1, None, Some("rel-1"), "important");
    harness.change(101.0, 2, None, Some("rel-2"), "important");
    harness.change(102.0, 3, None, Some("rel-1"), "doc");
    harness.change(103.0, 4, None, Some("rel-3"), "doc");
    harness.change(104.0, 5, None, None, "important");
    assert_eq!(
        harness.sets(1000.0),
        [(161.0, vec![1, 3]), (161.0, vec![2])]
    );
    harness.change(2000.0, 6, None, Some("rel-3"), "important");
    assert_eq!(harness.sets(3000.0), [(2060.0, vec![4, 6])]);
}

#[test]
fn sch_11_a_restart_forgets_neither_changes_nor_time() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(90.0, 1, None, None, "doc");
    harness.change(100.0, 2, None, None, "important");
    harness.restart(130.0, config(Some(60)));
    assert_eq!(harness.sets(1000.0), [(160.0, vec![1, 2])]);
    assert_eq!(harness.state, None);
}

#[test]
fn a_time_that_passed_while_the_master_was_away_is_made_up_for() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(100.0, 1, None, None, "important");
    harness.restart(500.0, config(Some(60)));
    assert_eq!(harness.sets(1000.0), [(501.0, vec![1])]);
}

#[test]
fn sb_12_changed_settings_take_over_what_they_still_want() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(100.0, 1, None, None, "important");
    harness.change(101.0, 2, None, None, "doc");
    let mut other = config(Some(10));
    other.builders = vec!["b3".into()];
    harness.restart(110.0, other);
    harness.run_until(1000.0);
    assert_eq!(harness.sets[0].builders, ["b3"]);
    assert_eq!(harness.sets(1000.0), [(160.0, vec![1, 2])]);

    harness.change(2000.0, 3, None, None, "important");
    let mut elsewhere = config(Some(60));
    let SchedulerKind::Scheduler { branch, .. } = &mut elsewhere.kind;
    *branch = Some("rel".to_owned());
    harness.restart(2001.0, elsewhere);
    assert_eq!(harness.sets(9000.0), []);
    assert_eq!(harness.state, None, "nothing is left to remember");
}

#[test]
fn a_broken_state_is_reported_and_does_not_stop_the_others() {
    let mut other = config(Some(60));
    other.name = "other".into();
    let configs = [Arc::new(config(Some(60))), Arc::new(other)];
    let stored = [("quick".into(), Value::from("nonsense"))].into();
    let (mut registry, effects) = Registry::new(&configs, &stored, &BTreeMap::new(), Timestamp(0));
    assert_eq!(effects.problems.len(), 1);
    assert_eq!(effects.states, [("quick".into(), None)]);
    let change = Arc::new(Change {
        number: ChangeNumber(1),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        said: NewChange {
            files: vec!["important".to_owned()],
            ..NewChange::default()
        },
    });
    let effects = registry.on_change(&change, Timestamp(0));
    assert_eq!(effects.touched, [0, 1]);
}

#[test]
fn sets_carry_the_scheduler_its_properties_and_a_reason() {
    let mut settings = config(None);
    settings.properties.set("p", 1, "Scheduler");
    let submitted = |settings: SchedulerConfig| {
        let configs = [Arc::new(settings)];
        let (mut registry, _) =
            Registry::new(&configs, &BTreeMap::new(), &BTreeMap::new(), Timestamp(0));
        let change = Arc::new(Change {
            number: ChangeNumber(1),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            said: NewChange {
                files: vec!["important".to_owned()],
                ..NewChange::default()
            },
        });
        registry
            .on_change(&change, Timestamp(0))
            .submissions
            .remove(0)
    };
    let set = submitted(settings.clone());
    let names: Vec<_> = set.properties.iter().collect();
    assert!(names.iter().all(|(_, p)| p.source == "Scheduler"));
    assert_eq!(set.properties.get("scheduler"), Some(&"quick".into()));
    assert_eq!(set.properties.get("p"), Some(&1.into()));
    assert!(set.reason.contains("quick"));
    settings.reason = Some("nightly %(name)s".to_owned());
    assert_eq!(submitted(settings).reason, "nightly quick");
}
