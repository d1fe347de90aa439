//! What follows for requests, locks and slaves from the stages of a build
//! ([`Builds`](super::builds::Builds)).

use super::attempt::{Attempt, Stage, Stop};
use super::builds::Ended;
use super::buildset::{Place, RequestEnd};
use super::ids::AttemptId;
use super::ledger::Effect;
use super::outcome::{Act, Counted};
use super::searching::MOST_REPEATS;
use super::telling;
use super::{BotMaster, BuildEvent, BuildOutcome, BuildPlan, Epoch, Event, IntakeEvent, SessionId};
use crate::config::EndedBuild;
use crate::model::journal::BuildFinish;
use crate::model::{
    BuildId, BuildNumber, BuilderName, CommitState, Op, RequestId, Results, Timestamp,
};

impl BotMaster {
    /// Rows 14 and 15.
    pub(super) fn on_build_start_answered(
        &mut self,
        session: SessionId,
        name: &BuilderName,
        epoch: Epoch,
        ok: Result<(), String>,
    ) {
        let go = self.phase.starts_builds();
        let accepted = ok.is_ok() && go;
        let of = (session, name);
        let answered = self
            .roster
            .on_start_answered(&mut self.out, of, epoch, accepted);
        let Some((slave, id)) = answered else {
            return;
        };
        match ok {
            Ok(()) if go => {
                self.roster.on_start_succeeded(&mut self.out, slave);
                self.record_start(id);
            }
            Ok(()) => self.give_back(id, "the master is shutting down"),
            Err(why) => {
                let why = format!("the slave rejected it: {why}");
                self.roster.note_failed_start(&mut self.out, slave, &why);
                self.give_back(id, &why);
            }
        }
    }

    /// The build gets its numbers and goes on record (BLD-09, BLD-11).
    fn record_start(&mut self, id: AttemptId) {
        let Some(attempt) = self.builds.get(id) else {
            return;
        };
        self.intake
            .set_places(&attempt.requests, Place::Building(id));
        let requests = self.intake.requests(&attempt.requests);
        let info = self.roster.info(attempt.slave);
        self.builds.record_start(&mut self.out, id, &requests, info);
    }

    /// Its start is on record: it runs, or is over if something came between.
    pub(super) fn on_start_recorded(&mut self, id: AttemptId, plan: Box<BuildPlan>) {
        if let Some(attempt) = self.builds.get(id) {
            self.dispatch.set_used_last(attempt.builder, attempt.slave);
        }
        if let Some(outcome) = self.builds.on_recorded(&mut self.out, id, plan) {
            self.end_build(id, outcome);
        }
    }

    pub(super) fn on_build_finished(&mut self, build: BuildId, outcome: BuildOutcome) {
        if let Some(id) = self.builds.of_id(build) {
            self.end_build(id, outcome);
        }
    }

    /// BLD-14: the slave is free at once, the end of the build and of its requests is one
    /// transaction, and subscribers hear of it when that is durable.
    fn end_build(&mut self, id: AttemptId, outcome: BuildOutcome) {
        let Some(ended) = self.builds.finish(id, outcome) else {
            return;
        };
        let attempt = &ended.attempt;
        let (slave, builder) = (attempt.slave, attempt.builder);
        let (slave_gone, abandoned_command) = (attempt.slave_gone, ended.abandoned_command);
        let build = ended.build;
        self.release_locks(id);
        self.states.remove(builder, Counted::Build);
        self.record_end(ended);
        let what = "has ended";
        self.out.act_later(Act::Leave { build, what });
        if slave_gone {
            return;
        }
        let pair = (slave, builder);
        self.roster.on_build_finished(&mut self.out, pair, id);
        if abandoned_command {
            // The slave is told first what was kept from it for the build's sake.
            let why = "a command on it was given up";
            self.out.act_later(Act::Drop { slave, why });
        }
    }

    fn record_end(&mut self, ended: Ended) {
        let Ended {
            attempt,
            build,
            number,
            mut result,
            mut text,
            stop_reason,
            properties,
            took,
            ..
        } = ended;
        let (retried, finished) = self.sort_requests(&attempt, result, number);
        if result == Results::Retry && retried.is_empty() {
            result = Results::Exception;
            if let Some(first) = text.first_mut() {
                result.as_str().clone_into(first);
            }
            text.push("too many retries".to_owned());
        }
        let builder = self.out.layout.builder_name(attempt.builder);
        let at = attempt.ends_at(self.out.now);
        let told = {
            let ended = EndedBuild {
                builder: &attempt.configs.0,
                number: number.0,
                result,
                properties: &properties,
            };
            telling::build_ended(self.out.layout.config(), build, &ended, at)
        };
        let mut ops = vec![Op::BuildFinished(BuildFinish {
            build,
            result,
            text: text.clone(),
            stop_reason,
            properties,
            at,
        })];
        // Nobody is told of the builds of a search: its verdict says what they have found.
        if !attempt.is_of_search {
            ops.extend(told);
            let state = CommitState::of(result);
            ops.extend(self.tell_commits(&attempt, state, (build, number), at));
        }
        // A build of a search may be cut short.
        if result == Results::Success && !attempt.is_of_search {
            ops.extend(self.builds.learn(builder.clone(), took));
        }
        let mut effects = vec![Effect::Announce(
            BuildEvent::Finished {
                build,
                builder: builder.clone(),
                number,
                result,
                text,
            }
            .into(),
        )];
        for end in finished {
            self.intake
                .finish_request(&mut self.out, end, &mut ops, &mut effects);
        }
        for request in retried {
            if let Some(open) = self.intake.request(request) {
                ops.push(Op::RequestRetries {
                    request,
                    retries: open.request.retries,
                });
            }
            self.enqueue(request, false);
            effects.push(Effect::Announce(
                IntakeEvent::RequestQueued {
                    request,
                    builder: builder.clone(),
                }
                .into(),
            ));
        }
        self.out.persist_then(ops, effects);
    }

