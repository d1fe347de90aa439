//! Small random configurations.

mod changing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::config::calendar::Field;
use buildmaster::config::expression::{Expression, Mode};
use buildmaster::config::{
    AnyBranchConfig, AskedProgram, BuilderConfig, Calendar, ChangeRules, CommandInstance,
    Condition, Config, DependentConfig, FactoryConfig, FilePatterns, Hold, Importance,
    InstanceKind, LatentConfig, LockAccess, LockConfig, LockGroup, LockKind, LockMode, LongestWait,
    MergeRule, Merging, NightlyConfig, NightlyTriggerableConfig, PeriodicConfig, QueueRules,
    SchedulerConfig, SchedulerKind, SingleBranchConfig, SlaveChoice, SlaveConfig, SlaveKind,
    SlaveRules, StepConfig, StepKind, TimedBuild, TreeStable, TriggerableConfig, TryUserpassConfig,
};
use buildmaster::model::{BuilderName, LockName, SchedulerName, SlaveName};

use crate::world;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

pub use changing::changed;

/// A file that importance rules look for.
pub const IMPORTANT: &str = "important.c";

/// A configuration of one to four slaves, builders and schedulers.
pub fn config(rng: &mut StdRng) -> Config {
    let order = LOCKS;
    let slaves: Vec<_> = (0..rng.random_range(1..=3))
        .map(|n| slave(rng, n, &order))
        .collect();
    let names: Vec<SlaveName> = slaves.iter().map(|s| s.name.clone()).collect();
    let builders: Vec<_> = (0..rng.random_range(1..=3))
        .map(|n| builder(rng, n, &names, &order))
        .collect();
    let builder_names: Vec<BuilderName> = builders.iter().map(|b| b.name.clone()).collect();
    let mut schedulers: Vec<Arc<SchedulerConfig>> = Vec::new();
    for n in 0..rng.random_range(1..=4) {
        let before = schedulers.iter().filter(|s| !world::takes_jobs(&s.kind));
        let upstreams: Vec<_> = before.map(|s| s.name.clone()).collect();
        schedulers.push(scheduler(rng, n, &builder_names, &upstreams));
    }
    Config {
        slaves,
        schedulers,
        builders,
        locks: (0..LOCKS.len()).map(|n| lock(rng, n)).collect(),
        orphan_request_grace: grace(rng),
        max_retries: rng.random_range(0..=2),
        duplicate_slave_replaces: rng.random_bool(0.3),
        choose_slaves: slave_choice(rng),
        ..Config::default()
    }
}

/// For how long requests wait for a builder that was removed.
fn grace(rng: &mut StdRng) -> Duration {
    Duration::from_secs([0, 30, 600][rng.random_range(0..3)])
}

