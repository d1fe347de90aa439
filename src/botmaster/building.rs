//! A build from its start to its end (BLD-09 to BLD-14, BUI-10 to BUI-15).
//!
//! ```text
//!  Substantiating (latent slaves)
//!     v
//!  Pinging --pong--> Starting --accepted--> Recording --durable--> Running --finished--> over
//!     |                 |                       |
//!     +---- failed -----+                       +-- stopped, slave lost meanwhile ------> over
//!           requests go back                        on record, never run
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::attempt::{Attempt, Stage, Stop};
use super::buildset::Place;
use super::expecting;
use super::ids::{BuilderIx, SlaveIx};
use super::ledger::Effect;
use super::merging::{self, PropertySources};
use super::timers::Timer;
use super::{
    AttemptId, BotMaster, BuildCommand, BuildOutcome, BuildPlan, Epoch, Event, SessionId,
    SlaveCommand,
};
use crate::model::journal::BuildStart;
use crate::model::{
    BuildId, BuildNumber, BuilderName, Op, Properties, RequestId, Results, SlaveName,
};

/// A request that ends for good: its result, and why, if no build of it says so.
pub(super) type Ended = (RequestId, Results, Option<String>);

impl BotMaster {
    pub(super) fn add_attempt(
        &mut self,
        id: AttemptId,
        slave: SlaveIx,
        builder: BuilderIx,
        requests: Vec<RequestId>,
        choice: String,
        stage: Stage,
    ) {
        self.builders[builder.0].building += 1;
        self.touched.insert(builder);
        let session = self.slaves[slave.0].session.as_ref().map(|s| s.id);
        let attempt = Attempt {
            builder,
            slave,
            session,
            requests,
            configs: (
                Arc::clone(&self.builders[builder.0].config),
                Arc::clone(&self.slaves[slave.0].config),
            ),
            choice,
            chosen_at: self.now.wall,
            stage,
            since: self.now.wall,
            started: None,
            slave_gone: false,
            stop: None,
            when_started: Vec::new(),
        };
        self.attempts.insert(id, attempt);
    }

    /// Row 13: the slave has answered the ping.
    pub(super) fn ask_start(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        attempt.stage = Stage::Starting;
        attempt.since = self.now.wall;
        let (slave, builder, session) = (attempt.slave, attempt.builder, attempt.session);
        let epoch = self.attachment(slave, builder).map(|a| a.epoch());
        let (Some(session), Some(epoch)) = (session, epoch) else {
            return;
        };
        let deadline = self.now.mono + self.config.attach_timeout;
        let timer = Timer::StartBuild(slave, builder, epoch);
        self.timers.set(timer, deadline);
        let builder = self.builder_name(builder);
        self.send(SlaveCommand::StartBuild { builder, epoch }.to(session));
    }

    /// Rows 14 and 15.
    pub(super) fn on_build_start_answered(
        &mut self,
        session: SessionId,
        name: &BuilderName,
        epoch: Epoch,
        ok: Result<(), String>,
    ) {
        let Some((slave, builder)) = self.pair_of(session, name) else {
            return;
        };
        let Some(id) = self.starting_on(slave, builder, epoch) else {
            return;
        };
        self.timers.cancel(Timer::StartBuild(slave, builder, epoch));
        let go = self.phase.starts_builds();
        let accepted = ok.is_ok() && go;
        if let Some(attachment) = self.attachment(slave, builder) {
            let answered = attachment.on_start_answered(epoch, accepted);
            debug_assert_eq!(answered, Ok(id));
        }
        match ok {
            Ok(()) if go => {
                self.slaves[slave.0].on_start_succeeded();
                self.record_start(id);
            }
            Ok(()) => self.give_back(id, "the master is shutting down"),
            Err(why) => {
                let why = format!("the slave refused it: {why}");
                self.note_failed_start(slave, &why);
                self.give_back(id, &why);
            }
        }
        self.place(slave, builder);
        self.review(slave);
    }

    pub(super) fn on_start_timeout(&mut self, slave: SlaveIx, builder: BuilderIx, epoch: Epoch) {
        if self.starting_on(slave, builder, epoch).is_some() {
            let why = "it did not say whether it starts a build";
            self.note_failed_start(slave, why);
            self.drop_session(slave, why);
        }
    }

