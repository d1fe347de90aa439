//! One builder on one slave: the table of section 13, rows 1 to 19.
//!
//! ```text
//!   (1) -> Introducing -(3)-> Greeting -(4)-> Idle -(7,8)-> Pinging -(10)-> Idle
//!               |                |            ^  ^             |
//!              (5)              (5)        (17)  (15)        (13)
//!               v                v           |    |            v
//!             gone             gone     Building <-(14)- Starting
//!
//!   gone <-(6,12,18,19)- every state
//! ```
//! Each attachment has an epoch; an answer of another one is [`Unexpected`] and changes nothing
//! (SB-23). A ping that is asked for while a build is on the slave runs beside the state and never
//! changes it (row 16, SB-19).

use crate::botmaster::ids::{AttemptId, Epoch, PingId};
use crate::model::Mono;

/// Names somebody who has all slaves of a builder pinged.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct RoundId(pub u64);

/// One attachment.
#[derive(Debug)]
pub(super) struct SlaveBuilder {
    epoch: Epoch,
    state: State,
    /// A ping beside the state.
    beside: Option<Ping>,
}

#[derive(Debug)]
enum State {
    /// setMaster was sent (row 1).
    Introducing,
    /// The greeting was sent (row 3).
    Greeting,
    /// It can take a build.
    Idle,
    /// Somebody pings it.
    Pinging(Ping),
    /// The slave is asked to start a build (row 13).
    Starting(AttemptId),
    /// The slave has agreed to a build (row 14).
    Building(AttemptId),
}

/// An outstanding ping and those who wait for it.
#[derive(Debug)]
pub(super) struct Ping {
    /// Which.
    pub(super) id: PingId,
    /// The earliest deadline of the waiters (row 9).
    pub(super) deadline: Mono,
    /// The build that is to start after it.
    pub(super) starter: Option<AttemptId>,
    /// Others who want to know, in order.
    pub(super) rounds: Vec<RoundId>,
}

/// The event does not belong to this attachment or not to its state; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unexpected {
    /// The state, which is that of another attachment if the event has an older epoch.
    pub(super) state: &'static str,
    pub(super) event: &'static str,
}

/// The steps of the handshake that the slave answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::botmaster) enum Step {
    /// setMaster (rows 3 and 5).
    MasterSet,
    /// The greeting (rows 4 and 5).
    Greeted,
}

/// What the handshake has come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Handshake {
    /// The greeting is to be sent (row 3).
    Greet,
    /// It is attached (row 4).
    Attached,
    /// It failed: the attachment is to be removed (row 5).
    Failed,
}

/// What a request for a ping leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PingAsked {
    /// The message is to be sent and the deadline to be set (rows 8, 16).
    Send,
    /// One is outstanding; the deadline is now this (row 9).
    Joined(PingId, Mono),
}

/// Who must be told that an attachment has gone.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Detached {
    /// The build that was starting or running (rows 12, 18).
    pub(super) attempt: Option<AttemptId>,
    /// Those who waited for a ping: it failed.
    pub(super) rounds: Vec<RoundId>,
    /// Outstanding pings, whose deadlines are void.
    pub(super) pings: Vec<PingId>,
    /// Whether it was attached, not attaching.
    pub(super) was_attached: bool,
}

