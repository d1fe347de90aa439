//! Circles of locks: A is held while B is waited for, and elsewhere B is held while A is waited
//! for.
//!
//! A build takes the locks of its slave, then its own, then those of one step after the other, and
//! keeps what it has. Locks that are taken together cannot hold each other up. So builds can wait
//! for each other for ever only along a circle of "is held while … is waited for", and without one
//! they never do.

use std::collections::BTreeMap;

use crate::config::builders::BuilderConfig;
use crate::config::locks::{LockAccess, LockConfig, LockKind};
use crate::config::slaves::SlaveConfig;
use crate::model::{LockName, SlaveName};

/// A builder whose builds hold one lock while they wait for another.
#[derive(Clone, Debug)]
pub(super) struct Link<'c> {
    pub(super) builder: &'c BuilderConfig,
    /// The slave whose setting `held` is; without it, it is the builder's.
    slave: Option<&'c SlaveName>,
    held: &'c LockName,
    pub(super) wanted: &'c LockName,
    /// The step that waits, by its place; without it, it is the build.
    pub(super) step: Option<usize>,
}

/// A lock; of a slave, if each slave has its own.
type Node<'c> = (&'c LockName, Option<&'c SlaveName>);

/// A circle, if there is one, where builds of these builders on these slaves run at the same time.
pub(super) fn find<'c>(
    locks: &'c [LockConfig],
    builds: impl Iterator<Item = (&'c BuilderConfig, &'c SlaveConfig)>,
) -> Option<Vec<Link<'c>>> {
    let mut graph = Graph {
        kinds: locks.iter().map(|lock| (&lock.name, &lock.kind)).collect(),
        links: BTreeMap::new(),
    };
    for (builder, slave) in builds {
        graph.add(builder, slave);
    }
    graph.circle()
}

/// The circle in words.
pub(super) fn describe(circle: &[Link<'_>]) -> String {
    let links: Vec<String> = circle
        .iter()
        .map(|link| {
            let on = link.slave.map(|slave| format!(" on slave `{slave}`"));
            let step = link.step.and_then(|at| link.builder.factory.steps.get(at));
            let waits = match step {
                Some(step) => format!("their step `{}` waits", step.name),
                None => "they wait".to_owned(),
            };
            format!(
                "builds of `{}`{} hold `{}` while {waits} for `{}`",
                link.builder.name,
                on.unwrap_or_default(),
                link.held,
                link.wanted
            )
        })
        .collect();
    let links = links.join(", and ");
    format!("builds could wait for each other's locks for ever: {links}")
}

struct Graph<'c> {
    kinds: BTreeMap<&'c LockName, &'c LockKind>,
    links: BTreeMap<Node<'c>, BTreeMap<Node<'c>, Link<'c>>>,
}

impl<'c> Graph<'c> {
    fn add(&mut self, builder: &'c BuilderConfig, slave: &'c SlaveConfig) {
        let steps = builder.factory.steps.iter().enumerate();
        for held in &slave.locks {
            for wanted in &builder.locks {
                self.link(builder, slave, (held, true), (wanted, None));
            }
        }
        for (at, step) in steps {
            for wanted in &step.locks {
                for held in &slave.locks {
                    self.link(builder, slave, (held, true), (wanted, Some(at)));
                }
                for held in &builder.locks {
                    self.link(builder, slave, (held, false), (wanted, Some(at)));
                }
            }
        }
    }

    fn link(
        &mut self,
        builder: &'c BuilderConfig,
        slave: &'c SlaveConfig,
        (held, by_slave): (&'c LockAccess, bool),
        (wanted, step): (&'c LockAccess, Option<usize>),
    ) {
        let from = self.node(&held.lock, &slave.name);
        let to = self.node(&wanted.lock, &slave.name);
        let link = Link {
            builder,
            slave: by_slave.then_some(&slave.name),
            held: &held.lock,
            wanted: &wanted.lock,
            step,
        };
        let links = self.links.entry(from).or_default();
        links.entry(to).or_insert(link);
    }

    fn node(&self, lock: &'c LockName, slave: &'c SlaveName) -> Node<'c> {
        // Which slaves share a lock with `per` may change while it is held: here all share it.
        let of_slave = matches!(self.kinds.get(lock), Some(LockKind::Slave { .. }));
        (lock, of_slave.then_some(slave))
    }

    /// Goes down from each lock once; a link back to where it came from closes a circle.
    fn circle(&self) -> Option<Vec<Link<'c>>> {
        let mut is_done: BTreeMap<Node<'c>, bool> = BTreeMap::new();
        for &start in self.links.keys() {
            if is_done.contains_key(&start) {
                continue;
            }
            is_done.insert(start, false);
            let mut path = vec![(start, self.below(start))];
            while let Some((node, below)) = path.last_mut() {
                let Some((to, _)) = below.next() else {
                    is_done.insert(*node, true);
                    path.pop();
                    continue;
                };
                match is_done.get(&to) {
                    Some(true) => {}
                    Some(false) => {
                        let nodes = path.iter().map(|(node, _)| *node);
                        let mut circle: Vec<_> = nodes.skip_while(|node| *node != to).collect();
                        circle.push(to);
                        let pairs = circle.iter().zip(circle.iter().skip(1));
                        let link = |(from, to)| self.links.get(from)?.get(to).cloned();
                        return Some(pairs.filter_map(link).collect());
                    }
                    None => {
                        is_done.insert(to, false);
                        path.push((to, self.below(to)));
                    }
                }
            }
        }
        None
    }

    fn below(&self, node: Node<'c>) -> impl Iterator<Item = (Node<'c>, &Link<'c>)> {
        let links = self.links.get(&node).into_iter().flatten();
        links.map(|(to, link)| (*to, link))
    }
}
