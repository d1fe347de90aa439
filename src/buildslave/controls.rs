//! The controls by which a program stops its slave, and the events of a slave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Stops a slave. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// When cancelled, the slave ends at once and kills its commands.
    pub stop: CancellationToken,
    /// When notified, an attached slave asks its master for a graceful shutdown.
    pub graceful: Arc<Notify>,
}

/// An event of a slave, for the program that runs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The master has accepted the slave.
    Attached,
    /// The slave could not attach or has lost the connection, and retries after the delay.
    Detached {
        /// The reason, for people.
        why: String,
        /// The delay before the next attempt.
        retry_in: Duration,
    },
}

/// Why a slave ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// A signal or a control stopped it.
    Stopped,
    /// The master told it to shut down.
    ByMaster,
}
