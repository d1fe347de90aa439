//! The loop of a slave: connects, serves the master, and reconnects.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::commands::Commands;
use super::session::{self, SessionEnd};
use super::{Connector, Controls, Ended, Event, Settings};
use crate::backoff::Backoff;
use crate::net::Tasks;

/// Runs a slave until it is stopped or its master tells it to shut down. After a lost connection,
/// an unreachable master or a rejected login, the slave retries at growing intervals of up to
/// [`Settings::max_delay`]. `rng` spreads the attempts, so the slaves of a restarted master do not
/// all connect at once. Returns when all processes of commands have ended, or after a bounded time.
pub async fn run(
    settings: Settings,
    connector: Connector,
    controls: Controls,
    rng: &mut StdRng,
    mut on_event: impl FnMut(Event) + Send,
) -> Ended {
    let settings = Arc::new(settings);
    let tracker = TaskTracker::new();
    let commands = Commands::new(Tasks::new(tracker.clone(), CancellationToken::new()));
    let mut backoff = Backoff::new(FIRST_DELAY, settings.max_delay);
    let ended = loop {
        let tasks = Tasks::new(tracker.clone(), CancellationToken::new());
        let end = session::run(
            &settings,
            &connector,
            &controls,
            &commands,
            &tasks,
            &mut on_event,
        )
        .await;
        let why = match end {
            SessionEnd::Shutdown => break Ended::ByMaster,
            SessionEnd::Stopped => break Ended::Stopped,
            SessionEnd::Failed(why) => why,
            SessionEnd::Lost(why) => {
                backoff.reset();
                why
            }
        };
        let retry_in = backoff.next_jittered(rng);
        info!(master = %connector, ?why, ?retry_in, "not attached; will retry");
        on_event(Event::Detached { why, retry_in });
        tokio::select! {
            biased;
            () = sleep(retry_in) => {}
            () = controls.stop.cancelled() => break Ended::Stopped,
        }
    };
    tracker.close();
    if timeout(END_PATIENCE, tracker.wait()).await.is_err() {
        info!("a command did not stop in time");
    }
    ended
}

/// Maximum of the first interval.
const FIRST_DELAY: Duration = Duration::from_secs(2);
/// How long the slave waits for killed commands before it ends.
const END_PATIENCE: Duration = Duration::from_secs(10);
