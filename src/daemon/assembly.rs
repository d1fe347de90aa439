//! Assembles a master from its parts, runs it and shuts it down.
//!
//! The parts connect the master to the outside: the state, the logs, the clocks, the random
//! generator, signals and the control socket. The caller makes the parts and so decides where the
//! master runs. This file opens nothing but the ports of the configuration.

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
use super::logins::{Services, SlaveLogin};
use super::people;
use super::pruning::Pruner;
use super::reconfigure::{self, Load, Reconfigurer};
use super::signals::Wish;
use super::web_ports::WebPorts;
use super::web_thread::WebThread;
use super::{jobdirs, logins, pruning, searches};
use crate::botmaster::{BotMaster, STOP_TIME};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Control, Facts, Newsroom, OpenPort, Reconfigure, Topic, socket, tally};
use crate::daemonize::LogFile;
use crate::logs::LogStore;
use crate::model::{Recovered, Ticket, Zone};
use crate::net::{Gatekeeper, Login, Refusals, Tasks};
use crate::status::lookout::Lookout;
use crate::status::outbox::Outbox;
use crate::status::teller::Teller;
use crate::store::Writer;

/// The parts of a master.
pub(super) struct Parts {
    /// The configuration at the start.
    pub(super) config: Arc<Config>,
    /// Reads the configuration again.
    pub(super) load: Load,
    /// The master's own log, if it is a file.
    pub(super) log: Option<LogFile>,
    /// The job directories of the configuration.
    pub(super) jobdirs: jobdirs::Opened,
    /// What was recovered from the state.
    pub(super) recovered: Recovered,
    /// Writes the state.
    pub(super) writer: Writer,
    /// The newest ticket that is durable.
    pub(super) confirmed: watch::Receiver<Ticket>,
    /// Writes the logs of steps.
    pub(super) logs: LogStore,
    /// The clocks.
    pub(super) clock: Clock,
    /// The time zone for people.
    pub(super) zone: Zone,
    /// The random generator for everything but secrets.
    pub(super) rng: StdRng,
    /// The tracker of the tasks.
    pub(super) tasks: Tasks,
    /// The requests of signals.
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// The control socket.
    pub(super) socket: UnixListener,
    /// Where the pages are served.
    pub(super) web_thread: WebThread,
}

/// A master that is ready to run.
pub(super) struct Daemon {
    engine: Engine,
    addresses: Vec<String>,
    tasks: Tasks,
    writer: Writer,
    /// Until the tasks have ended, so that readers get the answers to what they have asked.
    web_thread: WebThread,
}

impl Daemon {
    /// Assembles a master, opens its ports and starts all its tasks except the core.
    ///
    /// # Errors
    /// A password is missing, or a port is in use.
    pub(super) fn assemble(parts: Parts) -> anyhow::Result<Self> {
        let Parts {
            config,
            writer,
            clock,
            mut rng,
            mut recovered,
            tasks,
            ..
        } = parts;
        let gatekeeper = Gatekeeper::new(&recovered.known_logins);
        let fingerprints = std::mem::take(&mut recovered.fingerprints);
        let (seed, newsroom) = (rng.random(), Newsroom::started_at(clock.wall()));
        let core = BotMaster::new(Arc::clone(&config), recovered, seed, clock.now());
        let (ask, questions) = mpsc::channel(QUESTIONS);
        let (logged_in, to_take_in) = mpsc::channel(logins::LOGINS);
        let (reconfigure, reconfigurations) = mpsc::channel(reconfigure::REQUESTS);
        let (in_force, configs) = watch::channel(Arc::clone(&config));
        let told = (newsroom.clone(), reconfigure.clone());
        let control = Control::new(ask, writer.clone(), told.0, told.1, configs, clock)
            .with_fingerprints(fingerprints);
        let refusals = Arc::clone(gatekeeper.refusals());
        let reading = tasks.on(parts.web_thread.runtime().clone());
        let mut web = WebPorts::of(&control, parts.zone, &parts.logs, &gatekeeper, reading);
        let mut doors = Doors::new(logged_in, gatekeeper, tasks.clone());
        let prepared = (doors.prepare(&config)?, web.prepare(&config)?);
        let ports = [doors.commit(prepared.0), web.commit(prepared.1)].concat();
        let addresses = tell_ports(&newsroom, &config, &clock, ports);
        let lookout = Lookout::default();
        let services = Services::new(&control, &writer, &parts.logs, &refusals, &lookout, &tasks);
        let slave_logins = start_logins(to_take_in, &doors, services, &tasks);
        start_control(parts.socket, &control, &in_force, &tasks);
        start_letters(&control, &writer, &in_force, parts.zone, &lookout, &tasks);
        let (access, rng) = (doors.access(), StdRng::from_rng(&mut rng));
        let (snapshots, measures) = (control.snapshots().clone(), control.measures().clone());
        let reconfigurer = Reconfigurer::new(
            in_force,
            parts.load,
            doors,
            web,
            parts.jobdirs,
            parts.log,
            control,
            rng,
            lookout.bots,
            &tasks,
        );
        let pruner = Pruner::new(writer.clone(), clock);
        let reconfiguring = (reconfigurer, reconfigurations);
        start_chores(&tasks, &newsroom, &refusals, pruner, reconfiguring);
        let channels = engine::Channels {
            confirmed: parts.confirmed,
            questions,
            logins: slave_logins,
            wishes: parts.wishes,
            access,
            refusals,
            snapshots,
            measures,
        };
        let engine = Engine::new(
            core,
            clock,
            writer.clone(),
            parts.logs,
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
            web_thread: parts.web_thread,
        })
    }

    /// The addresses that the master listens on.
    pub(super) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Runs the master until it has stopped. Returns the deadline for the end of the process.
    pub(super) async fn run(mut self) -> Instant {
        self.engine.run().await;

        let deadline = Instant::now() + END_TIME;
        self.tasks.stop();
        let in_time = timeout_at(deadline - COMMIT_TIME, self.tasks.finished()).await;
        if in_time.is_err() {
            let tasks = self.tasks.abort();
            warn!(tasks, "some tasks did not finish in time");
        }
        drop(self.web_thread);
        drop(self.engine);
        if timeout_at(deadline, self.writer.close()).await.is_err() {
            error!(
                "the last writes to the state were not confirmed in time; all acknowledged writes are on disk"
            );
        }
        info!("master stopped");
        deadline
    }
}

