//! The core: a coordinator over machines that own their fields. Pure; the single owner of control
//! state.
//!
//! One face: [`BotMaster::handle`] takes what has happened, [`BotMaster::next_command`] gives what
//! is to be done, [`BotMaster::poll_timeout`] is the one next deadline of every timer there is.
//!
//! Invariants:
//! - after each input no request waits that could start (BLD-07), and of those that could, the
//!   first is that with the highest priority of its own, then of its builder, then the oldest
//!   (BRQ-02, BRQ-09);
//! - a request is in one place: not yet durable, queued, in a build that starts, or in one with a
//!   number;
//! - what must survive a crash is on disk before it is answered, announced or run;
//! - an input costs a logarithm of what there is, and only what it touches is looked at;
//! - equal seeds and inputs give equal commands.
//!
//! The machines know nothing of each other. Each is handed `Out`, with the present, the
//! configuration as it is laid out (`layout`), timers and commands, and leaves there what it has
//! come to (`outcome`) and what it has touched. `following` passes that on until all machines
//! agree, so that nothing is kept true by a call that could be forgotten.
//!
//! | machine | owns |
//! | --- | --- |
//! | `intake` | schedulers, open sets and their requests |
//! | `dispatch` | queues, slaves that are idle, turns, choice: *work and an idle slave imply a match* |
//! | `builds` | builds that start or run, their numbers, stops and expectations |
//! | `roster` | slaves: connections, attachments (the table of SEMANTICS section 13), pings |
//! | `instances` | instances of latent slaves, and the builds that wait for them |
//! | `locks` | who holds which lock, and who waits |
//! | `big_state` | what the big states of builders follow from |
//!
//! The other files are the coordinator's, by what they are about: `submitting` changes and builds
//! that people ask for, `queueing` requests, `building` what the stages of a build mean for others,
//! `cancelling` and `stopping`, `locking`, `triggering` builds from builds and ending those
//! that are `relating` to them, `substantiating` latent slaves, `reconfiguration` and
//! `recovery`. `holding` is about windows in which nothing starts, `failures` about expressions
//! that cannot be worked out. `why` says what a request waits for, `view` and `live` what else can
//! be seen.

mod ask;
mod asked;
mod attempt;
mod big_state;
mod building;
mod builds;
mod buildset;
mod cancelling;
mod checking;
mod command;
mod dispatch;
mod event;
mod expecting;
mod failures;
mod following;
mod holding;
mod ids;
mod input;
mod instances;
mod intake;
mod layout;
mod ledger;
mod live;
mod lock_view;
mod locking;
mod locks;
mod merging;
mod out;
mod outcome;
pub mod pausing;
mod plan;
mod queueing;
mod reconfiguration;
mod recovery;
mod relating;
mod renaming;
mod roster;
mod searching;
mod stopping;
mod submitting;
mod substantiating;
mod telling;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod triggering;
mod view;
mod why;

use std::sync::Arc;

use self::big_state::BigStates;
use self::builds::Builds;
use self::checking::Checks;
use self::dispatch::Dispatch;
use self::ids::AttemptId;
use self::instances::Instances;
use self::intake::Intake;
use self::layout::Layout;
use self::locks::Locks;
use self::out::Out;
use self::pausing::PausedBuilders;
use self::roster::{Roster, Step};
use self::stopping::Phase;
use self::timers::Timer;
use crate::config::Config;
use crate::model::{Mono, Now, Recovered, Timestamp, begin_epoch, end_last_run};

pub use ask::{Answer, Ask, FORCED, Forced, Pinged, Probe};
pub use asked::{
    BuilderPattern, MOST_TRIGGERED, NotTriggered, Related, RelatedEnds, StampField, Trigger,
    TriggerOver, TriggerWish, Triggered, TriggeredBuild, Wished,
};
pub use command::{BuildCommand, CheckWanted, Command, InstanceCommand, SlaveCommand};
pub use dispatch::request_order;
pub use event::{
    BuildEvent, BuilderEvent, BuilderPoint, Event, InstanceEvent, IntakeEvent, MasterEvent,
    SlaveEvent,
};
pub use ids::{CheckId, Epoch, InstanceId, PingId, ReplyId, SessionId};
pub use input::{BuildInput, CheckAnswer, Input, InstanceInput, InstanceStart, SlaveInput};
pub use live::{Live, LiveSlave, Queued, Starting};
pub use lock_view::{LockBlock, LockHolder, LockWait};
pub use locks::LockUser;
pub use plan::{BuildOutcome, BuildPlan};
pub use stopping::STOP_TIME;
pub use view::{AttachmentState, AttachmentView, InstanceState, InstanceView};
pub use why::{Blocker, BlockerKind};

/// The core of the master.
#[derive(Debug)]
pub struct BotMaster {
    out: Out,
    phase: Phase,
    /// Since when it is in that phase.
    phase_since: Timestamp,
    intake: Intake,
    dispatch: Dispatch,
    builds: Builds,
    roster: Roster,
    instances: Instances,
    locks: Locks,
    checks: Checks,
    states: BigStates,
    paused_builders: PausedBuilders,
}

