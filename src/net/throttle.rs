//! Slows down those who guess passwords, and nobody else (PROMISES: strangers lock nobody out).
//!
//! A right password is accepted at once, whatever others have tried. A wrong one is answered late:
//! failed logins are counted for the user name and for the address, after five the answer to the
//! next waits for one second, and for twice as long after each failure more, up to a minute.
//! Answers take their turns, so that many connections learn no faster than one. A name and address
//! that have logged in together before are counted only by themselves: whoever mistypes there does
//! not wait for what strangers did.
//!
//! Invariant: the table is bounded, whatever is sent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::known::{Known, network};
use crate::backoff::Backoff;
use crate::model::LoginRecord;

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 5;
/// How late the answers to further failures are.
const DELAYS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// After this long without a failure all is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Most names and addresses that are watched.
const MAX_RECORDS: usize = 4_096;

/// Counts failed logins.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    records: BTreeMap<Key, Record>,
    known: Known,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Key {
    User(Box<[u8]>),
    Address(IpAddr),
    Pair(Box<[u8]>, Option<IpAddr>),
}

#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    last_failure: Instant,
    /// The next failure is answered at this time at the earliest.
    free_at: Instant,
}

impl Throttle {
    /// Nobody has failed yet, and these have logged in before.
    pub(super) const fn new(known: Known) -> Self {
        let records = BTreeMap::new();
        Self { records, known }
    }

    /// The password was wrong: answers when that may be said, on a connection that ends at `limit`.
    /// From `limit` on it is not said at all.
    pub(super) fn failed(
        &mut self,
        user: &[u8],
        address: Option<IpAddr>,
        now: Instant,
        limit: Instant,
    ) -> Instant {
        self.forget(now);
        let keys = self.keys(user, address);
        let records = keys.iter().filter_map(|key| self.records.get(key));
        let at = records
            .map(|r| r.free_at)
            .max()
            .map_or(now, |at| at.max(now));
        for key in keys {
            if !self.records.contains_key(&key) && self.records.len() >= MAX_RECORDS {
                self.forget_least();
            }
            let record = self.records.entry(key).or_insert(Record {
                failures: 0,
                last_failure: now,
                free_at: now,
            });
            record.failures = record.failures.saturating_add(1);
            record.last_failure = now;
            // A turn that nobody takes delays nobody else.
            if at < limit {
                record.free_at = record.free_at.max(at + record.delay());
            }
        }
        at.min(limit)
    }

    /// The password was right: this name is known at this address from now on. Answers with what is
    /// to be put on record.
    pub(super) fn succeeded(
        &mut self,
        user: &[u8],
        address: Option<IpAddr>,
        now: Instant,
    ) -> Option<LoginRecord> {
        let network = address.map(network);
        self.records.remove(&Key::Pair(user.into(), network));
        self.known.add(user, network, now)
    }

    fn keys(&self, user: &[u8], address: Option<IpAddr>) -> Vec<Key> {
        let network = address.map(network);
        if self.known.contains(user, network) {
            return vec![Key::Pair(user.into(), network)];
        }
        let mut keys = vec![Key::User(user.into())];
        keys.extend(network.map(Key::Address));
        keys
    }

    fn forget(&mut self, now: Instant) {
        self.records
            .retain(|_, r| now < r.free_at.max(r.last_failure + FORGET_AFTER));
    }

    /// Makes room by forgetting who failed least, and among these the longest ago.
    fn forget_least(&mut self) {
        let least = self
            .records
            .iter()
            .min_by_key(|(_, r)| (r.failures, r.last_failure));
        if let Some(key) = least.map(|(key, _)| key.clone()) {
            self.records.remove(&key);
        }
    }
}

impl Record {
    fn delay(&self) -> Duration {
        match self.failures.checked_sub(FREE_FAILURES) {
            None => Duration::ZERO,
            Some(earlier) => DELAYS.nth(earlier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::BROADCAST));
    const LIMIT: Duration = Duration::from_secs(30);

    struct Case {
        throttle: Throttle,
        now: Instant,
    }

    impl Case {
        fn new() -> Self {
            Self {
                throttle: Throttle::default(),
                now: Instant::now(),
            }
        }

        /// Fails that often, and answers how many seconds the last of the answers takes.
        fn fail(&mut self, user: &str, address: Option<IpAddr>, times: u32) -> u64 {
            let limit = self.now + LIMIT;
            let mut at = self.now;
            for _ in 0..times {
                let user = user.as_bytes();
                at = self.throttle.failed(user, address, self.now, limit);
            }
            (at - self.now).as_secs()
        }
    }

    #[test]
    fn five_failures_are_free_and_then_delays_double_to_a_minute() {
        let mut case = Case::new();
        assert_eq!(case.fail("u", None, 5), 0);
        // From the tenth on, one answer a minute comes before the end of its connection.
        for seconds in [1, 2, 4, 8, 16, 30, 2, 30, 30, 0, 30, 30, 0] {
            let told = case.fail("u", None, 1);
            assert_eq!(told, seconds);
            case.now += Duration::from_secs(told);
        }
    }

    #[test]
    fn answers_take_turns_and_those_that_are_too_late_hold_up_nobody() {
        let mut case = Case::new();
        assert_eq!(case.fail("u", None, 5), 0);
        let told: Vec<u64> = (0..7).map(|_| case.fail("u", None, 1)).collect();
        assert_eq!(told, [1, 3, 7, 15, 30, 30, 30]);
        assert_eq!(case.fail("u", None, 1_000), 30);
        case.now += Duration::from_secs(60);
        assert_eq!(case.fail("u", None, 1), 0);
    }

    #[test]
    fn name_and_address_count_each() {
        let mut case = Case::new();
        case.fail("u", HERE, 5);
        assert_eq!(case.fail("u", THERE, 1), 1);
        let mut case = Case::new();
        case.fail("u", HERE, 5);
        assert_eq!(case.fail("v", HERE, 1), 1);
        assert_eq!(case.fail("w", THERE, 1), 0);
    }

    #[test]
    fn a_known_user_who_mistypes_does_not_wait_for_what_strangers_did() {
        let mut case = Case::new();
        case.throttle.succeeded(b"u", HERE, case.now);
        case.fail("u", THERE, 20);
        case.fail("x", HERE, 20);
        assert_eq!(case.fail("u", HERE, 5), 0);
        assert_eq!(case.fail("u", HERE, 1), 1);
        assert_eq!(case.fail("u", THERE, 1), 30);
    }

    #[test]
    fn failures_are_forgotten() {
        let mut case = Case::new();
        case.fail("u", HERE, 20);
        case.now += FORGET_AFTER;
        assert_eq!(case.fail("u", HERE, 5), 0);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_worst() {
        let mut case = Case::new();
        case.fail("bad", None, 8);
        for n in 0..=MAX_RECORDS {
            case.fail(&n.to_string(), None, 1);
        }
        assert_eq!(case.throttle.records.len(), MAX_RECORDS);
        assert_eq!(case.fail("bad", None, 1), 15);
    }
}
