//! Stops the master: at once, with running builds interrupted, or cleanly, after they have ended
//! (MAS-05). The daemon sends the request and leaves its loop at [`Phase::Exited`].

use std::time::Duration;

use super::attempt::{Stage, Stop};
use super::timers::{Timer, Timers};
use super::{Answer, BotMaster, BuildEvent, Command, Input, MasterEvent, ReplyId};

/// How long interrupted builds may take to end; the recovery of the next start does the rest. A
/// stop takes at most five seconds in all (PROMISES).
pub const STOP_TIME: Duration = Duration::from_secs(3);

const SHUTTING_DOWN: &str = "the master is shutting down";

/// The phase of the master's life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The master accepts work.
    Running,
    /// A clean stop waits for running builds; it can be cancelled.
    Draining,
    /// Running builds are being interrupted.
    Stopping,
    /// The master has ended.
    Exited,
}

impl Phase {
    /// Whether new work may begin.
    pub(super) fn starts_builds(self) -> bool {
        self == Self::Running
    }

    /// Whether changes are accepted: they are the first thing to be rejected (PROMISES rule 2).
    pub(super) fn takes_changes(self) -> bool {
        self == Self::Running
    }

    /// Whether the master waits for its builds.
    pub(super) fn is_draining(self) -> bool {
        self == Self::Draining
    }

    /// Whether slaves may log in, also during a clean stop because it can be cancelled.
    pub(super) const fn takes_slaves(self) -> bool {
        match self {
            Self::Running | Self::Draining => true,
            Self::Stopping | Self::Exited => false,
        }
    }
}

impl BotMaster {
    pub(super) fn on_shutdown(&mut self, clean: bool) {
        match (self.phase, clean) {
            (Phase::Running, true) => self.phase = Phase::Draining,
            (Phase::Running | Phase::Draining, false) => self.phase = Phase::Stopping,
            (Phase::Draining, true) | (Phase::Stopping | Phase::Exited, _) => return,
        }
        self.phase_since = self.out.now.wall;
        self.out.announce(MasterEvent::ShuttingDown { clean });
        let attempts = self.builds.iter().map(|(id, attempt)| (id, attempt.stage));
        for (id, stage) in attempts.collect::<Vec<_>>() {
            match stage {
                Stage::Substantiating => self.abort_waiting(id, SHUTTING_DOWN),
                Stage::Pinging => self.abort_ping(id, SHUTTING_DOWN),
                Stage::Starting => {}
                Stage::Recording(..) | Stage::Running(..) if clean => {}
                Stage::Recording(..) | Stage::Running(..) => {
                    let reason = Stop::Shutdown.reason().to_owned();
                    if self.builds.shut_down(id)
                        && let Some((builder, number)) = self.build_of(id)
                    {
                        self.out.announce(BuildEvent::Interrupted {
                            builder,
                            number,
                            reason: reason.clone(),
                        });
                    }
                    self.interrupt(id, reason);
                    self.leave_if_stopped(id);
                }
            }
        }
        if !clean {
            self.stop_instances();
            self.out.set_timer(Timer::Shutdown, STOP_TIME);
        }
    }

    pub(super) fn on_cancel_shutdown(&mut self, reply: ReplyId) {
        let result = match self.phase {
            Phase::Running => Err("the master is not shutting down".to_owned()),
            Phase::Stopping | Phase::Exited => {
                Err("it is too late: the master is ending".to_owned())
            }
            Phase::Draining => {
                self.phase = Phase::Running;
                self.phase_since = self.out.now.wall;
                self.out.announce(MasterEvent::ShutdownCancelled);
                self.intake.arm_schedulers(&mut self.out);
                Ok(Answer::Done)
            }
        };
        self.out.reply(reply, result);
    }

    /// Exits when no build has a number any more, everything handed in is durable, and all
    /// instances are stopped (LAT-07).
    pub(super) fn exit_if_over(&mut self) {
        match self.phase {
            Phase::Running | Phase::Exited => {}
            Phase::Draining | Phase::Stopping => {
                if self.builds.none_numbered() && self.out.is_durable() {
                    self.stop_instances();
                    self.come_to_rest();
                    self.states.settle(&mut self.out);
                    if self.instances.are_settled() {
                        self.exit();
                    }
                }
            }
        }
    }

    /// Exits; those who wait for an answer get one, though not the one they hoped for.
    pub(super) fn exit(&mut self) {
        if self.phase == Phase::Exited {
            return;
        }
        self.phase = Phase::Exited;
        self.instances.abandon(&mut self.out);
        self.out.timers = Timers::default();
        self.states.forget();
        self.roster.refuse_rounds(&mut self.out, SHUTTING_DOWN);
        let given_up = self.builds.abandon_starts();
        self.out.give_up(given_up);
        self.out.send(Command::Exit);
    }

    /// After the end every question is answered with that.
    pub(super) fn refuse_after_exit(&mut self, input: Input) {
        match input {
            Input::Asked { reply, .. }
            | Input::Acted { reply, .. }
            | Input::Offered { reply, .. }
            | Input::Reconfigured { reply, .. } => {
                self.out.reply(reply, Err(SHUTTING_DOWN.to_owned()));
            }
            Input::Slave { .. }
            | Input::Build { .. }
            | Input::Instance { .. }
            | Input::Checked { .. }
            | Input::Persisted(_)
            | Input::Shutdown { .. } => {}
        }
    }
}
