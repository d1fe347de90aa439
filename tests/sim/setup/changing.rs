//! Another configuration, made of the one in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use buildmaster::config::{BuilderConfig, Config};
use buildmaster::model::{BuilderName, SchedulerName, SlaveName};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{
    LOCKS, Order, builder, factory, grace, lock, locks_of, scheduler, slave, slave_choice,
};
use crate::world;

/// What a person may make of `old` at one time.
pub fn changed(rng: &mut StdRng, old: &Config) -> Config {
    let mut new = old.clone();
    for _ in 0..rng.random_range(1..=3) {
        change_one(rng, &mut new);
    }
    tidy(rng, &mut new);
    for builder in &mut new.builders {
        let it = Arc::make_mut(builder);
        if it.slaves.iter().all(|slave| slave.as_str() == "s0") {
            // Somebody may take each request.
            it.slave_rules.slave_if = None;
        }
    }
    new
}

fn change_one(rng: &mut StdRng, config: &mut Config) {
    let order = order_of(config);
    let slaves: Vec<SlaveName> = config.slaves.iter().map(|s| s.name.clone()).collect();
    let builders: Vec<BuilderName> = config.builders.iter().map(|b| b.name.clone()).collect();
    let some_builder = rng.random_range(0..builders.len());
    let some_slave = rng.random_range(0..slaves.len());
    match rng.random_range(0..15) {
        0 => remove(&mut config.builders, some_builder),
        1 => {
            let is_free = |n: &u32| !builders.contains(&format!("b{n}").into());
            if let Some(n) = (0..4).find(is_free) {
                config.builders.push(builder(rng, n, &slaves, &order));
            }
        }
        2 | 3 => {
            let n = number(config.builders[some_builder].name.as_str());
            config.builders[some_builder] = builder(rng, n, &slaves, &order);
        }
        4 => {
            let it = Arc::make_mut(&mut config.builders[some_builder]);
            it.slavebuilddir.push('x');
            // Two builders exchange the directories of their logs.
            let dir = it.builddir.clone();
            let first = Arc::make_mut(&mut config.builders[0]);
            let dir = std::mem::replace(&mut first.builddir, dir);
            Arc::make_mut(&mut config.builders[some_builder]).builddir = dir;
        }
        5 => remove(&mut config.slaves, some_slave),
        6 => {
            let is_free = |n: &u32| !slaves.contains(&format!("s{n}").into());
            if let Some(n) = (0..4).find(is_free) {
                config.slaves.push(slave(rng, n, &order));
                let name = &config.slaves[slaves.len()].name;
                Arc::make_mut(&mut config.builders[some_builder])
                    .slaves
                    .push(name.clone());
            }
        }
        7 => {
            let n = number(config.slaves[some_slave].name.as_str());
            config.slaves[some_slave] = slave(rng, n, &order);
        }
        8 => {
            let at = rng.random_range(0..config.schedulers.len());
            remove(&mut config.schedulers, at);
        }
        9 | 10 => {
            let at = config.schedulers.len();
            let is_used = |n: u32| {
                let name = format!("sched{n}").into();
                config.schedulers.iter().any(|s| s.name == name)
            };
            if let Some(n) = (0..5).find(|&n| !is_used(n)) {
                let it = scheduler(rng, n, &builders, &upstreams(config, at));
                config.schedulers.push(it);
            }
        }
        11 => {
            let at = rng.random_range(0..config.schedulers.len());
            let n = number(config.schedulers[at].name.as_str());
            config.schedulers[at] = scheduler(rng, n, &builders, &upstreams(config, at));
        }
        12 => {
            let at = rng.random_range(0..config.locks.len());
            if rng.random_bool(0.3) {
                config.locks[at] = lock(rng, at);
            }
            config.locks[at].max_count = rng.random_range(1..=3);
        }
        13 => {
            config.orphan_request_grace = grace(rng);
            config.max_retries = rng.random_range(0..=2);
            config.choose_slaves = slave_choice(rng);
            config.duplicate_slave_replaces = rng.random_bool(0.3);
        }
        _ => reorder_locks(rng, config),
    }
}

/// Locks are taken in another order from now on: each configuration has no circle, both together
/// may.
fn reorder_locks(rng: &mut StdRng, config: &mut Config) {
    let mut order = LOCKS;
    order.shuffle(rng);
    for slave in &mut config.slaves {
        Arc::make_mut(slave).locks = locks_of(rng, &order[..2]);
    }
    for builder in &mut config.builders {
        let it = Arc::make_mut(builder);
        it.locks = locks_of(rng, &order[2..5]);
        it.factory = factory(&order, &it.locks);
    }
}

/// The order of locks in this configuration.
fn order_of(config: &Config) -> Order {
    let mut order = LOCKS;
    let name = &config.builders[0].factory.name;
    order.sort_by_key(|lock| name.find(lock));
    order
}

/// One always stays.
fn remove<T>(from: &mut Vec<T>, at: usize) {
    if from.len() > 1 {
        from.remove(at);
    }
}

fn number(name: &str) -> u32 {
    name.chars().next_back().unwrap().to_digit(10).unwrap()
}

/// Those that a scheduler at this place may wait for.
fn upstreams(config: &Config, at: usize) -> Vec<SchedulerName> {
    let before = config.schedulers[..at].iter();
    let fit = before.filter(|s| !world::takes_jobs(&s.kind));
    fit.map(|s| s.name.clone()).collect()
}

/// Nothing names what does not exist.
fn tidy(rng: &mut StdRng, config: &mut Config) {
    let slaves: Vec<SlaveName> = config.slaves.iter().map(|s| s.name.clone()).collect();
    for builder in &mut config.builders {
        let fits =
            |b: &BuilderConfig| !b.slaves.is_empty() && b.slaves.iter().all(|s| slaves.contains(s));
        if !fits(builder) {
            let its = &mut Arc::make_mut(builder).slaves;
            its.retain(|s| slaves.contains(s));
            if its.is_empty() {
                its.push(slaves[rng.random_range(0..slaves.len())].clone());
            }
        }
    }
    let mut dirs = BTreeSet::new();
    for builder in &mut config.builders {
        while !dirs.insert(builder.builddir.clone()) {
            Arc::make_mut(builder).builddir.push('x');
        }
    }
    let builders: Vec<BuilderName> = config.builders.iter().map(|b| b.name.clone()).collect();
    for scheduler in &mut config.schedulers {
        if !scheduler.builders.iter().all(|b| builders.contains(b)) {
            let its = &mut Arc::make_mut(scheduler).builders;
            its.retain(|b| builders.contains(b));
        }
    }
    let mut kept: Vec<SchedulerName> = Vec::new();
    config.schedulers.retain(|scheduler| {
        let upstream = scheduler.kind.upstream();
        let keep = upstream.is_none_or(|upstream| kept.contains(upstream));
        if keep && !world::takes_jobs(&scheduler.kind) {
            kept.push(scheduler.name.clone());
        }
        keep
    });
    if config.schedulers.is_empty() {
        config.schedulers.push(scheduler(rng, 0, &builders, &[]));
    }
}
