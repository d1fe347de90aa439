//! The core: builders, slave-builders, slaves, build sets, requests. Pure; the single owner of control state.
//!
//! One face: [`BotMaster::handle`] takes what has happened, [`BotMaster::next_command`] gives what is to
//! be done, [`BotMaster::poll_timeout`] is the one next deadline of every timer there is.
//!
//! Invariants:
//! - after each input no request waits that could start (BLD-07), and of those that could, the one that goes
//!   first is that with the highest priority of its own, then of its builder, then the oldest (BRQ-02, BRQ-09);
//! - a request is in one place: not yet durable, queued, in a build that starts, or in one with a number;
//! - what must survive a crash is on disk before it is answered, announced or run;
//! - a slave is attached to its builders with its login answered, or it is on its way there with a deadline, or it is
//!   not connected (SLV-03); a builder that alone cannot be attached is tried again at a time that is known (row 5);
//! - an input costs a logarithm of what there is, and looks only at what it touches;
//! - equal seeds and inputs give equal commands.
//!
//! Where to read: a change comes in by `intake`, a slave by `attach`, which tells it its builders by `listing`; `starting` brings the two
//! together, `building` follows the build to its end, `cancelling` cuts it short, people ask for builds by `forcing` and keep
//! slaves from them by `pausing`, `locking` lets it
//! wait for its locks, `substantiating` starts and stops the instances of latent slaves, `stopping` ends it all, `why` tells what a
//! request waits for, `live` what else is not on disk. `slavebuilder` is the table of
//! SEMANTICS section 13.

mod absence;
mod ask;
mod attach;
mod attempt;
mod big_state;
mod building;
mod builds;
mod buildset;
mod cancelling;
mod command;
mod dispatch;
mod event;
mod expecting;
mod ids;
mod input;
mod intake;
mod latent;
mod layout;
mod ledger;
mod listing;
mod live;
mod lock_view;
mod locking;
mod locks;
mod merging;
mod names;
mod out;
mod pausing;
mod pinging;
pub mod plan;
mod reconfiguration;
mod recovery;
mod slave;
mod slavebuilder;
mod starting;
mod stopping;
mod submitting;
mod substantiating;
#[cfg(test)]
mod tests;
mod timers;
mod view;
mod why;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use self::big_state::BigStates;
use self::builds::Builds;
use self::dispatch::Dispatch;
use self::ids::{AttemptId, BuilderIx, SlaveIx};
use self::intake::Intake;
use self::layout::Layout;
use self::ledger::Effect;
use self::locks::Locks;
use self::out::Out;
use self::pinging::Round;
use self::slave::Slave;
use self::slavebuilder::{RoundId, SlaveBuilder};
use self::stopping::Phase;
use self::timers::Timer;
use crate::config::Config;
use crate::model::journal::RecoveredSlave;
use crate::model::{BuilderName, Mono, Now, Recovered, SlaveName, Timestamp};

pub use absence::Absence;
pub use ask::{Answer, Ask};
pub use command::{BuildCommand, Command, InstanceCommand, SlaveCommand};
pub use event::{BuilderPoint, Event};
pub use ids::{Epoch, InstanceId, PingId, ReplyId, SessionId};
pub use input::{BuildInput, Input, InstanceInput, InstanceStart, SlaveInput};
pub use live::{Live, LiveSlave, Starting};
pub use lock_view::{LockBlock, LockHolder, LockWait};
pub use locks::LockUser;
pub use names::unique_names;
pub use pinging::Pinged;
pub use plan::{BuildOutcome, BuildPlan};
pub use stopping::STOP_TIME;
pub use submitting::Forced;
pub use view::{AttachmentState, AttachmentView, InstanceState, InstanceView};
pub use why::{Blocker, BlockerKind};

