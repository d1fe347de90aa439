//! Connections that have logged in: how many one user and one address may have, and how long they
//! may be idle.
//!
//! A new connection is accepted if an idle connection can be closed for it: the connection that has
//! been idle for the longest, of the same user, of the same address, or of all. A connection in use
//! is never closed for another. Slaves are counted by their names alone, and no other connection
//! makes them leave.
//!
//! Invariant: clients never have more than a quarter of the descriptors that the process may have.
//! The lobby has another quarter, so that half is left to slaves, the control socket and the state.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::directory::UserKind;
use super::known::network;
use super::lobby::quarter_of_descriptors;
use crate::config::ClientLimits;

/// Most connections of clients, if the limit on descriptors allows.
const CAPACITY: usize = 1024;

/// Most connections of one slave: the slave, one that contends with it, and those that are just
/// being turned away.
const PER_SLAVE: usize = 8;

/// The connections that have logged in.
#[derive(Debug)]
pub(super) struct Clients {
    capacity: usize,
    present: Mutex<Present>,
}

#[derive(Debug)]
struct Present {
    limits: ClientLimits,
    /// In order of arrival, without slaves.
    clients: BTreeMap<u64, Client>,
    /// How many connections each slave has.
    slaves: BTreeMap<Box<[u8]>, usize>,
    last: u64,
}

#[derive(Debug)]
struct Client {
    user: Box<[u8]>,
    network: Option<IpAddr>,
    use_: Use,
    /// Dropped when the connection must go.
    _stay: oneshot::Sender<()>,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Use {
    /// A client waits for something.
    Busy,
    /// Nothing, since then.
    IdleSince(Instant),
}

/// The place of a connection that has logged in, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Visit {
    clients: Arc<Clients>,
    visitor: Visitor,
}

/// Whose connection it is.
#[derive(Debug)]
enum Visitor {
    Slave(Box<[u8]>),
    Client {
        number: u64,
        /// Ends when the connection must go.
        leave: oneshot::Receiver<()>,
    },
}

/// Tells what a connection is used for. Whoever serves the connection has it.
#[derive(Debug)]
pub struct Activity {
    clients: Arc<Clients>,
    number: u64,
}

impl Clients {
    /// At most a quarter of the descriptors that the process may have.
    pub(super) fn new() -> Arc<Self> {
        Self::with_capacity(quarter_of_descriptors(CAPACITY), ClientLimits::default())
    }

