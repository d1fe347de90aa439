//! Schedulers driven by the core: sets that follow sets, clocks, and what a restart finds.

use super::*;
use crate::config::calendar::Field;
use crate::config::{Calendar, DependentConfig, NightlyConfig, PeriodicConfig, TreeStable};
use crate::model::journal::RecoveredSet;
use crate::model::{BuildRequest, BuildSet, SetId, SourceStamp, SourceStamps};

/// A builder and its slave, and these schedulers for it.
fn config_with(schedulers: Vec<SchedulerConfig>) -> Config {
    let mut config = config(&[("b", &["s"])]);
    config.schedulers = schedulers.into_iter().map(Arc::new).collect();
    config
}

fn of_kind(name: &str, builders: &[&str], kind: SchedulerKind) -> SchedulerConfig {
    SchedulerConfig {
        name: name.into(),
        builders: builders.iter().map(|&b| b.into()).collect(),
        kind,
        ..SchedulerConfig::default()
    }
}

fn on_branch(name: &str, builders: &[&str]) -> SchedulerConfig {
    let kind = SchedulerKind::Scheduler(SingleBranchConfig {
        branch: Some("rel".to_owned()),
        ..SingleBranchConfig::default()
    });
    of_kind(name, builders, kind)
}

fn dependent(name: &str, builders: &[&str], upstream: &str) -> SchedulerConfig {
    let upstream = upstream.into();
    of_kind(
        name,
        builders,
        SchedulerKind::Dependent(DependentConfig {
            upstream,
            ..DependentConfig::default()
        }),
    )
}

fn periodic(builders: &[&str], secs: u64) -> SchedulerConfig {
    let kind = SchedulerKind::Periodic(PeriodicConfig {
        period: Duration::from_secs(secs),
        ..PeriodicConfig::default()
    });
    of_kind("periodic", builders, kind)
}

fn lines_with(told: &[String], what: &str) -> usize {
    told.iter().filter(|line| line.contains(what)).count()
}

#[test]
fn dep_04_a_set_that_succeeds_and_what_follows_are_one_transaction() {
    let all = vec![on_branch("up", &["b"]), dependent("down", &["b"], "up")];
    let mut harness = Harness::new(config_with(all));
    harness.attach("s");
    harness.change("rel");
    let plan = harness.run();
    harness.told();
    harness.finish(plan.build, Results::Warnings, None);
    let mut told = harness.out.iter().filter_map(short);
    let write = told.find(|line| line.starts_with("write"));
    assert_eq!(
        write.as_deref(),
        Some("write build id 1 warnings, request 1 warnings, set 1 success, set 2")
    );
    let plan = harness.run();
    harness.finish(plan.build, Results::Success, None);
    assert_eq!(
        lines_with(&harness.told(), "set 3"),
        0,
        "nobody waits for it"
    );
}

#[test]
fn dep_04_what_is_no_success_starts_nothing() {
    for result in [Results::Failure, Results::Exception, Results::Skipped] {
        let all = vec![on_branch("up", &["b"]), dependent("down", &["b"], "up")];
        let mut harness = Harness::new(config_with(all));
        harness.attach("s");
        harness.change("rel");
        let plan = harness.run();
        harness.finish(plan.build, result, None);
        assert_eq!(lines_with(&harness.told(), "set 2"), 0, "{result}");
    }
}

#[test]
fn a_set_without_builders_is_a_success_for_those_who_wait() {
    let all = vec![
        on_branch("up", &[]),
        dependent("middle", &[], "up"),
        dependent("down", &["b"], "middle"),
    ];
    let mut harness = Harness::new(config_with(all));
    harness.change("rel");
    assert_eq!(harness.queued("b").len(), 1);
    let told = harness.told();
    assert!(
        told.contains(&"write change 1, set 1, set 1 success, set 2, set 2 success, set 3".into()),
        "{told:?}"
    );
}

#[test]
fn dep_07_a_set_that_was_open_at_a_restart_still_starts_what_waits_for_it() {
    let all = || {
        config_with(vec![
            on_branch("up", &["b"]),
            dependent("down", &["b"], "up"),
        ])
    };
    let set = |finished: Vec<(RequestId, Results)>| {
        let set = BuildSet {
            id: SetId(4),
            external_id: None,
            scheduler: Some("up".into()),
            stamps: Arc::new(SourceStamps::from(SourceStamp {
                revision: Some("r9".to_owned()),
                ..SourceStamp::default()
            })),
            reason: String::new(),
            properties: Arc::default(),
            submitted_at: Timestamp(0),
            priority: 0,
            requests: vec![(RequestId(7), "b".into())],
            parent: None,
        };
        let requests: Vec<BuildRequest> = match finished.is_empty() {
            true => OpenSets::requests_of(&set).collect(),
            false => Vec::new(),
        };
        let mut recovered = Recovered {
            sets: vec![RecoveredSet {
                set: Arc::new(set),
                finished,
            }],
            requests,
            ..Recovered::default()
        };
        recovered.next.set = SetId(5);
        recovered.next.request = RequestId(8);
        recovered
    };
    let mut harness = Harness::recovered(all(), set(Vec::new()));
    harness.attach("s");
    let plan = harness.run();
    harness.finish(plan.build, Results::Success, None);
    assert_eq!(
        harness.queued("b").len() + lines_with(&harness.told(), "ping"),
        1
    );

    let over = set(vec![(RequestId(7), Results::Success)]);
    let mut harness = Harness::recovered(all(), over);
    harness.persisted();
    assert_eq!(harness.queued("b"), [8]);
    assert_eq!(lines_with(&harness.told(), "write set 4 success, set 5"), 1);
}

