//! The builds that start or run: their stages, their numbers, why they stop, and what is expected
//! of them (BLD-09 to BLD-14, BUI-10 to BUI-15).
//!
//! ```text
//!  Substantiating (latent slaves)
//!     v
//!  Pinging --pong--> Starting --accepted--> Recording --durable--> Running --finished--> over
//!     |                 |                       |
//!     +---- failed -----+                       +-- stopped, slave lost meanwhile ------> over
//!           requests return to the queue            on record, never run
//! ```
//! Invariants: a build has numbers exactly while it is recorded or runs; no number is given twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempt::{Attempt, Stage, Stop};
use super::dispatch::Match;
use super::expecting;
use super::ids::{AttemptId, BuilderIx};
use super::ledger::Effect;
use super::merging::{self, PropertySources};
use super::out::Out;
use super::plan;
use super::renaming::{Rename, move_key};
use super::telling;
use super::{BuildCommand, BuildEvent, BuildOutcome, BuildPlan, SessionId};
use crate::model::journal::{BuildStart, NextNumbers};
use crate::model::{
    BuildId, BuildNumber, BuildRequest, BuilderName, Effort, Expectations, Op, Properties, Results,
};

/// The builds that start or run.
#[derive(Debug)]
pub(super) struct Builds {
    attempts: BTreeMap<AttemptId, Attempt>,
    /// The builds that have numbers.
    by_build: BTreeMap<BuildId, AttemptId>,
    by_number: BTreeMap<(BuilderIx, BuildNumber), AttemptId>,
    last_attempt: u64,
    next: BuildId,
    /// The next number of each builder that has had a build.
    next_of: BTreeMap<BuilderName, BuildNumber>,
    /// The next number in each directory of a builder: it may be that of another builder by now.
    next_in: BTreeMap<String, BuildNumber>,
    /// What is expected of builders, also of builders that may come back (PRG-04).
    expectations: BTreeMap<BuilderName, Expectations>,
    /// Those of culprit searches.
    searches: BTreeSet<AttemptId>,
}

/// A build that is over.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) attempt: Attempt,
    pub(super) build: BuildId,
    pub(super) number: BuildNumber,
    /// The result that counts, which a stop may have changed.
    pub(super) result: Results,
    pub(super) text: Vec<String>,
    pub(super) stop_reason: Option<String>,
    pub(super) properties: Properties,
    pub(super) took: BTreeMap<String, Option<Effort>>,
    pub(super) abandoned_command: bool,
}

impl Builds {
    /// None yet, with what the state knew of earlier ones.
    pub(super) fn new(
        next: &NextNumbers,
        expectations: BTreeMap<BuilderName, Expectations>,
    ) -> Self {
        Self {
            attempts: BTreeMap::new(),
            by_build: BTreeMap::new(),
            by_number: BTreeMap::new(),
            last_attempt: 0,
            next: next.build,
            next_of: next.build_of.clone(),
            next_in: next.build_in.clone(),
            expectations,
            searches: BTreeSet::new(),
        }
    }

    /// The next number of each builder that has had a build.
    pub(super) const fn next_of(&self) -> &BTreeMap<BuilderName, BuildNumber> {
        &self.next_of
    }

    /// What is expected of a builder, and its next number, are under another name.
    pub(super) fn rename(&mut self, rename: &Rename) {
        move_key(&mut self.next_of, rename);
        move_key(&mut self.expectations, rename);
    }

    /// A build begins, without a number (BLD-11): a latent slave is started first, another slave is
    /// pinged.
    pub(super) fn begin(
        &mut self,
        out: &Out,
        found: Match,
        (stage, session): (Stage, Option<SessionId>),
        is_of_search: bool,
    ) -> AttemptId {
        self.last_attempt += 1;
        let id = AttemptId(self.last_attempt);
        if is_of_search {
            self.searches.insert(id);
        }
        let attempt = Attempt {
            builder: found.builder,
            slave: found.slave,
            session,
            requests: found.requests,
            configs: (
                Arc::clone(&out.layout.builder(found.builder).config),
                Arc::clone(&out.layout.slave(found.slave).config),
            ),
            choice: found.choice,
            chosen_at: out.now.wall,
            stage,
            since: out.now.wall,
            started: None,
            is_of_search,
            slave_gone: false,
            stop: None,
            when_started: Vec::new(),
        };
        self.attempts.insert(id, attempt);
        id
    }

