//! Slows down those who guess passwords, and nobody else (PROMISES: strangers lock nobody out).
//!
//! Failed logins are counted for the user name and for the address. After five the next attempt of either has to wait
//! for one second, and twice as long for each failure more, up to a minute. Attempts that wait take their turns, so that
//! many connections guess no faster than one. A name and address that have logged in together before are counted only
//! by themselves: a stranger who guesses at a slave's name, or shares its address, does not keep it out.
//!
//! Invariant: both tables are bounded, whatever is sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 5;
/// The first delay.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// After this long without a failure all is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Most names and addresses that are watched.
const MAX_RECORDS: usize = 4_096;
/// Most pairs of name and address that are known to be good.
const MAX_KNOWN: usize = 16_384;

/// Counts failed logins.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    records: BTreeMap<Key, Record>,
    known: BTreeSet<(Box<[u8]>, Option<IpAddr>)>,
    known_in_order: VecDeque<(Box<[u8]>, Option<IpAddr>)>,
}

/// When an attempt may be judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// At once.
    Now,
    /// At that time.
    At(Instant),
    /// Not before the connection's own time is up.
    Never,
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
    /// The next attempt is judged at this time at the earliest.
    free_at: Instant,
}

impl Throttle {
    /// Takes a turn for an attempt of `user` from `address` whose connection ends at `limit`.
    pub(super) fn turn(
        &mut self,
        user: &[u8],
        address: Option<IpAddr>,
        now: Instant,
        limit: Instant,
    ) -> Turn {
        let keys = self.keys(user, address);
        self.forget(now);
        let records = keys.iter().filter_map(|key| self.records.get(key));
        let at = records.map(|r| r.free_at).max().unwrap_or(now);
        if at <= now {
            return Turn::Now;
        }
        if at >= limit {
            return Turn::Never;
        }
        for key in &keys {
            if let Some(record) = self.records.get_mut(key) {
                record.free_at = record.free_at.max(at + record.delay());
            }
        }
        Turn::At(at)
    }

    /// The attempt was wrong.
    pub(super) fn failed(&mut self, user: &[u8], address: Option<IpAddr>, now: Instant) {
        for key in self.keys(user, address) {
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
            record.free_at = record.free_at.max(now + record.delay());
        }
    }

    /// The attempt was right: this name is known at this address from now on.
    pub(super) fn succeeded(&mut self, user: &[u8], address: Option<IpAddr>) {
        let pair: (Box<[u8]>, _) = (user.into(), address.map(network));
        self.records.remove(&Key::Pair(pair.0.clone(), pair.1));
        if self.known.insert(pair.clone()) {
            self.known_in_order.push_back(pair);
            if self.known_in_order.len() > MAX_KNOWN
                && let Some(oldest) = self.known_in_order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    fn keys(&self, user: &[u8], address: Option<IpAddr>) -> Vec<Key> {
        let address = address.map(network);
        let pair = (Box::from(user), address);
        if self.known.contains(&pair) {
            return vec![Key::Pair(pair.0, pair.1)];
        }
        let mut keys = vec![Key::User(pair.0)];
        keys.extend(address.map(Key::Address));
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
            Some(doublings) => FIRST_DELAY
                .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
                .min(LONGEST_DELAY),
        }
    }
}

/// What one person has: an IPv4 address, or the first half of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
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

        fn fail(&mut self, user: &str, address: Option<IpAddr>, times: u32) {
            for _ in 0..times {
                self.throttle.failed(user.as_bytes(), address, self.now);
            }
        }

        fn wait(&mut self, user: &str, address: Option<IpAddr>) -> Option<Duration> {
            let limit = self.now + LIMIT;
            match self
                .throttle
                .turn(user.as_bytes(), address, self.now, limit)
            {
                Turn::Now => Some(Duration::ZERO),
                Turn::At(at) => Some(at - self.now),
                Turn::Never => None,
            }
        }
    }

    #[test]
    fn five_failures_are_free_and_then_delays_double_to_a_minute() {
        let mut case = Case::new();
        case.fail("u", None, 4);
        assert_eq!(case.wait("u", None), Some(Duration::ZERO));
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            case.fail("u", None, 1);
            let wait = (seconds < 30).then(|| Duration::from_secs(seconds));
            assert_eq!(case.wait("u", None), wait);
            case.now += Duration::from_secs(seconds * 2);
        }
    }

    #[test]
    fn waiting_attempts_take_turns() {
        let mut case = Case::new();
        case.fail("u", None, 7);
        let waits = [4, 8, 12, 16, 20, 24, 28].map(|s| Some(Duration::from_secs(s)));
        for wait in waits {
            assert_eq!(case.wait("u", None), wait);
        }
        assert_eq!(case.wait("u", None), None);
        assert_eq!(case.wait("u", None), None);
    }

    #[test]
    fn name_and_address_count_each() {
        let mut case = Case::new();
        case.fail("u", HERE, 5);
        assert_eq!(case.wait("u", THERE), Some(Duration::from_secs(1)));
        assert_eq!(case.wait("v", HERE), Some(Duration::from_secs(1)));
        assert_eq!(case.wait("v", THERE), Some(Duration::ZERO));
    }

    #[test]
    fn a_known_slave_is_not_kept_out_by_who_guesses_at_its_name() {
        let mut case = Case::new();
        case.throttle.succeeded(b"u", HERE);
        case.fail("u", THERE, 20);
        case.fail("x", HERE, 20);
        assert_eq!(case.wait("u", HERE), Some(Duration::ZERO));
        assert_eq!(case.wait("u", THERE), None);
        case.fail("u", HERE, 5);
        assert_eq!(case.wait("u", HERE), Some(Duration::from_secs(1)));
    }

    #[test]
    fn failures_are_forgotten() {
        let mut case = Case::new();
        case.fail("u", HERE, 20);
        case.now += FORGET_AFTER;
        assert_eq!(case.wait("u", HERE), Some(Duration::ZERO));
        case.fail("u", HERE, 1);
        assert_eq!(case.wait("u", HERE), Some(Duration::ZERO));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        let v6 = |text: &str| text.parse::<IpAddr>().map(network).ok();
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:2"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:127.0.0.1"), HERE);
    }

    #[test]
    fn the_tables_are_bounded_and_keep_the_worst() {
        let mut case = Case::new();
        case.fail("bad", None, 9);
        for n in 0..=MAX_RECORDS {
            case.fail(&n.to_string(), None, 1);
        }
        assert_eq!(case.throttle.records.len(), MAX_RECORDS);
        assert_eq!(case.wait("bad", None), Some(Duration::from_secs(16)));
        for n in 0..=MAX_KNOWN {
            case.throttle.succeeded(n.to_string().as_bytes(), None);
        }
        assert_eq!(case.throttle.known.len(), MAX_KNOWN);
        assert_eq!(case.throttle.known_in_order.len(), MAX_KNOWN);
    }
}
