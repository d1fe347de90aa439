//! The clocks. Only this file reads them; all other code gets a [`Clock`].

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::{Mono, Now, Timestamp};

/// The clocks, with the origin of monotonic time. Monotonic time is tokio's, so it pauses with
/// tokio's time. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// Wall time at the origin.
    began: Timestamp,
    source: Source,
}

/// The source of wall time.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The machine's clock, which users and time servers set.
    System,
    /// Tokio's own time, counted from the origin.
    Tokio,
}

impl Clock {
    /// The clocks of the machine; monotonic time starts now.
    #[must_use]
    pub fn system() -> Self {
        Self {
            origin: Instant::now(),
            began: system_time(),
            source: Source::System,
        }
    }

    /// Clocks whose wall time starts at `began` and is never set. With tokio's paused time, equal
    /// runs see equal times.
    #[must_use]
    pub fn starting_at(began: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            began,
            source: Source::Tokio,
        }
    }

    /// The same clocks, with an origin of now.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self {
            origin: Instant::now(),
            began: self.wall(),
            source: self.source,
        }
    }

    /// Both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            mono: Mono(self.origin.elapsed()),
            wall: self.wall(),
        }
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        match self.source {
            Source::System => system_time(),
            Source::Tokio => self.steady(),
        }
    }

    /// The wall time if nobody had set the clock since the origin. Measured with this time, nothing
    /// ends before it starts.
    #[must_use]
    pub fn steady(&self) -> Timestamp {
        self.began + self.origin.elapsed()
    }

    /// The instant of a monotonic time, for sleeping.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        self.origin + at.0
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_of_tokio_moves_with_paused_time_only() {
        let clock = Clock::starting_at(Timestamp(5_000_000));
        assert_eq!(clock.wall(), Timestamp(5_000_000));

        tokio::time::advance(Duration::from_secs(2)).await;

        let now = clock.now();
        assert_eq!(
            (now.mono, now.wall),
            (Mono(Duration::from_secs(2)), Timestamp(7_000_000))
        );
        let later = clock.restarted();
        assert_eq!(later.now().mono, Mono(Duration::ZERO));
        assert_eq!(later.wall(), Timestamp(7_000_000));
        assert_eq!(clock.instant(now.mono), later.instant(Mono(Duration::ZERO)));
    }
}
