//! The signals that the master handles (MAS-05).

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, info_span};

use crate::net::Tasks;

/// The request that a signal makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    /// Stop, at once or after the running builds.
    Shutdown {
        /// Whether to wait for running builds.
        clean: bool,
    },
    /// Read the configuration again.
    Reconfigure,
}

/// Handles the signals and forwards their requests.
///
/// # Errors
/// The system refuses to install the handlers.
pub(super) fn watch(tasks: &Tasks) -> io::Result<mpsc::Receiver<Wish>> {
    let mut signals = Signals::new()?;
    let (tell, wishes) = mpsc::channel(WISHES);
    let stopping = tasks.stopping();
    tasks.spawn(info_span!("signals"), async move {
        let mut stopping = std::pin::pin!(stopping);
        loop {
            tokio::select! {
                biased;
                () = &mut stopping => return,
                wish = signals.next() => if tell.send(wish).await.is_err() {
                    return;
                },
            }
        }
    });
    Ok(wishes)
}

/// Maximum number of requests in the queue. When the queue is full, the system keeps one signal of
/// each kind.
const WISHES: usize = 4;

/// The handlers of the signals.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    clean: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            clean: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The request of the next signal. Cancel-safe: a signal stays pending until it is taken.
    async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {
                info!("received SIGTERM: stopping");
                Wish::Shutdown { clean: false }
            }
            _ = self.interrupt.recv() => {
                info!("received SIGINT: stopping");
                Wish::Shutdown { clean: false }
            }
            _ = self.clean.recv() => {
                info!("received SIGUSR1: stopping after the running builds");
                Wish::Shutdown { clean: true }
            }
            _ = self.hangup.recv() => {
                info!("received SIGHUP: reconfiguring");
                Wish::Reconfigure
            }
        }
    }
}