    /// The build gets its numbers and goes on record (BLD-09, BLD-11).
    fn record_start(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        let build = self.next.build;
        self.next.build = build.next();
        let builder = &mut self.builders[attempt.builder.0];
        // Whoever else had or has this directory: no log of a build is ever in the place of another's.
        let dir = builder.config.builddir.clone();
        let in_dir = self.next.build_in.entry(dir).or_default();
        let number = builder.next_number.max(*in_dir);
        builder.next_number = number.next();
        *in_dir = number.next();
        builder.numbered.insert(number, id);
        let slave = &self.slaves[attempt.slave.0];
        for &request in &attempt.requests {
            if let Some(open) = self.open.request_mut(request) {
                open.place = Place::Building(id);
            }
        }
        let opened = attempt
            .requests
            .iter()
            .filter_map(|&r| self.open.request(r));
        let requests: Vec<_> = opened.map(|open| &open.request).collect();
        let stamp = merging::stamp(&requests);
        let sources = PropertySources {
            config: &self.config,
            requests: &requests,
            stamp: &stamp,
            number,
            builder: &builder.config,
            slave: &slave.config,
            slave_info: &slave.info,
        };
        let plan = BuildPlan {
            build,
            number,
            builder: Arc::clone(&builder.config),
            slave: slave.config.name.clone(),
            requests: attempt.requests.clone(),
            reason: merging::reason(&requests),
            properties: sources.properties(),
            stamp,
            log_dir: Path::new("builders")
                .join(&builder.config.builddir)
                .join(number.to_string()),
            log_limits: self.config.logs,
            interrupt_grace: self.config.interrupt_grace,
        };
        let forecast = expecting::forecast(&self.expectations, &plan.builder);
        let start = Arc::new(BuildStart {
            build,
            builder: builder.config.name.clone(),
            number,
            builddir: builder.config.builddir.clone(),
            slave: plan.slave.clone(),
            requests: plan.requests.clone(),
            changes: plan.stamp.changes.iter().map(|c| c.number).collect(),
            blamelist: plan.stamp.blamelist(),
            reason: plan.reason.clone(),
            properties: plan.properties.clone(),
            forecast,
            choice: std::mem::take(&mut attempt.choice),
            planned: expecting::step_names(&plan.builder),
            at: self.now.wall,
        });
        attempt.configs.0 = Arc::clone(&builder.config);
        attempt.stage = Stage::Recording(Box::new(plan));
        attempt.since = self.now.wall;
        attempt.started = Some(self.now);
        self.builds.insert(build, id);
        let mut effects = vec![
            Effect::Announce(Event::BuildStarted(Arc::clone(&start))),
            Effect::Run(id),
        ];
        effects.append(&mut attempt.when_started);
        let stopped = attempt.stop_op();
        let ops = [Op::BuildStarted(start)].into_iter().chain(stopped);
        self.persist_then(ops.collect(), effects);
    }

    /// Its start is on record: it runs, unless something came between; then it ends on record as well.
    pub(super) fn run(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        let Stage::Recording(plan) = std::mem::replace(&mut attempt.stage, Stage::Pinging) else {
            return;
        };
        attempt.stage = Stage::Running(plan.build, plan.number);
        let (result, text, stop_reason) = match (&attempt.stop, attempt.session) {
            (None, Some(session)) if !attempt.slave_gone => {
                let build = plan.build;
                self.send(BuildCommand::Run { session, plan }.to(build));
                return;
            }
            (None, _) => (Results::Retry, ["retry", "exception slave lost"], None),
            (Some(stop), _) => {
                let result = match stop {
                    Stop::Asked(_) => Results::Exception,
                    Stop::Shutdown => Results::Retry,
                };
                let text = [result.as_str(), "interrupted"];
                (result, text, Some(stop.reason().to_owned()))
            }
        };
        let outcome = BuildOutcome {
            result,
            text: text.map(str::to_owned).to_vec(),
            stop_reason,
            properties: plan.properties,
            took: BTreeMap::new(),
            abandoned_command: false,
        };
        self.finish_build(id, plan.build, plan.number, outcome);
    }

    pub(super) fn on_build_finished(&mut self, build: BuildId, outcome: BuildOutcome) {
        let Some(&id) = self.builds.get(&build) else {
            return;
        };
        if let Some(Stage::Running(_, number)) = self.attempts.get(&id).map(|a| &a.stage) {
            self.finish_build(id, build, *number, outcome);
        }
    }

