//! A small model of what the core must be doing, built from what goes in and what comes out alone.

mod check;
mod checks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use buildmaster::botmaster::{
    Ask, BotMaster, BuildCommand, BuilderEvent, Command, Epoch, Event, Input, MasterEvent, PingId,
    SessionId, SlaveCommand, SlaveEvent, SlaveInput,
};
use buildmaster::config::Config;
use buildmaster::model::journal::BuildFinish;
use buildmaster::model::{BigState, BuildId, BuilderName, Mono, Op, SlaveName};
use checks::Checks;

/// What is known of slaves and their builders.
#[derive(Debug)]
pub struct Reference {
    config: Arc<Config>,
    pub sessions: BTreeMap<SessionId, Session>,
    attached: BTreeMap<(SessionId, BuilderName), Attachment>,
    held_until: BTreeMap<SlaveName, Mono>,
    states: BTreeMap<BuilderName, BigState>,
    /// Slaves that are paused, and the last ping before that.
    paused: BTreeMap<SlaveName, PingId>,
    last_ping: PingId,
    /// What slaves ran when their `max_builds` was changed, or what is left of it.
    before_change: BTreeMap<SlaveName, u32>,
    before_change_of: BTreeMap<BuilderName, u32>,
    stopping: bool,
    hastened: bool,
    /// When another configuration came, under which builds may have begun to start before.
    reconfigured: Option<Mono>,
    checks: Checks,
}

/// For so long a build may go on to start that was chosen under an earlier configuration.
const SETTLED: Duration = Duration::from_secs(3600);

/// A connection that the core has not dropped.
#[derive(Debug)]
pub struct Session {
    pub slave: SlaveName,
    pub since: Mono,
    /// The core has begun with it.
    pub greeted: bool,
    pub ready: bool,
    graceful: bool,
    /// When it was told to shut down.
    told: Option<Mono>,
    /// It is to end when its builds have, since something about its builders went wrong.
    rejoining: bool,
    /// Builders that could not be attached, until they are tried again.
    failed: BTreeSet<BuilderName>,
    /// The builders that it was told last, and whether it has not answered that yet.
    listed: BTreeSet<BuilderName>,
    listing: bool,
}

#[derive(Debug)]
struct Attachment {
    epoch: Epoch,
    since: Mono,
    greeting: bool,
    state: State,
    beside: BTreeSet<PingId>,
    /// The builder has no use for the slave any more (BRC-05).
    leaving: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Attaching,
    Idle,
    Pinging(PingId),
    Starting,
    Building(BuildId),
}

impl Reference {
    /// A master that begins; these slaves are paused.
    pub fn new(config: Arc<Config>, paused: impl Iterator<Item = SlaveName>) -> Self {
        Self {
            config,
            sessions: BTreeMap::new(),
            attached: BTreeMap::new(),
            held_until: BTreeMap::new(),
            states: BTreeMap::new(),
            paused: paused.map(|slave| (slave, PingId(0))).collect(),
            last_ping: PingId(0),
            before_change: BTreeMap::new(),
            before_change_of: BTreeMap::new(),
            stopping: false,
            hastened: false,
            reconfigured: None,
            checks: Checks::default(),
        }
    }

    /// The master is about to take another configuration.
    pub fn reconfigure(&mut self, now: Mono, config: Arc<Config>, core: &BotMaster) {
        self.reconfigured = Some(now);
        self.before_change = self.busy(core);
        self.before_change_of = Self::busy_builders(core);
        self.config = config;
        let mut attached = std::mem::take(&mut self.attached);
        attached.retain(|(session, builder), it| {
            let wanted = self.wants(builder, &self.sessions[session].slave);
            it.leaving = !wanted && matches!(it.state, State::Building(_));
            wanted || it.leaving
        });
        self.attached = attached;
        // What comes back is told again.
        let mut sessions = std::mem::take(&mut self.sessions);
        for it in sessions.values_mut() {
            it.listed.retain(|builder| self.wants(builder, &it.slave));
            it.failed.retain(|builder| self.wants(builder, &it.slave));
        }
        self.sessions = sessions;
    }

