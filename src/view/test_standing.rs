//! How the tests of a builder stand.

use schemars::JsonSchema;
use serde::Serialize;

use super::TestChange;
use super::test::parts;
use crate::model::{BuildNumber, BuilderName, Quarantine, TestHash, TestName, TestOutcome};
use crate::store::read::TestStandingRow;
use crate::store::{State, StoreError};

/// How the tests of a builder stand.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct BuilderTests {
    /// The builder.
    pub builder: BuilderName,
    /// Its lines, those with the newest builds first; at most 20.
    pub lines: Vec<LineTests>,
    /// Its tests that are in quarantine.
    pub quarantined: Vec<QuarantinedTest>,
}

/// How the tests of a line stand.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct LineTests {
    /// Name of the step.
    pub step: String,
    /// The branch; null for the default one.
    pub branch: Option<String>,
    /// The last build that told of tests.
    pub last: BuildNumber,
    /// How many tests there are.
    pub tests: u64,
    /// How many of them fail.
    pub failed: u64,
    /// Tests that fail, those that are new first; not all if there are many.
    pub failing: Vec<FailingTest>,
    /// Tests that began to fail at least twice in the last 200 builds, the worst first.
    pub flakiest: Vec<FlakyTest>,
    /// The slowest tests of the last report, the slowest first.
    pub slowest: Vec<SlowTest>,
}

/// A test that fails.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct FailingTest {
    /// The parts of its name.
    #[schemars(with = "Vec<String>")]
    #[serde(serialize_with = "parts")]
    pub name: TestName,
    /// How it ends.
    pub result: TestOutcome,
    /// The build since which it ends so.
    pub since: BuildNumber,
}

/// A test that begins to fail often.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct FlakyTest {
    /// The parts of its name.
    #[schemars(with = "Vec<String>")]
    #[serde(serialize_with = "parts")]
    pub name: TestName,
    /// How often it began to fail in the last 200 builds.
    pub failures: u64,
}

/// A test that takes long.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct SlowTest {
    /// The parts of its name.
    #[schemars(with = "Vec<String>")]
    #[serde(serialize_with = "parts")]
    pub name: TestName,
    /// How long it took, in seconds.
    pub secs: f64,
}

/// A test in quarantine.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct QuarantinedTest {
    /// The parts of its name.
    #[schemars(with = "Vec<String>")]
    #[serde(serialize_with = "parts")]
    pub name: TestName,
    /// Who sees to it that it gets well, why it is there, and until when.
    pub quarantine: Quarantine,
}

/// A test, and its history.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct TestStory {
    /// The parts of its name.
    #[schemars(with = "Vec<String>")]
    #[serde(serialize_with = "parts")]
    pub name: TestName,
    /// Its quarantine on this builder; null if it is not in quarantine.
    pub quarantine: Option<Quarantine>,
    /// The newest changes of its outcome on each line of all builders.
    pub changes: Vec<TestChange>,
}

impl BuilderTests {
    /// How the tests of a builder stand: at most `most` of each kind on each line.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of(state: &State, builder: &BuilderName, most: usize) -> Result<Self, StoreError> {
        let lines = state.test_standing(builder, most)?;
        let is_here = |one: &Quarantine| one.builder.as_ref().is_none_or(|only| only == builder);
        let quarantined = state.quarantine()?.into_iter().filter(is_here);
        Ok(Self {
            builder: builder.clone(),
            lines: lines.into_iter().map(LineTests::from).collect(),
            quarantined: quarantined
                .map(|quarantine| QuarantinedTest {
                    name: quarantine.test.clone(),
                    quarantine,
                })
                .collect(),
        })
    }
}

impl From<TestStandingRow> for LineTests {
    fn from(row: TestStandingRow) -> Self {
        let failing = row.bad.into_iter();
        let flakiest = row.flaky.into_iter();
        let slowest = row.slow.into_iter();
        Self {
            step: row.step,
            branch: row.branch,
            last: row.last,
            tests: row.tests,
            failed: row.failing,
            failing: failing
                .map(|(name, result, since)| FailingTest {
                    name,
                    result,
                    since,
                })
                .collect(),
            flakiest: flakiest
                .map(|(name, failures)| FlakyTest { name, failures })
                .collect(),
            slowest: slowest
                .map(|(name, millis)| SlowTest {
                    name,
                    secs: f64::from(millis) / 1000.0,
                })
                .collect(),
        }
    }
}

impl TestStory {
    /// The history of a test, as it is seen from a builder: at most `most` changes on each line.
    /// Absent if no report has had it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(
        state: &State,
        (test, builder): (TestHash, &BuilderName),
        now: crate::model::Timestamp,
        most: u32,
    ) -> Result<Option<Self>, StoreError> {
        let Some(name) = state.test_name(test)? else {
            return Ok(None);
        };
        let changes = TestChange::history(state, test, most)?;
        Ok(Some(Self {
            quarantine: state.quarantine_of(&name, builder, now)?,
            name,
            changes,
        }))
    }
}
