//! Builds: from disk, or as one hears of them while they run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{BuildProblem, Log, Moment, OwnFailure, Source, Step, json};
use crate::logs::{Channel, LogReader};
use crate::model::journal::{BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::progress::StepState;
use crate::model::{
    BuildError, BuildId, BuildNumber, BuilderName, ChangeNumber, Forecast, Judgement, Op, Origin,
    Properties, Remaining, RequestId, Results, SlaveName, Timestamp, interested_users,
    revision_built,
};
use crate::store::read::{BuildRow, SaidOfProblems};
use crate::store::{State, StoreError};

/// A build with its steps.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Build {
    /// Its number over all builders.
    pub id: BuildId,
    /// Its builder.
    pub builder: BuilderName,
    /// Its number within the builder.
    pub number: BuildNumber,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// How the result compares with the one before it on the same line (PRB-23); absent if it is as
    /// before, or says nothing.
    pub news: Option<Judgement>,
    /// The problems that are new with it, that are there still, or that it has ended (PRB-23).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<BuildProblem>,
    /// What fails in a try and not in its base; not there if there is none, or if the base is not
    /// known (PRB-18).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub yours: Vec<OwnFailure>,
    /// Short text about the result (BUI-08).
    pub text: Vec<String>,
    /// The slave that runs or ran it.
    pub slave: SlaveName,
    /// Why it is that slave, for people; empty if that was not recorded.
    pub slave_choice: String,
    /// Why it runs (BRQ-08).
    pub reason: String,
    /// Why it was stopped, if somebody stopped it (BUI-11).
    pub stop_reason: Option<String>,
    /// When it started.
    #[serde(serialize_with = "json::time")]
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    #[serde(serialize_with = "json::time_if_any")]
    pub finished_at: Option<Timestamp>,
    /// How long it took, so far if it runs; absent if the master stopped meanwhile.
    #[serde(serialize_with = "json::seconds_if_any")]
    #[schemars(with = "Option<f64>")]
    pub took: Option<Duration>,
    /// How long it will still take; absent if it is over or that is unknown.
    #[serde(serialize_with = "json::remaining_if_any")]
    pub remaining: Option<Remaining>,
    /// The branch; absent for the default branch, and if the build sets were pruned.
    pub branch: Option<String>,
    /// The revision that was built, else the one that was asked for.
    pub revision: Option<String>,
    /// The repository; absent if the build sets were pruned, as the next two are.
    pub repository: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The codebase.
    pub codebase: Option<String>,
    /// All sources of a build of several codebases; the branch and the three fields above are of
    /// the first then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Whether it tried a patch.
    #[serde(rename = "try")]
    pub is_try: bool,
    /// The steps that made the result what it is, if it is not success.
    pub failed_steps: Vec<String>,
    /// The line of its logs that says first what went wrong; null unless it failed.
    pub first_error: Option<BuildError>,
    /// The steps that it did not come to; empty while it runs.
    pub not_run: Vec<String>,
    /// The changes it is made of.
    pub changes: Vec<ChangeNumber>,
    /// Who is to blame for what it is made of (BUI-09).
    pub blamelist: Vec<String>,
    /// Who is to blame, and the owners.
    pub interested_users: Vec<String>,
    /// The requests it answers for, in queue order.
    pub requests: Vec<RequestId>,
    /// Its properties with their sources (PRP-10).
    pub properties: Properties,
    /// Its steps so far.
    pub steps: Vec<Step>,
    /// The names of all steps that it was to run; empty if that was not recorded.
    #[serde(skip)]
    pub planned: Vec<String>,
    /// What is expected of its steps, while it runs.
    #[serde(skip)]
    pub forecast: Forecast,
}

/// How long a build and each of its steps will still take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    /// The build.
    pub build: Option<Remaining>,
    /// The steps that have begun; absent for those that are over.
    pub steps: Vec<Option<Remaining>>,
}

