//! Tests of builds, and their history (TST-09, TST-10).

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::of_line::{origin_of_requests, tree};
use crate::model::{
    BuildId, BuildNumber, BuilderName, ComparedTests, RequestId, TestCounts, TestHash, TestName,
    TestOutcome, TestTable, ToldTest,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// The tests of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct TestReportRow {
    /// Name of the step.
    pub step: String,
    /// The counts.
    pub counts: TestCounts,
    /// Whether the report has all tests.
    pub is_complete: bool,
    /// What people should know about the report.
    pub notes: Vec<String>,
    /// The tests of which something is told.
    pub told: Vec<ToldTestRow>,
    /// The outcomes and durations of all tests; empty if they are not kept any longer.
    pub all: Vec<(TestName, TestOutcome, Option<u32>)>,
}

/// A test of which something is told.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldTestRow {
    /// The test.
    pub test: ToldTest,
    /// The build since which it has this outcome on its line; absent for tries.
    pub since: Option<BuildNumber>,
}

/// The outcome of a test became another.
#[derive(Clone, Debug, PartialEq)]
pub struct TestChangeRow {
    /// The builder.
    pub builder: BuilderName,
    /// The branch; absent for the default one.
    pub branch: Option<String>,
    /// Name of the step.
    pub step: String,
    /// The build.
    pub number: BuildNumber,
    /// The outcome; absent if the test was gone.
    pub outcome: Option<TestOutcome>,
}

/// The line of tests that a build is on.
pub(in crate::store) struct TestLine {
    pub(in crate::store) builder: BuilderName,
    pub(in crate::store) number: BuildNumber,
    pub(in crate::store) tree: Value,
    /// Its id, how many reports it has had, and the last build; absent if there was none.
    pub(in crate::store) known: Option<(i64, u64, BuildNumber)>,
}

/// The line of the tests of a build; absent for tries, and if the build sets were removed.
pub(in crate::store) fn test_line_of(
    conn: &Connection,
    build: BuildId,
    step: &str,
) -> rusqlite::Result<Option<TestLine>> {
    let found = conn
        .prepare_cached(BUILD)?
        .query_row([int(build.0)], |row| {
            let requests: Vec<RequestId> = row.get::<_, Json<_>>(2)?.0;
            Ok((
                row.get::<_, Col<BuilderName>>(0)?.0,
                row.get::<_, Col<_>>(1)?.0,
                requests,
            ))
        })
        .optional()?;
    let Some((builder, number, requests)) = found else {
        return Ok(None);
    };
    let origin = origin_of_requests(conn, &requests)?;
    let Some(origin) = origin.filter(|origin| !origin.is_try) else {
        return Ok(None);
    };
    let tree = tree(&origin.line);
    let known = conn
        .prepare_cached(LINE)?
        .query_row(params![builder.as_str(), Json(&tree), step], |row| {
            let reports: i64 = row.get(1)?;
            Ok((
                row.get(0)?,
                reports.unsigned_abs(),
                row.get::<_, Col<_>>(2)?.0,
            ))
        })
        .optional()?;
    Ok(Some(TestLine {
        builder,
        number,
        tree,
        known,
    }))
}

/// The last outcomes of the tests of a line, in the order of their hashes; `None`: the test is
/// gone.
pub(in crate::store) fn last_outcomes(
    conn: &Connection,
    line: i64,
) -> rusqlite::Result<Vec<(TestHash, Option<TestOutcome>)>> {
    conn.prepare_cached(LAST)?
        .query_map([line], |row| {
            Ok((
                TestHash::from_signed(row.get(0)?),
                outcome(row.get_ref(1)?.as_str()?),
            ))
        })?
        .collect()
}

/// The outcome of a letter.
pub(super) fn outcome(letter: &str) -> Option<TestOutcome> {
    letter.chars().next().and_then(TestOutcome::of_letter)
}

