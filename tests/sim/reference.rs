//! A small model of what the core must be doing, built from what goes in and what comes out alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use buildmaster::botmaster::{
    Ask, AttachmentState, BotMaster, BuildCommand, Command, Epoch, Event, Input, InstanceState,
    PingId, SessionId, SlaveCommand, SlaveInput,
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
    /// Slaves that are paused, and the last ping before that.
    paused: BTreeMap<SlaveName, PingId>,
    last_ping: PingId,
    /// What slaves ran when their `max_builds` was changed, or what is left of it.
    before_change: BTreeMap<SlaveName, u32>,
    stopping: bool,
    hastened: bool,
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
    /// When it was told to end its process.
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
            stopping: false,
            hastened: false,
        }
    }

    /// The master is about to take another configuration.
    pub fn reconfigure(&mut self, config: Arc<Config>, core: &BotMaster) {
        self.before_change = self.busy(core);
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

    /// Whether it gets no builds for a while, or is not even let in.
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
                // It is too late for one that was told to end.
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
                what: BuildCommand::Run { session, .. },
                ..
            } => {
                self.open(*session);
            }
            Command::Persist { ops, .. } => self.on_ops(ops),
            Command::Announce(event) => self.on_event(now, event),
            Command::Build { .. }
            | Command::Instance { .. }
            | Command::Reply { .. }
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

    /// All of an input's commands are out: the invariants hold.
    pub fn check(&mut self, now: Mono, core: &BotMaster) {
        self.check_attachments(now, core);
        self.check_max_builds(core);
        self.check_completeness();
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
            if one.state == (AttachmentState::Pinging { starting: true })
                && let State::Pinging(ping) = it.state
                && let Some(last) = self.paused.get(&one.slave)
                // A build that waited for its instance goes on.
                && !self.is_latent(&one.slave)
            {
                assert!(ping <= *last, "SLV-09: a build begins on {}", one.slave);
            }
        }
        for told in self.sessions.values().filter_map(|s| s.told) {
            assert!(now.since(told) <= Duration::from_secs(60), "SLV-08");
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

    /// SLV-10. What ran already when the limit was lowered goes on.
    fn check_max_builds(&mut self, core: &BotMaster) {
        let busy = self.busy(core);
        let of = |slave: &SlaveName| busy.get(slave).copied().unwrap_or(0);
        for (slave, allowed) in &mut self.before_change {
            *allowed = of(slave).min(*allowed);
        }
        for slave in &self.config.slaves {
            let allowed = self.before_change.get(&slave.name).copied().unwrap_or(0);
            let keeps = |max: u32| of(&slave.name) <= max.max(allowed);
            assert!(slave.max_builds.is_none_or(keeps), "max_builds");
        }
    }

    /// How many builds start or run on each slave.
    fn busy(&self, core: &BotMaster) -> BTreeMap<SlaveName, u32> {
        let mut builds = BTreeMap::new();
        for one in core.attachments() {
            if let AttachmentState::Building | AttachmentState::Pinging { starting: true } =
                one.state
            {
                *builds.entry(one.slave).or_default() += 1;
            }
        }
        for instance in core.instances() {
            *builds.entry(instance.slave).or_default() += u32::try_from(instance.waiting).unwrap();
        }
        builds
    }

    /// SLV-12: a slave that is connected and has answered has all its builders.
    fn check_completeness(&self) {
        for (&session, it) in &self.sessions {
            if !it.ready || it.listing || it.rejoining {
                continue;
            }
            for builder in &self.config.builders {
                let attached = self.attached.contains_key(&(session, builder.name.clone()));
                let failed = it.failed.contains(&builder.name);
                let wanted = builder.slaves.contains(&it.slave) && !failed;
                assert!(attached || !wanted, "{} lacks {}", it.slave, builder.name);
            }
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
        let ready = |(_, s): &(&SessionId, &Session)| {
            s.slave == *slave && s.ready && !s.graceful && !s.rejoining
        };
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
        let held = self.is_held(slave, now);
        let attachment = self.attached.get(&(session, builder.clone()));
        let idle = attachment.is_some_and(|a| a.state == State::Idle);
        let wanted = !held && !self.paused.contains_key(slave);
        idle && wanted && config.max_builds.is_none_or(|max| busy < max)
    }

    fn is_latent(&self, slave: &SlaveName) -> bool {
        let slave = self.config.slave(slave.as_str());
        slave.is_some_and(|slave| slave.kind.latent().is_some())
    }

    /// A latent slave of which there is nothing, and which is not held back.
    fn could_be_started(&self, now: Mono, slave: &SlaveName, core: &BotMaster) -> bool {
        let held = self.is_held(slave, now);
        let instances = core.instances();
        let instance = instances.iter().find(|i| i.slave == *slave);
        let down = instance.is_some_and(|i| i.state == InstanceState::Down);
        let connected = self.sessions.values().any(|s| s.slave == *slave);
        down && !connected && !held && !self.paused.contains_key(slave)
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
                Op::BuildFinished { build, .. } => {
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
            Event::SlaveHeldBack { slave, delay } => {
                self.held_until.insert(slave.clone(), now + *delay);
            }
            Event::FailedConnect { builder, slave, .. } => {
                let its = self.sessions.iter_mut();
                let mut greeted = its.filter(|(_, s)| s.slave == *slave && s.greeted);
                if let Some((&session, it)) = greeted.next() {
                    it.failed.insert(builder.clone());
                    self.attached.remove(&(session, builder.clone()));
                }
            }
            Event::SlaveRejoins { slave, .. } => {
                let mut its = self.sessions.values_mut();
                let it = its.find(|s| s.slave == *slave && s.greeted);
                it.expect("it is connected").rejoining = true;
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