    /// BLD-14: the slave is free at once, the end of the build and of its requests is one
    /// transaction, and watchers hear of it when that is durable.
    fn finish_build(
        &mut self,
        id: AttemptId,
        build: BuildId,
        number: BuildNumber,
        outcome: BuildOutcome,
    ) {
        let Some(attempt) = self.attempts.remove(&id) else {
            return;
        };
        self.builds.remove(&build);
        self.release_locks(id);
        self.leave_building_list(attempt.builder);
        self.builders[attempt.builder.0].numbered.remove(&number);
        let BuildOutcome {
            result: as_it_ended,
            mut text,
            stop_reason,
            properties,
            took,
            abandoned_command,
        } = outcome;
        let stop_reason = match &attempt.stop {
            Some(Stop::Asked(reason)) if stop_reason.is_some() || as_it_ended == Results::Retry => {
                Some(reason.clone())
            }
            Some(Stop::Asked(_) | Stop::Shutdown) | None => stop_reason,
        };
        let mut result = match &attempt.stop {
            Some(Stop::Shutdown) if stop_reason.is_some() => Results::Retry,
            Some(Stop::Asked(_)) if as_it_ended == Results::Retry => Results::Exception,
            Some(Stop::Shutdown | Stop::Asked(_)) | None => as_it_ended,
        };
        let mut retried = Vec::new();
        let mut finished = Vec::new();
        for &request in &attempt.requests {
            if result != Results::Retry {
                finished.push((request, result, None));
            } else if self.may_retry(request, &attempt) {
                retried.push(request);
            } else {
                finished.push((request, Results::Exception, None));
            }
        }
        if result == Results::Retry && retried.is_empty() {
            result = Results::Exception;
            text.push("too many retries".to_owned());
        }
        if result != as_it_ended
            && let Some(first) = text.first_mut()
        {
            result.as_str().clone_into(first);
        }
        let slave = attempt.slave;
        let learned = match result {
            Results::Success => self.learn(attempt.builder, took),
            Results::Warnings
            | Results::Failure
            | Results::Skipped
            | Results::Exception
            | Results::Retry => None,
        };
        self.record_end(
            build,
            number,
            &attempt,
            (result, text, stop_reason, properties),
            (retried, finished),
            learned,
        );
        if !attempt.slave_gone {
            if let Some(attachment) = self.attachment(slave, attempt.builder) {
                let freed = attachment.on_build_finished(id);
                debug_assert!(freed.is_ok(), "a build has its attachment until it ends");
            }
            self.place(slave, attempt.builder);
            self.review(slave);
            self.refresh_builder_list(slave);
            if abandoned_command {
                self.drop_session(slave, "a command on it was given up");
            }
        }
    }

    fn record_end(
        &mut self,
        build: BuildId,
        number: BuildNumber,
        attempt: &Attempt,
        (result, text, stop_reason, properties): (Results, Vec<String>, Option<String>, Properties),
        (retried, finished): (Vec<RequestId>, Vec<Ended>),
        learned: Option<Op>,
    ) {
        let mut ops = vec![Op::BuildFinished {
            build,
            result,
            text: text.clone(),
            stop_reason,
            properties,
            at: attempt.ends_at(self.now),
        }];
        ops.extend(learned);
        let mut effects = vec![Effect::Announce(Event::BuildFinished {
            build,
            builder: self.builder_name(attempt.builder),
            number,
            result,
            text,
        })];
        for ended in finished {
            self.finish_request(ended, &mut ops, &mut effects);
        }
        for request in retried {
            if let Some(open) = self.open.request(request) {
                ops.push(Op::RequestRetries {
                    request,
                    retries: open.request.retries,
                });
            }
            self.enqueue(request, false);
            effects.push(Effect::Announce(Event::RequestQueued {
                request,
                builder: self.builder_name(attempt.builder),
            }));
        }
        self.persist_then(ops, effects);
    }

    /// Counts a retry; whether the request has one left (BUI-14). A stop of the master is no retry.
    fn may_retry(&mut self, request: RequestId, attempt: &Attempt) -> bool {
        let Some(open) = self.open.request_mut(request) else {
            return false;
        };
        if matches!(attempt.stop, Some(Stop::Shutdown)) {
            return true;
        }
        if open.request.retries >= self.config.max_retries {
            return false;
        }
        open.request.retries += 1;
        true
    }

