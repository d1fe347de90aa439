//! How much memory the messages of peers that have logged in may take, in bytes.
//!
//! A message takes room while it arrives and until its call is done with it: a small one when it is
//! whole, a large one as it grows, since nobody knows whether its end will ever come. Without room
//! its connection is not read, so that the peer waits. Room is taken from the share of the user,
//! and for large messages from the pool of all users of the kind as well, so that neither one user
//! nor many together can take all memory. Slaves have a pool of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::UserKind;

/// The room of all connections of a process.
#[derive(Debug)]
pub(super) struct Budget {
    /// For large messages of slaves, in kibibytes.
    slaves: Arc<Semaphore>,
    /// For large messages of everybody else, in kibibytes.
    others: Arc<Semaphore>,
    /// The room of each user that is connected, in kibibytes.
    users: Mutex<BTreeMap<Vec<u8>, Weak<Semaphore>>>,
}

/// Where a connection gets its room.
#[derive(Clone, Debug)]
pub(super) struct Share {
    user: Arc<Semaphore>,
    pool: Arc<Semaphore>,
    /// How long a large message waits for room of the user.
    patience: Option<Duration>,
}

/// Room of one message; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    user: OwnedSemaphorePermit,
    pool: Option<OwnedSemaphorePermit>,
}

/// There was no room for a large message for too long. Those who wait may hold the room that the
/// others wait for, so somebody has to give up.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no memory for a large message of the peer within {} s", PATIENCE.as_secs())]
pub(super) struct NoRoom;

impl Default for Budget {
    fn default() -> Self {
        Self {
            slaves: Arc::new(Semaphore::new(SLAVES_KIB)),
            others: Arc::new(Semaphore::new(OTHERS_KIB)),
            users: Mutex::default(),
        }
    }
}

impl Budget {
    /// The share of a connection of `user`, which it has in common with all others of that user.
    pub(super) fn share(&self, user: &[u8], kind: &UserKind) -> Share {
        let (kib, pool, patience) = match kind {
            // Only what is on its way to the logs holds its room: it may take as long as the disk
            // does.
            UserKind::Slave(_) => (SLAVE_KIB, &self.slaves, None),
            UserKind::Change { .. }
            | UserKind::Try { .. }
            | UserKind::Status { .. }
            | UserKind::Users => (OTHER_KIB, &self.others, Some(PATIENCE)),
        };
        // Nothing panics while it holds the lock.
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, share| share.strong_count() > 0);
        let share = users.get(user).and_then(Weak::upgrade);
        let share = share.unwrap_or_else(|| Arc::new(Semaphore::new(kib)));
        users.insert(user.to_vec(), Arc::downgrade(&share));
        Share {
            user: share,
            pool: Arc::clone(pool),
            patience,
        }
    }
}

impl Share {
    /// Room for a small message of `bytes` that is whole; nothing if the user has no room
    /// left.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Room> {
        let user = Arc::clone(&self.user);
        let user = user.try_acquire_many_owned(kib(bytes)).ok()?;
        Some(Room { user, pool: None })
    }

    /// Waits for the room of a small message.
    pub(super) async fn take(self, bytes: usize) -> Room {
        let user = self.user.acquire_many_owned(kib(bytes)).await;
        Room {
            user: user.expect(NEVER_CLOSED),
            pool: None,
        }
    }

    /// Waits for room beside what `room` is already.
    pub(super) async fn grow(self, room: Option<Room>, bytes: usize) -> Result<Room, NoRoom> {
        let kib = kib(bytes);
        let user = self.user.acquire_many_owned(kib);
        let user = match self.patience {
            Some(patience) => timeout(patience, user).await.map_err(|_elapsed| NoRoom)?,
            None => user.await,
        };
        let pool = timeout(PATIENCE, self.pool.acquire_many_owned(kib));
        let pool = pool.await.map_err(|_elapsed| NoRoom)?;
        let (user, pool) = (user.expect(NEVER_CLOSED), pool.expect(NEVER_CLOSED));
        let Some(mut room) = room else {
            let pool = Some(pool);
            return Ok(Room { user, pool });
        };
        room.user.merge(user);
        match &mut room.pool {
            Some(old) => old.merge(pool),
            None => room.pool = Some(pool),
        }
        Ok(room)
    }
}

impl Room {
    /// Bytes that it is for.
    pub(super) fn bytes(&self) -> usize {
        self.user.num_permits() * 1024
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// A message of up to this size, in bytes, is small.
pub(super) const SMALL: usize = 256 * 1024;
/// The steps, in bytes, in which a large message gets its room.
pub(super) const STEP: usize = 1024 * 1024;

/// Of a slave: an update of the largest size beside others that wait for the log.
const SLAVE_KIB: usize = 4 * 1024;
/// Of any other user: the largest message that there may be, and some.
const OTHER_KIB: usize = 40 * 1024;
/// Of all slaves together, for large messages.
const SLAVES_KIB: usize = 256 * 1024;
/// Of all others together, for large messages.
const OTHERS_KIB: usize = 128 * 1024;
/// How long a large message waits for room. An honest peer gives back what it holds in much less.
const PATIENCE: Duration = Duration::from_secs(60);
const NEVER_CLOSED: &str = "the semaphores are never closed";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn slave(budget: &Budget, name: &str) -> Share {
        budget.share(name.as_bytes(), &UserKind::Slave(name.into()))
    }

    fn sender(budget: &Budget, name: &str) -> Share {
        budget.share(
            name.as_bytes(),
            &UserKind::Change {
                source: "change".into(),
                prefix: None,
            },
        )
    }

    #[test]
    fn small_messages_of_a_user_have_a_limit_over_all_connections() {
        let budget = Budget::default();
        let connections = [slave(&budget, "s"), slave(&budget, "s")];
        let mut rooms = Vec::new();
        while let Some(room) = connections[rooms.len() % 2].try_take(SMALL) {
            rooms.push(room);
        }
        assert_eq!(rooms.len(), SLAVE_KIB * 1024 / SMALL);
        assert!(slave(&budget, "other").try_take(SMALL).is_some());
        rooms.pop();
        assert!(connections[0].try_take(SMALL).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_of_all_users_have_a_limit_and_slaves_their_own() {
        let budget = Budget::default();
        let mut rooms = Vec::new();
        for user in 0.. {
            let share = sender(&budget, &user.to_string());
            match share.grow(None, 32 * STEP).await {
                Ok(room) => rooms.push(room),
                Err(NoRoom) => break,
            }
        }
        assert_eq!(rooms.len(), OTHERS_KIB / (32 * 1024));
        let room = slave(&budget, "s").grow(None, STEP).await.unwrap();
        let room = slave(&budget, "s").grow(Some(room), STEP).await.unwrap();
        assert_eq!(room.bytes(), 2 * STEP);
    }

    #[test]
    fn what_is_known_of_a_user_goes_with_the_last_connection() {
        let budget = Budget::default();
        let room = slave(&budget, "s").try_take(1).unwrap();
        drop(slave(&budget, "t"));
        assert_eq!(budget.users.lock().unwrap().len(), 2);
        drop(slave(&budget, "u"));
        // The message of the first is still somewhere.
        let known: Vec<_> = budget.users.lock().unwrap().keys().cloned().collect();
        assert_eq!(known, [b"s", b"u"]);
        drop(room);
    }
}
