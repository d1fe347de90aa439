//! People stop builds and cancel requests (BUI-10, BUI-11, BRQ-04, BRQ-05).

use super::attempt::Stage;
use super::buildset::{Place, RequestEnd};
use super::ledger::Effect;
use super::{Answer, AttemptId, BotMaster, BuildEvent, ReplyId};
use crate::model::{BuildNumber, BuilderName, RequestId, Results};

impl BotMaster {
    /// BUI-10, by number.
    pub(super) fn on_stop_build(
        &mut self,
        builder: &BuilderName,
        number: BuildNumber,
        reason: String,
        reply: ReplyId,
    ) {
        let ix = self.out.layout.builder_named(builder);
        let refusal = match ix.map(|ix| self.builds.of_number(ix, number)) {
            None => self.out.layout.no_builder(builder),
            Some(None) => format!("build {number} of {builder} is not running"),
            Some(Some(attempt)) => return self.stop_attempt(attempt, reason, reply),
        };
        self.out.reply(reply, Err(refusal));
    }

    /// BUI-10, by a request, so that builds without a number can be stopped.
    pub(super) fn on_stop_request(&mut self, request: RequestId, reason: String, reply: ReplyId) {
        let refusal = match self.intake.request(request).map(|open| open.place) {
            None | Some(Place::Unqueued) => format!("request {request} is not open"),
            Some(Place::Queued) => format!(
                "request {request} is not being built: `buildmaster cancel {request}` takes it out of the queue"
            ),
            Some(Place::Starting { attempt, .. } | Place::Building(attempt)) => {
                return self.stop_attempt(attempt, reason, reply);
            }
        };
        self.out.reply(reply, Err(refusal));
    }

    /// BRQ-04: works while the request is queued. Later it counts only if the start fails (BRQ-05).
    pub(super) fn on_cancel_request(&mut self, request: RequestId, reason: &str, reply: ReplyId) {
        let refusal = match self.intake.request(request).map(|open| open.place) {
            None | Some(Place::Unqueued) => format!("request {request} is not open"),
            Some(Place::Starting { attempt, .. }) => {
                let cancelled = true;
                let place = Place::Starting { attempt, cancelled };
                self.intake.set_places(&[request], place);
                format!(
                    "request {request} is being started: it is given up only if that fails; \
                     `buildmaster stop-request {request}` stops it now"
                )
            }
            Some(Place::Building(_)) => format!(
                "request {request} is being built: `buildmaster stop-request {request}` stops its build"
            ),
            Some(Place::Queued) => {
                self.unqueue(request);
                let mut ops = Vec::new();
                let mut effects = vec![Effect::Reply(reply, Ok(Answer::Done))];
                let end = RequestEnd {
                    request,
                    result: Results::Failure,
                    why: Some(format!("cancelled{}", super::Ask::because(reason))),
                    build: None,
                };
                self.intake
                    .finish_request(&mut self.out, end, &mut ops, &mut effects);
                self.out.persist_then(ops, effects);
                return;
            }
        };
        self.out.reply(reply, Err(refusal));
    }

    /// Stops a build; answered when that outlasts a kill of the master. The first reason that
    /// people give counts. Each stop interrupts what the build is doing by then, so that a step
    /// that always runs can be stopped as well.
    fn stop_attempt(&mut self, id: AttemptId, reason: String, reply: ReplyId) {
        let effects = vec![Effect::Reply(reply, Ok(Answer::Done))];
        self.stop_attempt_then(id, reason, effects);
    }

    /// Stops a build, with `effects` when that outlasts a kill of the master.
    pub(super) fn stop_attempt_then(
        &mut self,
        id: AttemptId,
        reason: String,
        mut effects: Vec<Effect>,
    ) {
        let mut ops = Vec::new();
        let of = self.build_of(id);
        if let (Some((builder, number)), Some(attempt)) = (of, self.builds.stop(id, &reason)) {
            ops.extend(attempt.stop_op());
            effects.push(Effect::Announce(
                BuildEvent::Interrupted {
                    builder,
                    number,
                    reason: reason.clone(),
                }
                .into(),
            ));
            match attempt.stage {
                Stage::Substantiating => self.abort_waiting(id, &reason),
                Stage::Pinging => self.abort_ping(id, &reason),
                Stage::Starting => {
                    self.builds.await_start(id, effects);
                    return;
                }
                Stage::Recording(..) => {}
                Stage::Running(..) => self.interrupt(id, reason),
            }
        }
        self.out.persist_then(ops, effects);
        self.leave_if_stopped(id);
    }

    /// Gives a build up whose slave is being pinged; the ping goes on for itself.
    pub(super) fn abort_ping(&mut self, id: AttemptId, why: &str) {
        let Some(attempt) = self.builds.get(id) else {
            return;
        };
        let pair = (attempt.slave, attempt.builder);
        self.roster.stop_start(&mut self.out, pair, id);
        self.give_back(id, why);
    }

    /// Tells a build that runs to stop what it is doing; it waits for no locks any more (LCK-07).
    pub(super) fn interrupt(&mut self, id: AttemptId, reason: String) {
        if self.builds.interrupt(&mut self.out, id, reason) {
            self.forget_lock_waiter(id);
        }
    }
}