    fn with_capacity(capacity: usize, limits: ClientLimits) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            present: Mutex::new(Present {
                limits,
                clients: BTreeMap::new(),
                slaves: BTreeMap::new(),
                last: 0,
            }),
        })
    }

    /// Other limits from now on; connections that are there stay.
    pub(super) fn set_limits(&self, limits: ClientLimits) {
        self.lock().limits = limits;
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// There is no place for it, and why.
    pub(super) fn enter(
        self: &Arc<Self>,
        user: &[u8],
        kind: &UserKind,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<(Visit, Activity), String> {
        let mut present = self.lock();
        present.last += 1;
        let number = present.last;
        let visitor = match kind {
            UserKind::Slave(_) => {
                present.add_slave(user)?;
                Visitor::Slave(user.into())
            }
            UserKind::Change { .. }
            | UserKind::Try { .. }
            | UserKind::Status { .. }
            | UserKind::Users => {
                let network = address.map(network);
                present.make_room(user, network, self.capacity)?;
                let (stay, leave) = oneshot::channel();
                let client = Client {
                    user: user.into(),
                    network,
                    use_: Use::IdleSince(now),
                    _stay: stay,
                };
                present.clients.insert(number, client);
                Visitor::Client { number, leave }
            }
        };
        drop(present);
        let activity = Activity {
            clients: Arc::clone(self),
            number,
        };
        let visit = Visit {
            clients: Arc::clone(self),
            visitor,
        };
        Ok((visit, activity))
    }

    /// Makes an idle connection leave, because descriptors have run out; false if there is none.
    pub(super) fn evict(&self) -> bool {
        self.lock().evict(|_| true)
    }

    /// No code panics while it holds the lock, and the value is whole at every point.
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn add_slave(&mut self, name: &[u8]) -> Result<(), String> {
        let count = self.slaves.entry(name.into()).or_default();
        if *count >= PER_SLAVE {
            return Err(format!(
                "{PER_SLAVE} connections of this slave are there already"
            ));
        }
        *count += 1;
        Ok(())
    }

    fn remove_slave(&mut self, name: &[u8]) {
        if let Some(count) = self.slaves.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.slaves.remove(name);
            }
        }
    }

    fn make_room(
        &mut self,
        user: &[u8],
        network: Option<IpAddr>,
        capacity: usize,
    ) -> Result<(), String> {
        let most = self.limits.connections;
        let why = |whose: &str| {
            format!(
                "{most} connections {whose} are in use already (max_client_connections); \
                 none of them is idle"
            )
        };
        if !self.make_room_for(most, |client| *client.user == *user) {
            return Err(why("of this user"));
        }
        if network.is_some() && !self.make_room_for(most, |client| client.network == network) {
            return Err(why("from this address"));
        }
        if !self.make_room_for(capacity, |_| true) {
            return Err(format!(
                "{capacity} connections of clients are in use already, a quarter of what the limit on \
                 open files allows"
            ));
        }
        Ok(())
    }

    /// Makes sure that there are fewer than `most` clients of a group.
    fn make_room_for(&mut self, most: usize, is_in: impl Fn(&Client) -> bool) -> bool {
        let count = self.clients.values().filter(|client| is_in(client)).count();
        (most..=count).all(|_| self.evict(&is_in))
    }

    /// Makes that one of a group leave which has been idle for the longest; false if none is idle.
    fn evict(&mut self, is_in: impl Fn(&Client) -> bool) -> bool {
        let idle = self.clients.iter().filter_map(|(number, client)| {
            let Use::IdleSince(since) = client.use_ else {
                return None;
            };
            is_in(client).then_some((since, *number))
        });
        let longest = idle.min();
        longest.is_some_and(|(_, number)| self.clients.remove(&number).is_some())
    }
}

impl Visit {
    /// Ready when the connection must go.
    pub(super) fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.visitor {
            Visitor::Slave(_) => Poll::Pending,
            Visitor::Client { leave, .. } => pin!(leave).poll(cx).map(drop),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut present = self.clients.lock();
        match &self.visitor {
            Visitor::Slave(name) => present.remove_slave(name),
            Visitor::Client { number, .. } => drop(present.clients.remove(number)),
        }
    }
}

impl Activity {
    /// The client has asked for something.
    pub fn touch(&self) {
        self.update(|use_| {
            if let Use::IdleSince(since) = use_ {
                *since = Instant::now();
            }
        });
    }

    /// Whether the client waits for something, so that it is not idle.
    pub fn set_busy(&self, busy: bool) {
        self.update(|use_| match (*use_, busy) {
            (Use::Busy, true) | (Use::IdleSince(_), false) => {}
            (Use::IdleSince(_), true) => *use_ = Use::Busy,
            (Use::Busy, false) => *use_ = Use::IdleSince(Instant::now()),
        });
    }

    /// Waits until the connection has been idle for too long; answers how long. To be called anew
    /// after [`Activity::set_busy`]. Cancel-safe.
    pub async fn idled_out(&self) -> Duration {
        loop {
            let (since, limit) = {
                let present = self.clients.lock();
                let client = present.clients.get(&self.number);
                (client.map(|client| client.use_), present.limits.idle)
            };
            let Some(Use::IdleSince(since)) = since else {
                // Busy, or leaving anyway, or a slave's.
                return std::future::pending().await;
            };
            if since.elapsed() >= limit {
                return limit;
            }
            sleep_until(since + limit).await;
        }
    }

    fn update(&self, update: impl FnOnce(&mut Use)) {
        if let Some(client) = self.clients.lock().clients.get_mut(&self.number) {
            update(&mut client.use_);
        }
    }
}