impl State {
    /// Compares the tests of a step with the last outcomes of its line. Answers with what differs,
    /// and the hashes among that whose names are not known. Tries are not compared.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn compare_tests(
        &self,
        build: BuildId,
        step: &str,
        table: &TestTable,
        is_complete: bool,
    ) -> Result<(ComparedTests, Vec<TestHash>), StoreError> {
        self.read(|conn| {
            let line = test_line_of(conn, build, step)?;
            let mut compared = ComparedTests::default();
            let candidates = match line {
                Some(line) => {
                    let before = match line.known {
                        Some((id, reports, _)) => {
                            compared.reports = reports;
                            last_outcomes(conn, id)?
                        }
                        None => Vec::new(),
                    };
                    compared.changes = table.changes_since(&before, is_complete);
                    compared.changes.iter().map(|(hash, _)| *hash).collect()
                }
                None => table.rows().map(|row| row.hash).collect::<Vec<_>>(),
            };
            let mut is_known = conn.prepare_cached(KEPT_NAME)?;
            let mut unknown = Vec::new();
            for hash in candidates {
                if !is_known.exists([hash.signed()])? {
                    unknown.push(hash);
                }
            }
            Ok((compared, unknown))
        })
    }

    /// The tests of the steps of a build, in the order of the steps.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn tests_of_build(&self, build: BuildId) -> Result<Vec<TestReportRow>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(REPORTS)?;
            let mut rows = select.query([int(build.0)])?;
            let mut reports = Vec::new();
            while let Some(row) = rows.next()? {
                let line: Option<i64> = row.get(5)?;
                let number: BuildNumber = row.get::<_, Col<_>>(7)?.0;
                let told: Vec<ToldTest> = row.get::<_, Json<_>>(4)?.0;
                let mut since = conn.prepare_cached(SINCE)?;
                let told = told.into_iter().map(|test| {
                    let of = params![line, test.name.hash().signed(), int(number.0)];
                    let since = since.query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0));
                    Ok(ToldTestRow {
                        since: since.optional()?,
                        test,
                    })
                });
                let told = told.collect::<rusqlite::Result<_>>()?;
                let table = TestTable::from_stored(row.get::<_, Option<_>>(6)?.unwrap_or_default());
                reports.push(TestReportRow {
                    step: row.get(0)?,
                    counts: row.get::<_, Json<_>>(1)?.0,
                    is_complete: row.get(2)?,
                    notes: row.get::<_, Json<_>>(3)?.0,
                    told,
                    all: named(conn, &table)?,
                });
            }
            Ok(reports)
        })
    }

    /// The newest `limit` changes of the outcome of a test on each of its lines, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn test_history(
        &self,
        test: TestHash,
        limit: u32,
    ) -> Result<Vec<TestChangeRow>, StoreError> {
        self.read(|conn| {
            let mut lines = conn.prepare_cached(LINES)?;
            let mut changes = conn.prepare_cached(CHANGES)?;
            let mut found = Vec::new();
            let mut rows = lines.query([test.signed()])?;
            while let Some(row) = rows.next()? {
                let line: i64 = row.get(0)?;
                let builder: BuilderName = row.get::<_, Col<_>>(1)?.0;
                let (step, branch): (String, Option<String>) = (row.get(2)?, row.get(3)?);
                let of = params![line, test.signed(), limit];
                let its = changes.query_map(of, |row| {
                    Ok(TestChangeRow {
                        builder: builder.clone(),
                        branch: branch.clone(),
                        step: step.clone(),
                        number: row.get::<_, Col<_>>(0)?.0,
                        outcome: outcome(row.get_ref(1)?.as_str()?),
                    })
                })?;
                for change in its {
                    found.push(change?);
                }
            }
            Ok(found)
        })
    }

    /// The test that people see by this name; of several, the first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn test_shown(&self, shown: &str) -> Result<Option<TestName>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SHOWN)?
                .query_row([shown], |row| {
                    Ok(TestName::from_stored(row.get_ref(0)?.as_str()?))
                })
                .optional()
        })
    }

    /// The name of a test.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn test_name(&self, test: TestHash) -> Result<Option<TestName>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(NAME)?
                .query_row([test.signed()], |row| {
                    Ok(TestName::from_stored(row.get_ref(0)?.as_str()?))
                })
                .optional()
        })
    }
}

/// The rows of a table with the names of the tests, in the order of the names.
fn named(
    conn: &Connection,
    table: &TestTable,
) -> rusqlite::Result<Vec<(TestName, TestOutcome, Option<u32>)>> {
    let mut name = conn.prepare_cached(NAME)?;
    let mut named = Vec::new();
    for row in table.rows() {
        let name = name
            .query_row([row.hash.signed()], |row| {
                Ok(TestName::from_stored(row.get_ref(0)?.as_str()?))
            })
            .optional()?;
        named.extend(name.map(|name| (name, row.outcome, row.millis)));
    }
    named.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(named)
}

pub(super) const BUILD: &str = "SELECT builder, number, requests FROM build WHERE id = ?1";
pub(super) const LINE: &str = "SELECT id, reports, last FROM test_line
    WHERE builder = ?1 AND tree = ?2 AND step = ?3";
pub(super) const LAST: &str = "SELECT hash, outcome FROM test_last WHERE line = ?1 ORDER BY hash";
pub(super) const NAME: &str = "SELECT name FROM test_name WHERE hash = ?1";
/// A name that no line has may be pruned at any time.
pub(super) const KEPT_NAME: &str = "SELECT 1 FROM test_name n WHERE n.hash = ?1
    AND EXISTS (SELECT 1 FROM test_last l WHERE l.hash = n.hash)";
pub(super) const SHOWN: &str =
    "SELECT name FROM test_name WHERE replace(name, char(31), '.') = ?1 LIMIT 1";
/// Steps that report are named by their rows.
pub(super) const REPORTS: &str =
    "SELECT s.name, t.counts, t.is_complete, t.notes, t.told, t.line, t.results, b.number
    FROM build b JOIN test_report t ON t.build = b.id
        JOIN step s ON s.build = t.build AND s.position = t.step
    WHERE b.id = ?1 ORDER BY t.step";
pub(super) const SINCE: &str = "SELECT number FROM test_change
    WHERE line = ?1 AND hash = ?2 AND number <= ?3 ORDER BY number DESC LIMIT 1";
/// The lines that have had a test, however many there are of others.
pub(super) const LINES: &str = "SELECT id, builder, step, tree ->> 0 FROM test_line
    WHERE id IN (SELECT line FROM test_last WHERE hash = ?1)";
pub(super) const CHANGES: &str = "SELECT number, outcome FROM test_change
    WHERE line = ?1 AND hash = ?2 ORDER BY number DESC LIMIT ?3";