/// Starts the tasks that serve the control socket, count what happens, and look people up.
fn start_control(
    listener: UnixListener,
    control: &Control,
    in_force: &watch::Sender<Arc<Config>>,
    tasks: &Tasks,
) {
    let serving = socket::serve(listener, control.clone(), tasks.clone());
    tasks.spawn(info_span!("control"), serving);
    tally::start(control, tasks);
    let looking = people::run(control.clone(), in_force.subscribe(), tasks.clone());
    tasks.spawn(info_span!("people"), looking);
    let searching = searches::run(control.clone(), tasks.clone());
    tasks.spawn(info_span!("searches"), searching);
}

/// Starts what writes letters about problems, and what sends letters.
fn start_letters(
    control: &Control,
    writer: &Writer,
    in_force: &watch::Sender<Arc<Config>>,
    zone: Zone,
    lookout: &Lookout,
    tasks: &Tasks,
) {
    start_outbox(control, writer, in_force.subscribe(), lookout, tasks);
    let teller = Teller {
        writer: writer.clone(),
        clock: *control.clock(),
        config: in_force.subscribe(),
        written: Arc::clone(control.letters_changed()),
        zone,
        lookout: lookout.clone(),
    };
    let news = control.newsroom().subscribe_to(Topic::Letters);
    tasks.spawn(info_span!("teller"), teller.run(news, tasks.clone()));
}

/// Starts what sends letters.
fn start_outbox(
    control: &Control,
    writer: &Writer,
    config: watch::Receiver<Arc<Config>>,
    lookout: &Lookout,
    tasks: &Tasks,
) {
    let outbox = Outbox {
        writer: writer.clone(),
        clock: *control.clock(),
        config,
        changed: Arc::clone(control.letters_changed()),
        measures: Arc::clone(control.measures()),
        lookout: lookout.clone(),
        control: control.clone(),
    };
    let news = control.newsroom().subscribe_to(Topic::Letters);
    tasks.spawn(info_span!("outbox"), outbox.run(news, tasks.clone()));
}

/// Starts the task that takes in logins. Returns the logins of slaves.
fn start_logins(
    to_take_in: mpsc::Receiver<Login>,
    doors: &Doors,
    services: Services,
    tasks: &Tasks,
) -> mpsc::Receiver<SlaveLogin> {
    let (slaves, slave_logins) = mpsc::channel(logins::LOGINS);
    let receiving = logins::receive(to_take_in, slaves, doors.keepalives(), services);
    tasks.spawn(info_span!("logins"), receiving);
    slave_logins
}

/// Starts the background tasks beside the core.
fn start_chores(
    tasks: &Tasks,
    newsroom: &Newsroom,
    refusals: &Arc<Refusals>,
    pruner: Pruner,
    (reconfigurer, reconfigurations): (Reconfigurer, mpsc::Receiver<Reconfigure>),
) {
    let config = || reconfigurer.config();
    let folding = Arc::clone(refusals).log_folded(tasks.clone());
    tasks.spawn(info_span!("refusals"), folding);
    let pruning = pruning::run(
        pruner,
        config(),
        newsroom.subscribe_to(Topic::Events),
        tasks.clone(),
    );
    tasks.spawn(info_span!("pruning"), pruning);
    let reconfiguring = reconfigurer.run(reconfigurations, tasks.clone());
    tasks.spawn(info_span!("reconfiguration"), reconfiguring);
}

/// Tells where the master listens. Gives the addresses.
fn tell_ports(
    newsroom: &Newsroom,
    config: &Config,
    clock: &Clock,
    ports: Vec<OpenPort>,
) -> Vec<String> {
    let addresses = ports.iter().map(|port| port.bound.clone()).collect();
    newsroom.change_facts(|facts| *facts = first_facts(config, clock, ports));
    addresses
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

/// Maximum number of queued questions to the core; further questions wait at their senders.
const QUESTIONS: usize = 1024;

/// Time limit from the stop request to the end of the process (PROMISES).
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// Time limit for everything after the end of the core: tasks, the last commit, the runtime. They
/// share one deadline.
const END_TIME: Duration = Duration::from_millis(1_500);

/// The part of that time that is reserved for the last commit.
const COMMIT_TIME: Duration = Duration::from_millis(500);

const _: () = assert!(STOP_TIME.as_millis() + END_TIME.as_millis() < LONGEST_STOP.as_millis());
