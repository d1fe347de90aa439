//! The tests of a build, and the history of a test.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::Build;
use crate::model::{
    BuildNumber, BuilderName, TestCounts, TestHash, TestName, TestOutcome, TextPlace,
};
use crate::store::read::{TestChangeRow, TestReportRow, ToldTestRow};
use crate::store::{State, StoreError};

/// The tests of a step.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct StepTests {
    /// Name of the step.
    pub step: String,
    /// The counts.
    pub counts: TestCounts,
    /// Whether the report had all tests.
    pub is_complete: bool,
    /// What people should know about the report.
    pub notes: Vec<String>,
    /// The tests: bad ones first, those that are new before the others; then flaky ones; then the
    /// rest by name, as long as all outcomes are kept.
    pub tests: Vec<Test>,
}

/// A test of a build.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Test {
    /// The parts of its name.
    #[schemars(with = "Vec<String>")]
    #[serde(serialize_with = "parts")]
    pub name: TestName,
    /// How it ended.
    pub result: TestOutcome,
    /// One line about that.
    pub text: Option<String>,
    /// Where the whole text is; null if it was not kept.
    pub place: Option<TextPlace>,
    /// The build since which it ends so; null for tries, and for tests of which nothing is told.
    pub since: Option<BuildNumber>,
    /// Whether it ends so since this build.
    pub is_new: bool,
    /// Whether it failed in one attempt and passed in another.
    pub is_flaky: bool,
    /// How often it was tried; null for tests of which nothing is told.
    pub attempts: Option<u32>,
    /// How long it took, in seconds.
    pub secs: Option<f64>,
}

/// The outcome of a test became another.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct TestChange {
    /// The builder.
    pub builder: BuilderName,
    /// The branch; null for the default one.
    pub branch: Option<String>,
    /// Name of the step.
    pub step: String,
    /// The build.
    pub number: BuildNumber,
    /// The outcome; null if the test was gone.
    pub result: Option<TestOutcome>,
}

impl StepTests {
    /// The tests of the steps of a build.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_build(state: &State, build: &Build) -> Result<Vec<Self>, StoreError> {
        let rows = state.tests_of_build(build.id)?;
        let tests = rows.into_iter().map(|row| Self::new(row, build.number));
        Ok(tests.collect())
    }

    fn new(row: TestReportRow, number: BuildNumber) -> Self {
        let mut tests: Vec<Test> = row
            .told
            .into_iter()
            .map(|told| Test::told(told, number))
            .collect();
        let mut places: Vec<(TestName, usize)> = tests
            .iter()
            .enumerate()
            .map(|(at, test)| (test.name.clone(), at))
            .collect();
        places.sort();
        for (name, result, millis) in row.all {
            let secs = millis.map(|millis| f64::from(millis) / 1000.0);
            let place = places.binary_search_by(|(known, _)| known.cmp(&name));
            let known = place.ok().and_then(|place| places.get(place));
            if let Some(test) = known.and_then(|(_, at)| tests.get_mut(*at)) {
                test.secs = secs;
                continue;
            }
            tests.push(Test {
                name,
                result,
                text: None,
                place: None,
                since: None,
                is_new: false,
                is_flaky: false,
                attempts: None,
                secs,
            });
        }
        // What is equal stays in its order, which is that of the report or of the names.
        tests.sort_by_key(|test| (!test.result.is_bad(), !test.is_new, !test.is_flaky));
        Self {
            step: row.step,
            counts: row.counts,
            is_complete: row.is_complete,
            notes: row.notes,
            tests,
        }
    }

    /// The tests that people look at: bad ones and flaky ones.
    pub fn not_good(&self) -> impl Iterator<Item = &Test> {
        self.tests
            .iter()
            .filter(|test| test.result.is_bad() || test.is_flaky)
    }

    /// The slowest `most` tests, the slowest first.
    #[must_use]
    pub fn slowest(&self, most: usize) -> Vec<&Test> {
        let mut slowest: Vec<_> = self
            .tests
            .iter()
            .filter(|test| test.secs.is_some())
            .collect();
        slowest.sort_by(|one, other| {
            other
                .secs
                .partial_cmp(&one.secs)
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        slowest.truncate(most);
        slowest
    }
}

impl Test {
    fn told(told: ToldTestRow, number: BuildNumber) -> Self {
        let ToldTestRow { test, since } = told;
        Self {
            is_new: since == Some(number),
            since,
            name: test.name,
            result: test.outcome,
            text: test.message,
            place: test.place,
            is_flaky: test.is_flaky,
            attempts: Some(test.attempts),
            secs: None,
        }
    }

    /// The result in words, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let news = if self.is_new && self.result.is_bad() {
            "newly "
        } else {
            ""
        };
        match (self.is_flaky, self.attempts) {
            (true, Some(attempts)) if !self.result.is_bad() => {
                format!("passed at attempt {attempts}")
            }
            _ => format!("{news}{}", self.result.as_str()),
        }
    }
}

impl TestChange {
    /// The newest `most` changes of a test on each of its lines.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn history(state: &State, test: TestHash, most: u32) -> Result<Vec<Self>, StoreError> {
        let rows = state.test_history(test, most)?;
        Ok(rows.into_iter().map(Self::from).collect())
    }

    /// The outcome in words, for people.
    #[must_use]
    pub fn in_words(&self) -> &'static str {
        self.result.map_or("gone", TestOutcome::as_str)
    }
}

impl From<TestChangeRow> for TestChange {
    fn from(row: TestChangeRow) -> Self {
        Self {
            builder: row.builder,
            branch: row.branch,
            step: row.step,
            number: row.number,
            result: row.outcome,
        }
    }
}

pub(super) fn parts<S: Serializer>(name: &TestName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(name.parts())
}
