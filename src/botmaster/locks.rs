//! Who holds which lock, and who waits, in which order (section 16).
//!
//! One table of lock instances: a master lock has one, a slave lock one for each slave, and a
//! lock with `per` one for each group of slaves. Invariants:
//! - an exclusive holder is alone, and no claim goes beyond `max` (LCK-02);
//! - a waiter stands in the queue of each lock that it wants, in order of arrival, and gets all or
//!   none (LCK-03, LCK-04);
//! - after each call nobody waits who could have all that it wants;
//! - what is not held or not waited for is released or forgotten without effect on others (LCK-06).
//!
//! Builds hold locks while they wait for the locks of their steps, so strict order of arrival could
//! cause a deadlock: X holds `a` and waits for `b` behind Y, which waits for `a` and `b`. Therefore
//! a holder does not wait behind waiters that wait, directly or indirectly, for what it holds: they
//! could not go first. The configuration has no circles of "held while waited for", so no waiter
//! waits for ever.
//!
//! The cost of a call is proportional to the locks that it names and the waiters that get them.
//! Waiters that hold locks are checked at each call.

mod claims;
mod slaves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AttemptId, SlaveIx};
use crate::config::{LockAccess, LockConfig, LockMode, LockScope};
use crate::model::{LockName, SlaveName, Timestamp};

/// One of the things that can be held.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Instance {
    pub(super) lock: LockName,
    /// Who shares it.
    pub(super) scope: LockScope,
}

/// What of a running build takes locks.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum LockUser {
    /// The build, for all its steps.
    Build,
    /// A step, for itself.
    Step {
        /// Its position in the build.
        index: u32,
        /// Its unique name.
        name: Arc<str>,
    },
}

/// The part of a build that holds or wants locks.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Part {
    /// Its use of the slave.
    Slave,
    /// What runs on it.
    User(LockUser),
}

/// Somebody who holds or wants locks.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Holder {
    pub(super) owner: AttemptId,
    pub(super) part: Part,
}

/// Locks that are wanted together, each once.
pub(super) type Wants = Vec<(Instance, LockMode)>;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Locks {
    defined: BTreeMap<LockName, LockConfig>,
    /// Those that are held or waited for.
    instances: BTreeMap<Instance, State>,
    held: BTreeMap<Holder, Wants>,
    waiting: BTreeMap<Number, Waiting>,
    numbers: BTreeMap<Holder, Number>,
    /// Waiters whose builds hold something.
    nested: BTreeSet<Number>,
    next_number: u64,
    /// Those whose availability may have changed since somebody asked.
    touched: BTreeSet<Instance>,
    /// The locks that each build on a slave takes.
    of_slaves: BTreeMap<SlaveIx, Wants>,
    slaves_by_lock: BTreeMap<Instance, Vec<SlaveIx>>,
    /// Slaves that have got other locks since somebody asked.
    slaves_touched: BTreeSet<SlaveIx>,
}

/// The place of a waiter in the order of arrival.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Number(u64);

/// One lock that is held or waited for.
#[derive(Debug, Default)]
struct State {
    max: usize,
    /// Whether its holder is an exclusive one.
    is_exclusive: bool,
    holders: BTreeSet<Holder>,
    queue: BTreeMap<Number, LockMode>,
}

#[derive(Debug)]
struct Waiting {
    holder: Holder,
    wants: Wants,
    since: Timestamp,
}

/// Somebody who waits, as seen from outside.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) holder: &'a Holder,
    pub(super) since: Timestamp,
    /// The locks that it cannot have yet, with their holders and its place in the queue, from 1.
    pub(super) blocks: Vec<(&'a Instance, LockMode, Vec<&'a Holder>, usize)>,
}

