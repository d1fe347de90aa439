//! Locks by which builds would wait for each other for ever, or for themselves (LCK-04, LCK-05).

mod graph;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builders::BuilderConfig;
use super::locks::{LockConfig, Locks, User};
use super::reader::Sink;
use super::slaves::SlaveConfig;

/// Reports locks on a build and one of its steps (LCK-05), and circles in which builds would wait
/// for each other for ever.
pub(super) fn check(
    sink: &Sink<'_>,
    locks: &Locks<'_>,
    slaves: &[Arc<SlaveConfig>],
    builders: &[Arc<BuilderConfig>],
) {
    let mut is_clear = true;
    for builder in builders {
        for (at, step) in builder.factory.steps.iter().enumerate() {
            for both in &step.locks {
                if !builder.locks.iter().any(|l| l.lock == both.lock) {
                    continue;
                }
                is_clear = false;
                let on_builder = locks.place(&User::Builder(builder.name.as_str()), &both.lock);
                let on_step = locks.place(&User::Step(&builder.factory.name, at), &both.lock);
                sink.clash(
                    (on_builder, on_step),
                    format!(
                        "builder `{}` and its step `{}` both use lock `{}`",
                        builder.name, step.name, both.lock
                    ),
                    "its step",
                    "the build holds it during all its steps; remove it from one of the two",
                );
            }
        }
    }
    if is_clear && let Some(circle) = graph::find(&locks.defined, pairs(slaves, builders)) {
        let place = circle.first().map(|link| {
            let user = match link.step {
                Some(step) => User::Step(&link.builder.factory.name, step),
                None => User::Builder(link.builder.name.as_str()),
            };
            locks.place(&user, link.wanted)
        });
        let help = "let all take them in the same order, or together: locks of one list are \
                    given at once";
        let (span, message) = (place.unwrap_or_default(), graph::describe(&circle));
        sink.error(span, message, help);
    }
}

/// How builds that run, each begun by a builder and on a slave as these were then, and those of a
/// new configuration could wait for each other's locks for ever, although the new one is free of
/// that by itself (LCK-04).
#[must_use]
pub fn circle_with(
    running: &[(&BuilderConfig, &SlaveConfig)],
    locks: &[LockConfig],
    slaves: &[Arc<SlaveConfig>],
    builders: &[Arc<BuilderConfig>],
) -> Option<String> {
    if running.is_empty() {
        return None;
    }
    let builds = pairs(slaves, builders).chain(running.iter().copied());
    graph::find(locks, builds).map(|circle| graph::describe(&circle))
}

/// Each builder whose builds wait for locks, with each of its slaves.
fn pairs<'c>(
    slaves: &'c [Arc<SlaveConfig>],
    builders: &'c [Arc<BuilderConfig>],
) -> impl Iterator<Item = (&'c BuilderConfig, &'c SlaveConfig)> {
    let slaves: BTreeMap<_, _> = slaves.iter().map(|s| (&s.name, &**s)).collect();
    let waits = |builder: &&Arc<BuilderConfig>| {
        let mut steps = builder.factory.steps.iter();
        !builder.locks.is_empty() || steps.any(|step| !step.locks.is_empty())
    };
    builders.iter().filter(waits).flat_map(move |builder| {
        let its = builder.slaves.iter().filter_map(|name| slaves.get(name));
        let its = its.map(|slave| (&**builder, *slave));
        its.collect::<Vec<_>>()
    })
}
