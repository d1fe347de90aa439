//! Signals (MAS-05).

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

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

/// The signals that the master listens to.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    clean: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes over the signals.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            clean: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// What the next signal asks for. Cancel-safe: a signal stays until it is taken.
    pub(super) async fn next(&mut self) -> Wish {
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
