//! Notifications that the client has not answered (LIV-04).
//!
//! Invariant: nothing is sent while [`MAX_UNANSWERED`] bytes are unanswered. What is to be sent
//! waits where it is: news in the newsroom, log text on disk.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::net::CallError;
use crate::pb::Value;

/// Maximum number of unanswered bytes at which another notification is sent.
pub const MAX_UNANSWERED: usize = 1024 * 1024;
/// A client that answers nothing for this long gets no log text any more.
pub const TEXT_PATIENCE: Duration = Duration::from_secs(10);
/// A client that answers nothing for this long is disconnected.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What a notification counts at least. The references in as many notifications as fit stay below
/// the limit on exported objects.
const LEAST_BYTES: usize = 256;

type Answer = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send + Sync>>;

/// Unanswered notifications, in order. Twisted answers calls in order.
pub(super) struct Window {
    unanswered: VecDeque<(usize, Answer)>,
    bytes: usize,
    /// When the client answered, or there was room, last.
    since: Instant,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            unanswered: VecDeque::new(),
            bytes: 0,
            since: Instant::now(),
        }
    }

    /// Adds a notification of about this size.
    pub(super) fn push(
        &mut self,
        bytes: usize,
        answer: impl Future<Output = Result<Value, CallError>> + Send + Sync + 'static,
    ) {
        if self.has_room() {
            self.since = Instant::now();
        }
        let bytes = bytes.max(LEAST_BYTES);
        self.bytes += bytes;
        self.unanswered.push_back((bytes, Box::pin(answer)));
    }

    /// Whether another notification may be sent.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes < MAX_UNANSWERED
    }

    /// Since when there is no room and the client answers nothing.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        (!self.has_room()).then_some(self.since)
    }

    /// Waits until the oldest notification is answered; cancel-safe.
    pub(super) async fn answered(&mut self) {
        let answer = poll_fn(|cx| match self.unanswered.front_mut() {
            Some((_, answer)) => answer.as_mut().poll(cx),
            None => Poll::Pending,
        });
        if let Err(error) = answer.await {
            tracing::debug!(
                "a status client rejects a notification: {}",
                error.headline()
            );
        }
        if let Some((bytes, _)) = self.unanswered.pop_front() {
            self.bytes -= bytes;
            self.since = Instant::now();
        }
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("unanswered", &self.unanswered.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn liv_04_there_is_room_again_when_a_notification_is_answered() {
        let mut window = Window::new();
        let answer = || async { Ok(Value::None) };
        window.push(MAX_UNANSWERED - 1, answer());
        assert!(window.has_room());
        assert_eq!(window.stuck_since(), None);
        window.push(0, std::future::pending());
        assert!(!window.has_room());
        assert!(window.stuck_since().is_some());
        window.answered().await;
        assert_eq!((window.bytes, window.has_room()), (LEAST_BYTES, true));
    }
}
