//! The searches that the master begins by itself (SRH-02, SRH-10).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{LATER, Searcher};
use crate::config::{Config, SearchConfig};
use crate::model::{ChangeNumber, SearchNumber, SearchRecord, Timestamp, Verdict};
use crate::store::read::{ProblemFilter, ProblemRow, SearchRow};
use crate::store::{State, StoreError};
use crate::verdict::{Candidate, Hands, Limits, ProblemState, Underway, choose, stopped};

/// Open problems and searches that are looked at, the newest.
const LOOKED_AT: u32 = 200;

/// Over this time the slave time of searches is limited.
const DAY: Duration = Duration::from_secs(86_400);

impl Searcher {
    /// Begins the searches that are due.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        let config = self.control.config();
        if !config.search.automatic {
            return Ok(());
        }
        let now = self.control.clock().wall();
        let look = move |state: &State| wanted(state, &config, now);
        let wanted = self.control.reader().read(look).await;
        let (records, next) = wanted.map_err(|error| error.to_string())?;
        self.due = next.map(|next| Instant::now() + next + LATER);
        for record in records {
            let (builder, problem) = (record.builder.clone(), record.problem);
            let number = self.control.begin_search(record).await?;
            let problem = problem.unwrap_or_default();
            tracing::info!(search = %number, %builder, %problem, "the search for the culprit begins");
        }
        Ok(())
    }

    /// A search that the master has begun ends when its problem is over (SRH-13). Answers whether
    /// it has ended.
    pub(super) async fn end_with_problem(&self, search: &mut SearchRow) -> Result<bool, String> {
        let (Some(problem), true) = (search.record.problem, search.record.who.is_empty()) else {
            return Ok(false);
        };
        let record = search.record.clone();
        let look = move |state: &State| {
            let row = state.problem(problem)?;
            Ok::<_, StoreError>((row, state.known_points(&record)?))
        };
        let found = self.control.reader().read(look).await;
        let (row, known) = found.map_err(|error| error.to_string())?;
        let now = self.control.clock().wall();
        let state = row.map(|row| match Hands::at(now, &row.remarks).dismissal {
            Some(_) if row.problem.state == ProblemState::Open => ProblemState::Dismissed,
            Some(_) | None => row.problem.state,
        });
        if state == Some(ProblemState::Open) {
            return Ok(false);
        }
        let verdict: Verdict = stopped(&search.record, &known, &search.points());
        let state = state.map_or("gone", ProblemState::as_str);
        let why = Some(format!("its problem is {state}"));
        self.control
            .end_search(search.record.number, verdict, why)
            .await;
        search.verdict = Some(verdict);
        Ok(true)
    }
}

/// The searches that are due, as they begin, and in which time the next problem has gathered.
fn wanted(
    state: &State,
    config: &Arc<Config>,
    now: Timestamp,
) -> Result<(Vec<SearchRecord>, Option<Duration>), StoreError> {
    let open = state.problems(&ProblemFilter::default(), LOOKED_AT)?;
    if open.is_empty() {
        return Ok((Vec::new(), None));
    }
    let searches = state.searches(None, LOOKED_AT)?;
    let is_searched = |row: &ProblemRow| {
        let number = Some(row.problem.number);
        searches
            .iter()
            .any(|search| search.record.problem == number)
    };
    let mut candidates = Vec::new();
    for row in open.iter().filter(|row| !is_searched(row)) {
        let took = |search: &&SearchRow| {
            search.record.builder == row.builder && search.record.at + DAY > now
        };
        let took = searches.iter().filter(took).flat_map(|search| &search.asks);
        let spent: u64 = took.map(|ask| ask.took_secs).sum();
        if Duration::from_secs(spent) < config.search.daily_time {
            candidates.extend(candidate(state, config, row)?);
        }
    }
    let gather = config.search.gather;
    let left = candidates
        .iter()
        .map(|one| (one.opened_at + gather).since(now));
    let next = left.filter(|left| !left.is_zero()).min();
    let underway: Vec<_> = searches.iter().map(underway).collect();
    let chosen = choose(candidates, &underway, limits(&config.search), now);
    let mut records = Vec::new();
    for one in chosen {
        let mut rows = open.iter();
        if let Some(row) = rows.find(|row| row.problem.number == one.problem) {
            let record = record(state, row, one.guess, now)?;
            records.extend(record.map(|record| SearchRecord {
                width: config.search.width,
                ..record
            }));
        }
    }
    Ok((records, next))
}

fn limits(config: &SearchConfig) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        gather: config.gather,
        at_once: count(config.at_once),
        of_builder: count(config.of_builder),
        of_build: count(config.of_build),
    }
}

fn underway(search: &SearchRow) -> Underway {
    Underway {
        builder: search.record.builder.clone(),
        subject: search.record.subject(),
        symptoms: search.record.symptoms.iter().cloned().collect(),
        changes: search.record.points.iter().skip(1).copied().collect(),
        is_automatic: search.record.who.is_empty(),
        goes_on: search.verdict.is_none(),
        found: search.guilty(),
    }
}

/// A problem of a step or of a test that the master may search.
fn candidate(
    state: &State,
    config: &Config,
    row: &ProblemRow,
) -> Result<Option<Candidate>, StoreError> {
    let Some(step) = row.subject.step() else {
        return Ok(None);
    };
    let problem = &row.problem;
    let is_clear = problem.found.doubt.is_none() && problem.found.after.is_some();
    let builder = config.builder(row.builder.as_str());
    let may_be = builder.is_some_and(|builder| builder.refuses_search(step).is_none());
    if !is_clear || !may_be {
        return Ok(None);
    }
    let build = match row.first_build {
        Some(number) => state.build(&row.builder, number)?,
        None => None,
    };
    let took = build.and_then(|build| Some(build.finished_at?.since(build.started_at).as_secs()));
    Ok(Some(Candidate {
        problem: problem.number,
        builder: row.builder.clone(),
        subject: row.subject.clone(),
        symptoms: problem.found.symptoms.clone(),
        first: problem.found.first,
        suspects: problem.suspects.clone(),
        opened_at: row.opened_at,
        secs: took,
    }))
}

fn record(
    state: &State,
    row: &ProblemRow,
    guess: Option<ChangeNumber>,
    now: Timestamp,
) -> Result<Option<SearchRecord>, StoreError> {
    let found = &row.problem.found;
    let (Some(step), Some(good)) = (row.subject.step(), found.after) else {
        return Ok(None);
    };
    let Some(line) = state.line_with(&row.builder, found.first)? else {
        return Ok(None);
    };
    let suspects = row.problem.suspects.iter();
    let points: Vec<ChangeNumber> = [good]
        .into_iter()
        .chain(suspects.map(|suspect| suspect.change))
        .collect();
    let past = state.past_of(&row.builder, &line, (&row.subject, good))?;
    Ok(Some(SearchRecord {
        number: SearchNumber::default(),
        problem: Some(row.problem.number),
        builder: row.builder.clone(),
        line,
        step: Some(step.to_owned()),
        test: row.subject.test().cloned(),
        is_absent_before: past.is_absent,
        symptoms: found.symptoms.iter().cloned().collect(),
        points,
        width: Some(1),
        runs: 1,
        max_builds: None,
        passed_before: past.passed,
        has_failed_alone: past.has_failed_alone,
        seeks_fix: false,
        guess,
        who: String::new(),
        at: now,
    }))
}