impl Locks {
    /// Takes over the definitions of a configuration. Those who hold or wait go on (LCK-09), also
    /// at locks that are no longer defined. Answers who can go on now.
    #[must_use]
    pub(super) fn define(&mut self, locks: &[LockConfig]) -> Vec<Holder> {
        for lock in locks {
            self.defined.insert(lock.name.clone(), lock.clone());
        }
        let known: Vec<Instance> = self.instances.keys().cloned().collect();
        for instance in &known {
            let max = self.max_of(instance);
            if let Some(state) = self.instances.get_mut(instance) {
                state.max = max;
            }
        }
        self.grant(known)
    }

    /// Whether somebody holds or wants a lock that is of another type in this configuration.
    pub(super) fn has_other_kind(&self, new: &LockConfig) -> bool {
        let kind = |lock: &LockConfig| std::mem::discriminant(&lock.kind);
        let known = self.defined.get(&new.name);
        known.is_some_and(|known| kind(known) != kind(new))
            && self
                .instances
                .keys()
                .any(|instance| instance.lock == new.name)
    }

    /// The locks that are meant by `locks` in a build on `slave`.
    pub(super) fn resolve(&self, locks: &[LockAccess], slave: &SlaveName) -> Wants {
        let locks = locks.iter();
        locks
            .map(|access| (self.instance_of(&access.lock, slave), access.mode))
            .collect()
    }

    fn instance_of(&self, name: &LockName, slave: &SlaveName) -> Instance {
        let defined = self.defined.get(name);
        Instance {
            lock: name.clone(),
            scope: defined.map_or_else(LockScope::default, |lock| lock.scope_on(slave)),
        }
    }

    /// Whether a newcomer could have all of these at once.
    pub(super) fn are_free(&self, wants: &[(Instance, LockMode)]) -> bool {
        wants
            .iter()
            .all(|(instance, mode)| self.is_free(instance, *mode))
    }

    /// Whether a newcomer could have this.
    pub(super) fn is_free(&self, instance: &Instance, mode: LockMode) -> bool {
        let state = self.instances.get(instance);
        state.is_none_or(|state| state.admits(mode, state.queue.values()))
    }

    /// Takes `wants` if all are free; else nothing happens. Answers whether it has them.
    #[must_use]
    pub(super) fn take(&mut self, holder: &Holder, wants: &[(Instance, LockMode)]) -> bool {
        let is_new = !self.held.contains_key(holder) && !self.numbers.contains_key(holder);
        if !is_new || !self.are_free(wants) {
            return false;
        }
        self.hold(holder.clone(), wants.to_vec());
        true
    }

    /// `holder` wants these together; it gets them now, or waits (LCK-04). Answers who can go on
    /// now, which may be itself, others, or nobody. Asking twice changes nothing.
    #[must_use]
    pub(super) fn want(&mut self, holder: Holder, wants: Wants, now: Timestamp) -> Vec<Holder> {
        if self.take(&holder, &wants) {
            return vec![holder];
        }
        if self.held.contains_key(&holder) || self.numbers.contains_key(&holder) {
            return Vec::new();
        }
        self.next_number += 1;
        let number = Number(self.next_number);
        for (instance, mode) in &wants {
            self.state_of(instance).queue.insert(number, *mode);
            self.touched.insert(instance.clone());
        }
        if self.holds_something(holder.owner) {
            self.nested.insert(number);
        }
        self.numbers.insert(holder.clone(), number);
        let waiting = Waiting {
            holder,
            wants,
            since: now,
        };
        self.waiting.insert(number, waiting);
        // It may be one behind whom others need not wait.
        self.grant(Vec::new())
    }

    /// `holder` gives back what it has, or no longer wants what it waits for. Answers who can go on
    /// now.
    #[must_use]
    pub(super) fn release(&mut self, holder: &Holder) -> Vec<Holder> {
        let freed = self.drop_claims(holder);
        self.grant(freed)
    }

