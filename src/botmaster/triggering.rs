//! Builds that steps of other builds ask for: the sets are made at once, all or none, and are on
//! disk before the step hears of them.
//!
//! A step may wait for its sets. It hears of the end of each, once. The wait ends early when the
//! build is stopped, loses its slave, or ends for any other reason. What it was waiting for is then
//! of no use: requests that wait are cancelled, and builds are stopped unless they are for others
//! as well. A build that is built again triggers anew.
//!
//! Sets for which nobody waits are like all others.

use super::asked::{MOST_TRIGGERED, NotTriggered, Trigger};
use super::attempt::{Stage, Stop};
use super::buildset::Place;
use super::{AttemptId, BotMaster, BuildCommand, BuildEvent};
use crate::model::{BuildId, BuildNumber, BuilderName, ParentBuild, RequestId};

impl BotMaster {
    /// A step of a build wants sets to be built.
    pub(super) fn on_trigger_wanted(&mut self, build: BuildId, trigger: Trigger) {
        let Some((id, builder, number)) = self.attempt_of(build) else {
            return;
        };
        let parent = ParentBuild {
            build,
            builder,
            number,
            step: trigger.step,
            waits: trigger.wait,
        };
        // A build that ends because the master does triggers when it is built again.
        let is_ending = self.builds.get(id).is_some_and(|it| it.is_shut_down());
        let refusal = if is_ending {
            Some("the master is shutting down".to_owned())
        } else if trigger.wishes.len() > MOST_TRIGGERED {
            let count = trigger.wishes.len();
            Some(format!(
                "{count} sets at once are too many: the limit is {MOST_TRIGGERED}"
            ))
        } else {
            None
        };
        if let Some(why) = refusal {
            let result = Err(NotTriggered::Refused(why));
            let step = trigger.step;
            self.tell_build(build, BuildCommand::Triggered { step, result });
            return;
        }
        let reason = format!("triggered by build {parent}");
        self.intake
            .trigger(&mut self.out, &parent, &reason, trigger);
    }

    /// A build that runs.
    pub(super) fn attempt_of(
        &self,
        build: BuildId,
    ) -> Option<(AttemptId, BuilderName, BuildNumber)> {
        let id = self.builds.of_id(build)?;
        let attempt = self.builds.get(id)?;
        let Stage::Running(_, number) = attempt.stage else {
            return None;
        };
        let builder = self.out.layout.builder_name(attempt.builder);
        Some((id, builder, number))
    }

    /// Tells a build something, if it runs.
    pub(super) fn tell_build(&mut self, build: BuildId, command: BuildCommand) {
        if self.attempt_of(build).is_some() {
            self.out.send(command.to(build));
        }
    }

    /// A build that runs has been stopped: it waits for nothing any more.
    pub(super) fn leave_if_stopped(&mut self, id: AttemptId) {
        if let Some(attempt) = self.builds.get(id)
            && let Stage::Running(build, _) = attempt.stage
        {
            self.leave_triggered(build, "was stopped");
        }
    }

    /// A build waits no longer for what it has triggered: `what` became of it.
    pub(super) fn leave_triggered(&mut self, build: BuildId, what: &str) {
        let Some(parent) = self.intake.waiting(build).map(ToString::to_string) else {
            return;
        };
        let why = format!("cancelled: build {parent} waited for it and {what}");
        let requests = self.intake.leave(build, &why);
        for request in requests {
            match self.intake.request(request).map(|open| open.place) {
                Some(Place::Queued) => {
                    self.unqueue(request);
                    self.end_unbuilt(request, why.clone());
                }
                Some(Place::Starting { attempt, .. } | Place::Building(attempt)) => {
                    if self.is_for_nobody(attempt) {
                        let reason = format!("build {parent} waited for it and {what}");
                        self.stop_attempt_then(attempt, reason, Vec::new());
                    }
                }
                // It ends when its set is on disk.
                Some(Place::Unqueued) | None => {}
            }
        }
    }

    /// Whether nobody wants any of the requests of a build, which is not being stopped.
    fn is_for_nobody(&self, id: AttemptId) -> bool {
        let Some(attempt) = self.builds.get(id) else {
            return false;
        };
        let is_unwanted = |&request: &RequestId| self.intake.unwanted(request).is_some();
        !attempt.is_stopped() && attempt.requests.iter().all(is_unwanted)
    }

    /// A master that waits for its builds starts no others: builds that wait for those are built
    /// again after it. Answers whether there were any.
    pub(super) fn give_up_vain_waits(&mut self) -> bool {
        if !self.phase.is_draining() {
            return false;
        }
        let vain = self.intake.waiting_in_vain();
        for &build in &vain {
            if let Some((id, builder, number)) = self.attempt_of(build) {
                let reason = Stop::Shutdown.reason().to_owned();
                if self.builds.shut_down(id) {
                    let number = Some(number);
                    self.out.announce(BuildEvent::Interrupted {
                        builder,
                        number,
                        reason: reason.clone(),
                    });
                }
                self.interrupt(id, reason);
            }
            self.leave_triggered(build, "was stopped");
        }
        !vain.is_empty()
    }
}
