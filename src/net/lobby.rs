//! Connections that have not logged in: how many there may be, and who leaves when another comes.
//!
//! Invariant: there are never more than the capacity, so that strangers leave descriptors and
//! memory to those who are logged in. A new connection is always accepted; the oldest of the
//! address with the most connections is closed for it. A stranger who opens thousands so pushes out
//! his own, and a slave needs only as long as its login takes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Most connections before login, if the limit on descriptors allows.
const CAPACITY: usize = 256;

/// The connections of one set of listeners that have not logged in.
#[derive(Debug)]
pub(super) struct Lobby {
    capacity: usize,
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    /// In order of arrival.
    waiting: BTreeMap<u64, Guest>,
    last: u64,
}

#[derive(Debug)]
struct Guest {
    address: Option<IpAddr>,
    /// Dropped when the connection must go.
    _stay: oneshot::Sender<()>,
}

/// A place in the lobby, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    lobby: Arc<Lobby>,
    number: u64,
    /// Ends when the connection must go.
    pub(super) leave: oneshot::Receiver<()>,
}

impl Lobby {
    /// A lobby that takes at most a quarter of the descriptors that the process may have.
    pub(super) fn new() -> Arc<Self> {
        Self::with_capacity(quarter_of_descriptors(CAPACITY))
    }

    pub(super) fn with_capacity(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            guests: Mutex::default(),
        })
    }

    /// Lets a connection in; if the lobby was full, another one leaves.
    pub(super) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Place {
        let (stay, leave) = oneshot::channel();
        let mut guests = self.guests();
        guests.last += 1;
        let number = guests.last;
        let guest = Guest {
            address,
            _stay: stay,
        };
        guests.waiting.insert(number, guest);
        if guests.waiting.len() > self.capacity {
            guests.evict();
        }
        drop(guests);
        Place {
            lobby: Arc::clone(self),
            number,
            leave,
        }
    }

    /// Makes one connection leave, because descriptors have run out; false if there is none.
    pub(super) fn evict(&self) -> bool {
        self.guests().evict()
    }

    /// No code panics while it holds the lock; and if it did, the map is in order at every point.
    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests {
    /// The oldest of the address that has the most; of equals, the address that came first.
    fn evict(&mut self) -> bool {
        let mut counts: BTreeMap<Option<IpAddr>, usize> = BTreeMap::new();
        for guest in self.waiting.values() {
            *counts.entry(guest.address).or_default() += 1;
        }
        let Some(most) = counts.values().max().copied() else {
            return false;
        };
        let oldest = self
            .waiting
            .iter()
            .find(|(_, guest)| counts.get(&guest.address) == Some(&most))
            .map(|(number, _)| *number);
        oldest.is_some_and(|number| self.waiting.remove(&number).is_some())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lobby.guests().waiting.remove(&self.number);
    }
}

/// A quarter of the descriptors that the process may have, at least one and at most `at_most`.
pub(super) fn quarter_of_descriptors(at_most: usize) -> usize {
    let limit = crate::platform::most_open_files();
    let quarter = limit.map_or(at_most, |n| usize::try_from(n / 4).unwrap_or(at_most));
    quarter.clamp(1, at_most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    fn must_go(place: &mut Place) -> bool {
        place.leave.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn at_the_capacity_nobody_leaves_and_beyond_it_the_oldest() {
        let lobby = Lobby::with_capacity(2);
        let mut first = lobby.enter(address(1));
        let mut second = lobby.enter(address(1));
        assert!(!must_go(&mut first));
        let mut third = lobby.enter(address(1));
        assert!(must_go(&mut first));
        assert!(!must_go(&mut second) && !must_go(&mut third));
    }

    #[test]
    fn who_has_most_connections_loses_one() {
        let lobby = Lobby::with_capacity(3);
        let mut slave = lobby.enter(address(1));
        let mut flood: Vec<Place> = (0..10).map(|_| lobby.enter(address(2))).collect();
        assert!(!must_go(&mut slave));
        assert_eq!(
            flood.iter_mut().map(must_go).filter(|gone| !gone).count(),
            2
        );
    }

    #[test]
    fn who_has_left_does_not_count() {
        let lobby = Lobby::with_capacity(1);
        drop(lobby.enter(address(1)));
        let mut second = lobby.enter(address(1));
        assert!(!must_go(&mut second));
        assert!(lobby.evict());
        assert!(must_go(&mut second));
        assert!(!lobby.evict());
    }
}