/// The core of the master.
#[derive(Debug)]
pub struct BotMaster {
    /// The present, the configuration, and what is to come of the input at hand.
    out: Out,
    phase: Phase,
    /// Since when it is in that phase.
    phase_since: Timestamp,
    intake: Intake,
    dispatch: Dispatch,
    builds: Builds,
    locks: Locks,
    states: BigStates,
    slaves: Vec<Slave>,
    /// The slave's own connections and the contenders.
    sessions: HashMap<SessionId, SlaveIx>,
    /// Those who have all slaves of a builder pinged.
    rounds: BTreeMap<RoundId, Round>,
    /// What the state knew of slaves that have not been configured in this run yet.
    remembered: BTreeMap<SlaveName, RecoveredSlave>,
    next_epoch: u64,
    next_ping: u64,
    next_round: u64,
    next_instance: u64,
    /// Slaves whose instance may be of no use to anybody any more (LAT-09).
    forsaken: BTreeSet<SlaveIx>,
}

impl BotMaster {
    /// Begins with what the state knew. First commands are ready at once.
    #[must_use]
    pub fn new(config: Arc<Config>, recovered: Recovered, seed: u64, now: Now) -> Self {
        let mut core = Self {
            out: Out::new(Layout::new(Arc::clone(&config)), now),
            phase: Phase::Running,
            phase_since: now.wall,
            intake: Intake::new(&recovered.next),
            dispatch: Dispatch::new(seed),
            builds: Builds::new(&recovered.next, recovered.expectations.clone()),
            locks: Locks::default(),
            states: BigStates::default(),
            slaves: Vec::new(),
            sessions: HashMap::new(),
            rounds: BTreeMap::new(),
            remembered: recovered.slaves.clone(),
            next_epoch: 0,
            next_ping: 0,
            next_round: 0,
            next_instance: 0,
            forsaken: BTreeSet::new(),
        };
        core.configure(&config);
        core.recover(recovered);
        core.settle();
        core
    }