    /// Whether builds of `builder` may run on `slave`.
    fn wants(&self, builder: &BuilderName, slave: &SlaveName) -> bool {
        let mut builders = self.config.builders.iter();
        let its = builders.find(|b| b.name == *builder);
        its.is_some_and(|b| b.slaves.contains(slave))
            && self.config.slaves.iter().any(|s| s.name == *slave)
    }

    fn is_configured(&self, slave: &SlaveName) -> bool {
        self.config.slaves.iter().any(|s| s.name == *slave)
    }

    /// Whether the slave gets no builds for a while, or is not even accepted.
    pub fn is_held(&self, slave: &SlaveName, now: Mono) -> bool {
        self.held_until.get(slave).is_some_and(|&until| now < until)
    }

    /// Whether people keep it from builds.
    pub fn is_paused(&self, slave: &SlaveName) -> bool {
        self.paused.contains_key(slave)
    }

    /// Whether this is the ping with which a build begins, or may.
    pub fn is_pinged(&self, session: SessionId, builder: &BuilderName, ping: PingId) -> bool {
        let it = self.attached.get(&(session, builder.clone()));
        it.is_some_and(|a| a.state == State::Pinging(ping))
    }

    /// Whether the end has begun and cannot be put off.
    pub const fn is_hastened(&self) -> bool {
        self.hastened
    }

    /// The end has begun, or nearly.
    pub const fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// An input is about to be handled.
    pub fn on_input(&mut self, now: Mono, input: &Input) {
        match input {
            Input::Slave { session, what } => self.on_slave_input(now, *session, what),
            Input::Asked { ask, .. } => self.on_asked(ask),
            Input::Checked { check, answer } => {
                let (sessions, attached) = (&self.sessions, &self.attached);
                self.checks.answer(*check, answer, |(builder, slave)| {
                    attached.iter().any(|((session, its), it)| {
                        its == builder
                            && it.state == State::Idle
                            && sessions[session].slave == *slave
                    })
                });
            }
            Input::Shutdown { clean } => {
                self.stopping = true;
                self.hastened |= !clean;
            }
            _ => {}
        }
    }

    fn on_slave_input(&mut self, now: Mono, session: SessionId, input: &SlaveInput) {
        match input {
            SlaveInput::LoggedIn { slave, .. } => {
                let known = Session {
                    slave: slave.clone(),
                    since: now,
                    greeted: false,
                    ready: false,
                    graceful: false,
                    told: None,
                    rejoining: false,
                    failed: BTreeSet::new(),
                    listed: BTreeSet::new(),
                    listing: false,
                };
                self.sessions.insert(session, known);
            }
            SlaveInput::BuilderGreeted {
                builder,
                epoch,
                ok: true,
            } => self.with(session, builder, |a| {
                if a.epoch == *epoch && a.state == State::Attaching && a.greeting {
                    a.state = State::Idle;
                }
            }),
            SlaveInput::PingAnswered {
                builder,
                ping,
                ok: true,
            } => self.with(session, builder, |a| {
                if a.state == State::Pinging(*ping) {
                    a.state = State::Idle;
                }
                a.beside.remove(ping);
            }),
            SlaveInput::BuildStartAnswered { builder, epoch, .. } => {
                self.with(session, builder, |a| {
                    if a.epoch == *epoch && a.state == State::Starting {
                        a.state = State::Idle;
                    }
                })
            }
            SlaveInput::Lost { .. } => self.forget(session),
            SlaveInput::WantsShutdown => {
                if let Some(it) = self.sessions.get_mut(&session) {
                    it.graceful = it.greeted;
                }
            }
            SlaveInput::BuilderListAnswered { .. } => {
                if let Some(it) = self.sessions.get_mut(&session) {
                    it.listing = false;
                }
            }
            _ => {}
        }
    }

