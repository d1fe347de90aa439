//! Signals (MAS-05).

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, info_span};

use crate::net::Tasks;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    /// Stop, at once or when the running builds have ended.
    Shutdown {
        /// Whether to wait.
        clean: bool,
    },
    /// Read the configuration again.
    Reconfigure,
}

/// Takes over the signals, and hands on what they ask for.
///
/// # Errors
/// The system does not let this process watch for them.
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

/// Wishes that may wait; while more do, the system keeps one signal of each kind.
const WISHES: usize = 4;

/// The signals that the master listens to.
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

    /// What the next signal asks for. Cancel-safe: a signal stays until it is taken.
    async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {
                info!("SIGTERM: stopping");
                Wish::Shutdown { clean: false }
            }
            _ = self.interrupt.recv() => {
                info!("SIGINT: stopping");
                Wish::Shutdown { clean: false }
            }
            _ = self.clean.recv() => {
                info!("SIGUSR1: stopping when the running builds have ended");
                Wish::Shutdown { clean: true }
            }
            _ = self.hangup.recv() => {
                info!("SIGHUP: reading the configuration again");
                Wish::Reconfigure
            }
        }
    }
}
