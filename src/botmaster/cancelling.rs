//! People stop builds and cancel requests (BUI-10, BUI-11, BRQ-04, BRQ-05).

use super::builder::BuilderIx;
use super::building::{Stage, Stop};
use super::buildset::Place;
use super::ledger::Effect;
use super::{Answer, AttemptId, BotMaster, Command, Event, ReplyId};
use crate::model::{BuildId, BuildNumber, BuilderName, RequestId, Results};

impl BotMaster {
    /// BUI-10, by number.
    pub(super) fn on_stop_build(
        &mut self,
        builder: &BuilderName,
        number: BuildNumber,
        reason: String,
        reply: ReplyId,
    ) {
        let ix = self.builders_by_name.get(builder);
        let result = match ix.map(|b| self.builders[b.0].numbered.get(&number).copied()) {
            None => Err(format!("there is no builder {builder}")),
            Some(None) => Err(format!("build {number} of {builder} is not running")),
            Some(Some(attempt)) => {
                self.stop_attempt(attempt, reason);
                Ok(Answer::Done)
            }
        };
        self.reply(reply, result);
    }

    /// BUI-10, by a request, so that builds without a number can be stopped.
    pub(super) fn on_stop_request(&mut self, request: RequestId, reason: String, reply: ReplyId) {
        let result = match self.open.request(request).map(|open| open.place) {
            None | Some(Place::Unqueued) => Err(format!("request {request} is not open")),
            Some(Place::Queued) => Err(format!(
                "request {request} is not being built: `buildmaster cancel {request}` takes it out of the queue"
            )),
            Some(Place::Starting { attempt, .. } | Place::Building(attempt)) => {
                self.stop_attempt(attempt, reason);
                Ok(Answer::Done)
            }
        };
        self.reply(reply, result);
    }

    /// BRQ-04: works while the request is queued. Later it counts only if the start fails (BRQ-05).
    pub(super) fn on_cancel_request(&mut self, request: RequestId, reply: ReplyId) {
        let Some(open) = self.open.request_mut(request) else {
            self.reply(reply, Err(format!("request {request} is not open")));
            return;
        };
        match &mut open.place {
            Place::Unqueued => {
                self.reply(reply, Err(format!("request {request} is not open")));
            }
            Place::Starting { cancelled, .. } => {
                *cancelled = true;
                let why = format!(
                    "request {request} is being started: it is given up only if that fails; \
                     `buildmaster stop-request {request}` stops it now"
                );
                self.reply(reply, Err(why));
            }
            Place::Building(_) => {
                let why = format!(
                    "request {request} is being built: `buildmaster stop-request {request}` stops its build"
                );
                self.reply(reply, Err(why));
            }
            Place::Queued => {
                self.unqueue(request);
                let mut ops = Vec::new();
                let mut effects = vec![
                    Effect::Reply(reply, Ok(Answer::Done)),
                    Effect::Announce(Event::RequestCancelled {
                        request,
                        why: "cancelled".to_owned(),
                    }),
                ];
                self.finish_requests(&[(request, Results::Failure)], &mut ops, &mut effects);
                self.persist_then(ops, effects);
            }
        }
    }

    fn stop_attempt(&mut self, id: AttemptId, reason: String) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        if attempt.stop.is_some() {
            return;
        }
        attempt.stop = Some(Stop::Asked(reason.clone()));
        match attempt.stage {
            Stage::Substantiating => self.abort_waiting(id, &reason),
            Stage::Pinging => self.abort_ping(id, &reason),
            Stage::Starting | Stage::Recording(_) => {}
            Stage::Running(build, number) => {
                let builder = attempt.builder;
                self.interrupt(build, number, builder, reason);
            }
        }
    }

    /// Gives a build up whose slave is being pinged; the ping goes on for itself.
    pub(super) fn abort_ping(&mut self, id: AttemptId, why: &str) {
        let Some(attempt) = self.attempts.get(&id) else {
            return;
        };
        let (slave, builder) = (attempt.slave, attempt.builder);
        if let Some(attachment) = self.attachment(slave, builder) {
            let stopped = attachment.on_start_stopped(id);
            debug_assert!(stopped.is_ok(), "a build that pings has its attachment");
        }
        self.give_back(id, why);
    }

    pub(super) fn interrupt(
        &mut self,
        build: BuildId,
        number: BuildNumber,
        builder: BuilderIx,
        reason: String,
    ) {
        if let Some(&id) = self.builds.get(&build) {
            self.forget_lock_waiter(id);
        }
        let builder = self.builder_name(builder);
        self.send(Command::InterruptBuild {
            build,
            reason: reason.clone(),
        });
        self.announce(Event::BuildInterrupted {
            builder,
            number,
            reason,
        });
    }
}
