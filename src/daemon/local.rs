//! Slaves inside the master: each is the native slave, which speaks the usual protocol over a
//! stream in memory.
//!
//! A local slave that was shut down (SLV-08) stays down until the shutdown is cancelled, because
//! nobody else could start it again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::doors::Doors;
use crate::buildslave::{self, Connector, Controls, Ended, Settings};
use crate::model::SlaveName;
use crate::net::{Door, Tasks};
use crate::process::Environment;

/// The slaves that run inside the master. Each works below `slaves/NAME` in the base directory.
#[derive(Debug)]
pub(super) struct Locals {
    running: BTreeMap<SlaveName, CancellationToken>,
    /// The slaves that are shutting down or down, and are to stay down.
    graceful: watch::Receiver<BTreeSet<SlaveName>>,
    tasks: Tasks,
    /// Seeds the generator of each slave.
    rng: StdRng,
}

impl Locals {
    /// No local slaves.
    pub(super) const fn new(
        tasks: Tasks,
        graceful: watch::Receiver<BTreeSet<SlaveName>>,
        rng: StdRng,
    ) -> Self {
        Self {
            running: BTreeMap::new(),
            graceful,
            tasks,
            rng,
        }
    }

    /// Starts the configured slaves that are not running, and stops the running slaves that are not
    /// configured.
    pub(super) fn set(&mut self, doors: &Doors) {
        self.running.retain(|name, stop| {
            let stays = doors.locals().contains_key(name);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for (name, password) in doors.locals() {
            if !self.running.contains_key(name) {
                let stop = self.start(name, password, doors.environment(), doors.local());
                self.running.insert(name.clone(), stop);
            }
        }
    }

    fn start(
        &mut self,
        name: &SlaveName,
        password: &str,
        environment: watch::Receiver<Arc<Environment>>,
        door: &Arc<Door>,
    ) -> CancellationToken {
        // Absolute, because the slave reports this path to the master and derives `builddir` from
        // it.
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let base_dir = here.join("slaves").join(name.as_str());
        let settings = Settings {
            environment,
            ..Settings::new(name.as_str(), password, base_dir)
        };
        let (streams, accepted) = mpsc::channel(1);
        let span = info_span!("local slave", slave = %name);
        self.tasks
            .spawn(span.clone(), accept(accepted, Arc::clone(door)));
        let stop = CancellationToken::new();
        let (ends, stopping) = (stop.clone(), self.tasks.stopping());
        let lives = live(
            settings,
            Connector::Memory(streams),
            stop.clone(),
            name.clone(),
            self.graceful.clone(),
            StdRng::from_rng(&mut self.rng),
        );
        self.tasks.spawn(span, async move {
            tokio::pin!(lives);
            tokio::select! {
                biased;
                () = &mut lives => {}
                () = stopping => {
                    ends.cancel();
                    // Dropping the slave kills its commands.
                    lives.await;
                }
            }
        });
        stop
    }
}

/// Runs a slave until `stop`. After a shutdown by the master, the slave starts again once the
/// shutdown is cancelled.
async fn live(
    settings: Settings,
    connector: Connector,
    stop: CancellationToken,
    name: SlaveName,
    mut graceful: watch::Receiver<BTreeSet<SlaveName>>,
    mut rng: StdRng,
) {
    loop {
        let controls = Controls {
            stop: stop.clone(),
            ..Controls::default()
        };
        let slave = (settings.clone(), connector.clone());
        let ended = buildslave::run(slave.0, slave.1, controls, &mut rng, drop).await;
        info!("local slave ended: {ended:?}");
        if ended == Ended::Stopped {
            return;
        }
        tokio::select! {
            biased;
            kept = graceful.wait_for(|all| !all.contains(&name)) => if kept.is_err() {
                return;
            },
            () = stop.cancelled() => return,
        }
    }
}

async fn accept(mut streams: mpsc::Receiver<DuplexStream>, door: Arc<Door>) {
    while let Some(stream) = streams.recv().await {
        door.accept(stream, "this process", None);
    }
}