impl SlaveBuilder {
    /// Row 1: setMaster is being sent.
    pub(super) const fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            state: State::Introducing,
            beside: None,
        }
    }

    /// Rows 3 to 5: the answer to a step of the handshake.
    pub(super) fn on_answered(
        &mut self,
        step: Step,
        epoch: Epoch,
        ok: bool,
    ) -> Result<Handshake, Unexpected> {
        let (next, outcome) = match (&self.state, step) {
            (State::Introducing, Step::MasterSet) => (State::Greeting, Handshake::Greet),
            (State::Greeting, Step::Greeted) => (State::Idle, Handshake::Attached),
            (State::Introducing, Step::Greeted)
            | (State::Greeting, Step::MasterSet)
            | (
                State::Idle | State::Pinging(_) | State::Starting(_) | State::Building(_),
                Step::MasterSet | Step::Greeted,
            ) => return Err(self.unexpected(step.name())),
        };
        if epoch != self.epoch {
            return Err(self.unexpected(step.name()));
        }
        if !ok {
            return Ok(Handshake::Failed);
        }
        self.state = next;
        Ok(outcome)
    }

    /// Row 5, by the timer: whether the handshake of this epoch is still going on.
    pub(super) fn on_handshake_timeout(&self, epoch: Epoch) -> Result<(), Unexpected> {
        if epoch == self.epoch && self.is_attaching() {
            Ok(())
        } else {
            Err(self.unexpected("handshake timed out"))
        }
    }

    /// Row 7: chosen for a build; the ping is to be sent.
    pub(super) fn on_chosen(
        &mut self,
        attempt: AttemptId,
        ping: PingId,
        deadline: Mono,
    ) -> Result<(), Unexpected> {
        if !self.is_idle() {
            return Err(self.unexpected("chosen for a build"));
        }
        self.state = State::Pinging(Ping {
            id: ping,
            deadline,
            starter: Some(attempt),
            rounds: Vec::new(),
        });
        Ok(())
    }

    /// Rows 8, 9 and 16: somebody wants it pinged. `ping` is the ping to send if none is
    /// outstanding.
    pub(super) fn on_ping_asked(
        &mut self,
        round: RoundId,
        ping: PingId,
        deadline: Mono,
    ) -> Result<PingAsked, Unexpected> {
        let outstanding = match &mut self.state {
            State::Introducing | State::Greeting => {
                return Err(self.unexpected("ping wanted"));
            }
            State::Idle => None,
            State::Pinging(outstanding) => Some(outstanding),
            State::Starting(_) | State::Building(_) => self.beside.as_mut(),
        };
        if let Some(outstanding) = outstanding {
            outstanding.rounds.push(round);
            outstanding.deadline = outstanding.deadline.min(deadline);
            return Ok(PingAsked::Joined(outstanding.id, outstanding.deadline));
        }
        let new = Ping {
            id: ping,
            deadline,
            starter: None,
            rounds: vec![round],
        };
        if self.is_idle() {
            self.state = State::Pinging(new);
        } else {
            self.beside = Some(new);
        }
        Ok(PingAsked::Send)
    }

    /// Rows 10, 13 and 16: the pong. With a starter startBuild is to be sent now, unless `go` is
    /// false: then it is IDLE and the starter is to be given back.
    pub(super) fn on_pong(&mut self, ping: PingId, go: bool) -> Result<Ping, Unexpected> {
        if let Some(beside) = self.beside.take_if(|beside| beside.id == ping) {
            return Ok(beside);
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Pinging(answered) if answered.id == ping => {
                if let Some(attempt) = answered.starter
                    && go
                {
                    self.state = State::Starting(attempt);
                }
                Ok(answered)
            }
            other @ (State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Starting(_)
            | State::Building(_)) => {
                self.state = other;
                Err(self.unexpected("ping answered"))
            }
        }
    }

    /// Row 11, first half: whether this ping is outstanding, so that its failure ends the
    /// connection.
    pub(super) fn on_ping_failed(&self, ping: PingId) -> Result<(), Unexpected> {
        let beside = self.beside.as_ref().is_some_and(|p| p.id == ping);
        if beside || matches!(&self.state, State::Pinging(p) if p.id == ping) {
            Ok(())
        } else {
            Err(self.unexpected("ping failed"))
        }
    }

    /// The build that was to start is stopped; the ping goes on for itself.
    pub(super) fn on_start_stopped(&mut self, attempt: AttemptId) -> Result<(), Unexpected> {
        match &mut self.state {
            State::Pinging(ping) if ping.starter == Some(attempt) => {
                ping.starter = None;
                Ok(())
            }
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Starting(_)
            | State::Building(_) => Err(self.unexpected("start stopped")),
        }
    }

    /// Rows 14 and 15: the answer to startBuild; tells whose it is. Refused, it is IDLE again.
    pub(super) fn on_start_answered(
        &mut self,
        epoch: Epoch,
        ok: bool,
    ) -> Result<AttemptId, Unexpected> {
        match self.state {
            State::Starting(attempt) if epoch == self.epoch => {
                self.state = if ok {
                    State::Building(attempt)
                } else {
                    State::Idle
                };
                Ok(attempt)
            }
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Starting(_)
            | State::Building(_) => Err(self.unexpected("start answered")),
        }
    }

    /// Row 17: the build has ended.
    pub(super) fn on_build_finished(&mut self, attempt: AttemptId) -> Result<(), Unexpected> {
        match self.state {
            State::Building(running) if running == attempt => {
                self.state = State::Idle;
                Ok(())
            }
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Starting(_)
            | State::Building(_) => Err(self.unexpected("build finished")),
        }
    }

    /// Rows 6, 12, 18 and 19: the attachment is gone.
    pub(super) fn on_detached(self) -> Detached {
        let mut gone = Detached {
            was_attached: !self.is_attaching(),
            ..Detached::default()
        };
        let pinging = match self.state {
            State::Introducing | State::Greeting | State::Idle => None,
            State::Pinging(ping) => Some(ping),
            State::Starting(attempt) | State::Building(attempt) => {
                gone.attempt = Some(attempt);
                None
            }
        };
        for ping in pinging.into_iter().chain(self.beside) {
            gone.attempt = gone.attempt.or(ping.starter);
            gone.pings.push(ping.id);
            gone.rounds.extend(ping.rounds);
        }
        gone
    }

    /// Its epoch.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the handshake is going on.
    pub(super) const fn is_attaching(&self) -> bool {
        matches!(self.state, State::Introducing | State::Greeting)
    }

    /// Whether it can take a build.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether it is pinged, for a build or by control.
    pub(super) const fn is_pinging(&self) -> bool {
        matches!(self.state, State::Pinging(_))
    }

    /// Whether it counts against the slave's builds (SLB-02, SLV-10).
    pub(super) const fn is_busy(&self) -> bool {
        match self.state {
            State::Introducing | State::Greeting | State::Idle => false,
            State::Pinging(_) | State::Starting(_) | State::Building(_) => true,
        }
    }

    /// Whether the slave has been asked to start this build and has not answered.
    pub(super) fn is_starting(&self, epoch: Epoch) -> bool {
        matches!(self.state, State::Starting(_)) && self.epoch == epoch
    }

    /// Whether a build is on its way to the slave, which has not agreed to it yet.
    pub(super) fn is_before_start(&self) -> bool {
        match &self.state {
            State::Pinging(ping) => ping.starter.is_some(),
            State::Starting(_) => true,
            State::Introducing | State::Greeting | State::Idle | State::Building(_) => false,
        }
    }

    /// Whether the slave has agreed to a build, which has not ended.
    pub(super) const fn is_building(&self) -> bool {
        matches!(self.state, State::Building(_))
    }

    /// The build that starts or runs on it.
    pub(super) const fn attempt(&self) -> Option<AttemptId> {
        match &self.state {
            State::Introducing | State::Greeting | State::Idle => None,
            State::Pinging(ping) => ping.starter,
            State::Starting(attempt) | State::Building(attempt) => Some(*attempt),
        }
    }

    const fn unexpected(&self, event: &'static str) -> Unexpected {
        let state = match self.state {
            State::Introducing => "introducing",
            State::Greeting => "greeting",
            State::Idle => "idle",
            State::Pinging(_) => "pinging",
            State::Starting(_) => "starting",
            State::Building(_) => "building",
        };
        Unexpected { state, event }
    }
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::MasterSet => "master set",
            Self::Greeted => "greeted",
        }
    }
}

#[cfg(test)]
mod tests;
