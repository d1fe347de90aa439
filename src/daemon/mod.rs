//! Composition: the tasks of a running master, its signals and its shutdown.
//!
//! [`run`] makes the parts, and `assembly` puts them together. The task of `engine` owns the core
//! and carries out its commands; it is the only place that reads a clock for the core. `sessions`
//! holds the connected slaves, `builds` the running builds, `instances` the instances of latent
//! slaves. `logins` serves clients that have logged in, `announce` writes events to the log, and
//! `pruning` removes old history.
//!
//! Invariants: the engine alone owns control state; other tasks send events to the engine over
//! bounded channels. Every task is spawned on the tracker and ends with the token. At a stop the
//! doors close first, then builds end, then the state is committed (PROMISES).

mod announce;
mod assembly;
mod bots;
mod builds;
mod checks;
mod doors;
mod engine;
mod exposure;
mod instances;
mod jobdirs;
mod keepalive;
mod local;
mod logins;
mod passwords;
mod people;
pub mod preflight;
mod pruning;
mod reconfigure;
mod runners;
mod searches;
mod sessions;
mod signals;
mod sources;
mod web_ports;
mod web_thread;
mod zone;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use self::assembly::{Daemon, Parts};
use self::web_thread::WebThread;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::socket;
use crate::daemonize::LogFile;
use crate::logs::LogStore;
use crate::model::{Ticket, Zone};
use crate::net::Tasks;
use crate::store::Store;

pub use exposure::exposed;
pub use preflight::{Holds, Site};
pub use reconfigure::{Load, rotation};
pub use zone::machine_zone;

/// Runs the master until it is told to stop. The base directory is the current directory. `load`
/// reads the configuration again on a reconfigure. `log` is the master's own log if that is a file.
/// `ready` is called with the listening addresses once the master is ready. Returns the deadline
/// for the end of the process.
///
/// # Errors
/// The master cannot start, for example because the state is in use, a password is missing or a
/// port is in use.
pub async fn run(
    config: Config,
    load: Load,
    log: Option<LogFile>,
    ready: impl FnOnce(&[String]),
) -> anyhow::Result<Instant> {
    let config = Arc::new(config);
    let clock = Clock::system();
    let basedir = Path::new(".");
    let jobdirs = jobdirs::open(&config)?;
    let (store, recovered) = Store::open(basedir)?;
    debug!(
        identity = recovered.state.identity,
        epoch = recovered.state.epoch,
        "state opened"
    );
    let again = recovered
        .open_builds
        .iter()
        .filter(|build| build.stop_reason.is_none());
    for build in again {
        info!(
            builder = %build.builder,
            build = build.number.0,
            "build interrupted by a kill of the master: building again"
        );
    }
    let (persisted, confirmed) = watch::channel(Ticket(0));
    let writer = store
        .start(Box::new(move |ticket| {
            persisted.send_replace(ticket);
        }))
        .context("cannot start the state writer")?;
    let tasks = Tasks::default();
    let daemon = Daemon::assemble(Parts {
        config,
        load,
        log,
        jobdirs,
        recovered,
        writer,
        confirmed,
        logs: LogStore::start(basedir.to_owned()).context("cannot start the log writer")?,
        clock,
        zone: machine_zone().unwrap_or(Zone::UTC),
        rng: StdRng::from_rng(&mut rand::rng()),
        wishes: signals::watch(&tasks).context("cannot watch for signals")?,
        socket: socket::listen().context("cannot open the control socket")?,
        web_thread: WebThread::start().context("cannot start the thread of the pages")?,
        tasks,
    })?;
    ready(daemon.addresses());
    info!(addresses = ?daemon.addresses(), "master started");
    let deadline = daemon.run().await;
    match std::fs::remove_file(socket::FILE) {
        Ok(()) => {}
        Err(error) => warn!("cannot remove {}: {error}", socket::FILE),
    }
    Ok(deadline.into_std())
}