/// An order of all locks. Slaves use the first two, builders the next three, and steps what comes
/// after those of their builder: so one configuration has no circle of what is held while something
/// is waited for. The factories of its builders are named after its order, so that a build knows
/// that of its configuration.
type Order = [&'static str; 6];

const LOCKS: Order = ["l0", "l1", "l2", "l3", "l4", "l5"];

/// Some slaves that share a lock with others.
fn sites(rng: &mut StdRng) -> BTreeMap<SlaveName, LockGroup> {
    let slaves = ["s0", "s1", "s2"].into_iter();
    let shared: Vec<_> = slaves.filter(|_| rng.random_bool(0.7)).collect();
    let group = |slave| (SlaveName::from(slave), LockGroup::of(&"north".into()));
    shared.into_iter().map(group).collect()
}

fn lock(rng: &mut StdRng, n: usize) -> LockConfig {
    let max_count_for_slave = [("s0".into(), 2)].into();
    LockConfig {
        name: LOCKS[n].into(),
        kind: match rng.random_range(0..5) {
            0 | 1 => LockKind::Master,
            2 | 3 => LockKind::Slave {
                max_count_for_slave,
            },
            _ => LockKind::Per {
                per: Expression::compile("slave.properties.site", Mode::Running, "per").unwrap(),
                groups: sites(rng),
            },
        },
        max_count: rng.random_range(1..=2),
    }
}

/// None, mostly, or some of `names`.
fn locks_of(rng: &mut StdRng, names: &[&str]) -> Vec<LockAccess> {
    if rng.random_bool(0.6) {
        return Vec::new();
    }
    let names: Vec<LockName> = names.iter().map(|&name| name.into()).collect();
    some_locks(rng, &names)
}

/// Some of these, in some way.
pub fn some_locks(rng: &mut StdRng, names: &[LockName]) -> Vec<LockAccess> {
    let mut locks = Vec::new();
    for lock in names {
        if rng.random_bool(0.5) {
            let exclusive = rng.random_bool(0.4);
            locks.push(LockAccess {
                lock: lock.clone(),
                mode: if exclusive {
                    LockMode::Exclusive
                } else {
                    LockMode::Counting
                },
            });
        }
    }
    locks
}

/// One step stands for all: it names the locks that any of them may want, which are those after the
/// builder's `own`.
fn factory(order: &Order, own: &[LockAccess]) -> Arc<FactoryConfig> {
    let is_own = |name: &&str| own.iter().any(|access| access.lock.as_str() == *name);
    let last = order.iter().rposition(is_own);
    let first = last.map_or(2, |at| at + 1);
    let access = |name: &&str| LockAccess {
        lock: (*name).into(),
        mode: LockMode::Counting,
    };
    let step = StepConfig {
        locks: order[first..].iter().map(access).collect(),
        halt_on_failure: true,
        kind: StepKind::Git(Box::default()),
        ..StepConfig::default()
    };
    Arc::new(FactoryConfig {
        name: order.join(" "),
        steps: vec![step],
    })
}

/// The locks that steps of a builder may want.
pub fn locks_after(builder: &BuilderConfig) -> Vec<LockName> {
    let steps = &builder.factory.steps;
    let locks = steps.iter().flat_map(|step| &step.locks);
    locks.map(|access| access.lock.clone()).collect()
}

fn slave(rng: &mut StdRng, n: u32, order: &Order) -> Arc<SlaveConfig> {
    Arc::new(SlaveConfig {
        name: format!("s{n}").into(),
        kind: kind(rng),
        max_builds: match rng.random_range(0..4) {
            0 | 1 => None,
            max => Some(max - 1),
        },
        locks: locks_of(rng, &order[..2]),
        hold: hold(rng),
        ..SlaveConfig::default()
    })
}

/// One in three is latent.
fn kind(rng: &mut StdRng) -> SlaveKind {
    if rng.random_bool(0.67) {
        return SlaveKind::Local;
    }
    let waits = [Some(0), Some(20), Some(600), None];
    let wait = waits[rng.random_range(0..waits.len())];
    SlaveKind::Latent(Box::new(LatentConfig {
        kind: instance_kind(rng),
        build_wait_timeout: wait.map(Duration::from_secs),
        missing_timeout: Duration::from_secs(if rng.random_bool(0.5) { 20 } else { 1200 }),
        ..LatentConfig::default()
    }))
}

fn instance_kind(rng: &mut StdRng) -> InstanceKind {
    if rng.random_bool(0.5) {
        return InstanceKind::Process;
    }
    let words = |rng: &mut StdRng| vec![["x", "y"][rng.random_range(0..2)].to_owned()];
    InstanceKind::Command(CommandInstance {
        start: words(rng),
        stop: words(rng),
        ..CommandInstance::default()
    })
}

fn builder(rng: &mut StdRng, n: u32, slaves: &[SlaveName], order: &Order) -> Arc<BuilderConfig> {
    let mut its: Vec<_> = slaves.to_vec();
    its.retain(|_| rng.random_bool(0.7));
    if its.is_empty() {
        its.push(slaves[rng.random_range(0..slaves.len())].clone());
    }
    let locks = locks_of(rng, &order[2..5]);
    // Somebody may take each request.
    let others = its.iter().any(|slave| slave.as_str() != "s0");
    Arc::new(BuilderConfig {
        slaves: its,
        factory: factory(order, &locks),
        locks,
        merging: Merging {
            rule: [
                MergeRule::Compatible,
                MergeRule::Never,
                MergeRule::SameBranch,
            ][rng.random_range(0..3)],
            compare_properties: rng.random_bool(0.3),
        },
        queue: queue_rules(rng),
        slave_rules: SlaveRules {
            slave_if: (others && rng.random_bool(0.3))
                .then(|| Condition::If(expression(NOT_ON_S0))),
            slave_order: some_expressions(rng, &["slave.is_up", "-slave.running"]),
            ..SlaveRules::default()
        },
        max_builds: rng.random_bool(0.3).then(|| rng.random_range(1..=2)),
        slave_check: slave_check(rng),
        hold: hold(rng),
        next_slave: rng.random_bool(0.3).then(|| slave_choice(rng)),
        priority: rng.random_range(-1..=1),
        ..BuilderConfig::named(format!("b{n}"))
    })
}

/// Expressions by which builders order their requests.
pub const REL_FIRST: &str = "src.branch == 'rel'";
pub const NEWEST_FIRST: &str = "request.number";

/// Builders with this `slave_if` have their builds of branch `rel` on other slaves than `s0`.
pub const NOT_ON_S0: &str = "src.branch != 'rel' or slave.name != 's0'";

fn expression(text: &str) -> Expression {
    Expression::compile(text, Mode::Core, "sim").unwrap()
}

/// None, mostly, or some of these.
fn some_expressions(rng: &mut StdRng, texts: &[&str]) -> Vec<Expression> {
    if rng.random_bool(0.7) {
        return Vec::new();
    }
    let texts: Vec<_> = texts.iter().filter(|_| rng.random_bool(0.6)).collect();
    texts.into_iter().map(|text| expression(text)).collect()
}

fn queue_rules(rng: &mut StdRng) -> QueueRules {
    QueueRules {
        request_order: some_expressions(rng, &[REL_FIRST, NEWEST_FIRST]),
        merge_by: some_expressions(rng, &["src.branch"]),
        merge_limit: rng.random_bool(0.2).then(|| rng.random_range(1..=3)),
    }
}

/// None, mostly, or a program that the world answers for.
fn slave_check(rng: &mut StdRng) -> Option<AskedProgram> {
    let every = Duration::from_secs([20, 300][rng.random_range(0..2)]);
    rng.random_bool(0.2).then(|| AskedProgram {
        command: vec!["check".to_owned()],
        every,
        timeout: Duration::from_secs(1),
    })
}

/// Nothing, mostly, or some minutes of each hour.
fn hold(rng: &mut StdRng) -> Hold {
    if rng.random_bool(0.85) {
        return Hold::default();
    }
    let from = rng.random_range(0..50);
    Hold::daily((0..24).map(|hour| (hour * 60 + from, hour * 60 + from + 9)))
}

fn slave_choice(rng: &mut StdRng) -> SlaveChoice {
    let all = [
        SlaveChoice::Random,
        SlaveChoice::First,
        SlaveChoice::LeastLoaded,
    ];
    all[rng.random_range(0..all.len())]
}

fn scheduler(
    rng: &mut StdRng,
    n: u32,
    builders: &[BuilderName],
    upstreams: &[SchedulerName],
) -> Arc<SchedulerConfig> {
    let mut its: Vec<_> = builders.to_vec();
    its.retain(|_| rng.random_bool(0.7));
    if rng.random_bool(0.1) && !its.is_empty() {
        its.push(its[0].clone());
    }
    let timer = match rng.random_range(0..4) {
        0 => None,
        1 => Some(0),
        2 => Some(5),
        _ => Some(90),
    };
    let importance = rng.random_bool(0.3).then(|| Importance {
        files: FilePatterns::from_globs(&[IMPORTANT], &[]).unwrap(),
    });
    let settings = TreeStable {
        tree_stable_timer: timer.map(Duration::from_secs),
        timer_from_arrival: rng.random_bool(0.5),
        unimportant_resets_timer: rng.random_bool(0.3),
        longest_wait: longest_wait(rng),
        rules: ChangeRules {
            separate: rng.random_bool(0.7),
            only_important: rng.random_bool(0.2),
            importance,
            ..ChangeRules::default()
        },
        ..TreeStable::default()
    };
    // The first is none that waits for another.
    let kind = match rng.random_range(0..10) {
        0 | 1 if !upstreams.is_empty() => SchedulerKind::Dependent(DependentConfig {
            upstream: upstreams[rng.random_range(0..upstreams.len())].clone(),
            ..DependentConfig::default()
        }),
        2 => SchedulerKind::Periodic(PeriodicConfig {
            period: Duration::from_secs([60, 250, 3600][rng.random_range(0..3)]),
            resume: rng.random_bool(0.5),
            what: timed(rng, settings.rules),
        }),
        3 => SchedulerKind::Nightly(Box::new(nightly(rng, settings.rules))),
        4 => SchedulerKind::TryUserpass(TryUserpassConfig::default()),
        8 => SchedulerKind::Triggerable(TriggerableConfig::default()),
        9 => {
            let clock = nightly(rng, ChangeRules::default());
            SchedulerKind::NightlyTriggerable(Box::new(NightlyTriggerableConfig(clock)))
        }
        5 => SchedulerKind::AnyBranch(AnyBranchConfig {
            branches: rng.random_bool(0.5).then(|| vec![branch(rng)]),
            tree_stable: settings,
        }),
        _ => SchedulerKind::Scheduler(SingleBranchConfig {
            branch: branch(rng),
            tree_stable: settings,
        }),
    };
    Arc::new(SchedulerConfig {
        name: format!("sched{n}").into(),
        builders: its,
        priority: rng.random_range(-1..=1),
        kind,
        ..SchedulerConfig::default()
    })
}

fn longest_wait(rng: &mut StdRng) -> LongestWait {
    match rng.random_range(0..4) {
        0 => LongestWait::Unlimited,
        1 => LongestWait::AtMost(Duration::from_secs(120)),
        _ => LongestWait::Usual,
    }
}

/// Every minute, every twentieth, or every hour.
fn nightly(rng: &mut StdRng, rules: ChangeRules) -> NightlyConfig {
    let minute = match rng.random_range(0..3) {
        0 => Field::Any,
        1 => Field::one_of([0, 20, 40]),
        _ => Field::one_of([0]),
    };
    NightlyConfig {
        calendar: Calendar::new([minute, Field::Any, Field::Any, Field::Any, Field::Any]).unwrap(),
        what: timed(rng, rules),
        ..NightlyConfig::default()
    }
}

/// In which minutes it runs: those of the hour that can be divided by this.
pub fn minutes_of(nightly: &NightlyConfig) -> i64 {
    match nightly.calendar.minute {
        Field::Any => 1,
        Field::OneOf(1) => 60,
        Field::OneOf(_) => 20,
    }
}

fn timed(rng: &mut StdRng, rules: ChangeRules) -> TimedBuild {
    TimedBuild {
        branch: branch(rng),
        only_if_changed: rng.random_bool(0.5).then_some(rules),
        ..TimedBuild::default()
    }
}

/// The default branch, mostly, or another.
pub fn branch(rng: &mut impl Rng) -> Option<String> {
    rng.random_bool(0.3).then(|| "rel".to_owned())
}