    fn on_asked(&mut self, ask: &Ask) {
        match ask {
            Ask::Graceful {
                slave,
                cancel: false,
            } => {
                let its = |s: &&mut Session| s.slave == *slave && s.greeted;
                if let Some(it) = self.sessions.values_mut().find(its) {
                    it.graceful = self.config.slaves.iter().any(|s| s.name == *slave);
                }
            }
            Ask::Graceful {
                slave,
                cancel: true,
            } if self.is_configured(slave) => {
                let its = |s: &&mut Session| s.slave == *slave && s.greeted;
                // A slave that was told to shut down cannot be resumed.
                if let Some(it) = self.sessions.values_mut().find(its) {
                    it.graceful &= it.told.is_some();
                }
            }
            Ask::Pause { slave, .. } if self.is_configured(slave) => {
                let last = self.last_ping;
                self.paused.entry(slave.clone()).or_insert(last);
            }
            Ask::Unpause { slave } if self.is_configured(slave) => {
                self.paused.remove(slave);
            }
            _ => {}
        }
    }

    /// A command has come out.
    pub fn on_command(&mut self, now: Mono, command: &Command) {
        match command {
            Command::Slave { session, what } => self.on_slave_command(now, *session, what),
            Command::Build {
                what: BuildCommand::Run { session, plan },
                ..
            } => {
                self.open(*session);
                let is_settled = self.reconfigured.is_none_or(|at| now.since(at) > SETTLED);
                let rule = &plan.builder.slave_rules.slave_if;
                let is_of_rel = plan.stamps.first().branch.as_deref() == Some("rel");
                assert!(
                    !is_settled || rule.is_none() || !is_of_rel || plan.slave.as_str() != "s0",
                    "CFL-130: a slave takes what it may not"
                );
                let passed = self.checks.has_passed(&plan.builder.name, &plan.slave);
                assert!(
                    !is_settled || plan.builder.slave_check.is_none() || passed,
                    "a slave takes what its check refuses"
                );
            }
            Command::Check { check, what } => self.checks.ask(*check, what),
            Command::Persist { ops, .. } => self.on_ops(ops),
            Command::Announce(event) => self.on_event(now, event),
            Command::Build { .. }
            | Command::Instance { .. }
            | Command::Reply { .. }
            | Command::Unexpected { .. }
            | Command::Exit => {}
        }
    }

    fn on_slave_command(&mut self, now: Mono, session: SessionId, command: &SlaveCommand) {
        match command {
            SlaveCommand::Greet => {
                let slave = self.open(session).slave.clone();
                let other = self
                    .sessions
                    .iter()
                    .any(|(id, s)| id != &session && s.slave == slave && s.greeted);
                assert!(!other, "two connections of {slave}");
                self.open(session).greeted = true;
            }
            SlaveCommand::CheckAlive => assert!(self.open(session).greeted),
            SlaveCommand::SendBuilderList { builders } => {
                let it = self.open(session);
                assert!(it.greeted && !it.listing);
                it.listing = true;
                it.listed = builders.iter().map(|(name, _)| name.clone()).collect();
                it.failed.retain(|builder| !it.listed.contains(builder));
            }
            SlaveCommand::Drop { .. } => {
                assert!(self.sessions.contains_key(&session), "dropped twice");
                self.forget(session);
            }
            SlaveCommand::CompleteLogin => self.complete(session),
            SlaveCommand::SetMaster { builder, epoch } => {
                self.open(session);
                let attachment = Attachment {
                    epoch: *epoch,
                    since: now,
                    greeting: false,
                    state: State::Attaching,
                    beside: BTreeSet::new(),
                    leaving: false,
                };
                let old = self.attached.insert((session, builder.clone()), attachment);
                assert!(old.is_none(), "attached twice");
            }
            SlaveCommand::GreetBuilder { builder, .. } => {
                self.sure(session, builder).greeting = true
            }
            SlaveCommand::Ping { builder, ping } => {
                self.last_ping = self.last_ping.max(*ping);
                let it = self.sure(session, builder);
                match it.state {
                    State::Attaching | State::Pinging(_) => panic!("no ping is due"),
                    State::Idle => it.state = State::Pinging(*ping),
                    State::Starting | State::Building(_) => {
                        it.beside.insert(*ping);
                    }
                }
            }
            SlaveCommand::StartBuild { builder, .. } => {
                assert!(!self.stopping);
                let it = self.sure(session, builder);
                assert_eq!(it.state, State::Idle, "startBuild right after the pong");
                it.state = State::Starting;
            }
            SlaveCommand::Shutdown => {
                let it = self.open(session);
                assert!(it.graceful, "nobody asked for it");
                it.ready = false;
                it.told = Some(now);
            }
        }
    }

