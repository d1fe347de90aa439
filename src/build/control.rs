//! Messages of the core to a running build: stop, loss of the slave, granted locks. The engine
//! sends them to the task of the build, which owns its [`Controls`].

use std::future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, sleep_until};

use crate::botmaster::{LockUser, NotTriggered, RelatedEnds, TriggerOver, Triggered};
use crate::net::Interrupt;

/// A message of the core to a running build.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Stop the build (BUI-10). A second stop ends what the build does after the first one.
    Stop {
        /// The reason (BUI-11).
        reason: String,
    },
    /// The slave is lost (BUI-13).
    SlaveLost {
        /// The reason, for people.
        why: String,
    },
    /// The build, or one of its steps, has got its locks.
    LocksGranted {
        /// The holder of the locks.
        user: LockUser,
    },
    /// What a step asked for was triggered, or why not.
    Triggered {
        /// The step.
        step: u32,
        /// What was triggered.
        result: Result<Vec<Triggered>, NotTriggered>,
    },
    /// A set is over that a step waits for.
    TriggerOver(TriggerOver),
    /// What was ended for a step.
    RelatedEnded {
        /// The step.
        step: u32,
        /// What was ended.
        ends: RelatedEnds,
    },
}

/// The messages so far. The first reason counts. A second stop ends only the present action of the
/// build.
#[derive(Debug)]
pub(super) struct Controls {
    receiver: mpsc::Receiver<Control>,
    /// Why the build is being stopped.
    pub(super) stop_reason: Option<String>,
    /// Why the slave is lost.
    pub(super) lost: Option<String>,
}

/// Longer than any build.
pub(super) const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Controls {
    pub(super) const fn new(receiver: mpsc::Receiver<Control>) -> Self {
        Self {
            receiver,
            stop_reason: None,
            lost: None,
        }
    }

    /// Takes in what was said while no step was running.
    pub(super) fn catch_up(&mut self) {
        loop {
            match self.receiver.try_recv() {
                Ok(control) => self.note(control),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    /// The slave is gone, as its connection says.
    pub(super) fn note_lost(&mut self, why: &str) {
        self.lost.get_or_insert_with(|| why.to_owned());
    }

    fn note(&mut self, control: Control) {
        match control {
            Control::Stop { reason } => drop(self.stop_reason.get_or_insert(reason)),
            Control::SlaveLost { why } => drop(self.lost.get_or_insert(why)),
            // Nobody waits for it any more.
            Control::LocksGranted { .. }
            | Control::Triggered { .. }
            | Control::TriggerOver(_)
            | Control::RelatedEnded { .. } => {}
        }
    }

    /// Waits for news of what the step has asked for; answers to earlier steps are dropped. A stop
    /// that comes meanwhile ends the wait, as does the loss of the slave, also if it was known
    /// before.
    pub(super) async fn asked_news(&mut self, step: u32) -> AskedNews {
        while self.lost.is_none() {
            let Some(control) = self.receiver.recv().await else {
                self.note_lost("the master is ending");
                break;
            };
            match control {
                Control::Triggered { step: of, result } if of == step => {
                    return AskedNews::Triggered(result);
                }
                Control::TriggerOver(over) => return AskedNews::Over(over),
                Control::RelatedEnded { step: of, ends } if of == step => {
                    return AskedNews::Ended(ends);
                }
                Control::Stop { reason } => {
                    self.stop_reason.get_or_insert_with(|| reason.clone());
                    return AskedNews::Stopped(reason);
                }
                Control::SlaveLost { .. }
                | Control::LocksGranted { .. }
                | Control::Triggered { .. }
                | Control::RelatedEnded { .. } => self.note(control),
            }
        }
        AskedNews::SlaveLost
    }

    /// Waits until `user` is told that it has its locks. A stop that comes meanwhile ends the wait,
    /// as does the loss of the slave, also if it was known before, and the loss of everybody who
    /// could grant them.
    pub(super) async fn granted(&mut self, user: &LockUser) -> Waited {
        while self.lost.is_none() {
            let Some(control) = self.receiver.recv().await else {
                self.note_lost("the master is ending");
                break;
            };
            match control {
                Control::LocksGranted { user: whose } if whose == *user => return Waited::Granted,
                Control::Stop { reason } => {
                    self.stop_reason.get_or_insert_with(|| reason.clone());
                    return Waited::Stopped(reason);
                }
                Control::SlaveLost { .. }
                | Control::LocksGranted { .. }
                | Control::Triggered { .. }
                | Control::TriggerOver(_)
                | Control::RelatedEnded { .. } => self.note(control),
            }
        }
        Waited::SlaveLost
    }

    /// Waits for `delay`. A stop that comes meanwhile ends the wait, as does the loss of the slave.
    pub(super) async fn pause(&mut self, delay: Duration) -> Paused {
        let mut over = std::pin::pin!(tokio::time::sleep(delay));
        let mut may_hear = true;
        while self.lost.is_none() {
            let control = tokio::select! {
                biased;
                control = self.receiver.recv(), if may_hear => control,
                () = &mut over => return Paused::Over,
            };
            match control {
                Some(Control::Stop { reason }) => {
                    self.stop_reason.get_or_insert_with(|| reason.clone());
                    return Paused::Stopped(reason);
                }
                Some(control) => self.note(control),
                // Nobody can say anything any more.
                None => may_hear = false,
            }
        }
        Paused::SlaveLost
    }
}

/// News of what a step has asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AskedNews {
    /// What was triggered, or why nothing was.
    Triggered(Result<Vec<Triggered>, NotTriggered>),
    /// A set is over.
    Over(TriggerOver),
    /// These were ended.
    Ended(RelatedEnds),
    /// The build was stopped, for this reason (BUI-10).
    Stopped(String),
    /// The slave was lost (BUI-13).
    SlaveLost,
}

/// How a wait for locks has ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Waited {
    /// They are there.
    Granted,
    /// The build was stopped meanwhile, for this reason (BUI-10).
    Stopped(String),
    /// The slave was lost meanwhile (BUI-13).
    SlaveLost,
}

/// How a pause of a step ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Paused {
    /// By itself.
    Over,
    /// Somebody wants the build stopped, for this reason.
    Stopped(String),
    /// The slave is gone.
    SlaveLost,
}