impl Build {
    /// The newest `limit` builds, of one builder or of all, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn newest(
        state: &State,
        builder: Option<&BuilderName>,
        limit: u32,
        moment: Moment,
    ) -> Result<Vec<Self>, StoreError> {
        Self::of_rows(state, state.builds(builder, limit)?, moment)
    }

    /// The build of this number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(
        state: &State,
        builder: &BuilderName,
        number: BuildNumber,
        moment: Moment,
    ) -> Result<Option<Self>, StoreError> {
        let row = state.build(builder, number)?;
        let builds = Self::of_rows(state, row.into_iter().collect(), moment)?;
        Ok(builds.into_iter().next())
    }

    /// How many problems of which kind it has: `2 new failures, 3 known`; empty if there are none.
    #[must_use]
    pub fn count_of_problems(&self) -> String {
        let known = BuildProblem::count(&self.problems);
        match (self.yours.len(), known.as_str()) {
            (0, _) => known,
            (own, "") => format!("{own} of yours"),
            (own, known) => format!("{own} of yours, {known}"),
        }
    }

    /// The revision that it is of: the one that was built, else the one of its newest change.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn revision_or_change(&self, state: &State) -> Result<Option<String>, StoreError> {
        if self.revision.is_some() {
            return Ok(self.revision.clone());
        }
        let newest = self.changes.last();
        let change = newest.map(|&number| state.change(number)).transpose()?;
        Ok(change.flatten().and_then(|change| change.content.revision))
    }

    /// A build that has just started.
    #[must_use]
    pub fn begun(start: &BuildStart) -> Self {
        Self {
            id: start.build,
            builder: start.builder.clone(),
            number: start.number,
            result: None,
            news: None,
            problems: Vec::new(),
            yours: Vec::new(),
            text: Vec::new(),
            slave: start.slave.clone(),
            slave_choice: start.choice.clone(),
            reason: start.reason.clone(),
            stop_reason: None,
            started_at: start.at,
            finished_at: None,
            took: None,
            remaining: None,
            branch: None,
            revision: revision_built(&start.properties),
            repository: None,
            project: None,
            codebase: None,
            sources: Vec::new(),
            is_try: false,
            failed_steps: Vec::new(),
            first_error: None,
            not_run: Vec::new(),
            changes: start.changes.clone(),
            blamelist: start.blamelist.clone(),
            interested_users: interested_users(&start.blamelist, &start.properties),
            requests: start.requests.clone(),
            properties: start.properties.clone(),
            steps: Vec::new(),
            planned: start.planned.clone(),
            forecast: start.forecast.clone(),
        }
    }

    /// Takes in what its steps do. Returns whether it is news: false for what it knew, and for what
    /// is not about the steps of this build.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what is remembered is not about steps"
    )]
    pub fn hear(&mut self, op: &Op) -> bool {
        match op {
            Op::StepStarted(StepStart {
                build,
                index,
                name,
                text,
                waits,
                at,
            }) if *build == self.id => {
                let is_next = usize::try_from(*index) == Ok(self.steps.len());
                if is_next {
                    let step = Step::begun(name.clone(), text.clone(), *waits, *at);
                    self.steps.push(step);
                }
                is_next
            }
            Op::StepHasLocks { build, index, at } => self.change_step(*build, *index, |step| {
                step.working_since.replace(*at) != Some(*at)
            }),
            Op::StepText { build, index, text } => self.change_step(*build, *index, |step| {
                let is_news = step.finished_at.is_none() && step.text != *text;
                if is_news {
                    step.text.clone_from(text);
                }
                is_news
            }),
            Op::StepCounted {
                build,
                index,
                counts,
            } => self.change_step(*build, *index, |step| step.count(counts)),
            Op::StepFinished(StepFinish {
                build,
                index,
                result,
                text,
                at,
                outcome,
            }) => self.change_step(*build, *index, |step| {
                let is_news = step.finished_at.is_none();
                if is_news {
                    step.finished_at = Some(*at);
                    step.result = Some(*result);
                    step.took = Some(at.since(step.started_at));
                    step.text.clone_from(text);
                    step.build_text.clone_from(&outcome.build_text);
                    step.statistics.clone_from(&outcome.statistics);
                    step.commands.clone_from(&outcome.commands);
                    step.first_error.clone_from(&outcome.first_error);
                    step.hidden = outcome.hidden;
                }
                is_news
            }),
            Op::StepsAdded { build, planned } if *build == self.id => {
                self.planned.clone_from(planned);
                true
            }
            Op::StepLink {
                build,
                index,
                name,
                url,
            } => self.change_step(*build, *index, |step| step.add_link(name, url)),
            Op::LogOpened(LogOpening {
                build,
                step,
                name,
                path,
                ..
            }) => self.change_step(*build, *step, |step| step.open_log(name, path)),
            Op::LogClosed {
                build,
                step,
                name,
                size_bytes,
            } => self.change_step(*build, *step, |step| step.close_log(name, *size_bytes)),
            _ => false,
        }
    }

    /// Takes in its end.
    pub fn finish(&mut self, result: Results, text: Vec<String>, at: Timestamp) {
        self.result = Some(result);
        self.text = text;
        self.finished_at = Some(at);
        self.took = Some(at.since(self.started_at));
        self.note_steps();
    }

    /// How long it will still take at `now`; `output` tells the bytes of output that a log of a
    /// running step has so far.
    #[must_use]
    pub fn left(&self, now: Timestamp, output: impl Fn(&Log) -> Option<u64>) -> Left {
        if self.finished_at.is_some() {
            return Left {
                build: None,
                steps: vec![None; self.steps.len()],
            };
        }
        let states: Vec<_> = self.steps.iter().map(|step| step.state(&output)).collect();
        let of_step = |step: &StepState<'_>| {
            let left = self.forecast.of_step(step, now);
            left.filter(|_| !step.is_over)
        };
        Left {
            build: self.forecast.of_build(&states, now),
            steps: states.iter().map(of_step).collect(),
        }
    }

    /// The build of this number over all builders.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_id(state: &State, id: BuildId, moment: Moment) -> Result<Option<Self>, StoreError> {
        let row = state.build_of_id(id)?;
        let builds = Self::of_rows(state, row.into_iter().collect(), moment)?;
        Ok(builds.into_iter().next())
    }

    /// The builds of these rows, as they are at this moment.
    fn of_rows(
        state: &State,
        rows: Vec<BuildRow>,
        moment: Moment,
    ) -> Result<Vec<Self>, StoreError> {
        let mut builds = Vec::with_capacity(rows.len());
        for row in rows {
            let origin = state.origin(&row)?;
            let said = match &origin {
                Some(origin) => state.build_problems(&row, origin)?,
                None => SaidOfProblems::default(),
            };
            let mut build = Self::from(row);
            let is_try = origin.as_ref().is_some_and(|origin| origin.is_try);
            let problems = said.problems.into_iter();
            build.problems = problems
                .map(|one| BuildProblem::at(moment.now, one, is_try))
                .collect();
            build.yours = said.yours.iter().map(OwnFailure::from).collect();
            if let Some(origin) = origin {
                build.came_from(origin);
            }
            if moment.is_running {
                build.see_running(state, moment.now);
            }
            builds.push(build);
        }
        Ok(builds)
    }

    fn came_from(&mut self, origin: Origin) {
        if !origin.line.more.is_empty() {
            self.sources = Source::of_line(&origin.line, &self.properties);
        }
        self.branch = origin.line.branch;
        self.repository = Some(origin.line.repository);
        self.project = Some(origin.line.project);
        self.codebase = Some(origin.line.codebase);
        self.is_try = origin.is_try;
        self.revision = self.revision.take().or(origin.revision);
    }

    /// Notes how long it runs and what remains, if it has not ended.
    fn see_running(&mut self, state: &State, now: Timestamp) {
        if self.finished_at.is_some() {
            return;
        }
        // This is for an estimate: a log that cannot be read says nothing.
        let output = |log: &Log| {
            let reader = LogReader::open(state.basedir(), &log.path).ok()?;
            reader.count(&Channel::OUTPUT).ok()
        };
        let left = self.left(now, output);
        self.took = Some(now.since(self.started_at));
        self.remaining = left.build;
        for (step, left) in self.steps.iter_mut().zip(left.steps) {
            let end = step.finished_at.unwrap_or(now);
            step.took = Some(end.since(step.started_at));
            step.remaining = left;
        }
    }

    /// Notes which steps made the result, what went wrong first, and which it did not come to.
    fn note_steps(&mut self) {
        let Some(result) = self.result else { return };
        let with = |wanted: &[Results]| -> Vec<String> {
            let steps = self.steps.iter();
            let bad = steps.filter(|s| s.result.is_some_and(|result| wanted.contains(&result)));
            bad.map(|step| step.name.clone()).collect()
        };
        self.failed_steps = match with(&[result]) {
            _ if result == Results::Success => Vec::new(),
            none if none.is_empty() => with(&[Results::Failure, Results::Exception]),
            some => some,
        };
        if matches!(result, Results::Failure | Results::Exception) {
            let mut errors = self.steps.iter().filter_map(Step::build_error);
            self.first_error = errors.next();
        }
        let ran = |name: &String| self.steps.iter().any(|step| step.name == *name);
        let planned = self.planned.iter();
        self.not_run = planned.filter(|name| !ran(name)).cloned().collect();
    }

    fn change_step(
        &mut self,
        build: BuildId,
        index: u32,
        change: impl FnOnce(&mut Step) -> bool,
    ) -> bool {
        let step = usize::try_from(index).ok();
        let step = step.and_then(|index| self.steps.get_mut(index));
        build == self.id && step.is_some_and(change)
    }
}

