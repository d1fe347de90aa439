//! Signals (MAS-05).

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::botmaster::Input;

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

    /// What the next signal asks of the core. Cancel-safe: a signal stays until it is taken.
    pub(super) async fn next(&mut self) -> Input {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {
                    info!("SIGTERM: stopping");
                    return Input::Shutdown { clean: false };
                }
                _ = self.interrupt.recv() => {
                    info!("SIGINT: stopping");
                    return Input::Shutdown { clean: false };
                }
                _ = self.clean.recv() => {
                    info!("SIGUSR1: stopping when the running builds have ended");
                    return Input::Shutdown { clean: true };
                }
                _ = self.hangup.recv() => {
                    warn!("SIGHUP: this version does not reconfigure while it runs; restart it");
                }
            }
        }
    }
}
