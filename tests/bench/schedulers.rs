//! Costs of scheduling: `cargo bench --bench schedulers`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::config::calendar::Field;
use buildmaster::config::{
    Calendar, DependentConfig, NightlyConfig, SchedulerConfig, SchedulerKind, SingleBranchConfig,
    TreeStable,
};
use buildmaster::model::{Change, ChangeNumber, NewChange, Timestamp, Zone};
use buildmaster::schedulers::{Effects, Registry, next_run};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// The next run of every kind of specification; 29 February is the most distant.
#[divan::bench(args = ["03:00 daily", "Mondays 06:23, 08:23", "24 December", "29 February", "every minute"])]
fn next_run_of(bencher: Bencher<'_, '_>, spec: &str) {
    let only = |n: &[u32]| Field::one_of(n.iter().copied());
    let any = Field::Any;
    let fields = match spec {
        "03:00 daily" => [only(&[0]), only(&[3]), any, any, any],
        "Mondays 06:23, 08:23" => [only(&[23]), only(&[6, 8]), any, any, only(&[0])],
        "24 December" => [only(&[0]), only(&[12]), only(&[24]), only(&[12]), any],
        "29 February" => [only(&[0]), only(&[0]), only(&[29]), only(&[2]), any],
        _ => [any, any, any, any, any],
    };
    let config = NightlyConfig {
        calendar: Calendar::new(fields).unwrap(),
        zone: Zone::named("Europe/Berlin").unwrap(),
        ..NightlyConfig::default()
    };
    let now = Timestamp::from_secs(1_772_900_000);
    bencher.bench(|| next_run(black_box(&config), black_box(now)));
}

/// One change, offered to a thousand schedulers, one of which builds the change.
#[divan::bench]
fn a_change_offered_to_1000_schedulers(bencher: Bencher<'_, '_>) {
    let configs: Vec<_> = (0..1000)
        .map(|n| scheduler(&format!("s{n}"), tree_stable(&format!("b{n}"), Some(60))))
        .collect();
    let change = change("b500");
    bencher
        .counter(ItemsCount::new(1000_usize))
        .with_inputs(|| start(&configs))
        .bench_local_refs(|registry| registry.on_change(&change, Timestamp(0).into()));
}

/// A success that triggers a hundred Dependent schedulers, one after the other.
#[divan::bench]
fn a_chain_of_100_dependents(bencher: Bencher<'_, '_>) {
    let mut configs = vec![scheduler("s0", tree_stable("rel", None))];
    for n in 1..=100 {
        let upstream = format!("s{}", n - 1).into();
        let kind = SchedulerKind::Dependent(DependentConfig {
            upstream,
            ..DependentConfig::default()
        });
        configs.push(scheduler(&format!("s{n}"), kind));
    }
    let mut registry = start(&configs);
    let change = change("rel");
    bencher.counter(ItemsCount::new(100_usize)).bench_local(|| {
        let mut effects = registry.on_change(&change, Timestamp(0).into());
        let mut sets = 0;
        while let Some(set) = take_one(&mut effects) {
            sets += 1;
            effects =
                registry.on_set_finished(&set.scheduler, &set.stamps, true, Timestamp(0).into());
        }
        assert_eq!(sets, 101);
    });
}

fn take_one(effects: &mut Effects) -> Option<buildmaster::schedulers::Submission> {
    effects.submissions.pop()
}

fn start(configs: &[Arc<SchedulerConfig>]) -> Registry {
    let (none, nothing) = (BTreeMap::new(), BTreeMap::new());
    Registry::new(configs, &none, &nothing, Timestamp(0).into()).0
}

fn scheduler(name: &str, kind: SchedulerKind) -> Arc<SchedulerConfig> {
    Arc::new(SchedulerConfig {
        name: name.into(),
        builders: vec!["b".into()],
        kind,
        ..SchedulerConfig::default()
    })
}

fn tree_stable(branch: &str, timer: Option<u64>) -> SchedulerKind {
    SchedulerKind::Scheduler(SingleBranchConfig {
        branch: Some(branch.to_owned()),
        tree_stable: TreeStable {
            tree_stable_timer: timer.map(Duration::from_secs),
            ..TreeStable::default()
        },
    })
}

fn change(branch: &str) -> Arc<Change> {
    Arc::new(Change {
        number: ChangeNumber(1),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        content: NewChange {
            branch: Some(branch.to_owned()),
            files: vec!["src/main.c".to_owned()],
            ..NewChange::default()
        },
    })
}
