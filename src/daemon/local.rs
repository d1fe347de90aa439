//! Slaves inside the master: the native slave over a stream in memory, speaking what every slave speaks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::doors::Doors;
use crate::buildslave::{self, Connector, Controls, Environment, Settings};
use crate::model::SlaveName;
use crate::net::{Door, Tasks};

/// The slaves that run inside the master. Their work is below `slaves/NAME` in the base directory.
#[derive(Debug)]
pub(super) struct Locals {
    running: BTreeMap<SlaveName, CancellationToken>,
    tasks: Tasks,
}

impl Locals {
    /// None.
    pub(super) const fn new(tasks: Tasks) -> Self {
        Self {
            running: BTreeMap::new(),
            tasks,
        }
    }

    /// Starts those that are configured and do not run, and stops those that run and are not configured.
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
        &self,
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
        let controls = Controls::default();
        let stop = controls.stop.clone();
        let (ends, stopping) = (stop.clone(), self.tasks.stopping());
        self.tasks.spawn(span, async move {
            let slave = buildslave::run(settings, Connector::Memory(streams), controls, drop);
            tokio::pin!(slave);
            tokio::select! {
                ended = &mut slave => info!("the local slave has ended: {ended:?}"),
                () = stopping => {
                    ends.cancel();
                    // It kills what it runs.
                    slave.await;
                }
            }
        });
        stop
    }
}

async fn accept(mut streams: mpsc::Receiver<DuplexStream>, door: Arc<Door>) {
    while let Some(stream) = streams.recv().await {
        door.accept(stream, "this process", None);
    }
}
