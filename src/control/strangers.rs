//! How often refusals of people who have not logged in are put into the audit log: a stranger
//! cannot fill the state with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::Timestamp;

/// Maximum number of entries in each stretch of time, of one address and of all.
const OF_ONE: u32 = 20;
const OF_ALL: u32 = 200;

/// A stretch of time.
const STRETCH: Duration = Duration::from_secs(600);

/// Refusals of strangers in the current stretch of time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers {
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    since: Option<Timestamp>,
    all: u32,
    by_address: BTreeMap<String, u32>,
}

/// What is noted of a refusal.
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
    /// What to note of the refusal of a stranger at `address`.
    pub(super) fn note(&self, address: &str, now: Timestamp) -> Noted {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since| now < since || now.since(since) >= STRETCH;
        if counted.since.is_none_or(is_over) {
            *counted = Counted {
                since: Some(now),
                ..Counted::default()
            };
        }
        if counted.all >= OF_ALL {
            return Noted::Nothing;
        }
        let own = counted.by_address.entry(address.to_owned()).or_default();
        if *own >= OF_ONE {
            return Noted::Nothing;
        }
        *own += 1;
        let is_last = *own == OF_ONE;
        counted.all += 1;
        match is_last || counted.all == OF_ALL {
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
        let strangers = Strangers::default();
        let now = Timestamp::from_secs(1000);
        let noted = |address: &str, now| strangers.note(address, now);
        for number in 1..OF_ONE {
            assert_eq!(noted("a", now), Noted::Entry, "{number}");
        }
        assert_eq!(noted("a", now), Noted::Last);
        assert_eq!(noted("a", now), Noted::Nothing);
        let others = (OF_ONE..OF_ALL).map(|number| noted(&number.to_string(), now));
        let others: Vec<_> = others.collect();
        assert_eq!(others.last(), Some(&Noted::Last));
        assert_eq!(noted("b", now), Noted::Nothing);
        assert_eq!(noted("a", now + STRETCH), Noted::Entry);
    }
}