    fn complete(&mut self, session: SessionId) {
        let (slave, listed, failed) = {
            let it = self.open(session);
            (it.slave.clone(), it.listed.clone(), it.failed.clone())
        };
        for builder in &self.config.builders {
            let its = self.attached.get(&(session, builder.name.clone()));
            let attached = its.is_some_and(|a| a.state != State::Attaching);
            // What came while it was attached follows with another list.
            let due = listed.contains(&builder.name) && !failed.contains(&builder.name);
            assert!(
                attached || !due || !builder.slaves.contains(&slave),
                "SLV-03: login answered before all is attached"
            );
        }
        self.open(session).ready = true;
    }

    fn on_ops(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::BuildStarted(start) => {
                    let its = self.attached.iter_mut().find(|((session, builder), _)| {
                        *builder == start.builder && self.sessions[session].slave == start.slave
                    });
                    let (_, it) = its.expect("the slave of a build that starts");
                    assert_eq!(it.state, State::Idle);
                    it.state = State::Building(start.build);
                }
                Op::BuildFinished(BuildFinish { build, .. }) => {
                    let ended = State::Building(*build);
                    self.attached
                        .retain(|_, it| it.state != ended || !it.leaving);
                    for it in self.attached.values_mut() {
                        if it.state == ended {
                            it.state = State::Idle;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn on_event(&mut self, now: Mono, event: &Event) {
        match event {
            Event::Slave(SlaveEvent::HeldBack { slave, delay }) => {
                self.held_until.insert(slave.clone(), now + *delay);
            }
            Event::Builder(BuilderEvent::FailedConnect { builder, slave, .. }) => {
                let its = self.sessions.iter_mut();
                let mut greeted = its.filter(|(_, s)| s.slave == *slave && s.greeted);
                if let Some((&session, it)) = greeted.next() {
                    it.failed.insert(builder.clone());
                    self.attached.remove(&(session, builder.clone()));
                }
            }
            Event::Slave(SlaveEvent::Rejoins { slave, .. }) => {
                let mut its = self.sessions.values_mut();
                let it = its.find(|s| s.slave == *slave && s.greeted);
                it.expect("it is connected").rejoining = true;
            }
            Event::Builder(BuilderEvent::State { builder, state }) => {
                let old = self.states.insert(builder.clone(), *state);
                assert_ne!(old, Some(*state), "announced without a change");
            }
            Event::Master(MasterEvent::ShuttingDown { .. }) => self.stopping = true,
            Event::Master(MasterEvent::ShutdownCancelled) => self.stopping = false,
            _ => {}
        }
    }

    fn open(&mut self, session: SessionId) -> &mut Session {
        self.sessions
            .get_mut(&session)
            .expect("commands go to open connections")
    }

    fn sure(&mut self, session: SessionId, builder: &BuilderName) -> &mut Attachment {
        self.attached
            .get_mut(&(session, builder.clone()))
            .expect("commands go to attachments")
    }

    fn with(&mut self, session: SessionId, builder: &BuilderName, f: impl FnOnce(&mut Attachment)) {
        if let Some(it) = self.attached.get_mut(&(session, builder.clone())) {
            f(it);
        }
    }

    fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.attached.retain(|(its, _), _| *its != session);
    }
}
