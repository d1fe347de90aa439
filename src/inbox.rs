//! How a thread that has deadlines waits for its messages.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Instant;

/// How long to wait for the next message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Not at all.
    Not,
    /// Until this moment.
    Until(Instant),
    /// However long it takes.
    Forever,
}

impl Wait {
    /// Waits for the next message.
    ///
    /// # Errors
    /// No message came in time, or no sender is left.
    pub fn receive<T>(self, messages: &Receiver<T>) -> Result<T, RecvTimeoutError> {
        match self {
            Self::Not => messages.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
            Self::Until(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
            Self::Forever => messages.recv().map_err(Into::into),
        }
    }
}
