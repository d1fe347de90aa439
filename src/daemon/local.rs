//! Slaves inside the master: the native slave over a stream in memory, speaking what every slave
//! speaks.
//!
//! One that was told to end (SLV-08) stays down until that is taken back: nobody else could start
//! it again.

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

/// The slaves that run inside the master. Their work is below `slaves/NAME` in the base directory.
#[derive(Debug)]
pub(super) struct Locals {
    running: BTreeMap<SlaveName, CancellationToken>,
    /// Those that are to end, or have, and are to stay down.
    graceful: watch::Receiver<BTreeSet<SlaveName>>,
    tasks: Tasks,
    /// Gives each slave a generator of its own.
    rng: StdRng,
}

impl Locals {
    /// None.
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

    /// Starts those that are configured and do not run, and stops those that run and are not
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
        // Absolute, because it is what the slave tells of itself, and what `builddir` is made of.
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
                    // It kills what it runs.
                    lives.await;
                }
            }
        });
        stop
    }
}

/// Runs a slave until `stop`; one that was told to end by the master begins again when it is not to
/// end any more.
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
        info!("the local slave has ended: {ended:?}");
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
