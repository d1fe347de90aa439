//! Taking, giving back, and who can go on: the rules of LCK-03 and LCK-08.

use std::collections::BTreeSet;

use super::{Holder, Instance, Locks, Number, State, Wants, of};
use crate::botmaster::AttemptId;
use crate::config::LockMode;

impl State {
    /// Whether one more can hold it in this way, when these wait ahead. What is ahead is looked at
    /// no further than needed.
    pub(super) fn admits<'a>(
        &self,
        mode: LockMode,
        mut ahead: impl Iterator<Item = &'a LockMode>,
    ) -> bool {
        match mode {
            LockMode::Exclusive => self.holders.is_empty() && ahead.next().is_none(),
            LockMode::Counting if self.is_exclusive => false,
            LockMode::Counting => {
                let mut free = self.max.saturating_sub(self.holders.len());
                for mode in ahead {
                    if *mode == LockMode::Exclusive || free == 0 {
                        return false;
                    }
                    free -= 1;
                }
                free > 0
            }
        }
    }
}

impl Locks {
    /// Gives locks to those who can have them, in order of arrival: those who wait at the `freed`
    /// ones as far as they fit, and those who hold something already, since what they may pass may
    /// have changed.
    pub(super) fn grant(&mut self, freed: Vec<Instance>) -> Vec<Holder> {
        let mut candidates = self.nested.clone();
        for instance in freed {
            if let Some(state) = self.instances.get(&instance) {
                candidates.extend(state.fitting());
            }
            self.touched.insert(instance);
        }
        // What one gets was counted as taken before for those behind it, so nobody can go on
        // because of it.
        let mut granted = Vec::new();
        for number in candidates {
            let Some(waiting) = self.waiting.get(&number) else {
                continue;
            };
            let wants = &waiting.wants;
            if !wants.iter().all(|(i, m)| self.is_open_to(number, i, *m)) {
                continue;
            }
            let holder = waiting.holder.clone();
            let wants = self.leave_queues(number);
            self.hold(holder.clone(), wants);
            granted.push(holder);
        }
        granted
    }

    pub(super) fn hold(&mut self, holder: Holder, wants: Wants) {
        for (instance, mode) in &wants {
            self.touched.insert(instance.clone());
            let state = self.state_of(instance);
            state.holders.insert(holder.clone());
            state.is_exclusive = *mode == LockMode::Exclusive;
        }
        self.held.insert(holder, wants);
    }

    /// Takes away all that `holder` has, and its places in queues; answers what was touched.
    pub(super) fn drop_claims(&mut self, holder: &Holder) -> Vec<Instance> {
        let mut freed = Vec::new();
        for (instance, _) in self.held.remove(holder).unwrap_or_default() {
            if let Some(state) = self.instances.get_mut(&instance) {
                state.holders.remove(holder);
                state.is_exclusive = false;
            }
            self.tidy(&instance);
            freed.push(instance);
        }
        if let Some(&number) = self.numbers.get(holder) {
            let wants = self.leave_queues(number);
            freed.extend(wants.into_iter().map(|(instance, _)| instance));
        }
        freed
    }

    /// Whether the waiter of this number could have the lock.
    pub(super) fn is_open_to(&self, number: Number, instance: &Instance, mode: LockMode) -> bool {
        let Some(state) = self.instances.get(instance) else {
            return true;
        };
        let ahead = state.queue.range(..number);
        if !self.nested.contains(&number) {
            return state.admits(mode, ahead.map(|(_, mode)| mode));
        }
        let Some(owner) = self.waiting.get(&number).map(|w| w.holder.owner) else {
            return false;
        };
        let ahead = ahead.filter(|(other, _)| !self.waits_for(**other, number, owner));
        state.admits(mode, ahead.map(|(_, mode)| mode))
    }

    /// Whether the waiter `from` waits, at one or more removes, for a lock that `owner` holds,
    /// whose own waiter is `own`.
    fn waits_for(&self, from: Number, own: Number, owner: AttemptId) -> bool {
        let mut seen = BTreeSet::from([own, from]);
        let mut to_do = vec![from];
        while let Some(number) = to_do.pop() {
            let Some(waiting) = self.waiting.get(&number) else {
                continue;
            };
            for (instance, mode) in &waiting.wants {
                let Some(state) = self.instances.get(instance) else {
                    continue;
                };
                let ahead = || state.queue.range(..number);
                if state.admits(*mode, ahead().map(|(_, mode)| mode)) {
                    continue;
                }
                to_do.extend(ahead().map(|(n, _)| *n).filter(|n| seen.insert(*n)));
                for holder in &state.holders {
                    if holder.owner == owner {
                        return true;
                    }
                    let its = of(holder.owner, &self.numbers).map(|(_, number)| *number);
                    to_do.extend(its.filter(|n| seen.insert(*n)));
                }
            }
        }
        false
    }

    pub(super) fn state_of(&mut self, instance: &Instance) -> &mut State {
        if !self.instances.contains_key(instance) {
            let max = self.max_of(instance);
            let state = State {
                max,
                ..State::default()
            };
            self.instances.insert(instance.clone(), state);
        }
        self.instances.entry(instance.clone()).or_default()
    }

    fn leave_queues(&mut self, number: Number) -> Wants {
        self.nested.remove(&number);
        let Some(waiting) = self.waiting.remove(&number) else {
            return Wants::new();
        };
        self.numbers.remove(&waiting.holder);
        for (instance, _) in &waiting.wants {
            if let Some(state) = self.instances.get_mut(instance) {
                state.queue.remove(&number);
            }
            self.tidy(instance);
        }
        waiting.wants
    }

    /// Forgets a lock that nobody holds or wants.
    fn tidy(&mut self, instance: &Instance) {
        let idle = |state: &State| state.holders.is_empty() && state.queue.is_empty();
        if self.instances.get(instance).is_some_and(idle) {
            self.instances.remove(instance);
        }
    }
}

impl State {
    /// The first ones in the queue, as many as this lock alone could take.
    fn fitting(&self) -> impl Iterator<Item = Number> {
        let free = if self.is_exclusive {
            0
        } else {
            self.max.saturating_sub(self.holders.len())
        };
        let is_idle = self.holders.is_empty();
        let mut ahead = 0_usize;
        let mut is_open = true;
        self.queue.iter().map_while(move |(&number, mode)| {
            let fits = match mode {
                LockMode::Counting => is_open && ahead < free,
                LockMode::Exclusive => is_open && is_idle && ahead == 0,
            };
            is_open &= *mode == LockMode::Counting;
            ahead += 1;
            fits.then_some(number)
        })
    }
}
