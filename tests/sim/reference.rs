//! A small model of what the core must be doing, built from what goes in and what comes out alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use buildmaster::botmaster::{
    AttachmentState, BotMaster, Command, Epoch, Event, Input, InstanceState, PingId, SessionId,
};
use buildmaster::config::Config;
use buildmaster::model::{BuildId, BuilderName, Mono, Op, SlaveName};

/// What is known of slaves and their builders.
#[derive(Debug)]
pub struct Reference {
    config: Arc<Config>,
    pub sessions: BTreeMap<SessionId, Session>,
    attached: BTreeMap<(SessionId, BuilderName), Attachment>,
    held_until: BTreeMap<SlaveName, Mono>,
    states: BTreeMap<BuilderName, &'static str>,
    stopping: bool,
}

/// A connection that the core has not dropped.
#[derive(Debug)]
pub struct Session {
    pub slave: SlaveName,
    pub since: Mono,
    /// The core has begun with it.
    pub greeted: bool,
    pub ready: bool,
    graceful: bool,
}

#[derive(Debug)]
struct Attachment {
    epoch: Epoch,
    since: Mono,
    greeting: bool,
    state: State,
    beside: BTreeSet<PingId>,
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
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            sessions: BTreeMap::new(),
            attached: BTreeMap::new(),
            held_until: BTreeMap::new(),
            states: BTreeMap::new(),
            stopping: false,
        }
    }

    /// The end has begun, or nearly.
    pub const fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// An input is about to be handled.
    pub fn on_input(&mut self, now: Mono, input: &Input) {
        match input {
            Input::SlaveLoggedIn { slave, session, .. } => {
                let known = Session {
                    slave: slave.clone(),
                    since: now,
                    greeted: false,
                    ready: false,
                    graceful: false,
                };
                self.sessions.insert(*session, known);
            }
            Input::Greeted {
                session,
                builder,
                epoch,
                ok: true,
            } => self.with(*session, builder, |a| {
                if a.epoch == *epoch && a.state == State::Attaching && a.greeting {
                    a.state = State::Idle;
                }
            }),
            Input::PingAnswered {
                session,
                builder,
                ping,
                ok: true,
            } => self.with(*session, builder, |a| {
                if a.state == State::Pinging(*ping) {
                    a.state = State::Idle;
                }
                a.beside.remove(ping);
            }),
            Input::BuildStartAnswered {
                session,
                builder,
                epoch,
                ..
            } => self.with(*session, builder, |a| {
                if a.epoch == *epoch && a.state == State::Starting {
                    a.state = State::Idle;
                }
            }),
            Input::SlaveLost { session, .. } => self.forget(*session),
            Input::SlaveWantsShutdown { session } => {
                if let Some(it) = self.sessions.get_mut(session) {
                    it.graceful = it.greeted;
                }
            }
            Input::Shutdown { .. } => self.stopping = true,
            _ => {}
        }
    }

    /// A command has come out.
    pub fn on_command(&mut self, now: Mono, command: &Command) {
        match command {
            Command::Greet { session } => {
                let slave = self.open(*session).slave.clone();
                let other = self
                    .sessions
                    .iter()
                    .any(|(id, s)| id != session && s.slave == slave && s.greeted);
                assert!(!other, "two connections of {slave}");
                self.open(*session).greeted = true;
            }
            Command::PingSlave { session } | Command::SendBuilderList { session, .. } => {
                assert!(self.open(*session).greeted);
            }
            Command::DropSlave { session, .. } => {
                assert!(self.sessions.contains_key(session), "dropped twice");
                self.forget(*session);
            }
            Command::CompleteLogin { session } => self.complete(*session),
            Command::SetMaster {
                session,
                builder,
                epoch,
            } => {
                self.open(*session);
                let attachment = Attachment {
                    epoch: *epoch,
                    since: now,
                    greeting: false,
                    state: State::Attaching,
                    beside: BTreeSet::new(),
                };
                let old = self
                    .attached
                    .insert((*session, builder.clone()), attachment);
                assert!(old.is_none(), "attached twice");
            }
            Command::GreetBuilder {
                session, builder, ..
            } => self.sure(*session, builder).greeting = true,
            Command::Ping {
                session,
                builder,
                ping,
            } => {
                let it = self.sure(*session, builder);
                match it.state {
                    State::Attaching | State::Pinging(_) => panic!("no ping is due"),
                    State::Idle => it.state = State::Pinging(*ping),
                    State::Starting | State::Building(_) => {
                        it.beside.insert(*ping);
                    }
                }
            }
            Command::StartBuild {
                session, builder, ..
            } => {
                assert!(!self.stopping);
                let it = self.sure(*session, builder);
                assert_eq!(it.state, State::Idle, "startBuild right after the pong");
                it.state = State::Starting;
            }
            Command::ShutdownSlave { session } => {
                let it = self.open(*session);
                assert!(it.graceful, "nobody asked for it");
                it.ready = false;
            }
            Command::Persist { ops, .. } => self.on_ops(ops),
            Command::Announce(event) => self.on_event(now, event),
            Command::RunBuild { session, .. } => {
                self.open(*session);
            }
            Command::Reply { .. }
            | Command::GrantLocks { .. }
            | Command::InterruptBuild { .. }
            | Command::SlaveGone { .. }
            | Command::StartInstance { .. }
            | Command::StopInstance { .. }
            | Command::Exit => {}
        }
    }

    /// All of an input's commands are out: the invariants hold.
    pub fn check(&self, now: Mono, core: &BotMaster) {
        self.check_attachments(now, core);
        for builder in &self.config.builders {
            self.check_big_state(core, &builder.name);
            if !self.stopping && core.queue_length(&builder.name) > 0 {
                for slave in &builder.slaves {
                    assert!(
                        !(self.could_start(now, slave, &builder.name)
                            || self.could_be_started(now, slave, core))
                            || !core.slave_lock_blocks(slave).is_empty(),
                        "BLD-07: {} could start on {slave}",
                        builder.name
                    );
                }
            }
        }
    }

    /// Whether a build is being started somewhere, so that its requests are not in sight.
    pub fn is_starting(&self, core: &BotMaster) -> bool {
        let starting =
            |s: &AttachmentState| matches!(s, AttachmentState::Pinging { starting: true });
        core.attachments().iter().any(|a| starting(&a.state))
            || core.instances().iter().any(|i| i.waiting > 0)
            || self.attached.values().any(|a| a.state == State::Starting)
    }

    /// SLB-01 (a), (b), (c).
    fn check_attachments(&self, now: Mono, core: &BotMaster) {
        let seen = core.attachments();
        assert_eq!(seen.len(), self.attached.len(), "SLB-01 (a)");
        let mut builds: BTreeMap<&SlaveName, u32> = BTreeMap::new();
        for one in &seen {
            let it = &self.attached[&(one.session, one.builder.clone())];
            let expected = match it.state {
                State::Attaching => AttachmentState::Attaching,
                State::Idle => AttachmentState::Idle,
                State::Pinging(_) => match one.state {
                    pinging @ AttachmentState::Pinging { .. } => pinging,
                    _ => AttachmentState::Pinging { starting: true },
                },
                State::Starting | State::Building(_) => AttachmentState::Building,
            };
            assert_eq!(one.state, expected, "SLB-01 (a): {one:?} {it:?}");
            if it.state == State::Attaching {
                assert!(
                    now.since(it.since) <= self.config.attach_timeout,
                    "SLB-01 (b)"
                );
            }
            if let AttachmentState::Building | AttachmentState::Pinging { starting: true } =
                one.state
            {
                *builds.entry(&one.slave).or_default() += 1;
            }
        }
        for slave in &self.config.slaves {
            let instances = core.instances();
            let instance = instances.iter().find(|i| i.slave == slave.name);
            let waiting = instance.map_or(0, |i| u32::try_from(i.waiting).unwrap());
            let busy = builds.get(&slave.name).copied().unwrap_or(0) + waiting;
            assert!(slave.max_builds.is_none_or(|max| busy <= max), "max_builds");
        }
        for session in self
            .sessions
            .values()
            .filter(|s| s.greeted && !s.ready && !s.graceful)
        {
            assert!(
                now.since(session.since) <= Duration::from_secs(130),
                "SLV-03"
            );
        }
    }

    /// BLD-13.
    fn check_big_state(&self, core: &BotMaster, builder: &BuilderName) {
        assert_eq!(core.big_state(builder), self.states.get(builder).copied());
        let mut its = self.attached.iter().filter(|((_, b), _)| b == builder);
        let attached = its.any(|(_, a)| a.state != State::Attaching);
        let config = self.config.builder(builder.as_str()).unwrap();
        let latent = config.slaves.iter().any(|slave| self.is_latent(slave));
        assert_eq!(
            core.big_state(builder) == Some("offline"),
            !attached && !latent
        );
    }

    /// BLD-04, from outside.
    fn could_start(&self, now: Mono, slave: &SlaveName, builder: &BuilderName) -> bool {
        let ready = |(_, s): &(&SessionId, &Session)| s.slave == *slave && s.ready && !s.graceful;
        let Some((&session, _)) = self.sessions.iter().find(ready) else {
            return false;
        };
        let config = self
            .config
            .slaves
            .iter()
            .find(|s| s.name == *slave)
            .unwrap();
        let its = self.attached.iter().filter(|((s, _), _)| *s == session);
        let busy = its.filter(|(_, a)| !matches!(a.state, State::Idle | State::Attaching));
        let busy = u32::try_from(busy.count()).unwrap();
        let held = self.held_until.get(slave).is_some_and(|&until| now < until);
        let attachment = &self.attached[&(session, builder.clone())];
        attachment.state == State::Idle && !held && config.max_builds.is_none_or(|max| busy < max)
    }

    fn is_latent(&self, slave: &SlaveName) -> bool {
        let slave = self.config.slave(slave.as_str()).unwrap();
        slave.kind.latent().is_some()
    }

    /// A latent slave of which there is nothing, and which is not held back.
    fn could_be_started(&self, now: Mono, slave: &SlaveName, core: &BotMaster) -> bool {
        let held = self.held_until.get(slave).is_some_and(|&until| now < until);
        let instances = core.instances();
        let instance = instances.iter().find(|i| i.slave == *slave);
        let down = instance.is_some_and(|i| i.state == InstanceState::Down);
        let connected = self.sessions.values().any(|s| s.slave == *slave);
        down && !connected && !held
    }

    fn complete(&mut self, session: SessionId) {
        let slave = self.open(session).slave.clone();
        for builder in &self.config.builders {
            let its = self.attached.get(&(session, builder.name.clone()));
            let attached = its.is_some_and(|a| a.state != State::Attaching);
            assert_eq!(
                attached,
                builder.slaves.contains(&slave),
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
                Op::BuildFinished { build, .. } => {
                    for it in self.attached.values_mut() {
                        if it.state == State::Building(*build) {
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
            Event::SlaveHeldBack { slave, delay } => {
                self.held_until.insert(slave.clone(), now + *delay);
            }
            Event::BuilderState { builder, state } => {
                let old = self.states.insert(builder.clone(), state);
                assert_ne!(old, Some(*state), "announced without a change");
            }
            Event::ShuttingDown { .. } => self.stopping = true,
            Event::ShutdownCancelled => self.stopping = false,
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