    /// A build has lost its slave (rows 12 and 18).
    pub(super) fn on_slave_gone(&mut self, id: AttemptId, why: &str) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        attempt.slave_gone = true;
        match attempt.stage {
            Stage::Substantiating | Stage::Pinging | Stage::Starting => self.give_back(id, why),
            Stage::Recording(_) => {}
            Stage::Running(build, _) => {
                self.forget_lock_waiter(id);
                let why = why.to_owned();
                self.send(BuildCommand::LoseSlave { why }.to(build));
            }
        }
    }

    /// A start has come to nothing: the requests get their old places back, except those that somebody
    /// has cancelled or stopped meanwhile (BLD-10, BRQ-05).
    pub(super) fn give_back(&mut self, id: AttemptId, why: &str) {
        if let Some(attempt) = self.attempts.get(&id) {
            let (builder, slave) = (
                self.builder_name(attempt.builder),
                self.slave_name(attempt.slave),
            );
            if attempt.stop.is_none() {
                self.announce(Event::StartFailed {
                    builder,
                    slave,
                    why: why.to_owned(),
                });
            }
            self.give_back_quietly(id);
        }
    }

    /// The same, when that is no failure (row 22).
    pub(super) fn give_back_quietly(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.remove(&id) else {
            return;
        };
        self.release_locks(id);
        self.leave_building_list(attempt.builder);
        let mut ops = vec![Op::StartFailed {
            requests: attempt.requests.clone(),
        }];
        let mut effects = Vec::new();
        for &request in &attempt.requests {
            let place = self.open.request(request).map(|open| open.place);
            let ended = match (&attempt.stop, place) {
                (Some(Stop::Asked(reason)), _) => {
                    let why = format!("stopped before its build began: {reason}");
                    (request, Results::Exception, Some(why))
                }
                (
                    _,
                    Some(Place::Starting {
                        cancelled: true, ..
                    }),
                ) => {
                    let why = "cancelled while its build was being started".to_owned();
                    (request, Results::Failure, Some(why))
                }
                _ => {
                    self.enqueue(request, true);
                    continue;
                }
            };
            self.finish_request(ended, &mut ops, &mut effects);
        }
        effects.extend(attempt.when_started);
        self.persist_then(ops, effects);
    }

    /// Ends a request for good: on record, in its set, and told when durable (BST-02 to BST-05). What others
    /// build because the set has succeeded is on record with it (DEP-07).
    pub(super) fn finish_request(
        &mut self,
        (request, result, why): Ended,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        let at = self.now.wall;
        let Some((set, progress, origin)) = self.open.finish(request, result) else {
            return;
        };
        if let Some(why) = why.clone() {
            effects.push(Effect::Announce(Event::RequestCancelled { request, why }));
        }
        ops.push(Op::RequestFinished {
            request,
            result,
            why,
            at,
        });
        effects.push(Effect::Announce(Event::RequestFinished { request, result }));
        if progress.first_failure {
            effects.push(Effect::Announce(Event::FirstFailure { set }));
        }
        if let Some(result) = progress.finished {
            ops.push(Op::SetFinished { set, result, at });
            effects.push(Effect::Announce(Event::SetFinished { set, result }));
            if let Some(origin) = origin {
                self.tell_set_finished(&origin, result, ops, effects);
            }
        }
    }

    /// The build that waits for an answer to the startBuild of this attachment.
    fn starting_on(&self, slave: SlaveIx, builder: BuilderIx, epoch: Epoch) -> Option<AttemptId> {
        let attachment = self.slaves[slave.0].slavebuilders.get(&builder)?;
        let id = attachment
            .attempt()
            .filter(|_| attachment.epoch() == epoch)?;
        let attempt = self.attempts.get(&id)?;
        matches!(attempt.stage, Stage::Starting).then_some(id)
    }

    fn leave_building_list(&mut self, builder: BuilderIx) {
        self.builders[builder.0].building -= 1;
        self.touched.insert(builder);
    }

    /// The slave of a build that has a number, for those who look.
    pub(super) fn slave_of_build(&self, id: AttemptId) -> Option<SlaveName> {
        Some(self.slave_name(self.attempts.get(&id)?.slave))
    }
}
