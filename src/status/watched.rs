//! Observers of builds: clients that follow single builds, and when each of them is to hear how
//! long its build will still take. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::pb::Luid;

/// The observers of builds with keys `K`.
#[derive(Debug)]
pub(super) struct Watched<K>(BTreeMap<K, Vec<Watcher>>);

#[derive(Clone, Copy, Debug)]
struct Watcher {
    observer: Luid,
    /// The interval and the next time of estimates, if the observer has asked for them.
    eta: Option<(Duration, Instant)>,
}

impl<K> Default for Watched<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Copy + Ord> Watched<K> {
    /// `observer` follows `build` from `now` on, with an estimate after each `interval`.
    pub(super) fn add(
        &mut self,
        build: K,
        observer: Luid,
        interval: Option<Duration>,
        now: Instant,
    ) {
        let eta = interval.map(|interval| (interval, now + interval));
        let watchers = self.0.entry(build).or_default();
        watchers.push(Watcher { observer, eta });
    }

    /// `observer` does not follow `build` any more. Returns how often it did.
    pub(super) fn remove(&mut self, build: K, observer: Luid) -> usize {
        let Some(watchers) = self.0.get_mut(&build) else {
            return 0;
        };
        let before = watchers.len();
        watchers.retain(|watcher| watcher.observer != observer);
        before - watchers.len()
    }

    /// Nobody follows `build` any more. Returns those who did.
    pub(super) fn end(&mut self, build: K) -> Vec<Luid> {
        let watchers = self.0.remove(&build).unwrap_or_default().into_iter();
        watchers.map(|watcher| watcher.observer).collect()
    }

    /// Those who follow `build`.
    pub(super) fn of(&self, build: K) -> Vec<Luid> {
        let watchers = self.0.get(&build).into_iter().flatten();
        watchers.map(|watcher| watcher.observer).collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// When the next estimate is due.
    pub(super) fn next_eta(&self) -> Option<Instant> {
        let watchers = self.0.values().flatten();
        watchers.filter_map(|watcher| Some(watcher.eta?.1)).min()
    }

    /// Takes the estimates that are due at `now`: builds and who hears of each.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(K, Luid)> {
        let mut due = Vec::new();
        for (build, watchers) in &mut self.0 {
            for watcher in watchers {
                if let Some((interval, next)) = &mut watcher.eta
                    && *next <= now
                {
                    *next = now + *interval;
                    due.push((*build, watcher.observer));
                }
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_due_again_after_each_interval() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let [one, other] = [Luid(1), Luid(2)];
        let mut watched = Watched::default();
        watched.add('a', one, Some(Duration::from_secs(10)), start);
        watched.add('a', other, None, start);
        watched.add('b', other, Some(Duration::from_secs(4)), start);
        assert_eq!((watched.count(), watched.next_eta()), (3, Some(at(4))));
        assert_eq!(watched.take_due(at(3)), []);
        assert_eq!(watched.take_due(at(10)), [('a', one), ('b', other)]);
        assert_eq!(watched.next_eta(), Some(at(14)));
        assert_eq!(watched.of('a'), [one, other]);
        assert_eq!((watched.remove('a', one), watched.remove('a', one)), (1, 0));
        assert_eq!((watched.end('b'), watched.end('b')), (vec![other], vec![]));
        assert_eq!((watched.count(), watched.next_eta()), (1, None));
    }
}