/// Why a connection is closed that was idle for so long.
#[must_use]
pub fn idle_for(limit: Duration) -> String {
    format!("idle for {} s (client_idle_timeout)", limit.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::task::Waker;

    use super::*;

    const USER: UserKind = UserKind::Users;

    struct Case {
        clients: Arc<Clients>,
        now: Instant,
    }

    impl Case {
        /// At most four connections in all, and three of one user or address.
        fn new() -> Self {
            let limits = ClientLimits {
                connections: 3,
                idle: Duration::from_secs(10),
            };
            Self {
                clients: Clients::with_capacity(4, limits),
                now: Instant::now(),
            }
        }

        fn enter(&mut self, user: &str, last: u8) -> Result<(Visit, Activity), String> {
            self.now += Duration::from_secs(1);
            let address = Some(IpAddr::from([10, 0, 0, last]));
            let user = user.as_bytes();
            self.clients.enter(user, &USER, address, self.now)
        }

        fn slave(&mut self, name: &str) -> Result<(Visit, Activity), String> {
            let kind = UserKind::Slave(name.into());
            self.clients.enter(name.as_bytes(), &kind, None, self.now)
        }
    }

    fn must_go((visit, _): &mut (Visit, Activity)) -> bool {
        visit
            .poll_leave(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn the_connection_that_was_idle_for_the_longest_leaves_for_another_of_its_user() {
        let mut case = Case::new();
        let mut other = case.enter("other", 9).unwrap();
        let mut mine: Vec<_> = (1..=3).map(|n| case.enter("me", n).unwrap()).collect();
        mine[0].1.set_busy(true);
        assert!(!mine.iter_mut().any(must_go));
        let _fourth = case.enter("me", 4).unwrap();
        let gone: Vec<bool> = mine.iter_mut().map(must_go).collect();
        assert_eq!(gone, [false, true, false]);
        assert!(!must_go(&mut other));
    }

    #[test]
    fn nobody_leaves_who_waits_for_something() {
        let mut case = Case::new();
        let mine: Vec<_> = (1..=3).map(|n| case.enter("me", n).unwrap()).collect();
        mine.iter()
            .for_each(|(_, activity)| activity.set_busy(true));
        let refused = case.enter("me", 4).unwrap_err();
        assert!(refused.contains("of this user are in use"), "{refused}");
        mine[1].1.set_busy(false);
        assert!(case.enter("me", 4).is_ok());
    }

    #[test]
    fn an_address_and_all_together_are_limited_alike() {
        let mut case = Case::new();
        let mut here: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .map(|user| case.enter(user, 1).unwrap())
            .collect();
        let gone: Vec<bool> = here.iter_mut().map(must_go).collect();
        assert_eq!(gone, [true, false, false, false]);
        here.remove(0);
        let mut there: Vec<_> = (2..=3).map(|n| case.enter("e", n).unwrap()).collect();
        let gone: Vec<bool> = here.iter_mut().chain(&mut there).map(must_go).collect();
        assert_eq!(gone, [true, false, false, false, false]);
    }

    #[test]
    fn slaves_are_limited_by_name_and_leave_for_nobody() {
        let mut case = Case::new();
        let mut slaves: Vec<_> = (0..PER_SLAVE).map(|_| case.slave("bot").unwrap()).collect();
        assert!(case.slave("bot").is_err());
        slaves.push(case.slave("other").unwrap());
        let clients: Vec<_> = (1..=9).map(|n| case.enter("me", n).unwrap()).collect();
        assert!(!slaves.iter_mut().any(must_go));
        assert_eq!(case.clients.lock().clients.len(), 3);
        drop((slaves, clients));
        assert!(case.clients.lock().clients.is_empty() && case.clients.lock().slaves.is_empty());
        assert!(case.slave("bot").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_from_the_last_time_it_was_used() {
        let mut case = Case::new();
        let (_visit, activity) = case.enter("me", 1).unwrap();
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_secs(9)).await;
        activity.touch();
        activity.set_busy(false);
        let limit = activity.idled_out().await;
        assert_eq!((limit.as_secs(), begun.elapsed().as_secs()), (10, 19));
        activity.set_busy(true);
        let waits = tokio::time::timeout(Duration::from_secs(99), activity.idled_out());
        assert!(waits.await.is_err());
    }
}
