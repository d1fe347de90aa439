//! What all doors share: the lobby, the count of failed logins, the places of those who have logged
//! in, and who was refused.
//!
//! Invariant: strangers get no more by trying several ports.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::clients::{Activity, Clients, Visit};
use super::known::Known;
use super::lobby::{Lobby, Place};
use super::throttle::Throttle;
use super::{Refusals, UserKind};
use crate::config::ClientLimits;
use crate::model::{KnownLogin, LoginRecord};

/// Watches those who come through the doors of one process.
pub struct Gatekeeper {
    throttle: Mutex<Throttle>,
    lobby: Arc<Lobby>,
    clients: Arc<Clients>,
    refusals: Arc<Refusals>,
}

impl Gatekeeper {
    /// A gatekeeper who knows these logins, the oldest record first.
    #[must_use]
    pub fn new(known: &[KnownLogin]) -> Arc<Self> {
        Arc::new(Self {
            throttle: Mutex::new(Throttle::new(Known::recovered(known))),
            lobby: Lobby::new(),
            clients: Clients::new(),
            refusals: Refusals::new(),
        })
    }

    /// Lets a connection in that has not logged in.
    pub(super) fn enter_lobby(&self, origin: Option<IpAddr>) -> Place {
        self.lobby.enter(origin)
    }

    /// Other limits for clients from now on; those that are there stay.
    pub fn set_client_limits(&self, limits: ClientLimits) {
        self.clients.set_limits(limits);
    }

    /// Who was refused.
    #[must_use]
    pub const fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    /// Makes room when descriptors have run out.
    pub(super) fn make_room(&self) -> bool {
        self.lobby.evict() || self.clients.evict()
    }

    /// Gives a place to a connection that has logged in.
    ///
    /// # Errors
    /// There is none, and why.
    pub(super) fn admit(
        &self,
        user: &[u8],
        kind: &UserKind,
        origin: Option<IpAddr>,
    ) -> Result<(Visit, Activity), String> {
        self.clients.enter(user, kind, origin, Instant::now())
    }

    /// A password was wrong: answers when the client may hear of that, on a connection that ends at
    /// `limit`.
    #[must_use]
    pub fn failed(&self, user: &[u8], origin: Option<IpAddr>, limit: Instant) -> Instant {
        let now = Instant::now();
        lock(&self.throttle).failed(user, origin, now, limit)
    }

    /// A password was right: answers with what is to be put on record.
    #[must_use]
    pub fn succeeded(&self, user: &[u8], origin: Option<IpAddr>) -> Option<LoginRecord> {
        lock(&self.throttle).succeeded(user, origin, Instant::now())
    }
}

impl fmt::Debug for Gatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gatekeeper").finish_non_exhaustive()
    }
}

/// Nothing panics while it holds the lock, and the value is whole at every point.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
