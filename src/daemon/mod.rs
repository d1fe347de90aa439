//! Composition: the tasks of a running master, its signals, its end.
//!
//! [`run`] puts the parts together. The task of `engine` owns the core and carries out its commands;
//! it is the only place that reads a clock for the core. `sessions` holds the connected slaves,
//! `builds` the running builds, `instances` those of latent slaves, `logins` says who may log in, `announce` writes events to the log,
//! `pruning` takes away what is old.
//!
//! Invariants: control state has one owner, the engine; others send it what happened over bounded
//! channels. Every task is spawned on the tracker and ends with the token. At a stop the doors
//! close first, then builds end, then the state is committed (PROMISES).

mod announce;
mod builds;
mod doors;
mod engine;
mod exposure;
mod instances;
mod jobdirs;
mod local;
mod logins;
mod passwords;
pub mod preflight;
mod pruning;
mod reconfigure;
mod sessions;
mod signals;
mod zone;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, info_span, warn};

use crate::botmaster::{BotMaster, STOP_TIME};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Control, Facts, Newsroom, socket};
use crate::daemonize::LogFile;
use crate::logs::LogStore;
use crate::model::Ticket;
use crate::net::{Gatekeeper, Tasks};
use crate::store::Store;

use doors::Doors;
use engine::Engine;
use pruning::Pruner;
use reconfigure::Reconfigurer;

pub use exposure::exposed;
pub use preflight::{Holds, Site};
pub use reconfigure::{Load, rotation};
pub use zone::machine_zone;

/// Questions that may wait for the core; more wait at their askers.
const QUESTIONS: usize = 1024;

/// How long the process may live after it was told to stop (PROMISES).
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// How long all may take that comes after the end of the core: tasks, the last commit, the runtime. None of them knows
/// how long the others take, so all have one deadline.
const END_TIME: Duration = Duration::from_millis(1_500);

/// What of that is kept for the last commit.
const COMMIT_TIME: Duration = Duration::from_millis(500);

const _: () = assert!(STOP_TIME.as_millis() + END_TIME.as_millis() < LONGEST_STOP.as_millis());

/// Runs the master in the current directory, its base directory, until it is told to stop.
/// `load` reads the configuration anew when it is to be taken again; `log` is the program's own log, if it is a file;
/// `ready` is called with the addresses it listens on when it is up. Returns by when the process is to end.
///
/// # Errors
/// It cannot start: the state is in use, a secret is missing, a port is taken.
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
    let (store, recovered) = Store::open(basedir, clock.now().wall)?;
    for (builder, number) in &recovered.interrupted {
        info!(%builder, build = number.0, "the master was killed while this build ran: it is built again");
    }
    let (persisted, confirmed) = watch::channel(Ticket(0));
    let writer = store
        .start(Box::new(move |ticket| {
            persisted.send_replace(ticket);
        }))
        .context("cannot start the writer of the state")?;
    let logs = LogStore::start(basedir.to_owned()).context("cannot start the writer of logs")?;

    let tracker = TaskTracker::new();
    let tasks = Tasks::new(tracker.clone(), CancellationToken::new());
    let gatekeeper = Gatekeeper::new(&recovered.known_logins);
    let core = BotMaster::new(Arc::clone(&config), recovered, rand::random(), clock.now());
    let newsroom = Newsroom::new();
    tasks.spawn(
        info_span!("mail"),
        crate::status::mail::run(newsroom.listen(), tasks.clone()),
    );
    let (ask, questions) = mpsc::channel(QUESTIONS);
    let (reconfigure, reconfigurations) = mpsc::channel(reconfigure::REQUESTS);
    let started_at = clock.now().wall;
    newsroom.change_facts(|facts| {
        *facts = Facts {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
            ..Facts::default()
        };
        facts.configure(&config, started_at);
    });
    let control = Control::new(
        ask,
        writer.clone(),
        newsroom.clone(),
        reconfigure.clone(),
        clock,
    );
    let (logged_in, to_take_in) = mpsc::channel(logins::LOGINS);
    let refusals = Arc::clone(gatekeeper.refusals());
    tasks.spawn(
        info_span!("refusals"),
        Arc::clone(&refusals).log_folded(tasks.clone()),
    );
    let mut doors = Doors::new(logged_in, gatekeeper, tasks.clone());
    let addresses = doors.commit(doors.prepare(&config)?);
    newsroom.set_listening(doors.addresses());
    newsroom.change_facts(|facts| facts.addresses.clone_from(&addresses));
    let access = doors.access();
    let (slaves, slave_logins) = mpsc::channel(logins::LOGINS);
    tasks.spawn(
        info_span!("logins"),
        logins::receive(
            to_take_in,
            slaves,
            doors.keepalives(),
            control.clone(),
            writer.clone(),
            Arc::clone(&refusals),
            tasks.clone(),
        ),
    );
    let listener = socket::listen().context("cannot open the control socket")?;
    tasks.spawn(
        info_span!("control"),
        socket::serve(listener, control.clone(), tasks.clone()),
    );
    let reconfigurer = Reconfigurer::new(config, load, doors, jobdirs, log, control, &tasks);
    let pruner = Pruner::new(writer.clone(), clock);
    let (horizons, news) = (reconfigurer.horizons(), newsroom.listen());
    tasks.spawn(
        info_span!("pruning"),
        pruning::run(pruner, horizons, news, tasks.clone()),
    );
    tasks.spawn(
        info_span!("reconfiguration"),
        reconfigurer.run(reconfigurations, tasks.clone()),
    );

    let mut engine = Engine::new(
        core,
        clock,
        writer.clone(),
        logs,
        engine::Channels {
            confirmed,
            questions,
            logins: slave_logins,
            access,
            refusals,
        },
        tasks.clone(),
        signals::Signals::new().context("cannot watch for signals")?,
        newsroom,
        reconfigure,
    );
    ready(&addresses);
    info!(?addresses, "the master is up");
    engine.run().await;

    let deadline = tokio::time::Instant::now() + END_TIME;
    tasks.stop();
    if tokio::time::timeout_at(deadline - COMMIT_TIME, tasks.finished())
        .await
        .is_err()
    {
        warn!(tasks = tracker.len(), "some tasks did not end in time");
    }
    drop(engine);
    if tokio::time::timeout_at(deadline, writer.close())
        .await
        .is_err()
    {
        error!(
            "the last writes to the state were not confirmed in time; what was acknowledged is on disk"
        );
    }
    match std::fs::remove_file(socket::FILE) {
        Ok(()) => {}
        Err(error) => warn!("cannot remove {}: {error}", socket::FILE),
    }
    info!("the master has stopped");
    Ok(deadline.into_std())
}
