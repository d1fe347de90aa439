//! Which users have logged in from where: pairs of name and network that are known to be good.
//!
//! Invariant: the table is bounded; the pair that has not been put on record for the longest time
//! is forgotten first.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{KnownLogin, LoginRecord, MAX_KNOWN_LOGINS};

/// A pair that keeps logging in is put on record again after this time, so that it is not the first
/// to be forgotten.
const RECORD_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// A name and the network it logged in from; no network for connections that do not come over TCP.
type Pair = (Box<[u8]>, Option<IpAddr>);

/// The known pairs.
#[derive(Debug, Default)]
pub(super) struct Known {
    pairs: BTreeMap<Pair, Entry>,
    by_age: BTreeMap<u64, Pair>,
    next_age: u64,
}

#[derive(Debug)]
struct Entry {
    age: u64,
    /// When this process put it on record; absent if an earlier one did.
    recorded_at: Option<Instant>,
}

impl Known {
    /// The pairs that are on record, the oldest record first.
    pub(super) fn recovered(logins: &[KnownLogin]) -> Self {
        let mut known = Self::default();
        for KnownLogin { user, network } in logins {
            known.put((user.as_bytes().into(), Some(*network)), None);
        }
        known
    }

    /// Whether this user has logged in from this network before.
    pub(super) fn contains(&self, user: &[u8], network: Option<IpAddr>) -> bool {
        self.pairs.contains_key(&(Box::from(user), network))
    }

    /// The user has logged in from this network; answers with what is to be put on record of that,
    /// if anything is.
    pub(super) fn add(
        &mut self,
        user: &[u8],
        network: Option<IpAddr>,
        now: Instant,
    ) -> Option<LoginRecord> {
        let pair = (Box::from(user), network);
        let recorded_at = self.pairs.get(&pair).and_then(|entry| entry.recorded_at);
        if recorded_at.is_some_and(|at| now < at + RECORD_AGAIN) {
            return None;
        }
        let forgotten = self.put(pair.clone(), Some(now)).and_then(known_login);
        let login = known_login(pair)?;
        Some(LoginRecord { login, forgotten })
    }

    /// Answers which pair was forgotten for it.
    fn put(&mut self, pair: Pair, recorded_at: Option<Instant>) -> Option<Pair> {
        let age = self.next_age;
        self.next_age += 1;
        self.by_age.insert(age, pair.clone());
        if let Some(old) = self.pairs.insert(pair, Entry { age, recorded_at }) {
            self.by_age.remove(&old.age);
        }
        if self.pairs.len() <= MAX_KNOWN_LOGINS {
            return None;
        }
        let (_, oldest) = self.by_age.pop_first()?;
        self.pairs.remove(&oldest);
        Some(oldest)
    }
}

/// The form in which a pair is put on record, if it has a network. Names that have logged in are
/// UTF-8.
fn known_login((user, network): Pair) -> Option<KnownLogin> {
    Some(KnownLogin {
        user: String::from_utf8_lossy(&user).into_owned(),
        network: network?,
    })
}

/// What one person has: an IPv4 address, or the first half of an IPv6 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
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

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn login(user: &str) -> KnownLogin {
        let (user, network) = (user.to_owned(), HERE);
        KnownLogin { user, network }
    }

    #[test]
    fn a_pair_is_put_on_record_once_a_day_and_once_in_each_run() {
        let mut now = Instant::now();
        let mut known = Known::recovered(&[login("old")]);
        assert!(known.contains(b"old", Some(HERE)) && !known.contains(b"new", Some(HERE)));
        for user in ["old", "new"] {
            let record = LoginRecord {
                login: login(user),
                forgotten: None,
            };
            assert_eq!(known.add(user.as_bytes(), Some(HERE), now), Some(record));
            assert_eq!(known.add(user.as_bytes(), Some(HERE), now), None);
        }
        now += RECORD_AGAIN;
        assert!(known.add(b"new", Some(HERE), now).is_some());
    }

    #[test]
    fn a_connection_without_a_network_is_known_in_this_run_only() {
        let mut known = Known::default();
        assert_eq!(known.add(b"local", None, Instant::now()), None);
        assert!(known.contains(b"local", None));
    }

    #[test]
    fn the_oldest_record_is_forgotten_when_there_are_too_many() {
        let now = Instant::now();
        let mut known = Known::recovered(&[login("first"), login("second")]);
        known.add(b"first", Some(HERE), now);
        let mut forgotten = Vec::new();
        for n in 0..MAX_KNOWN_LOGINS - 1 {
            let record = known.add(n.to_string().as_bytes(), Some(HERE), now);
            forgotten.extend(record.and_then(|record| record.forgotten));
        }
        assert_eq!(forgotten, [login("second")]);
        assert_eq!(known.pairs.len(), MAX_KNOWN_LOGINS);
        assert_eq!(known.by_age.len(), MAX_KNOWN_LOGINS);
        assert!(known.contains(b"first", Some(HERE)) && !known.contains(b"second", Some(HERE)));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        let v6 = |text: &str| text.parse::<IpAddr>().map(network).ok();
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:2"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:127.0.0.1"), Some(HERE));
    }
}