    /// Row 21: the latent slave of the build is attached, and is pinged.
    pub(super) fn on_substantiated(
        &mut self,
        out: &Out,
        id: AttemptId,
        session: Option<SessionId>,
    ) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.session = session;
            attempt.enter(Stage::Pinging, out.now);
        }
    }

    /// Row 13: the slave has answered the ping, and is asked to start the build.
    pub(super) fn on_pong(&mut self, out: &Out, id: AttemptId) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.enter(Stage::Starting, out.now);
        }
    }

    /// Row 14: the slave has agreed. The build of `requests` gets its numbers and goes on record
    /// (BLD-09, BLD-11); `slave_info` is what the slave said of itself.
    pub(super) fn record_start(
        &mut self,
        out: &mut Out,
        id: AttemptId,
        requests: &[&BuildRequest],
        slave_info: &Arc<BTreeMap<String, String>>,
    ) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        let builder = &out.layout.builder(attempt.builder).config;
        let slave = &out.layout.slave(attempt.slave).config;
        let build = self.next;
        self.next = build.next();
        // Whoever else had or has this directory: no log of a build is ever in the place of
        // another's.
        let next_in = self.next_in.entry(builder.builddir.clone()).or_default();
        let next_of = self.next_of.entry(builder.name.clone()).or_default();
        let number = (*next_of).max(*next_in);
        *next_in = number.next();
        *next_of = number.next();
        let config = out.layout.config();
        let stamps = merging::stamps(requests);
        let sources = PropertySources {
            config,
            requests,
            stamps: &stamps,
            number,
            builder,
            slave,
            slave_info,
        };
        let plan = BuildPlan {
            build,
            number,
            builder: Arc::clone(builder),
            slave: slave.name.clone(),
            slave_info: Arc::clone(slave_info),
            slave_facts: plan::slave_facts(slave, slave_info),
            repositories: Arc::clone(&config.repositories),
            values: Arc::clone(&config.values),
            url: plan::url(&config.buildbot_url, &builder.name, number),
            requests: attempt.requests.clone(),
            requested: merging::latest_submission(requests),
            reason: merging::reason(requests),
            properties: sources.properties(),
            stamps,
            log_dir: plan::log_dir(builder, number),
            log_limits: config.logs,
            buildbot_url: config.buildbot_url.clone(),
            interrupt_grace: config.interrupt_grace,
        };
        let planned = expecting::planned(builder, &plan.properties);
        let start = Arc::new(BuildStart {
            build,
            builder: builder.name.clone(),
            number,
            builddir: builder.builddir.clone(),
            slave: plan.slave.clone(),
            requests: plan.requests.clone(),
            changes: plan.stamps.change_numbers(),
            blamelist: plan.stamps.blamelist(),
            reason: plan.reason.clone(),
            properties: plan.properties.clone(),
            forecast: expecting::forecast(
                self.expectations.get(&builder.name),
                (builder, &planned),
            ),
            choice: std::mem::take(&mut attempt.choice),
            planned,
            at: out.now.wall,
        });
        attempt.configs.0 = Arc::clone(builder);
        attempt.enter(Stage::Recording(build, number), out.now);
        attempt.started = Some(out.now);
        self.by_build.insert(build, id);
        self.by_number.insert((attempt.builder, number), id);
        let mut effects = vec![
            Effect::Announce(BuildEvent::Started(Arc::clone(&start)).into()),
            Effect::Run(id, Box::new(plan)),
        ];
        effects.append(&mut attempt.when_started);
        let stopped = attempt.stop_op();
        let told = telling::running(config, builder, requests, (build, number), out.now.wall);
        let ops = [Op::BuildStarted(start)].into_iter();
        out.persist_then(ops.chain(stopped).chain(told).collect(), effects);
    }

    /// Its start is on record: it runs. If something came between, it ends without having run, with
    /// the outcome that is answered.
    pub(super) fn on_recorded(
        &mut self,
        out: &mut Out,
        id: AttemptId,
        plan: Box<BuildPlan>,
    ) -> Option<BuildOutcome> {
        let attempt = self.attempts.get_mut(&id)?;
        // The time since which it runs is the time of its record.
        attempt.stage = Stage::Running(plan.build, plan.number);
        let (result, text, stop_reason) = match (&attempt.stop, attempt.session) {
            (None, Some(session)) if !attempt.slave_gone => {
                let build = plan.build;
                out.send(BuildCommand::Run { session, plan }.to(build));
                return None;
            }
            (None, _) => (Results::Retry, ["retry", "exception slave lost"], None),
            (Some(stop), _) => {
                let result = match stop {
                    Stop::Asked(_) => Results::Exception,
                    Stop::Shutdown | Stop::Yields => Results::Retry,
                };
                let text = [result.as_str(), "interrupted"];
                (result, text, Some(stop.reason().to_owned()))
            }
        };
        Some(BuildOutcome {
            result,
            text: text.map(str::to_owned).to_vec(),
            stop_reason,
            properties: plan.properties,
            took: BTreeMap::new(),
            abandoned_command: false,
        })
    }

    /// A build that runs has ended: it leaves the list. Nothing if it does not run.
    pub(super) fn finish(&mut self, id: AttemptId, outcome: BuildOutcome) -> Option<Ended> {
        let Stage::Running(build, number) = self.attempts.get(&id)?.stage else {
            return None;
        };
        let attempt = self.give_up(id)?;
        self.by_build.remove(&build);
        self.by_number.remove(&(attempt.builder, number));
        let (result, stop_reason) = attempt.judge(outcome.result, outcome.stop_reason);
        let mut text = outcome.text;
        if result != outcome.result
            && let Some(first) = text.first_mut()
        {
            result.as_str().clone_into(first);
        }
        Some(Ended {
            attempt,
            build,
            number,
            result,
            text,
            stop_reason,
            properties: outcome.properties,
            took: outcome.took,
            abandoned_command: outcome.abandoned_command,
        })
    }

    /// A start has come to nothing: the build leaves the list.
    pub(super) fn give_up(&mut self, id: AttemptId) -> Option<Attempt> {
        self.searches.remove(&id);
        self.attempts.remove(&id)
    }

    /// Its slave is lost (rows 12 and 18); answers how far it had come. A build that runs is told.
    pub(super) fn on_slave_lost(
        &mut self,
        out: &mut Out,
        id: AttemptId,
        why: &str,
    ) -> Option<Stage> {
        let attempt = self.attempts.get_mut(&id)?;
        attempt.slave_gone = true;
        if let Stage::Running(build, _) = attempt.stage {
            let why = why.to_owned();
            out.send(BuildCommand::LoseSlave { why }.to(build));
        }
        Some(attempt.stage)
    }

    /// People want it to stop. The first reason that people give counts.
    pub(super) fn stop(&mut self, id: AttemptId, reason: &str) -> Option<&Attempt> {
        let attempt = self.attempts.get_mut(&id)?;
        if !matches!(attempt.stop, Some(Stop::Asked(_))) {
            attempt.stop = Some(Stop::Asked(reason.to_owned()));
        }
        Some(attempt)
    }

    /// The master stops, and the build with it. Answers whether that is why it stops.
    pub(super) fn shut_down(&mut self, id: AttemptId) -> bool {
        let attempt = self.attempts.get_mut(&id);
        let stop = attempt.map(|attempt| attempt.stop.get_or_insert(Stop::Shutdown));
        stop.is_some_and(|stop| matches!(stop, Stop::Shutdown))
    }

    /// Tells a build that runs to stop what it is doing. Answers whether it runs.
    pub(super) fn interrupt(&self, out: &mut Out, id: AttemptId, reason: String) -> bool {
        let Some(Stage::Running(build, _)) = self.get(id).map(|attempt| attempt.stage) else {
            return false;
        };
        out.send(BuildCommand::Interrupt { reason }.to(build));
        true
    }

    /// Keeps `effects` until the start is on record, or has come to nothing.
    pub(super) fn await_start(&mut self, id: AttemptId, effects: Vec<Effect>) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.when_started.extend(effects);
        }
    }

    /// What is kept for starts that will not be on record any more.
    pub(super) fn abandon_starts(&mut self) -> Vec<Effect> {
        let attempts = self.attempts.values_mut();
        let kept = attempts.flat_map(|attempt| std::mem::take(&mut attempt.when_started));
        kept.collect()
    }

    /// A build has succeeded, the steps of which took this; what is to be stored of it, if anything
    /// is.
    pub(super) fn learn(
        &mut self,
        builder: BuilderName,
        took: BTreeMap<String, Option<Effort>>,
    ) -> Option<Op> {
        let expectations = self.expectations.entry(builder.clone()).or_default();
        if took.is_empty() && expectations.0.is_empty() {
            return None;
        }
        expectations.learn(took);
        let expected = expectations.clone();
        Some(Op::StepsExpected { builder, expected })
    }

    /// The builds of searches, the oldest first.
    pub(super) fn searches(&self) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        let searches = self.searches.iter();
        searches.filter_map(|&id| Some((id, self.attempts.get(&id)?)))
    }

    /// A build of a search makes way for another request; answers whether it was not stopped
    /// already.
    pub(super) fn make_way(&mut self, id: AttemptId) -> bool {
        let attempt = self.attempts.get_mut(&id);
        let attempt = attempt.filter(|attempt| attempt.stop.is_none());
        attempt.is_some_and(|attempt| attempt.stop.replace(Stop::Yields).is_none())
    }

    /// What a build that runs is expected to take in all, in seconds; absent if a step is unknown.
    pub(super) fn expected_secs(&self, attempt: &Attempt, last_step: Option<&str>) -> Option<f64> {
        let builder = &attempt.configs.0;
        let steps = expecting::up_to(builder, last_step);
        let expected = &self.expectations.get(&builder.name)?.0;
        let mut each = steps.iter().map(|step| Some(expected.get(step)?.secs));
        each.try_fold(0.0, |sum, secs| Some(sum + secs?))
    }

    /// A build that starts or runs.
    pub(super) fn get(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.get(&id)
    }

    /// All that start or run, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        self.attempts.iter().map(|(&id, attempt)| (id, attempt))
    }

    /// The build of this id, if it has not ended.
    pub(super) fn of_id(&self, build: BuildId) -> Option<AttemptId> {
        self.by_build.get(&build).copied()
    }

    /// The build of this number, if it has not ended.
    pub(super) fn of_number(&self, builder: BuilderIx, number: BuildNumber) -> Option<AttemptId> {
        self.by_number.get(&(builder, number)).copied()
    }

    /// The builds of a builder that have a number and have not ended.
    pub(super) fn numbered(
        &self,
        builder: BuilderIx,
    ) -> impl Iterator<Item = (BuildNumber, &Attempt)> {
        let range = (builder, BuildNumber(0))..=(builder, BuildNumber(u64::MAX));
        let numbered = self.by_number.range(range);
        numbered.filter_map(|(&(_, number), id)| Some((number, self.attempts.get(id)?)))
    }

    /// Whether no build has a number and has not ended.
    pub(super) fn none_numbered(&self) -> bool {
        self.by_build.is_empty()
    }

    /// Adds the numbers that the next builds will have.
    #[cfg(test)]
    pub(super) fn numbers(&self) -> NextNumbers {
        NextNumbers {
            build: self.next,
            build_of: self.next_of.clone(),
            build_in: self.next_in.clone(),
            ..NextNumbers::default()
        }
    }
}

#[cfg(test)]
mod tests;
