//! The core from outside: inputs in, commands out.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at what it is about"
)]

mod absence;
mod building;
mod checking;
mod choosing;
mod conditions;
mod expecting;
mod forcing;
mod foresight;
mod interrupting;
mod latent;
mod listing;
mod live;
mod locks;
mod points;
mod properties;
mod reconfiguration;
mod rules;
mod scale;
mod scheduling;
mod searching;
mod short;
mod slaves;
mod stopping;
mod triggering;
mod trying;
mod why;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub(super) use self::latent::latent_config;
use self::short::short;
use super::buildset::OpenSets;
use super::testing::outcome;
use super::*;
use crate::config::{
    BuilderConfig, FactoryConfig, MergeRule, Merging, SchedulerConfig, SchedulerKind,
    SingleBranchConfig, SlaveChoice, SlaveConfig, SlaveKind,
};
use crate::model::{
    AdmittedOffer, BuildId, BuilderName, NewChange, Op, Properties, RequestId, Results, Ticket,
    Timestamp,
};

/// A core with slaves, builders that name them, and for each builder a scheduler that builds each
/// change on the branch of the builder's name there; "all" builds on all of them.
struct Harness {
    core: BotMaster,
    config: Arc<Config>,
    now: Now,
    sessions: u64,
    replies: u64,
    /// What has come out and was not looked at yet.
    out: VecDeque<Command>,
    /// The last ticket that was asked for.
    ticket: Ticket,
}

/// A configuration of `builders`, each with the names of its slaves.
pub(super) fn config(builders: &[(&str, &[&str])]) -> Config {
    let mut slaves: Vec<&str> = builders.iter().flat_map(|b| b.1.iter().copied()).collect();
    slaves.sort_unstable();
    slaves.dedup();
    let all: Vec<BuilderName> = builders.iter().map(|b| b.0.into()).collect();
    let mut schedulers: Vec<_> = builders
        .iter()
        .map(|b| scheduler(b.0, vec![b.0.into()]))
        .collect();
    schedulers.push(scheduler("all", all));
    Config {
        slaves: slaves.into_iter().map(slave).collect(),
        builders: builders.iter().map(|b| builder(b.0, b.1)).collect(),
        schedulers,
        choose_slaves: SlaveChoice::First,
        ..Config::default()
    }
}

fn slave(name: &str) -> Arc<SlaveConfig> {
    Arc::new(SlaveConfig {
        name: name.into(),
        ..SlaveConfig::default()
    })
}

fn builder(name: &str, slaves: &[&str]) -> Arc<BuilderConfig> {
    Arc::new(BuilderConfig {
        slaves: slaves.iter().map(|&s| s.into()).collect(),
        merging: Merging {
            rule: MergeRule::Never,
            ..Merging::default()
        },
        factory: Arc::new(FactoryConfig {
            name: "f".to_owned(),
            ..FactoryConfig::default()
        }),
        ..BuilderConfig::named(name)
    })
}

fn scheduler(name: &str, builders: Vec<BuilderName>) -> Arc<SchedulerConfig> {
    Arc::new(SchedulerConfig {
        name: name.into(),
        builders,
        kind: SchedulerKind::Scheduler(SingleBranchConfig {
            branch: Some(name.to_owned()),
            ..SingleBranchConfig::default()
        }),
        ..SchedulerConfig::default()
    })
}

/// Lets the configuration of a slave be changed.
fn slave_of(config: &mut Config, at: usize) -> &mut SlaveConfig {
    Arc::make_mut(&mut config.slaves[at])
}

/// Lets the configuration of a builder be changed.
fn builder_of(config: &mut Config, at: usize) -> &mut BuilderConfig {
    Arc::make_mut(&mut config.builders[at])
}

impl Harness {
    fn new(config: Config) -> Self {
        Self::recovered(config, Recovered::default())
    }

    fn recovered(config: Config, recovered: Recovered) -> Self {
        let config = Arc::new(config);
        let now = Now {
            mono: Mono(Duration::from_secs(1000)),
            wall: Timestamp::from_secs(1_000_000),
        };
        let mut harness = Self {
            core: BotMaster::new(Arc::clone(&config), recovered, 1, now),
            config,
            now,
            sessions: 0,
            replies: 0,
            out: VecDeque::new(),
            ticket: Ticket(0),
        };
        harness.drain();
        harness
    }

    fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(command) = self.core.next_command() {
            if let Command::Persist {
                ticket: Some(ticket),
                ..
            } = command
            {
                assert_eq!(ticket, self.ticket.next(), "tickets come in order");
                self.ticket = ticket;
            }
            self.out.push_back(command);
        }
    }

    /// Lets time pass, with every timer at its time.
    fn pass(&mut self, secs: u64) {
        let until = self.now.mono + Duration::from_secs(secs);
        while let Some(at) = self.core.poll_timeout().filter(|&at| at <= until) {
            self.advance(at.since(self.now.mono));
        }
        self.advance(until.since(self.now.mono));
    }

    fn advance(&mut self, by: Duration) {
        self.now.mono = self.now.mono + by;
        self.now.wall = self.now.wall + by;
        self.core.handle_timeout(self.now);
        self.drain();
    }

    /// Everything that was handed in is on disk.
    fn persisted(&mut self) {
        self.input(Input::Persisted(self.ticket));
    }

    fn new_reply(&mut self) -> ReplyId {
        self.replies += 1;
        ReplyId(self.replies)
    }

    fn cancel_shutdown(&mut self) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::CancelShutdown,
            reply,
        });
    }

    /// A change on `branch`, durable at once.
    fn change(&mut self, branch: &str) {
        self.submit(branch);
        self.persisted();
    }

    fn submit(&mut self, branch: &str) {
        let reply = self.new_reply();
        let change = NewChange {
            branch: Some(branch.to_owned()),
            ..NewChange::default()
        };
        self.input(Input::Offered {
            offer: Box::new(AdmittedOffer::of_one(change)),
            reply,
        });
    }

    fn log_in(&mut self, slave: &str) -> SessionId {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        self.input(
            SlaveInput::LoggedIn {
                slave: slave.into(),
                address: "here".to_owned(),
            }
            .of(session),
        );
        session
    }

    fn describe(&mut self, session: SessionId) {
        self.describe_as(session, "/home/s", "posix");
    }

    fn describe_as(&mut self, session: SessionId, basedir: &str, system: &str) {
        let info = [("basedir", basedir), ("system", system)];
        let info = info.map(|(k, v)| (k.to_owned(), v.to_owned()));
        self.input(
            SlaveInput::Described {
                info: Arc::new(info.into()),
            }
            .of(session),
        );
    }

    /// Attaches a slave to all its builders.
    fn attach(&mut self, slave: &str) -> SessionId {
        let session = self.log_in(slave);
        self.finish_attach(session);
        session
    }

    fn finish_attach(&mut self, session: SessionId) {
        self.finish_attach_of(session, "/home/s", "posix");
    }

    fn finish_attach_of(&mut self, session: SessionId, basedir: &str, system: &str) {
        self.describe_as(session, basedir, system);
        let builders = self.config.builders.iter().map(|b| b.name.clone());
        let builders = builders.collect();
        self.attach_builders(session, builders);
    }

    /// Answers a list with these builders, and attaches those that are new.
    fn attach_builders(&mut self, session: SessionId, builders: Vec<BuilderName>) {
        let result = Ok(builders);
        self.input(SlaveInput::BuilderListAnswered { result }.of(session));
        for (builder, epoch) in self.attachments_of(session) {
            let (again, ok) = (builder.clone(), true);
            self.input(SlaveInput::MasterSet { builder, epoch, ok }.of(session));
            self.input(
                SlaveInput::BuilderGreeted {
                    builder: again,
                    epoch,
                    ok,
                }
                .of(session),
            );
        }
    }

    fn attachments_of(&self, session: SessionId) -> Vec<(BuilderName, Epoch)> {
        let slave = self.core.roster.slave_of(session);
        let epochs = slave.map(|slave| self.core.roster.epochs(slave));
        let epochs = epochs.into_iter().flatten();
        epochs
            .map(|(builder, epoch)| (self.core.out.layout.builder_name(builder), epoch))
            .collect()
    }

    /// The oldest outstanding ping.
    fn take_ping(&mut self) -> Option<(SessionId, BuilderName, PingId)> {
        let at = self.out.iter().position(is_ping)?;
        match self.out.remove(at) {
            Some(Command::Slave {
                session,
                what: SlaveCommand::Ping { builder, ping },
            }) => Some((session, builder, ping)),
            _ => None,
        }
    }

    /// Answers the oldest ping.
    fn pong(&mut self, ok: bool) {
        let (session, builder, ping) = self.take_ping().expect("somebody is pinged");
        self.input(SlaveInput::PingAnswered { builder, ping, ok }.of(session));
    }

    /// Answers the oldest startBuild.
    fn started(&mut self, ok: Result<(), String>) {
        let is_start = |c: &Command| {
            matches!(
                c,
                Command::Slave {
                    what: SlaveCommand::StartBuild { .. },
                    ..
                }
            )
        };
        let at = self
            .out
            .iter()
            .position(is_start)
            .expect("somebody is asked");
        if let Some(Command::Slave {
            session,
            what: SlaveCommand::StartBuild { builder, epoch },
        }) = self.out.remove(at)
        {
            self.input(SlaveInput::BuildStartAnswered { builder, epoch, ok }.of(session));
        }
    }

    /// Lets a build begin for which a slave is pinged; answers with its plan.
    fn run(&mut self) -> Box<BuildPlan> {
        self.pong(true);
        self.started(Ok(()));
        self.persisted();
        self.take_run().expect("the build runs")
    }

    fn take_run(&mut self) -> Option<Box<BuildPlan>> {
        let is_run = |c: &Command| {
            matches!(
                c,
                Command::Build {
                    what: BuildCommand::Run { .. },
                    ..
                }
            )
        };
        let at = self.out.iter().position(is_run)?;
        match self.out.remove(at) {
            Some(Command::Build {
                what: BuildCommand::Run { plan, .. },
                ..
            }) => Some(plan),
            _ => None,
        }
    }

    fn finish(&mut self, build: BuildId, result: Results, stop_reason: Option<&str>) {
        let outcome = outcome(result, stop_reason);
        self.input(BuildInput::Finished { outcome }.of(build));
        self.persisted();
    }

    fn queued(&self, builder: &str) -> Vec<u64> {
        let queued = self.core.queued(&builder.into());
        queued.into_iter().map(|id| id.0).collect()
    }

    fn state(&self, builder: &str) -> &'static str {
        self.core.big_state(&builder.into()).unwrap().as_str()
    }

    /// What has come out, in short; forgets it.
    fn told(&mut self) -> Vec<String> {
        self.out.drain(..).filter_map(|c| short(&c)).collect()
    }

    fn is_told(&mut self, what: &str) -> bool {
        self.told().iter().any(|line| line == what)
    }
}

fn is_ping(command: &Command) -> bool {
    matches!(
        command,
        Command::Slave {
            what: SlaveCommand::Ping { .. },
            ..
        }
    )
}
