//! The world around the core: slaves that answer, or not; a disk; builds; people; the end of power.

mod asking;
mod checks;
mod cloud;
mod end;
mod locks;
mod order;
mod reconfiguring;
mod rest;
pub mod rows;
mod searching;
mod shell;
mod timed;
mod triggering;
mod trying;
mod waits;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use buildmaster::botmaster::{
    BotMaster, BuildInput, BuildOutcome, CheckId, Input, ReplyId, SessionId, SlaveInput,
};
use buildmaster::config::Config;
use buildmaster::model::{
    AdmittedOffer, BuildId, BuilderName, ChangeNumber, Mono, NewChange, Now, Op, Properties,
    Results, SlaveName, Ticket, Timestamp,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::journal::Journal;
use crate::reference::Reference;
use crate::setup;
use asking::Asked;
use cloud::Cloud;
use locks::{Hold, LockSide};
use reconfiguring::Quiet;
pub use searching::Search;
use searching::Searching;
use timed::Clocks;
use triggering::TriggerSide;
use trying::Tried;
pub use trying::takes_jobs;
use waits::Waits;

/// One history.
#[derive(Debug)]
pub struct World {
    rng: StdRng,
    config: Arc<Config>,
    /// All configurations that were in force.
    versions: Vec<Arc<Config>>,
    /// What must hear nothing of a reconfiguration.
    quiet: Quiet,
    core: BotMaster,
    now: Now,
    reference: Reference,
    disk: Journal,
    /// Handed in, not written.
    unwritten: VecDeque<(Option<Ticket>, Vec<Op>)>,
    /// What is on disk is about to be confirmed; timers that are due come before that.
    confirming: bool,
    /// What slaves could answer.
    owed: Vec<(SessionId, SlaveInput)>,
    builds: BTreeMap<BuildId, RunningBuild>,
    waiting: BTreeSet<ReplyId>,
    asked: BTreeMap<ReplyId, Asked>,
    /// What was answered with an error.
    refused: BTreeSet<ReplyId>,
    unpaused: u32,
    /// Which configuration was in force when a change came.
    change_replies: BTreeMap<ReplyId, usize>,
    accepted: BTreeMap<ChangeNumber, usize>,
    /// What attachments hold of their slaves' locks when a build begins on them.
    begun: BTreeMap<(SessionId, BuilderName), Hold>,
    /// The configuration at which a build has chosen a latent slave that is being started.
    substantiating: BTreeMap<(SlaveName, BuilderName), Arc<Config>>,
    /// The same where the slave has come.
    substantiated: BTreeMap<(SlaveName, BuilderName), Arc<Config>>,
    clocks: Clocks,
    waits: Waits,
    /// Instances of latent slaves; a crash does not end them.
    cloud: Cloud,
    /// Programs that were asked about slaves and have not answered.
    checks: Vec<CheckId>,
    tried: BTreeMap<ReplyId, Tried>,
    /// Try jobs whose senders were told of their set.
    taken: BTreeSet<String>,
    searching: Searching,
    /// Whether the last input was of a slave or the disk, or the end of a build.
    hears_slaves: bool,
    exited: bool,
    /// How much more may happen after the history.
    disturbances: u32,
    last_id: u64,
    trace: Option<DefaultHasher>,
    verbose: bool,
}

#[derive(Debug)]
struct RunningBuild {
    locks: LockSide,
    triggers: TriggerSide,
    interrupted: Option<String>,
    lost: bool,
}

impl RunningBuild {
    /// Whether it waits for nothing.
    fn is_free(&self) -> bool {
        !self.locks.waits() && !self.triggers.waits()
    }
}

impl World {
    pub fn new(seed: u64, tracing: bool, verbose: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let config = Arc::new(setup::config(&mut rng));
        let now = Now {
            mono: Mono(Duration::from_secs(1000)),
            wall: Timestamp::from_secs(1_000_000),
        };
        let disk = Journal::default();
        let clocks = Clocks::new(&config, now);
        let core = BotMaster::new(Arc::clone(&config), disk.recover(), seed, now);
        let mut world = Self {
            rng,
            reference: Reference::new(Arc::clone(&config), std::iter::empty()),
            versions: vec![Arc::clone(&config)],
            quiet: Quiet::Nobody,
            config,
            core,
            now,
            disk,
            unwritten: VecDeque::new(),
            confirming: false,
            owed: Vec::new(),
            builds: BTreeMap::new(),
            waiting: BTreeSet::new(),
            asked: BTreeMap::new(),
            refused: BTreeSet::new(),
            unpaused: 0,
            change_replies: BTreeMap::new(),
            accepted: BTreeMap::new(),
            begun: BTreeMap::new(),
            substantiating: BTreeMap::new(),
            substantiated: BTreeMap::new(),
            clocks,
            waits: Waits::default(),
            cloud: Cloud::default(),
            checks: Vec::new(),
            tried: BTreeMap::new(),
            taken: BTreeSet::new(),
            searching: Searching::default(),
            hears_slaves: false,
            exited: false,
            disturbances: 0,
            last_id: 0,
            trace: tracing.then(DefaultHasher::new),
            verbose,
        };
        world.drain();
        world
    }

    /// Runs the history to its end and to rest; answers with a digest of all commands.
    pub fn run(mut self) -> u64 {
        for _ in 0..self.rng.random_range(40..160) {
            self.step();
        }
        self.rest();
        self.check_end();
        self.close_cloud();
        self.trace.map_or(0, |t| t.finish())
    }

    fn step(&mut self) {
        if !self.checks.is_empty() && self.rng.random_bool(0.3) {
            self.answer_of_check();
        }
        match self.rng.random_range(0..121) {
            0..26 => self.answer(),
            26..30 => self.answer_of_cloud(),
            30..35 => self.move_locks(),
            35..42 => self.submit_change(),
            42..45 => self.submit_try(),
            45..54 => self.log_in(),
            54..57 => self.lose_slave(),
            57..70 => self.write_some(),
            70..78 => self.end_build(),
            78..90 => self.pass_time(),
            90..92 => self.cancel(),
            92..94 => self.stop(),
            94..95 => self.ping(),
            95..96 => self.slave_wants_shutdown(),
            96..97 if self.rng.random_bool(0.5) => self.set_clock(),
            96..97 => self.repeat_an_answer(),
            97..98 => self.shut_down(),
            98..99 => self.cancel_shutdown(),
            99..100 => self.crash(),
            100..102 => self.reconfigure(),
            102..104 => self.move_people(),
            106..112 => self.trigger(),
            112..113 => self.end_related(),
            113..115 => self.begin_search(),
            115..120 => drop(self.move_searches()),
            120..121 => self.stop_search(),
            _ => self.force(),
        }
        if self.exited && self.rng.random_bool(0.2) {
            self.restart();
        }
    }

    fn answer(&mut self) {
        if self.owed.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.owed.len());
        let (session, mut input) = self.owed.remove(at);
        if self.rng.random_bool(0.08) {
            spoil(&mut input);
        }
        let silent = !matches!(input, SlaveInput::Lost { .. });
        if silent && self.rng.random_bool(0.03) {
            return;
        }
        if self.reference.sessions.contains_key(&session) || self.rng.random_bool(0.3) {
            self.input(input.of(session));
        }
    }

    fn repeat_an_answer(&mut self) {
        if let Some(at) = self.pick(self.owed.len()) {
            let (session, input) = self.owed[at].clone();
            self.input(input.of(session));
        }
    }

    fn submit_change(&mut self) {
        let reply = self.new_reply();
        let when = self.when();
        let repository = ["", "one", "two"][self.rng.random_range(0..3)].to_owned();
        let important = self.rng.random_bool(0.7);
        let file = if important { setup::IMPORTANT } else { "doc" };
        let change = NewChange {
            who: "w".to_owned(),
            files: vec![file.to_owned()],
            branch: setup::branch(&mut self.rng),
            when,
            repository,
            ..NewChange::default()
        };
        self.change_replies.insert(reply, self.versions.len() - 1);
        self.input(Input::Offered {
            offer: Box::new(AdmittedOffer::of_one(change)),
            reply,
        });
    }

    fn log_in(&mut self) {
        let at = self.rng.random_range(0..self.config.slaves.len());
        let slave = self.config.slaves[at].name.clone();
        self.log_in_as(slave);
    }

    fn log_in_as(&mut self, slave: SlaveName) {
        self.last_id += 1;
        let session = SessionId(self.last_id);
        let address = "here".to_owned();
        self.input(SlaveInput::LoggedIn { slave, address }.of(session));
    }

    fn some_session(&mut self) -> Option<SessionId> {
        let at = self.pick(self.reference.sessions.len())?;
        self.reference.sessions.keys().nth(at).copied()
    }

    fn lose_slave(&mut self) {
        if let Some(session) = self.some_session() {
            let why = "gone".to_owned();
            self.input(SlaveInput::Lost { why }.of(session));
        }
    }

    fn slave_wants_shutdown(&mut self) {
        if let Some(session) = self.some_session() {
            self.input(SlaveInput::WantsShutdown.of(session));
        }
    }

    fn write_some(&mut self) {
        let count = self.rng.random_range(0..=self.unwritten.len());
        self.write(count);
    }

    fn write(&mut self, count: usize) {
        let mut last = None;
        for ticket in self.write_out(count) {
            last = ticket.or(last);
        }
        if let Some(ticket) = last {
            self.confirming = true;
            self.input(Input::Persisted(ticket));
        }
    }

    fn end_build(&mut self) {
        let Some(at) = self.pick(self.builds.len()) else {
            return;
        };
        let (&build, it) = self.builds.iter().nth(at).unwrap();
        if it.locks.waits() || it.triggers.waits() {
            return;
        }
        let results = [
            Results::Success,
            Results::Success,
            Results::Warnings,
            Results::Failure,
            Results::Exception,
            Results::Retry,
        ];
        let result = results[self.rng.random_range(0..results.len())];
        let abandoned = self.rng.random_bool(0.05);
        self.finish(build, result, abandoned);
    }

    fn finish(&mut self, build: BuildId, result: Results, abandoned_command: bool) {
        let it = self.builds.remove(&build).unwrap();
        let result = match (&it.interrupted, it.lost) {
            (_, true) => Results::Retry,
            (Some(_), false) => Results::Exception,
            (None, false) => self.truth(build, result),
        };
        let outcome = BuildOutcome {
            result,
            text: vec![result.as_str().to_owned()],
            stop_reason: it.interrupted,
            properties: Properties::new(),
            took: BTreeMap::new(),
            abandoned_command,
        };
        self.input(BuildInput::Finished { outcome }.of(build));
    }

    fn pass_time(&mut self) {
        let millis = match self.rng.random_range(0..5) {
            0 => 0,
            1 => 500,
            2 => self.rng.random_range(0..12_000),
            3 => self.rng.random_range(0..70_000),
            _ => {
                self.pass_to_timeout();
                return;
            }
        };
        let until = self.now.mono + Duration::from_millis(millis);
        while let Some(at) = self.core.poll_timeout().filter(|&at| at <= until) {
            self.advance(at.since(self.now.mono));
        }
        self.advance(until.since(self.now.mono));
    }

    fn pass_to_timeout(&mut self) {
        if let Some(at) = self.core.poll_timeout() {
            self.advance(at.since(self.now.mono));
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now = Now {
            mono: self.now.mono + by,
            wall: self.now.wall + by,
        };
        self.core.handle_timeout(self.now);
        self.drain();
    }

    fn shut_down(&mut self) {
        let clean = self.rng.random_bool(0.6);
        self.input(Input::Shutdown { clean });
    }

    /// Power goes: of what was not confirmed some is on disk.
    fn crash(&mut self) {
        let count = self.rng.random_range(0..=self.unwritten.len());
        self.write_out(count);
        self.begin_again();
    }

    /// After an orderly exit everything handed in is on disk.
    fn restart(&mut self) {
        self.write_out(self.unwritten.len());
        self.begin_again();
    }

    /// Writes the oldest of what was handed in.
    fn write_out(&mut self, count: usize) -> Vec<Option<Ticket>> {
        let mut tickets = Vec::with_capacity(count);
        for (ticket, ops) in self.unwritten.drain(..count) {
            self.clocks.on_written(&ops);
            self.disk.apply(ops);
            tickets.push(ticket);
        }
        tickets
    }

    fn begin_again(&mut self) {
        self.unwritten.clear();
        self.owed.clear();
        self.checks.clear();
        self.cloud.forget_answers();
        self.builds.clear();
        self.waiting.clear();
        self.exited = false;
        self.advance_clock_only();
        let seed = self.rng.random_range(0..u64::MAX);
        let config = Arc::clone(&self.config);
        let paused = self.disk.paused.keys().cloned();
        self.reference = Reference::new(Arc::clone(&config), paused);
        self.begun.clear();
        self.substantiating.clear();
        self.substantiated.clear();
        self.asked.clear();
        self.searching.begin();
        self.core = BotMaster::new(config, self.disk.recover(), seed, self.now);
        self.clocks.begin(self.now);
        self.waits.begin(self.now.mono);
        self.tell("--- begins again");
        self.drain();
    }

    fn advance_clock_only(&mut self) {
        let by = Duration::from_millis(self.rng.random_range(0..5000));
        self.now = Now {
            mono: self.now.mono + by,
            wall: self.now.wall + by,
        };
    }

    fn let_timers_fire(&mut self) {
        let due = |at: Mono| at <= self.now.mono;
        if self.core.poll_timeout().is_some_and(due) {
            self.advance(Duration::ZERO);
        }
    }

    fn input(&mut self, input: Input) {
        self.let_timers_fire();
        if self.verbose {
            self.tell(&format!("> {input:?}"));
        }
        self.confirming = false;
        self.hears_slaves = matches!(
            input,
            Input::Slave { .. }
                | Input::Persisted(_)
                | Input::Build {
                    what: BuildInput::Finished { .. },
                    ..
                }
        );
        self.reference.on_input(self.now.mono, &input);
        self.core.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(command) = self.core.next_command() {
            if self.verbose || self.trace.is_some() {
                let text = format!("  {command:?}");
                self.tell(&text);
            }
            self.quiet.check(&command);
            self.reference.on_command(self.now.mono, &command);
            self.obey(command);
        }
        if !self.exited {
            let waited_for = self.waited_for();
            self.reference.check(self.now.mono, &self.core, &waited_for);
            self.check_searches();
            self.cloud.check(&self.disk);
            self.check_requests();
            self.check_order();
            self.check_left_sets();
        }
        let running = !self.exited && !self.reference.is_stopping();
        self.clocks.check(self.now, running);
        self.waits
            .check(self.now.mono, running, &self.core, &self.config);
    }

    /// SLB-01 (e): an open request that is on disk is queued, or in a build.
    fn check_requests(&self) {
        let mut queued = BTreeSet::new();
        // Those that were removed may come back.
        let all = self.versions.iter().flat_map(|c| &c.builders);
        for builder in all.map(|b| &b.name).collect::<BTreeSet<_>>() {
            for request in self.core.queued(builder) {
                assert!(queued.insert(request), "request {request} is queued twice");
            }
        }
        let in_flight = self.confirming || !self.unwritten.is_empty();
        if in_flight || self.reference.is_starting(&self.core) {
            return;
        }
        for (id, request) in &self.disk.requests {
            let here = queued.contains(id);
            let elsewhere = request.finished.is_some() || request.build.is_some();
            assert!(here != elsewhere, "SLB-01 (e): request {id} {request:?}");
        }
    }

    fn owe(&mut self, session: SessionId, input: SlaveInput) {
        self.owed.push((session, input));
    }

    fn new_reply(&mut self) -> ReplyId {
        self.last_id += 1;
        let reply = ReplyId(self.last_id);
        self.waiting.insert(reply);
        reply
    }

    fn pick(&mut self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.rng.random_range(0..count))
    }

    fn tell(&mut self, text: &str) {
        if let Some(trace) = &mut self.trace {
            text.hash(trace);
        }
        if self.verbose {
            eprintln!("{:?} {text}", self.now.mono.0);
        }
    }
}

/// Turns a good answer into a bad one.
fn spoil(input: &mut SlaveInput) {
    match input {
        SlaveInput::AliveChecked { alive } => *alive = false,
        SlaveInput::BuilderListAnswered { result } => match result {
            Ok(names) if names.len() > 1 => {
                names.pop();
            }
            _ => *result = Err("no".to_owned()),
        },
        SlaveInput::MasterSet { ok, .. }
        | SlaveInput::BuilderGreeted { ok, .. }
        | SlaveInput::PingAnswered { ok, .. } => *ok = false,
        SlaveInput::BuildStartAnswered { ok, .. } => *ok = Err("no".to_owned()),
        _ => {}
    }
}
