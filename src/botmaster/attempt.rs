//! A build that starts or runs, how far it has come, and why it is to stop.

use std::sync::Arc;

use super::SessionId;
use super::ids::{BuilderIx, SlaveIx};
use super::ledger::Effect;
use crate::config::{BuilderConfig, SlaveConfig};
use crate::model::{BuildId, BuildNumber, Now, Op, RequestId, Results, Timestamp};

/// A build that starts or runs.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) builder: BuilderIx,
    pub(super) slave: SlaveIx,
    pub(super) session: Option<SessionId>,
    pub(super) requests: Vec<RequestId>,
    /// The builder and the slave as they were when their locks were taken or looked up.
    pub(super) configs: (Arc<BuilderConfig>, Arc<SlaveConfig>),
    /// Why the slave was chosen, for people.
    pub(super) choice: String,
    /// When the slave was chosen.
    pub(super) chosen_at: Timestamp,
    pub(super) stage: Stage,
    /// Since when it is at that stage; it runs since its start was recorded.
    pub(super) since: Timestamp,
    /// When its start was handed in to be recorded, if it was.
    pub(super) started: Option<Now>,
    /// Whether it is a build of a culprit search.
    pub(super) is_of_search: bool,
    /// Its slave is lost: no attachment is to be freed.
    pub(super) slave_gone: bool,
    /// Somebody wants it to stop.
    pub(super) stop: Option<Stop>,
    /// What happens when its start is on record, or that it has come to nothing.
    pub(super) when_started: Vec<Effect>,
}

/// How far a build has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// The slave's instance is being started.
    Substantiating,
    /// The slave is pinged.
    Pinging,
    /// The slave is asked to start it.
    Starting,
    /// Its start is being written.
    Recording(BuildId, BuildNumber),
    /// It runs.
    Running(BuildId, BuildNumber),
}

/// Why a build is being stopped; the first reason counts, but what people want comes before a stop
/// of the master.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// Somebody asked for it: it ends as EXCEPTION (BUI-10).
    Asked(String),
    /// The master stops: it will be built again (MAS-05).
    Shutdown,
    /// It is of a search, and another request could start only in its place: it will be built again
    /// (SRH-11).
    Yields,
}

impl Attempt {
    /// The build is at another stage now.
    pub(super) const fn enter(&mut self, stage: Stage, now: Now) {
        self.stage = stage;
        self.since = now.wall;
    }

    /// Whether people want it to stop.
    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.stop, Some(Stop::Asked(_)))
    }

    /// Whether it stops because the master does.
    pub(super) const fn is_shut_down(&self) -> bool {
        matches!(self.stop, Some(Stop::Shutdown))
    }

    /// Whether the slave has agreed to the build.
    pub(super) const fn is_accepted(&self) -> bool {
        match self.stage {
            Stage::Substantiating | Stage::Pinging | Stage::Starting => false,
            Stage::Recording(..) | Stage::Running(..) => true,
        }
    }

    /// The result that counts and the reason of the stop, for a build that has ended like this:
    /// what people stop is not built again, and what a stop of the master interrupts is.
    pub(super) fn judge(
        &self,
        result: Results,
        stop_reason: Option<String>,
    ) -> (Results, Option<String>) {
        match &self.stop {
            Some(Stop::Asked(reason)) => {
                let has_stopped = stop_reason.is_some() || result == Results::Retry;
                let result = match result {
                    Results::Retry => Results::Exception,
                    Results::Success
                    | Results::Warnings
                    | Results::Failure
                    | Results::Skipped
                    | Results::Exception => result,
                };
                (result, has_stopped.then(|| reason.clone()))
            }
            Some(Stop::Shutdown | Stop::Yields) if stop_reason.is_some() => {
                (Results::Retry, stop_reason)
            }
            Some(Stop::Shutdown | Stop::Yields) | None => (result, stop_reason),
        }
    }

    /// The build, when it has its numbers.
    pub(super) fn build(&self) -> Option<(BuildId, BuildNumber)> {
        match &self.stage {
            Stage::Substantiating | Stage::Pinging | Stage::Starting => None,
            Stage::Recording(build, number) | Stage::Running(build, number) => {
                Some((*build, *number))
            }
        }
    }

    /// When it ends if it ends `now`. Counted from its start, so that a clock that was set
    /// meanwhile does not have it end before it began.
    pub(super) fn ends_at(&self, now: Now) -> Timestamp {
        match self.started {
            Some(started) => started.wall + now.mono.since(started.mono),
            None => now.wall,
        }
    }

    /// What must be remembered of a build that people have stopped, so that it is not built again
    /// after a crash.
    pub(super) fn stop_op(&self) -> Option<Op> {
        let (build, _) = self.build()?;
        match &self.stop {
            Some(Stop::Asked(reason)) => {
                let reason = reason.clone();
                Some(Op::BuildStopped { build, reason })
            }
            Some(Stop::Shutdown | Stop::Yields) | None => None,
        }
    }
}

impl Stop {
    /// The reason for people.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Asked(reason) => reason,
            Self::Shutdown => "master shutdown",
            Self::Yields => "another request could start only on this slave",
        }
    }
}