/// The build whose steps an op is about, if it is about steps.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most of what is remembered is not about steps"
)]
pub const fn build_of(op: &Op) -> Option<BuildId> {
    match op {
        Op::StepStarted(StepStart { build, .. })
        | Op::StepHasLocks { build, .. }
        | Op::StepText { build, .. }
        | Op::StepsAdded { build, .. }
        | Op::StepLink { build, .. }
        | Op::StepCounted { build, .. }
        | Op::StepFinished(StepFinish { build, .. })
        | Op::LogOpened(LogOpening { build, .. })
        | Op::LogClosed { build, .. } => Some(*build),
        _ => None,
    }
}

impl From<BuildRow> for Build {
    /// The build without what it came from and what came before it.
    fn from(row: BuildRow) -> Self {
        let mut build = Self {
            id: row.id,
            builder: row.builder,
            number: row.number,
            result: row.result,
            news: row.news,
            problems: Vec::new(),
            yours: Vec::new(),
            text: row.text,
            slave: row.slave,
            slave_choice: row.choice,
            reason: row.reason,
            stop_reason: row.stop_reason,
            started_at: row.started_at,
            finished_at: row.finished_at,
            took: row.finished_at.map(|at| at.since(row.started_at)),
            remaining: None,
            branch: None,
            revision: revision_built(&row.properties),
            repository: None,
            project: None,
            codebase: None,
            sources: Vec::new(),
            is_try: false,
            failed_steps: Vec::new(),
            first_error: None,
            not_run: Vec::new(),
            changes: row.changes,
            interested_users: interested_users(&row.blamelist, &row.properties),
            blamelist: row.blamelist,
            requests: row.requests,
            properties: row.properties,
            steps: row.steps.into_iter().map(Step::from).collect(),
            planned: row.planned,
            forecast: row.forecast,
        };
        build.note_steps();
        build
    }
}
