//! The life of a slave: connecting, serving, and coming back.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::session::{self, SessionEnd};
use super::{Connector, Settings};
use crate::net::Tasks;

/// By which a slave is told to end. Cheap to clone.
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

/// Runs a slave until it is stopped or its master ends it. A lost connection, an unreachable master
/// and a refused login are all tried again, at growing intervals of up to
/// [`Settings::max_delay`]. Returns when no process of a command is left, or after a bounded time.
pub async fn run(
    settings: Settings,
    connector: Connector,
    controls: Controls,
    mut on_event: impl FnMut(Event) + Send,
) -> Ended {
    let settings = Arc::new(settings);
    let tracker = TaskTracker::new();
    let mut backoff = Backoff::new(settings.max_delay);
    let ended = loop {
        let tasks = Tasks::new(tracker.clone(), CancellationToken::new());
        let end = session::run(&settings, &connector, &controls, &tasks, &mut on_event).await;
        let why = match end {
            SessionEnd::Shutdown => break Ended::ByMaster,
            SessionEnd::Stopped => break Ended::Stopped,
            SessionEnd::Failed(why) => why,
            SessionEnd::Lost(why) => {
                backoff.reset();
                why
            }
        };
        let retry_in = backoff.next();
        info!(master = %connector, ?why, ?retry_in, "not attached; trying again");
        on_event(Event::Detached { why, retry_in });
        tokio::select! {
            () = sleep(retry_in) => {}
            () = controls.stop.cancelled() => break Ended::Stopped,
        }
    };
    tracker.close();
    if timeout(END_PATIENCE, tracker.wait()).await.is_err() {
        info!("a command did not end in time");
    }
    ended
}

/// Growing intervals between attempts, spread so that the slaves of a master that comes back do not
/// all arrive at once.
#[derive(Debug)]
struct Backoff {
    delay: Duration,
    max: Duration,
}

impl Backoff {
    fn new(max: Duration) -> Self {
        Self {
            delay: FIRST_DELAY.min(max),
            max,
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.max);
    }

    /// The next interval: between half and all of a delay that grows.
    fn next(&mut self) -> Duration {
        let delay = self.delay;
        self.delay = (delay * 2).min(self.max);
        delay.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// The first interval is at most this long.
const FIRST_DELAY: Duration = Duration::from_secs(2);
/// How long the end waits for commands that are being killed.
const END_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_to_the_longest_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        for longest in [2.0, 4.0, 5.0, 5.0] {
            let delay = backoff.next().as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&delay), "{delay}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST_DELAY);
    }
}
