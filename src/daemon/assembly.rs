//! A master is put together from its parts, runs, and ends.
//!
//! The parts are what reaches outside: the state, the logs, the clocks, chance, signals, the
//! control socket. Who makes them decides where the master runs; nothing here opens anything but
//! the ports of the configuration.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, info_span, warn};

use super::doors::Doors;
use super::engine::{self, Engine};
use super::pruning::Pruner;
use super::reconfigure::{self, Load, Reconfigurer};
use super::signals::Wish;
use super::{jobdirs, logins, pruning};
use crate::botmaster::{BotMaster, STOP_TIME};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Control, Facts, Newsroom, OpenPort, socket};
use crate::daemonize::LogFile;
use crate::logs::LogStore;
use crate::model::{Recovered, Ticket};
use crate::net::{Gatekeeper, Refusals, Tasks};
use crate::status;
use crate::store::Writer;

/// What a master is put together from.
pub(super) struct Parts {
    /// The configuration that it starts with.
    pub(super) config: Arc<Config>,
    /// Reads another one.
    pub(super) load: Load,
    /// The program's own log, if it is a file.
    pub(super) log: Option<LogFile>,
    /// The job directories of the configuration.
    pub(super) jobdirs: jobdirs::Opened,
    /// What the state knew.
    pub(super) recovered: Recovered,
    /// Writes the state.
    pub(super) writer: Writer,
    /// Up to which ticket the state is durable.
    pub(super) confirmed: watch::Receiver<Ticket>,
    /// Writes the logs of steps.
    pub(super) logs: LogStore,
    /// The clocks.
    pub(super) clock: Clock,
    /// Everything that is left to chance, except secrets.
    pub(super) rng: StdRng,
    /// Where its tasks run.
    pub(super) tasks: Tasks,
    /// What signals ask for.
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// The control socket.
    pub(super) socket: UnixListener,
}

/// A master that is ready to run.
pub(super) struct Daemon {
    engine: Engine,
    addresses: Vec<String>,
    tasks: Tasks,
    writer: Writer,
}

impl Daemon {
    /// Puts a master together and starts all its tasks but that of the core. Its ports are open.
    ///
    /// # Errors
    /// A secret is missing, or a port is taken.
    pub(super) fn assemble(parts: Parts) -> anyhow::Result<Self> {
        let Parts {
            config,
            load,
            log,
            jobdirs,
            recovered,
            writer,
            confirmed,
            logs,
            clock,
            mut rng,
            tasks,
            wishes,
            socket,
        } = parts;
        let gatekeeper = Gatekeeper::new(&recovered.known_logins);
        let core = BotMaster::new(Arc::clone(&config), recovered, rng.random(), clock.now());
        let newsroom = Newsroom::started_at(clock.wall());
        let (ask, questions) = mpsc::channel(QUESTIONS);
        let (reconfigure, reconfigurations) = mpsc::channel(reconfigure::REQUESTS);
        let control = Control::new(
            ask,
            writer.clone(),
            newsroom.clone(),
            reconfigure.clone(),
            clock,
        );
        let refusals = Arc::clone(gatekeeper.refusals());
        let (logged_in, to_take_in) = mpsc::channel(logins::LOGINS);
        let mut doors = Doors::new(logged_in, gatekeeper, tasks.clone());
        let ports = doors.commit(doors.prepare(&config)?);
        let addresses = ports.iter().map(|port| port.bound.clone()).collect();
        newsroom.change_facts(|facts| *facts = first_facts(&config, &clock, ports));
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
        tasks.spawn(
            info_span!("control"),
            socket::serve(socket, control.clone(), tasks.clone()),
        );
        let rng = StdRng::from_rng(&mut rng);
        let snapshots = control.snapshots().clone();
        let reconfigurer =
            Reconfigurer::new(config, load, doors, jobdirs, log, control, rng, &tasks);
        let pruner = Pruner::new(writer.clone(), clock);
        start_chores(&tasks, &newsroom, &refusals, pruner, &reconfigurer);
        tasks.spawn(
            info_span!("reconfiguration"),
            reconfigurer.run(reconfigurations, tasks.clone()),
        );
        let channels = engine::Channels {
            confirmed,
            questions,
            logins: slave_logins,
            wishes,
            access,
            refusals,
            snapshots,
        };
        let engine = Engine::new(
            core,
            clock,
            writer.clone(),
            logs,
            channels,
            tasks.clone(),
            newsroom,
            reconfigure,
        );
        Ok(Self {
            engine,
            addresses,
            tasks,
            writer,
        })
    }

    /// Where it listens.
    pub(super) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Runs until it is told to stop and has stopped. Returns by when the process is to end.
    pub(super) async fn run(mut self) -> Instant {
        self.engine.run().await;

        let deadline = Instant::now() + END_TIME;
        self.tasks.stop();
        let in_time = timeout_at(deadline - COMMIT_TIME, self.tasks.finished()).await;
        if in_time.is_err() {
            let tasks = self.tasks.abort();
            warn!(tasks, "some tasks did not end in time");
        }
        drop(self.engine);
        if timeout_at(deadline, self.writer.close()).await.is_err() {
            error!(
                "the last writes to the state were not confirmed in time; what was acknowledged is on disk"
            );
        }
        info!("the master has stopped");
        deadline
    }
}

/// Starts what works by itself beside the core.
fn start_chores(
    tasks: &Tasks,
    newsroom: &Newsroom,
    refusals: &Arc<Refusals>,
    pruner: Pruner,
    reconfigurer: &Reconfigurer,
) {
    let config = || reconfigurer.config();
    let mail = status::mail::run(newsroom.subscribe(), config(), tasks.clone());
    tasks.spawn(info_span!("mail"), mail);
    let folding = Arc::clone(refusals).log_folded(tasks.clone());
    tasks.spawn(info_span!("refusals"), folding);
    let pruning = pruning::run(pruner, config(), newsroom.subscribe(), tasks.clone());
    tasks.spawn(info_span!("pruning"), pruning);
}

fn first_facts(config: &Config, clock: &Clock, ports: Vec<OpenPort>) -> Facts {
    let started_at = clock.wall();
    let mut facts = Facts {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        ports,
        ..Facts::default()
    };
    facts.configure(config, started_at);
    facts
}

/// Questions that may wait for the core; more wait at their askers.
const QUESTIONS: usize = 1024;

/// How long the process may live after it was told to stop (PROMISES).
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// How long all may take that comes after the end of the core: tasks, the last commit, the runtime.
/// None of them knows how long the others take, so all have one deadline.
const END_TIME: Duration = Duration::from_millis(1_500);

/// What of that is kept for the last commit.
const COMMIT_TIME: Duration = Duration::from_millis(500);

const _: () = assert!(STOP_TIME.as_millis() + END_TIME.as_millis() < LONGEST_STOP.as_millis());