    /// What code hosts are told of the commits of a build that ends.
    fn tell_commits(
        &self,
        attempt: &Attempt,
        state: CommitState,
        build: (BuildId, BuildNumber),
        at: Timestamp,
    ) -> Vec<Op> {
        let requests = attempt.requests.iter();
        let open = requests.filter_map(|&request| self.intake.request(request));
        let stamps = open.map(|open| &*open.request.stamps);
        let config = self.out.layout.config();
        telling::commits(config, &attempt.configs.0, stamps, (state, Some(build)), at)
    }

    /// The requests of a build that are built again, and the ends of the others.
    fn sort_requests(
        &mut self,
        attempt: &Attempt,
        result: Results,
        number: BuildNumber,
    ) -> (Vec<RequestId>, Vec<RequestEnd>) {
        let (mut retried, mut finished) = (Vec::new(), Vec::new());
        // A stop of the master does not count as a retry (BUI-14).
        let is_free = matches!(attempt.stop, Some(Stop::Shutdown));
        let most = match attempt.stop {
            Some(Stop::Yields) => MOST_REPEATS,
            _ => self.out.layout.config().max_retries,
        };
        for &request in &attempt.requests {
            let mut end = RequestEnd {
                request,
                result,
                why: None,
                build: Some(number),
            };
            if result == Results::Retry {
                let unwanted = self.intake.unwanted(request).map(str::to_owned);
                if unwanted.is_none() && (is_free || self.intake.retry(request, most)) {
                    retried.push(request);
                    continue;
                }
                end.result = Results::Exception;
                end.why = unwanted;
            }
            finished.push(end);
        }
        (retried, finished)
    }

    /// A build has lost its slave (rows 12 and 18).
    pub(super) fn on_build_lost(&mut self, id: AttemptId, why: &str) {
        match self.builds.on_slave_lost(&mut self.out, id, why) {
            Some(Stage::Substantiating | Stage::Pinging | Stage::Starting) => {
                self.give_back(id, why);
            }
            Some(Stage::Running(build, _)) => {
                self.forget_lock_waiter(id);
                let what = "has lost its slave";
                self.out.act_later(Act::Leave { build, what });
            }
            Some(Stage::Recording(..)) | None => {}
        }
    }

    /// A start has failed.
    pub(super) fn give_back(&mut self, id: AttemptId, why: &str) {
        if let Some(attempt) = self.builds.get(id)
            && attempt.stop.is_none()
        {
            let failed = Event::Build(BuildEvent::StartFailed {
                builder: self.out.layout.builder_name(attempt.builder),
                slave: self.out.layout.slave_name(attempt.slave),
                why: why.to_owned(),
            });
            self.out.announce(failed);
        }
        self.give_back_quietly(id);
    }

    /// A start has come to nothing: the requests get their old places back, except those that were
    /// cancelled or stopped meanwhile (BLD-10, BRQ-05). By itself that is not a failure (row 22).
    pub(super) fn give_back_quietly(&mut self, id: AttemptId) {
        let Some(attempt) = self.builds.give_up(id) else {
            return;
        };
        self.release_locks(id);
        self.states.remove(attempt.builder, Counted::Build);
        let mut ops = vec![Op::StartFailed {
            requests: attempt.requests.clone(),
        }];
        let mut effects = Vec::new();
        for &request in &attempt.requests {
            let Some((result, why)) = self.end_of_start(request, attempt.stop.as_ref()) else {
                self.enqueue(request, true);
                continue;
            };
            let end = RequestEnd {
                request,
                result,
                why: Some(why),
                build: None,
            };
            self.intake
                .finish_request(&mut self.out, end, &mut ops, &mut effects);
        }
        effects.extend(attempt.when_started);
        self.out.persist_then(ops, effects);
    }

    /// How a request ends whose build was not started, if it is not to be queued again.
    fn end_of_start(&self, request: RequestId, stop: Option<&Stop>) -> Option<(Results, String)> {
        if let Some(Stop::Asked(reason)) = stop {
            let why = format!("stopped before its build began: {reason}");
            return Some((Results::Exception, why));
        }
        let open = self.intake.request(request)?;
        if let Some(why) = &open.unwanted {
            return Some((Results::Failure, why.to_string()));
        }
        match open.place {
            Place::Starting {
                cancelled: true, ..
            } => {
                let why = "cancelled while its build was being started".to_owned();
                Some((Results::Failure, why))
            }
            Place::Starting { .. } | Place::Unqueued | Place::Queued | Place::Building(_) => None,
        }
    }
}
