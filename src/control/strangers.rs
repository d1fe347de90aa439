//! How often something is put into the audit log that others can do at will: refusals of people who
//! have not logged in, and changes that programs send. Nobody can fill the state with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::Timestamp;

/// Maximum number of refusals in each stretch of time, of one address and of all.
const REFUSALS: (u32, u32) = (20, 200);

/// Maximum number of changes in each stretch of time, of one address and of all.
const CHANGES: (u32, u32) = (200, 2000);

/// A stretch of time.
const STRETCH: Duration = Duration::from_secs(600);

/// What strangers did in the current stretch of time. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Strangers {
    of_one: u32,
    of_all: u32,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    since: Option<Timestamp>,
    all: u32,
    by_address: BTreeMap<String, u32>,
}

/// What is noted of an act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Noted {
    /// An entry.
    Entry,
    /// An entry that says that it is the last for a while.
    Last,
    /// Nothing.
    Nothing,
}

impl Strangers {
    /// For refusals.
    pub(super) fn refused() -> Self {
        Self::of(REFUSALS)
    }

    /// For changes that are sent.
    pub(super) fn sending() -> Self {
        Self::of(CHANGES)
    }

    fn of((of_one, of_all): (u32, u32)) -> Self {
        Self {
            of_one,
            of_all,
            counted: Arc::default(),
        }
    }

    /// What to note of an act of somebody at `address`.
    pub(super) fn note(&self, address: &str, now: Timestamp) -> Noted {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since| now < since || now.since(since) >= STRETCH;
        if counted.since.is_none_or(is_over) {
            *counted = Counted {
                since: Some(now),
                ..Counted::default()
            };
        }
        if counted.all >= self.of_all {
            return Noted::Nothing;
        }
        let own = counted.by_address.entry(address.to_owned()).or_default();
        if *own >= self.of_one {
            return Noted::Nothing;
        }
        *own += 1;
        let is_last = *own == self.of_one;
        counted.all += 1;
        match is_last || counted.all == self.of_all {
            true => Noted::Last,
            false => Noted::Entry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn may_05_refusals_of_strangers_are_noted_a_limited_number_of_times() {
        let strangers = Strangers::refused();
        let (of_one, of_all) = REFUSALS;
        let now = Timestamp::from_secs(1000);
        let noted = |address: &str, now| strangers.note(address, now);
        for number in 1..of_one {
            assert_eq!(noted("a", now), Noted::Entry, "{number}");
        }
        assert_eq!(noted("a", now), Noted::Last);
        assert_eq!(noted("a", now), Noted::Nothing);
        let others = (of_one..of_all).map(|number| noted(&number.to_string(), now));
        let others: Vec<_> = others.collect();
        assert_eq!(others.last(), Some(&Noted::Last));
        assert_eq!(noted("b", now), Noted::Nothing);
        assert_eq!(noted("a", now + STRETCH), Noted::Entry);
    }
}
