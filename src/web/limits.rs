//! How much one reader, and all of them together, may ask for at once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what is going on, by address. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    most: usize,
    most_of_one: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: BTreeMap<Option<IpAddr>, usize>,
}

/// A place that was taken; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    limit: Limit,
    address: Option<IpAddr>,
}

impl Limit {
    /// At most `most` at once, and `most_of_one` of one address.
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            most,
            most_of_one,
            counts: Arc::default(),
        }
    }

    /// Takes a place, if there is one.
    pub(super) fn take(&self, address: Option<IpAddr>) -> Option<Taken> {
        let mut counts = self.counts();
        let own = counts.by_address.get(&address).copied().unwrap_or_default();
        if counts.all >= self.most || own >= self.most_of_one {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, own + 1);
        Some(Taken {
            limit: self.clone(),
            address,
        })
    }

    /// How many places are taken.
    pub(super) fn count(&self) -> usize {
        self.counts().all
    }

    /// No code panics while it holds the lock.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut counts = self.limit.counts();
        counts.all -= 1;
        if let Some(own) = counts.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn one_address_takes_its_share_and_all_take_what_there_is() {
        let limit = Limit::new(3, 2);
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| Some(ip.parse().unwrap()));
        let first = limit.take(a).unwrap();
        let _second = limit.take(a).unwrap();
        assert!(limit.take(a).is_none(), "the share of this address");
        let _third = limit.take(b).unwrap();
        assert!(limit.take(b).is_none(), "all places");
        drop(first);
        assert!(limit.take(a).is_some());
        assert_eq!(limit.counts().by_address.len(), 2);
    }
}