/// A Scheduler on the default branch that waits for a minute.
fn patient() -> SchedulerConfig {
    let settings = TreeStable {
        tree_stable_timer: Some(Duration::from_secs(60)),
        ..TreeStable::default()
    };
    let kind = SchedulerKind::Scheduler(SingleBranchConfig {
        branch: Some("rel".to_owned()),
        tree_stable: settings,
    });
    of_kind("patient", &["b"], kind)
}

/// What a store gives back that has everything which was handed in.
fn on_disk(harness: &mut Harness) -> Recovered {
    let mut disk = Recovered::default();
    for command in harness.out.drain(..) {
        let Command::Persist { ops, .. } = command else {
            continue;
        };
        for op in ops {
            match op {
                Op::ChangeAdded(change) => {
                    disk.next.change = change.number.next();
                    disk.changes.insert(change.number, change);
                }
                Op::SchedulerState { scheduler, state } => {
                    match state {
                        Some(state) => disk.schedulers.insert(scheduler, state),
                        None => disk.schedulers.remove(&scheduler),
                    };
                }
                Op::SchedulerWaits { scheduler, waits } => {
                    waits.add_to(disk.schedulers.get_mut(&scheduler).unwrap());
                }
                Op::SetSubmitted(set) => panic!("too early: {set:?}"),
                _ => {}
            }
        }
    }
    disk
}

#[test]
fn mas_07_a_kill_while_a_timer_runs_lets_it_fire_once() {
    let mut harness = Harness::new(config_with(vec![patient()]));
    harness.change("rel");
    harness.pass(20);
    harness.change("rel");
    let disk = on_disk(&mut harness);
    let mut harness = Harness::recovered(config_with(vec![patient()]), disk);
    // The clock begins where it began before. The second change was twenty seconds later, and
    // counts as now (TIM-07).
    harness.pass(59);
    assert_eq!(lines_with(&harness.told(), "write"), 0);
    harness.pass(1);
    harness.persisted();
    assert_eq!(harness.queued("b"), [1]);
    let request = harness.core.intake.request(RequestId(1)).unwrap();
    let changes = request.request.stamps.first().changes.iter();
    assert_eq!(changes.map(|c| c.number.0).collect::<Vec<_>>(), [1, 2]);
    harness.pass(100_000);
    harness.persisted();
    assert_eq!(harness.queued("b"), [1]);
}

#[test]
fn sb_06_a_periodic_goes_on_when_a_set_of_its_cannot_be_made() {
    let mut harness = Harness::new(config_with(vec![periodic(&["b", "gone"], 10)]));
    let problems = |harness: &mut Harness| {
        let failed = |c: &Command| {
            matches!(
                c,
                Command::Announce(Event::Intake(IntakeEvent::SchedulerFailed { .. }))
            )
        };
        let count = harness.out.iter().filter(|c| failed(c)).count();
        harness.out.clear();
        count
    };
    harness.pass(0);
    assert_eq!(problems(&mut harness), 1);
    for _ in 0..3 {
        harness.pass(10);
        assert_eq!(problems(&mut harness), 1);
        assert_eq!(harness.queued("b"), [0; 0]);
    }
}

#[test]
fn nig_09_a_clock_that_was_set_is_noticed_within_a_minute() {
    let fields = [0, 3].map(|n| Field::one_of([n]));
    let [minute, hour] = fields;
    let calendar = Calendar::new([minute, hour, Field::Any, Field::Any, Field::Any]).unwrap();
    let kind = SchedulerKind::Nightly(Box::new(NightlyConfig {
        calendar,
        ..NightlyConfig::default()
    }));
    let mut harness = Harness::new(config_with(vec![of_kind("nightly", &["b"], kind)]));
    harness.persisted();
    let slots = harness.core.pending_build_times(&"nightly".into());
    harness.now.wall = slots[0] + Duration::from_secs(1);
    harness.pass(60);
    harness.persisted();
    assert_eq!(harness.queued("b").len(), 1);
    harness.now.wall = slots[0] + Duration::from_secs(10 * 86_400);
    harness.pass(60);
    harness.persisted();
    assert_eq!(harness.queued("b").len(), 2);
    harness.pass(12 * 3600);
    harness.persisted();
    assert_eq!(harness.queued("b").len(), 2);
}
