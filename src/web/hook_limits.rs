//! What the hooks of all senders share: how much they may send at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::limits::Limit;
use super::rate::Rate;

/// What all hooks share.
#[derive(Debug)]
pub(super) struct HookLimits {
    pub(super) rate: Rate,
    pub(super) at_once: Limit,
    /// Senders who wait for the answer to a wrong secret.
    pub(super) delayed: Limit,
    /// Kibibytes of bodies that may be in memory.
    pub(super) bodies: Arc<Semaphore>,
}

/// Hooks that are answered at once, of all senders and of one address (HKI-08).
const AT_ONCE: (usize, usize) = (128, 10);

/// Answers to wrong secrets that are delayed at once, of all senders and of one address. Far fewer
/// than all requests that a proxy may hand on, because strangers can take all of these places.
const DELAYED: (usize, usize) = (32, 4);

/// Bodies of hooks that are in memory at once.
const BODIES_KIB: usize = 64 * 1024;

impl Default for HookLimits {
    fn default() -> Self {
        Self {
            rate: Rate::default(),
            at_once: Limit::new(AT_ONCE.0, AT_ONCE.1),
            delayed: Limit::new(DELAYED.0, DELAYED.1),
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
        }
    }
}