    /// Takes one input. Never blocks, never fails. Timers that are due by `now` come first.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.handle_timeout(now);
        if self.phase == Phase::Exited {
            self.refuse_after_exit(input);
            return;
        }
        match input {
            Input::Slave { session, what } => self.on_slave_input(session, what),
            Input::Build { build, what } => match what {
                BuildInput::Finished { outcome } => self.on_build_finished(build, outcome),
                BuildInput::LocksWanted { user, locks } => {
                    self.on_locks_wanted(build, user, &locks)
                }
                BuildInput::LocksReleased { user } => self.on_locks_released(build, user),
            },
            Input::Instance {
                slave,
                instance,
                what,
            } => match what {
                InstanceInput::Started { result } => {
                    self.on_instance_started(&slave, instance, result)
                }
                InstanceInput::Stopped { result } => {
                    self.on_instance_stopped(&slave, instance, result)
                }
            },
            Input::Asked { ask, reply } => self.on_asked(ask, reply),
            Input::Persisted(ticket) => self.out.on_persisted(ticket),
            Input::Reconfigured {
                config,
                dry_run,
                reply,
            } => self.on_reconfigured(config, dry_run, reply),
            Input::Shutdown { clean } => self.on_shutdown(clean),
        }
        self.settle();
    }

    /// The next thing to do, in order; to be asked until there is none after each input.
    pub fn next_command(&mut self) -> Option<Command> {
        self.out.next_command()
    }

    /// When [`BotMaster::handle_timeout`] is to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.out.timers.next()
    }

    /// Lets the timers fire that are due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.out.now = now;
        while let Some(timer) = self.out.timers.pop_due(now.mono) {
            match timer {
                Timer::Attach(session) => self.on_attach_timeout(session),
                Timer::Ending(session) => self.on_end_ignored(session),
                Timer::Handshake(slave, builder, epoch) => {
                    self.on_handshake_timeout(slave, builder, epoch);
                }
                Timer::Reattach(slave) => self.on_reattach_due(slave),
                Timer::Ping(slave, builder, ping) => self.on_ping_failed(slave, builder, ping),
                Timer::StartBuild(slave, builder, epoch) => {
                    self.on_start_timeout(slave, builder, epoch);
                }
                Timer::Arbitration(slave) => self.on_arbitration_timeout(slave),
                Timer::HoldBack(slave) => self.on_hold_ended(slave),
                Timer::Missing(slave) => self.on_missing(slave),
                Timer::InstanceIdle(slave) => self.on_instance_idle(slave),
                Timer::StopInstance(slave) => self.send_stop(slave),
                Timer::Absence(slave) => self.on_absent(slave),
                Timer::Scheduler(ix) => self.on_scheduler_timer(ix),
                Timer::Orphans(builder) => self.on_orphans_due(builder),
                Timer::Shutdown => self.exit(),
            }
            self.settle();
        }
    }

    fn on_slave_input(&mut self, session: SessionId, input: SlaveInput) {
        match input {
            SlaveInput::LoggedIn { slave, address } => {
                self.on_slave_logged_in(slave, session, address);
            }
            SlaveInput::AliveChecked { alive } => self.on_old_slave_answered(session, alive),
            SlaveInput::Described { info } => self.on_slave_described(session, info),
            SlaveInput::BuilderListAnswered { result } => {
                self.on_builder_list_answered(session, result);
            }
            SlaveInput::MasterSet { builder, epoch, ok } => {
                let step = |sb: &mut SlaveBuilder| sb.on_master_set(epoch, ok);
                self.on_handshake(session, &builder, step);
            }
            SlaveInput::BuilderGreeted { builder, epoch, ok } => {
                let step = |sb: &mut SlaveBuilder| sb.on_greeted(epoch, ok);
                self.on_handshake(session, &builder, step);
            }
            SlaveInput::PingAnswered { builder, ping, ok } => {
                self.on_ping_answered(session, &builder, ping, ok);
            }
            SlaveInput::BuildStartAnswered { builder, epoch, ok } => {
                self.on_build_start_answered(session, &builder, epoch, ok);
            }
            SlaveInput::WantsShutdown => self.on_slave_wants_shutdown(session),
            SlaveInput::Lost { why } => self.on_slave_lost(session, &why),
        }
    }

    /// What follows every event: what waited for the disk happens, builds start until none can, big
    /// states are announced, and a master that has nothing left to stop for exits.
    fn settle(&mut self) {
        while let Some(effect) = self.out.next_due() {
            match effect {
                Effect::Reply(to, result) => self.out.reply(to, result),
                Effect::Announce(event) => self.out.announce(event),
                Effect::Queue(request) => self.enqueue(request, true),
                Effect::Run(attempt, plan) => self.on_start_recorded(attempt, plan),
                Effect::StartInstance(instance, slave) => self.start_instance(instance, &slave),
            }
        }
        self.start_builds();
        self.stop_forsaken();
        self.states.settle(&mut self.out);
        self.exit_if_over();
    }

    /// The slave whose own connection `session` is.
    fn slave_of(&self, session: SessionId) -> Option<SlaveIx> {
        let &slave = self.sessions.get(&session)?;
        let its = self.slaves[slave.0].session.as_ref()?;
        (its.id == session).then_some(slave)
    }

    /// The slave and the builder of an answer, if the connection is the slave's own.
    fn pair_of(&self, session: SessionId, builder: &BuilderName) -> Option<(SlaveIx, BuilderIx)> {
        let builder = self.out.layout.builder_named(builder)?;
        Some((self.slave_of(session)?, builder))
    }

    fn attachment(&mut self, slave: SlaveIx, builder: BuilderIx) -> Option<&mut SlaveBuilder> {
        self.slaves[slave.0].slavebuilders.get_mut(&builder)
    }

    const fn new_epoch(&mut self) -> Epoch {
        self.next_epoch += 1;
        Epoch(self.next_epoch)
    }

    const fn new_ping(&mut self) -> PingId {
        self.next_ping += 1;
        PingId(self.next_ping)
    }
}
