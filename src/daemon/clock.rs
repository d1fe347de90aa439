//! The one place where the clocks are read.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::{Mono, Now, Timestamp};

/// The clocks, with the origin of monotonic time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    /// What the wall clock showed then.
    began: Timestamp,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            began: wall(),
        }
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        Now {
            mono: Mono(self.origin.elapsed()),
            wall: wall(),
        }
    }

    /// What the wall clock would show if nobody had set it since the origin: what is timed by it never ends before it
    /// began.
    pub(super) fn steady(&self) -> Timestamp {
        self.began + self.origin.elapsed()
    }

    /// The instant of a monotonic time, to sleep until.
    pub(super) fn instant(&self, at: Mono) -> Instant {
        self.origin + at.0
    }
}

/// The wall clock.
#[must_use]
pub fn wall() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
