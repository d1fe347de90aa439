//! What may be flaky and is built once more (FLK-04), and which flaky tests are put in quarantine
//! (FLK-07).

use std::collections::BTreeMap;
use std::time::Duration;

use super::register_at;
use crate::config::Config;
use crate::model::{Quarantine, SearchNumber, SearchRecord, Timestamp};
use crate::people::{OPERATOR, SHERIFF};
use crate::store::read::{FlakyTestRow, SearchRow, SuspectRow};
use crate::store::{State, StoreError};
use crate::verdict::{is_for_quarantine, read, read_test, suspicion};

/// Problems that ended within this time are looked at.
const LATELY: Duration = Duration::from_secs(86_400);

/// Searches that are looked at, the newest.
const LOOKED_AT: u32 = 200;

/// Most tests that are put in quarantine at once.
const MOST_AT_ONCE: usize = 20;

/// The searches of one build each that are due at `now`, as they begin: they build a suspect point
/// once more. As many as may go on at once, with those that go on (SRH-10).
///
/// # Errors
/// The state cannot be read.
pub fn searches_of_suspects(
    state: &State,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<SearchRecord>, StoreError> {
    let suspects = state.suspects(now - LATELY)?;
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let searches = state.searches(None, LOOKED_AT)?;
    let mut room = Room::new(config, &searches);
    let mut begin = Vec::new();
    for suspect in suspects {
        if !may_be_searched(config, &suspect) || !room.has(&suspect) {
            continue;
        }
        let record = record(state, &suspect, now)?;
        if let Some(record) = record.filter(|record| !was_built(record, &searches)) {
            room.take(&suspect);
            begin.push(record);
        }
    }
    Ok(begin)
}

/// How many searches may begin.
struct Room {
    at_once: u32,
    of_builder: u32,
    /// Those that go on, by builder.
    taken: BTreeMap<String, u32>,
}

impl Room {
    fn new(config: &Config, searches: &[SearchRow]) -> Self {
        let mut taken = BTreeMap::new();
        let is_its = |row: &&SearchRow| row.verdict.is_none() && row.record.who.is_empty();
        for row in searches.iter().filter(is_its) {
            *taken.entry(row.record.builder.to_string()).or_default() += 1;
        }
        Self {
            at_once: config.search.at_once,
            of_builder: config.search.of_builder,
            taken,
        }
    }

    fn has(&self, suspect: &SuspectRow) -> bool {
        let of_builder = self.taken.get(suspect.builder.as_str());
        self.taken.values().sum::<u32>() < self.at_once
            && of_builder.copied().unwrap_or_default() < self.of_builder
    }

    fn take(&mut self, suspect: &SuspectRow) {
        let of_builder = self.taken.entry(suspect.builder.to_string());
        *of_builder.or_default() += 1;
    }
}

fn may_be_searched(config: &Config, suspect: &SuspectRow) -> bool {
    let builder = config.builder(suspect.builder.as_str());
    let step = suspect.subject.step().unwrap_or_default();
    builder.is_some_and(|builder| builder.refuses_search(step).is_none())
}

/// Whether a search has built the newest point of `record` before.
fn was_built(record: &SearchRecord, searches: &[SearchRow]) -> bool {
    searches.iter().any(|row| {
        let row = &row.record;
        row.builder == record.builder
            && row.subject() == record.subject()
            && row.points.last() == record.points.last()
    })
}

/// The search that builds the suspect point once more, if there is one.
fn record(
    state: &State,
    suspect: &SuspectRow,
    now: Timestamp,
) -> Result<Option<SearchRecord>, StoreError> {
    let evidence = &suspect.evidence;
    let reading = match suspect.subject.test() {
        Some(_) => read_test(evidence),
        None => read(evidence),
    };
    let Some(point) = suspicion(evidence, &reading) else {
        return Ok(None);
    };
    let mut problems = reading.problems.iter();
    let found = problems.find(|found| (found.first..=found.last).contains(&point));
    let good = found.and_then(|found| Some((found.after?, &found.symptoms)));
    let (Some((good, symptoms)), Some(step)) = (good, suspect.subject.step()) else {
        return Ok(None);
    };
    let Some(line) = state.line_with(&suspect.builder, point)? else {
        return Ok(None);
    };
    Ok(Some(SearchRecord {
        number: SearchNumber::default(),
        problem: None,
        builder: suspect.builder.clone(),
        line,
        step: Some(step.to_owned()),
        test: suspect.subject.test().cloned(),
        is_absent_before: false,
        symptoms: symptoms.iter().cloned().collect(),
        points: vec![good, point],
        width: Some(1),
        runs: 1,
        max_builds: Some(1),
        passed_before: 0,
        has_failed_alone: false,
        seeks_fix: false,
        guess: None,
        inside: None,
        who: String::new(),
        at: now,
    }))
}

/// The flaky tests that are put in quarantine at `now`, on the builders where they are proved to be
/// flaky; and one that is not, as nobody owns it. A test that was there before is left to people.
///
/// # Errors
/// The state cannot be read.
pub fn new_quarantine(
    state: &State,
    config: &Config,
    now: Timestamp,
) -> Result<(Vec<Quarantine>, Option<String>), StoreError> {
    let mut flaky = state.flaky_tests()?;
    flaky.retain(|row| is_for_quarantine(&row.evidence));
    let (mut new, mut unowned) = (BTreeMap::new(), None);
    let left = Quarantine::MOST.saturating_sub(state.quarantine()?.len());
    for row in flaky {
        if new.len() >= left.min(MOST_AT_ONCE) {
            break;
        }
        let Some(owner) = owner(state, config, &row, now)? else {
            unowned = unowned.or(Some(row.test.shown()));
            continue;
        };
        let place = (row.test.clone(), row.builder.clone());
        new.entry(place).or_insert_with(|| Quarantine {
            test: row.test,
            builder: Some(row.builder),
            owner,
            reason: "it was proved to be flaky at five of fifty changes".to_owned(),
            until: now + config.quarantine.usual(),
            by: String::new(),
            at: now,
        });
    }
    Ok((new.into_values().collect(), unowned))
}

/// Who sees to a flaky test: an owner of it, of its step or its builder, else the sheriff, else who
/// runs the machines.
fn owner(
    state: &State,
    config: &Config,
    row: &FlakyTestRow,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let owners = config.owners_of_subject(&row.step, Some(&row.test.shown()));
    let owners = owners.into_iter();
    let mut owners = owners.chain(config.owners_of_builder(row.builder.as_str()));
    if let Some(owner) = owners.next() {
        return Ok(Some(owner));
    }
    let register = register_at(state, config, now)?;
    let holder = |role: &str| {
        let mut people = register.iter();
        people.find(|person| person.roles.contains(role))
    };
    let found = holder(SHERIFF).or_else(|| holder(OPERATOR));
    Ok(found.map(|person| person.name.clone()))
}
