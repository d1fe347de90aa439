//! Which problems the master searches by itself now, and what the others wait for (SRH-02, SRH-10).

use std::time::Duration;

use crate::config::{Config, SearchConfig};
use crate::model::{
    BuilderName, ChangeNumber, ProblemNumber, SearchNumber, SearchRecord, Timestamp,
};
use crate::store::read::{ProblemFilter, ProblemRow, SearchRow};
use crate::store::{State, StoreError};
use crate::verdict::{Candidate, Limits, Underway, Waits, choose};

/// Open problems and searches that are looked at, the newest.
pub(super) const LOOKED_AT: u32 = 200;

/// Over this time the slave time of searches is limited.
const DAY: Duration = Duration::from_secs(86_400);

/// What is to be searched.
#[derive(Clone, Debug, Default)]
pub struct Searching {
    /// The searches that are due, as they begin.
    pub begin: Vec<SearchRecord>,
    /// The problems that wait for a search, and for what.
    pub waiting: Vec<(ProblemNumber, Waits)>,
}

impl Searching {
    /// How it stands at `now` by a configuration that lets the master search by itself.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn at(state: &State, config: &Config, now: Timestamp) -> Result<Self, StoreError> {
        let open = state.problems(&ProblemFilter::default(), LOOKED_AT)?;
        if open.is_empty() {
            return Ok(Self::default());
        }
        let searches = state.searches(None, LOOKED_AT)?;
        let is_searched = |row: &ProblemRow| {
            let number = Some(row.problem.number);
            searches
                .iter()
                .any(|search| search.record.problem == number)
        };
        let daily = config.search.daily_time;
        let (mut candidates, mut waiting) = (Vec::new(), Vec::new());
        for row in open.iter().filter(|row| !is_searched(row)) {
            let Some(one) = candidate(state, config, row)? else {
                continue;
            };
            match spent(&searches, &row.builder, now) < daily {
                true => candidates.push(one),
                false => waiting.push((one.problem, Waits::DailyTime(daily))),
            }
        }
        let underway: Vec<_> = searches.iter().map(underway).collect();
        let choice = choose(candidates, &underway, limits(&config.search), now);
        waiting.extend(choice.waiting);
        let mut begin = Vec::new();
        for one in choice.chosen {
            let mut rows = open.iter();
            if let Some(row) = rows.find(|row| row.problem.number == one.problem) {
                let record = record(state, row, one.guess, now)?;
                begin.extend(record.map(|record| SearchRecord {
                    width: config.search.width,
                    ..record
                }));
            }
        }
        Ok(Self { begin, waiting })
    }

    /// In which time the next problem has gathered.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Duration> {
        let gathering = self.waiting.iter().filter_map(|(_, waits)| match waits {
            Waits::Gathers(until) => Some(until.since(now)),
            Waits::SameCause
            | Waits::NoSuspects
            | Waits::AtOnce(_)
            | Waits::OfBuilder(_)
            | Waits::OfBuild(_)
            | Waits::DailyTime(_) => None,
        });
        gathering.min()
    }

    /// Why the master does not search for the cause of an open problem by itself, or what the
    /// search waits for, in a sentence (SRH-03, SRH-10). Absent for infrastructure, and if it
    /// begins.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn why_not(
        state: &State,
        config: &Config,
        row: &ProblemRow,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(step) = row.subject.step() else {
            return Ok(None);
        };
        let never = |why: &str| format!("The master does not search by itself: {why}.");
        if !config.search.automatic {
            return Ok(Some(never("`[search]` says so")));
        }
        let builder = config.builder(row.builder.as_str());
        if let Some(why) = builder.and_then(|builder| builder.refuses_search(step)) {
            return Ok(Some(never(&why)));
        }
        let waiting = Self::at(state, config, now)?.waiting;
        let mut waiting = waiting.iter();
        let waits = waiting.find(|(number, _)| *number == row.problem.number);
        Ok(waits.map(|(_, waits)| format!("The search waits {waits}.")))
    }
}

/// The time that builds of searches took on a builder within a day.
pub(super) fn spent(searches: &[SearchRow], builder: &BuilderName, now: Timestamp) -> Duration {
    let its = searches
        .iter()
        .filter(|search| search.record.builder == *builder && search.record.at + DAY > now);
    Duration::from_secs(
        its.flat_map(|search| &search.asks)
            .map(|ask| ask.took_secs)
            .sum(),
    )
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
        // What goes on inside a change does not count among the causes of a build.
        changes: match search.record.inside {
            Some(_) => Vec::new(),
            None => search.record.points.iter().skip(1).copied().collect(),
        },
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

/// A search for the cause of a problem, as it begins.
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
        inside: None,
        who: String::new(),
        at: now,
    }))
}
