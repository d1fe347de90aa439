//! Slaves inside the master: the native slave over a stream in memory, speaking what every slave speaks.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tracing::{info, info_span};

use super::logins::Doors;
use crate::buildslave::{self, Connector, Controls, Settings};
use crate::net::{Door, Tasks};

/// Starts the slaves inside the master. Their work is below `slaves/NAME` in the base directory.
pub(super) fn start(doors: &Doors, tasks: &Tasks) {
    // Absolute, because it is what the slave tells of itself, and what `builddir` is made of.
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    for (name, password) in &doors.local_passwords {
        let base_dir = here.join("slaves").join(name.as_str());
        let settings = Settings::new(name.as_str(), password.as_str(), base_dir);
        let (streams, accepted) = mpsc::channel(1);
        let span = info_span!("local slave", slave = %name);
        tasks.spawn(span.clone(), accept(accepted, Arc::clone(&doors.local)));
        let controls = Controls::default();
        let stopping = tasks.stopping();
        tasks.spawn(span, async move {
            let stop = controls.stop.clone();
            let slave = buildslave::run(settings, Connector::Memory(streams), controls, drop);
            tokio::pin!(slave);
            tokio::select! {
                ended = &mut slave => info!("the local slave has ended: {ended:?}"),
                () = stopping => {
                    stop.cancel();
                    // It kills what it runs.
                    slave.await;
                }
            }
        });
    }
}

async fn accept(mut streams: mpsc::Receiver<DuplexStream>, door: Arc<Door>) {
    while let Some(stream) = streams.recv().await {
        door.accept(stream, "this process", None);
    }
}
