//! What is foreseen is what the core does.

use proptest::prelude::*;

use super::*;
use crate::config::calendar::Field;
use crate::config::{
    AnyBranchConfig, Calendar, DependentConfig, NightlyConfig, PeriodicConfig, TimedBuild,
    TreeStable,
};
use crate::model::{BuildSet, Change, ChangeNumber, SchedulerName, SourceStamp};
use crate::schedulers::{Foresight, Outlook};

/// A set: when, whose, and of what.
type Seen = (Timestamp, String, Option<String>, Vec<u64>);

/// A change: seconds after the one before, its branch, and how far its own time is from that of its
/// arrival.
type Sent = (u64, &'static str, i64);

/// Every kind, and those that follow. They have no builders, so that their sets have finished with
/// success as soon as they are submitted (BST-07).
fn schedulers() -> Vec<Arc<SchedulerConfig>> {
    let timer = |secs: Option<u64>| TreeStable {
        tree_stable_timer: secs.map(Duration::from_secs),
        ..TreeStable::default()
    };
    let on = |branch: &str, secs| {
        SchedulerKind::Scheduler(SingleBranchConfig {
            branch: Some(branch.to_owned()),
            tree_stable: timer(secs),
        })
    };
    let after = |upstream: &str| {
        SchedulerKind::Dependent(DependentConfig {
            upstream: upstream.into(),
            ..DependentConfig::default()
        })
    };
    let any = Field::Any;
    let minutes = Field::one_of([0, 1, 7, 30]);
    let nightly = NightlyConfig {
        calendar: Calendar::new([minutes, any, any, any, any]).unwrap(),
        what: TimedBuild {
            branch: Some("a".to_owned()),
            only_if_changed: Some(crate::config::ChangeRules::default()),
            ..TimedBuild::default()
        },
        ..NightlyConfig::default()
    };
    let all = [
        ("third", after("second")),
        ("waits", on("a", Some(60))),
        ("second", after("waits")),
        ("at once", on("b", None)),
        (
            "any",
            SchedulerKind::AnyBranch(AnyBranchConfig {
                branches: None,
                tree_stable: timer(Some(45)),
            }),
        ),
        ("after any", after("any")),
        ("beside it", after("any")),
        (
            "periodic",
            SchedulerKind::Periodic(PeriodicConfig {
                period: Duration::from_secs(100),
                ..PeriodicConfig::default()
            }),
        ),
        ("nightly", SchedulerKind::Nightly(Box::new(nightly))),
        ("after nightly", after("nightly")),
    ];
    let configs = all.map(|(name, kind)| SchedulerConfig {
        name: name.into(),
        kind,
        ..SchedulerConfig::default()
    });
    configs.into_iter().map(Arc::new).collect()
}

fn seen(at: Timestamp, scheduler: &SchedulerName, stamp: &SourceStamp) -> Seen {
    let changes = stamp.changes.iter().map(|c| c.number.0);
    let branch = stamp.branch.clone();
    (at, scheduler.to_string(), branch, changes.collect())
}

/// What the core does with the changes, and from when to when.
fn done(sent: &[Sent]) -> (Vec<Seen>, Vec<Arc<Change>>, Timestamp, Timestamp) {
    let mut config = config(&[]);
    config.schedulers = schedulers();
    let mut harness = Harness::new(config);
    let from = harness.now.wall;
    let mut changes = Vec::new();
    for (number, &(after, branch, off)) in (1..).zip(sent) {
        harness.pass(after);
        let arrived_at = harness.now.wall;
        let when = Timestamp(arrived_at.0 + off * 1_000_000);
        let content = NewChange {
            branch: Some(branch.to_owned()),
            when: Some(when),
            ..NewChange::default()
        };
        let reply = harness.new_reply();
        let change = content.clone();
        harness.input(Input::Offered {
            offer: Box::new(AdmittedOffer::of_one(change)),
            reply,
        });
        changes.push(Arc::new(Change {
            number: ChangeNumber(number),
            arrived_at,
            when,
            content,
        }));
    }
    harness.pass(1000);
    harness.persisted();
    let set = |command: &Command| -> Option<Arc<BuildSet>> {
        match command {
            Command::Announce(Event::Intake(IntakeEvent::SetSubmitted(set))) => {
                Some(Arc::clone(set))
            }
            _ => None,
        }
    };
    let sets = harness.out.iter().filter_map(set);
    let sets = sets.map(|set| {
        let scheduler = set.scheduler.as_ref().unwrap();
        seen(set.submitted_at, scheduler, set.stamps.first())
    });
    (sets.collect(), changes, from, harness.now.wall)
}

fn foreseen(changes: Vec<Arc<Change>>, from: Timestamp, until: Timestamp) -> Vec<Seen> {
    let events = Foresight::new(&schedulers(), changes, from, until);
    let sets = events.filter_map(|foreseen| match foreseen.event {
        Outlook::Set(set) => Some(seen(foreseen.at, &set.scheduler, set.stamps.first())),
        Outlook::Decided { .. } | Outlook::Problem { .. } => None,
    });
    sets.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_foreseen_is_what_the_core_does(
        sent in proptest::collection::vec(
            (
                prop_oneof![Just(0), Just(15), Just(45), Just(60), 0..150_u64],
                proptest::sample::select(vec!["a", "b", "c", ""]),
                prop_oneof![3 => Just(0), 1 => -200..200_i64],
            ),
            0..30,
        ),
    ) {
        let (done, changes, from, until) = done(&sent);
        prop_assert!(done.len() > 10);
        prop_assert_eq!(foreseen(changes, from, until), done);
    }
}

#[test]
fn timers_of_one_moment_act_in_the_order_of_the_configuration_and_before_a_change() {
    // At 100 s: the timers of "waits" and "any" and the tick of "periodic", then a change.
    let sent = [(40, "a", 0), (0, "c", 15), (60, "b", 0)];
    let (done, changes, from, until) = done(&sent);
    let at = from + Duration::from_secs(100);
    let names = done
        .iter()
        .filter(|set| set.0 == at)
        .map(|set| set.1.as_str());
    let names: Vec<_> = names.collect();
    assert_eq!(
        names,
        [
            "waits",
            "second",
            "third",
            "any",
            "after any",
            "beside it",
            "periodic",
            "at once"
        ]
    );
    assert_eq!(foreseen(changes, from, until), done);
}