impl BotMaster {
    /// Begins with what the state knew. First commands are ready at once.
    #[must_use]
    pub fn new(config: Arc<Config>, mut recovered: Recovered, seed: u64, now: Now) -> Self {
        let renamed = renaming::rename_recovered(&mut recovered, &config);
        let mut ops = vec![begin_epoch(&mut recovered, now.wall)];
        ops.extend(end_last_run(&mut recovered, now.wall));
        let mut core = Self {
            out: Out::new(Layout::new(Arc::clone(&config)), now),
            phase: Phase::Running,
            phase_since: now.wall,
            intake: Intake::new(&recovered.next),
            dispatch: Dispatch::new(seed),
            builds: Builds::new(&recovered.next, recovered.expectations.clone()),
            roster: Roster::new(recovered.slaves.clone()),
            instances: Instances::default(),
            locks: Locks::default(),
            checks: Checks::default(),
            states: BigStates::default(),
            paused_builders: recovered.paused_builders.clone(),
        };
        core.turn(|core| {
            core.configure(&config, renamed);
            core.recover(recovered, ops);
        });
        core
    }

    /// Takes one input. Never blocks, never fails. Timers that are due by `now` come first.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.handle_timeout(now);
        if self.phase == Phase::Exited {
            self.refuse_after_exit(input);
            return;
        }
        self.turn(|core| core.on_input(input));
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
            self.turn(|core| core.on_timer(timer));
        }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Slave { session, what } => self.on_slave_input(session, what),
            Input::Build { build, what } => match what {
                BuildInput::Finished { outcome } => self.on_build_finished(build, outcome),
                BuildInput::LocksWanted { user, locks } => {
                    self.on_locks_wanted(build, user, &locks)
                }
                BuildInput::LocksReleased { user } => self.on_locks_released(build, user),
                BuildInput::RelatedFound { related } => self.on_related(build, &related),
                BuildInput::TriggerWanted { trigger } => self.on_trigger_wanted(build, *trigger),
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
                    let of = (slave, instance);
                    self.instances.on_stopped(&mut self.out, of, result);
                }
            },
            Input::Checked { check, answer } => self.on_checked(check, answer),
            Input::Asked { ask, reply } => self.on_asked(ask, reply),
            Input::Acted { ask, audit, reply } => {
                self.out.audit = Some(audit);
                self.on_asked(ask, reply);
                self.out.finish_audit();
            }
            Input::Offered { offer, reply } => self.on_offered(*offer, reply),
            Input::Persisted(ticket) => self.out.on_persisted(ticket),
            Input::Reconfigured {
                config,
                dry_run,
                reply,
            } => self.on_reconfigured(config, dry_run, reply),
            Input::Shutdown { clean } => self.on_shutdown(clean),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        let (roster, out) = (&mut self.roster, &mut self.out);
        match timer {
            Timer::Attach(session) => roster.on_attach_timeout(out, session),
            Timer::Ending(session) => roster.on_end_ignored(out, session),
            Timer::Handshake(slave, builder, epoch) => {
                roster.on_handshake_timeout(out, slave, builder, epoch);
            }
            Timer::Reattach(slave) => roster.on_reattach_due(out, slave),
            Timer::Ping(slave, builder, ping) => roster.on_ping_failed(out, slave, builder, ping),
            Timer::StartBuild(slave, builder, epoch) => {
                roster.on_start_timeout(out, slave, builder, epoch);
            }
            Timer::Arbitration(slave) => roster.on_arbitration_timeout(out, slave),
            Timer::HoldBack(slave) => roster.on_hold_ended(out, slave),
            Timer::Missing(slave) => self.on_missing(slave),
            Timer::InstanceIdle(slave) => self.on_instance_idle(slave),
            Timer::StopInstance(slave) => self.instances.send_stop(out, slave),
            Timer::Absence(slave) => roster.on_absent(out, slave),
            Timer::Scheduler(ix) => self.on_scheduler_timer(ix),
            Timer::Orphans(builder) => self.on_orphans_due(builder),
            Timer::BuilderHold(builder) => self.review_builder_hold(builder),
            Timer::SlaveHold(slave) => self.review_slave_hold(slave),
            Timer::Check(builder, slave) => self.on_check_outdated(builder, slave),
            Timer::Shutdown => self.exit(),
        }
    }

    fn on_slave_input(&mut self, session: SessionId, input: SlaveInput) {
        let (roster, out) = (&mut self.roster, &mut self.out);
        match input {
            SlaveInput::LoggedIn { slave, address } => self.on_logged_in(slave, session, address),
            SlaveInput::AliveChecked { alive } => roster.on_alive_checked(out, session, alive),
            SlaveInput::Described { info } => roster.on_described(out, session, info),
            SlaveInput::BuilderListAnswered { result } => {
                roster.on_builder_list_answered(out, session, result);
            }
            SlaveInput::MasterSet { builder, epoch, ok } => {
                roster.on_answered(out, (session, builder), Step::MasterSet, epoch, ok);
            }
            SlaveInput::BuilderGreeted { builder, epoch, ok } => {
                roster.on_answered(out, (session, builder), Step::Greeted, epoch, ok);
            }
            SlaveInput::PingAnswered { builder, ping, ok } => {
                let go = self.phase.starts_builds();
                roster.on_ping_answered(out, (session, &builder), ping, ok, go);
            }
            SlaveInput::BuildStartAnswered { builder, epoch, ok } => {
                self.on_build_start_answered(session, &builder, epoch, ok);
            }
            SlaveInput::WantsShutdown => roster.on_wants_shutdown(out, session),
            SlaveInput::Lost { why } => roster.on_lost(out, session, &why),
        }
    }
}
