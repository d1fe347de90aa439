//! The data file as it is, and the options of SCH-12, hand-over and the rest one by one.

use serde::Deserialize;

use super::*;
use crate::config::TextMatch;

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
    branches: Option<Vec<Option<String>>>,
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
    #[serde(default)]
    sub_schedulers: Vec<String>,
}

fn run(case: &Case) {
    let mut tree_stable = tree_stable(Some(case.tree_stable_timer));
    if !case.file_is_important {
        tree_stable.rules.importance = None;
    }
    let (name, kind) = match case.kind.as_str() {
        "scheduler" => {
            let branch = case.branch.clone();
            let settings = tree_stable;
            ("quick", single_branch(branch.as_deref(), settings))
        }
        _ => ("any", any_branch(case.branches.clone(), tree_stable)),
    };
    let mut settings = config_of(name, kind);
    settings.builders = case.builders.iter().map(|b| b.as_str().into()).collect();
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
            pending.push(harness.pending(name));
        }
    }
    harness.run_until(case.end);
    assert_eq!(harness.sets, case.expect.buildsets, "{}", case.id);
    let subs = harness.registry.sub_schedulers(&name.into());
    assert_eq!(subs, case.expect.sub_schedulers, "{}", case.id);
    assert_eq!(pending, case.expect.pending, "{}", case.id);
}

#[test]
fn all_cases_of_scheduler_and_any_branch() {
    let cases: Cases =
        serde_json::from_str(include_str!("../../../tests/data/scheduler-cases.json")).unwrap();
    assert_eq!(cases.cases.len(), 50);
    cases.cases.iter().for_each(run);
}

#[test]
fn sb_01_the_first_important_change_sets_the_time() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(100.0, 1, Some(-500.0), None, "important");
    // Were the time that is not set 0, it would count as later.
    assert_eq!(harness.pending("quick"), [-440.0]);
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
    assert_eq!(harness.pending("quick"), [70.0]);
}

#[test]
fn without_a_timer_each_important_change_is_a_set_and_others_are_dropped() {
    let mut harness = Harness::new(config(None));
    harness.change(100.0, 1, None, None, "doc");
    harness.change(101.0, 2, None, None, "important");
    harness.change(102.0, 3, None, None, "doc");
    assert_eq!(harness.sets(1000.0), [(101.0, vec![2])]);
    assert!(harness.stored.is_empty());
}

#[test]
fn the_timer_may_count_from_arrival() {
    let mut settings = config(Some(60));
    of(&mut settings).timer_from_arrival = true;
    let mut harness = Harness::new(settings);
    harness.change(100.0, 1, Some(5000.0), None, "important");
    assert_eq!(harness.sets(9000.0), [(160.0, vec![1])]);
}

#[test]
fn unimportant_changes_may_reset_a_running_timer_but_start_none() {
    let mut settings = config(Some(60));
    of(&mut settings).unimportant_resets_timer = true;
    let mut harness = Harness::new(settings);
    harness.change(50.0, 1, None, None, "doc");
    harness.change(100.0, 2, None, None, "important");
    harness.change(150.0, 3, None, None, "doc");
    assert_eq!(harness.sets(1000.0), [(210.0, vec![1, 2, 3])]);
}

#[test]
fn only_important_keeps_the_others_out() {
    let mut settings = config(Some(60));
    of(&mut settings).rules.only_important = true;
    let mut harness = Harness::new(settings);
    harness.change(100.0, 1, None, None, "doc");
    harness.change(100.0, 2, None, None, "important");
    assert_eq!(harness.sets(1000.0), [(160.0, vec![2])]);
}