/// Why a running command is not waited for any longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Disturbance {
    /// The slave is gone.
    SlaveLost,
    /// It was interrupted and has not ended in time (BUI-12).
    GivenUp,
}

/// Watches over one running command: passes a stop on to it and sets its deadline.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    controls: &'a mut Controls,
    interrupt: Interrupt,
    grace: Duration,
    deadline: Option<Instant>,
    /// Why it was asked to end.
    interruption: Option<String>,
}

impl<'a> Watch<'a> {
    pub(super) const fn new(
        controls: &'a mut Controls,
        interrupt: Interrupt,
        grace: Duration,
    ) -> Self {
        Self {
            controls,
            interrupt,
            grace,
            deadline: None,
            interruption: None,
        }
    }

    /// Why the command was asked to end, if it was.
    pub(super) fn into_interruption(self) -> Option<String> {
        self.interruption
    }

    /// The slave is gone, as its connection says.
    pub(super) fn note_lost(&mut self, why: &str) {
        self.controls.note_lost(why);
    }

    /// Waits until the command is not to be waited for any longer. Cancel-safe: what was received
    /// is noted before the next wait.
    pub(super) async fn disturbed(&mut self) -> Disturbance {
        loop {
            let control = tokio::select! {
                biased;
                control = self.controls.receiver.recv() => control,
                () = until(self.deadline) => return Disturbance::GivenUp,
            };
            let Some(control) = control else {
                // Nobody can say anything any more; a deadline still holds.
                until(self.deadline).await;
                return Disturbance::GivenUp;
            };
            self.controls.note(control.clone());
            match control {
                Control::Stop { reason } => self.interrupt(reason),
                Control::SlaveLost { .. } => return Disturbance::SlaveLost,
                Control::LocksGranted { .. }
                | Control::Triggered { .. }
                | Control::TriggerOver(_)
                | Control::RelatedEnded { .. } => {}
            }
        }
    }

    fn interrupt(&mut self, reason: String) {
        if self.deadline.is_some() {
            return;
        }
        let now = Instant::now();
        self.deadline = Some(now.checked_add(self.grace).unwrap_or(now + FAR_AWAY));
        // If the connection no longer listens, the events end and tell that the slave is gone.
        self.interrupt.ask(&reason);
        self.interruption = Some(reason);
    }
}

/// Stands for a grace too long to be added to a time.
const FAR_AWAY: Duration = Duration::from_secs(10 * 365 * 86_400);

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => future::pending().await,
    }
}
