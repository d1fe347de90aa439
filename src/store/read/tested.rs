//! What the tests of a build say about the sources (PRB-04).

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{BuildId, TestHash, TestName, TestOutcome, TestTable, ToldTest};
use crate::store::column::{Json, int};
use crate::verdict::{Answer, symptoms};

/// The report of a step of a build.
pub(in crate::store) struct Tested {
    build: BuildId,
    position: i64,
    line: Option<i64>,
    /// Name of the step.
    pub(in crate::store) step: String,
    /// Whether the report has all tests.
    pub(in crate::store) is_complete: bool,
    /// Tests that are bad or flaky.
    told: BTreeMap<TestHash, ToldTest>,
    table: OnceCell<TestTable>,
}

impl Tested {
    /// The reports of a build.
    pub(in crate::store) fn of_build(
        conn: &Connection,
        build: BuildId,
    ) -> rusqlite::Result<Vec<Self>> {
        let mut select = conn.prepare_cached(REPORTS)?;
        let rows = select.query_map([int(build.0)], |row| {
            let told: Vec<ToldTest> = row.get::<_, Json<_>>(3)?.0;
            Ok(Self {
                build,
                position: row.get(0)?,
                step: row.get(1)?,
                is_complete: row.get(2)?,
                told: told.into_iter().map(|t| (t.name.hash(), t)).collect(),
                line: row.get(4)?,
                table: OnceCell::new(),
            })
        })?;
        rows.collect()
    }

    /// What the report answers about a test, if it answers anything.
    pub(in crate::store) fn answer(
        &self,
        conn: &Connection,
        test: &TestName,
    ) -> rusqlite::Result<Option<Answer>> {
        let hash = test.hash();
        if let Some(told) = self.told.get(&hash) {
            let answer = answer_of(told.outcome, told.is_flaky);
            return Ok(answer.map(|answer| match answer {
                Answer::Fail(_) => Answer::Fail(message_prints(told)),
                Answer::Pass | Answer::Absent | Answer::Mixed => answer,
            }));
        }
        Ok(match self.table(conn)?.find(hash) {
            Some(row) => answer_of(row.outcome, false),
            None => self.is_complete.then_some(Answer::Absent),
        })
    }

    /// Those tests of which something bad is told.
    pub(in crate::store) fn bad(&self) -> impl Iterator<Item = &ToldTest> {
        self.told.values()
    }

    /// What is told of a test.
    pub(in crate::store) fn told_of(&self, test: &TestName) -> Option<&ToldTest> {
        self.told.get(&test.hash())
    }

    /// Whether no report of the line had the test before this one.
    pub(in crate::store) fn is_first_of(
        &self,
        conn: &Connection,
        test: &TestName,
    ) -> rusqlite::Result<bool> {
        let Some(line) = self.line else {
            return Ok(true);
        };
        let of = params![line, test.hash().signed()];
        Ok(!conn.prepare_cached(EARLIER_CHANGE)?.exists(of)?)
    }

    fn table(&self, conn: &Connection) -> rusqlite::Result<&TestTable> {
        if let Some(known) = self.table.get() {
            return Ok(known);
        }
        let of = params![int(self.build.0), self.position];
        let bytes: Option<Option<Vec<u8>>> = conn
            .prepare_cached(TABLE)?
            .query_row(of, |row| row.get(0))
            .optional()?;
        let table = TestTable::from_stored(bytes.flatten().unwrap_or_default());
        Ok(self.table.get_or_init(|| table))
    }
}

/// The fingerprint of the message of a test, if it has one (PRB-12).
pub(in crate::store) fn message_prints(test: &ToldTest) -> BTreeSet<String> {
    let message = test.message.as_deref();
    symptoms(message.and_then(|message| message.lines().next()))
}

fn answer_of(outcome: TestOutcome, is_flaky: bool) -> Option<Answer> {
    match outcome {
        TestOutcome::Failed | TestOutcome::Error | TestOutcome::BadSuccess => {
            Some(Answer::Fail(Default::default()))
        }
        TestOutcome::Skipped => None,
        TestOutcome::Passed | TestOutcome::ExpectedFailure | TestOutcome::UnexpectedSuccess => {
            Some(if is_flaky {
                Answer::Mixed
            } else {
                Answer::Pass
            })
        }
    }
}

pub(super) const REPORTS: &str = "SELECT t.step, s.name, t.is_complete, t.told, t.line
    FROM test_report t JOIN step s ON s.build = t.build AND s.position = t.step
    WHERE t.build = ?1 ORDER BY t.step";
pub(super) const TABLE: &str = "SELECT results FROM test_report WHERE build = ?1 AND step = ?2";
/// The outcome of a test became another one in the report itself, and before.
pub(super) const EARLIER_CHANGE: &str =
    "SELECT 1 FROM test_change WHERE line = ?1 AND hash = ?2 LIMIT 1 OFFSET 1";