#[test]
fn a_filter_on_branches_makes_a_set_for_each_branch_that_has_something_important() {
    let mut settings = config(Some(60));
    of(&mut settings).rules.filter.branch = Some(TextMatch::regex(&["rel-."]).unwrap());
    let mut harness = Harness::new(settings);
    harness.change(100.0, 1, None, Some("rel-1"), "important");
    harness.change(101.0, 2, None, Some("rel-2"), "important");
    harness.change(102.0, 3, None, Some("rel-1"), "doc");
    harness.change(103.0, 4, None, Some("rel-3"), "doc");
    harness.change(104.0, 5, None, None, "important");
    assert_eq!(
        harness.sets(1000.0),
        [(160.0, vec![1, 3]), (161.0, vec![2])]
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
    harness.finish(1000.0, 0, true);
    harness.run_until(100_000.0);
    assert!(harness.stored.is_empty());
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
    harness.restart(105.0, other);
    harness.run_until(1000.0);
    assert_eq!(harness.sets[0].builders, ["b3"]);
    assert_eq!(harness.sets(1000.0), [(110.0, vec![1, 2])]);

    harness.change(2000.0, 3, None, None, "important");
    let mut elsewhere = config(Some(60));
    elsewhere.kind = single_branch(Some("rel"), tree_stable(Some(60)));
    harness.restart(2001.0, elsewhere);
    assert_eq!(harness.sets(9000.0), []);
    assert!(harness.stored.is_empty(), "nothing is left to remember");
}

#[test]
fn a_broken_state_is_reported_and_does_not_stop_the_others() {
    let mut other = config(Some(60));
    other.name = "other".into();
    let configs = [Arc::new(config(Some(60))), Arc::new(other)];
    let stored = [("quick".into(), Value::from("nonsense"))].into();
    let (mut registry, effects) =
        Registry::new(&configs, &stored, &BTreeMap::new(), Timestamp(0).into());
    assert_eq!(effects.problems.len(), 1);
    assert_eq!(effects.states, [("quick".into(), None)]);
    let change = Arc::new(Change {
        number: ChangeNumber(1),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        content: NewChange {
            files: vec!["important".to_owned()],
            ..NewChange::default()
        },
    });
    let effects = registry.on_change(&change, Timestamp(0).into());
    assert_eq!(effects.touched, [0, 1]);
}

#[test]
fn sets_carry_the_scheduler_its_properties_and_a_reason() {
    let mut settings = config(None);
    settings.properties.set("p", 1, "Scheduler");
    let submitted = |settings: SchedulerConfig| {
        let configs = [Arc::new(settings)];
        let (mut registry, _) = Registry::new(
            &configs,
            &BTreeMap::new(),
            &BTreeMap::new(),
            Timestamp(0).into(),
        );
        let change = Arc::new(Change {
            number: ChangeNumber(1),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            content: NewChange {
                files: vec!["important".to_owned()],
                ..NewChange::default()
            },
        });
        registry
            .on_change(&change, Timestamp(0).into())
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

/// Files whose names are not known could be any.
#[test]
fn a_change_with_files_left_out_is_important() {
    let mut harness = Harness::new(config(None));
    for (id, files_left_out) in [(1, 0), (2, 1)] {
        let change = Change {
            number: ChangeNumber(id),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            content: NewChange {
                files: vec!["boring".to_owned()],
                files_left_out,
                ..NewChange::default()
            },
        };
        harness.offer(0.0, Arc::new(change));
    }
    assert_eq!(harness.submissions.len(), 1);
    let built = harness.submissions[0].stamps.first().changes.iter();
    assert_eq!(built.map(|c| c.number.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn int_02_one_more_change_is_remembered_without_the_others_that_wait() {
    let mut harness = Harness::new(config(Some(60)));
    let mut offer = |number| {
        let change = Arc::new(Change {
            number: ChangeNumber(number),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            content: NewChange {
                files: vec!["important".to_owned()],
                ..NewChange::default()
            },
        });
        harness.registry.on_change(&change, Timestamp(0).into())
    };
    let first = offer(1);
    assert_eq!((first.states.len(), first.waits), (1, vec![]));
    for number in 2..5 {
        let more = offer(number);
        let waits = WaitingChange {
            change: ChangeNumber(number),
            important: true,
        };
        let [(_, more_waits)] = more.waits[..] else {
            panic!("{:?}", more.waits);
        };
        assert_eq!((more.states, more_waits), (vec![], waits));
    }
}
