//! Stopping a slave from outside, and the events of its life.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Stops a slave from outside. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// Cancelled: ends now; what runs is killed.
    pub stop: CancellationToken,
    /// Told: asks the master for a graceful end, if it is attached.
    pub graceful: Arc<Notify>,
}

/// What happens to a slave, for whoever started it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The master has accepted it.
    Attached,
    /// It could not attach, or lost the connection, and tries again after the delay.
    Detached {
        /// Why, for people.
        why: String,
        /// How long until it tries again.
        retry_in: Duration,
    },
}

/// Why a slave ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// Its master told it to end.
    ByMaster,
}