    /// A build is over: all its parts give back what they have and wait no longer. Answers who can
    /// go on now.
    #[must_use]
    pub(super) fn release_all(&mut self, owner: AttemptId) -> Vec<Holder> {
        let its = |map: Vec<&Holder>| map.into_iter().cloned().collect::<Vec<_>>();
        let mut parts = its(of(owner, &self.held).map(|(h, _)| h).collect());
        parts.extend(its(of(owner, &self.numbers).map(|(h, _)| h).collect()));
        let freed = parts.iter().flat_map(|part| self.drop_claims(part));
        let freed = freed.collect();
        self.grant(freed)
    }

    /// A build waits no longer, whatever for. Answers who can go on now.
    #[must_use]
    pub(super) fn forget_waiter(&mut self, owner: AttemptId) -> Vec<Holder> {
        let waiter = of(owner, &self.numbers).next().map(|(h, _)| h.clone());
        waiter.map_or_else(Vec::new, |waiter| self.release(&waiter))
    }

    /// Everybody who waits, in order of arrival (LCK-11).
    pub(super) fn waiters(&self) -> Vec<Seen<'_>> {
        let mut places: BTreeMap<&Instance, usize> = BTreeMap::new();
        let mut seen = Vec::with_capacity(self.waiting.len());
        for (&number, waiting) in &self.waiting {
            let mut blocks = Vec::new();
            for (instance, mode) in &waiting.wants {
                let place = places.entry(instance).or_default();
                *place += 1;
                if !self.is_open_to(number, instance, *mode) {
                    blocks.push((instance, *mode, self.holders(instance), *place));
                }
            }
            seen.push(Seen {
                holder: &waiting.holder,
                since: waiting.since,
                blocks,
            });
        }
        seen
    }

    /// What `holder` cannot have yet, if it waits.
    pub(super) fn waiter(&self, holder: &Holder) -> Option<Seen<'_>> {
        let number = *self.numbers.get(holder)?;
        let waiting = self.waiting.get(&number)?;
        let blocked =
            |(instance, mode): &&(Instance, LockMode)| !self.is_open_to(number, instance, *mode);
        let blocks = waiting.wants.iter().filter(blocked);
        let blocks = blocks.map(|(instance, mode)| {
            let queue = self.instances.get(instance).map(|state| &state.queue);
            let place = queue.map_or(0, |queue| queue.range(..=number).count());
            (instance, *mode, self.holders(instance), place)
        });
        Some(Seen {
            holder: &waiting.holder,
            since: waiting.since,
            blocks: blocks.collect(),
        })
    }

    /// What a part of this build cannot have yet, if one waits; a build waits for one thing at a
    /// time.
    pub(super) fn waiter_of(&self, owner: AttemptId) -> Option<Seen<'_>> {
        let (holder, _) = of(owner, &self.numbers).next()?;
        self.waiter(holder)
    }

    /// Who holds a lock.
    pub(super) fn holders(&self, instance: &Instance) -> Vec<&Holder> {
        let state = self.instances.get(instance);
        state.into_iter().flat_map(|state| &state.holders).collect()
    }

    /// Whether nobody holds or wants anything.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
    }

    fn max_of(&self, instance: &Instance) -> usize {
        let lock = self.defined.get(&instance.lock);
        let max = lock.map_or(1, |lock| match &instance.scope {
            LockScope::Slave(slave) => lock.max_count_on(slave),
            LockScope::Master | LockScope::Group(_) => lock.max_count,
        });
        usize::try_from(max).unwrap_or(usize::MAX)
    }

    fn holds_something(&self, owner: AttemptId) -> bool {
        of(owner, &self.held).any(|(_, wants)| !wants.is_empty())
    }
}

/// The entries of a build's parts.
fn of<T>(owner: AttemptId, map: &BTreeMap<Holder, T>) -> impl Iterator<Item = (&Holder, &T)> {
    let part = Part::Slave;
    map.range(Holder { owner, part }..)
        .take_while(move |(holder, _)| holder.owner == owner)
}

#[cfg(test)]
mod tests;
