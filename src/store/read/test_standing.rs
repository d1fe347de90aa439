//! How the tests of a builder stand: those that fail, change often or are slow (TST-11).

use rusqlite::{Connection, OptionalExtension, params};

use super::test_reports::{LAST, NAME, SINCE, outcome};
use crate::model::{BuildNumber, BuilderName, TestHash, TestName, TestOutcome, TestTable};
use crate::store::StoreError;
use crate::store::column::{Col, int};
use crate::store::state::State;

/// How the tests of a line stand.
#[derive(Clone, Debug, PartialEq)]
pub struct TestStandingRow {
    /// Name of the step.
    pub step: String,
    /// The branch; absent for the default one.
    pub branch: Option<String>,
    /// The last build with a report.
    pub last: BuildNumber,
    /// How many tests are known and not gone.
    pub tests: u64,
    /// How many of them fail.
    pub failing: u64,
    /// Tests that fail, with their outcomes, and the builds since which they have these.
    pub bad: Vec<(TestName, TestOutcome, BuildNumber)>,
    /// Tests that began to fail most often lately, and how often, the worst first.
    pub flaky: Vec<(TestName, u64)>,
    /// The slowest tests of the newest report, in milliseconds, the slowest first.
    pub slow: Vec<(TestName, u32)>,
}

/// Most lines of a builder.
const MOST_LINES: u32 = 20;
/// So many of the last builds say which tests are flaky.
const LATELY: u64 = 200;
/// A test that began to fail less often is not called flaky.
const LEAST_FLAKY: u64 = 2;

impl State {
    /// How the tests of a builder stand on each of its lines, those with the newest builds first:
    /// at most `most` tests of each kind.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn test_standing(
        &self,
        builder: &BuilderName,
        most: usize,
    ) -> Result<Vec<TestStandingRow>, StoreError> {
        self.read(|conn| {
            let mut lines = conn.prepare_cached(LINES_OF)?;
            let lines = lines.query_map(params![builder.as_str(), MOST_LINES], |row| {
                let line = (row.get(0)?, row.get::<_, Col<BuildNumber>>(3)?.0);
                standing(conn, line, (row.get(1)?, row.get(2)?), most)
            })?;
            let mut lines = lines.collect::<rusqlite::Result<Vec<_>>>()?;
            // The steps of one build are in their order.
            lines.reverse();
            lines.sort_by_key(|line| std::cmp::Reverse(line.last));
            Ok(lines)
        })
    }
}

fn standing(
    conn: &Connection,
    (line, last): (i64, BuildNumber),
    (step, branch): (String, Option<String>),
    most: usize,
) -> rusqlite::Result<TestStandingRow> {
    let mut found = TestStandingRow {
        step,
        branch,
        last,
        tests: 0,
        failing: 0,
        bad: Vec::new(),
        flaky: Vec::new(),
        slow: slow(conn, line, most)?,
    };
    let mut select = conn.prepare_cached(LAST)?;
    let mut rows = select.query([line])?;
    let mut since = conn.prepare_cached(SINCE)?;
    while let Some(row) = rows.next()? {
        let Some(outcome) = outcome(row.get_ref(1)?.as_str()?) else {
            continue;
        };
        found.tests += 1;
        if !outcome.is_bad() {
            continue;
        }
        found.failing += 1;
        if found.bad.len() < most {
            let hash: i64 = row.get(0)?;
            let since = since.query_row(params![line, hash, int(last.0)], |row| {
                Ok(row.get::<_, Col<_>>(0)?.0)
            });
            if let (Some(name), Some(since)) = (name(conn, hash)?, since.optional()?) {
                found.bad.push((name, outcome, since));
            }
        }
    }
    // What is new comes first.
    found
        .bad
        .sort_by(|one, other| (other.2, &one.0).cmp(&(one.2, &other.0)));
    found.flaky = flaky(conn, (line, last), most)?;
    Ok(found)
}

/// The tests that began to fail most often in the last builds.
fn flaky(
    conn: &Connection,
    (line, last): (i64, BuildNumber),
    most: usize,
) -> rusqlite::Result<Vec<(TestName, u64)>> {
    let mut select = conn.prepare_cached(CHANGES_OF)?;
    let mut rows = select.query([line])?;
    let mut all: Vec<(i64, u64)> = Vec::new();
    let first = last.0.saturating_sub(LATELY);
    while let Some(row) = rows.next()? {
        let hash = row.get(0)?;
        let number: BuildNumber = row.get::<_, Col<_>>(1)?.0;
        let is_bad = outcome(row.get_ref(2)?.as_str()?).is_some_and(TestOutcome::is_bad);
        if !is_bad || number.0 <= first {
            continue;
        }
        match all.last_mut() {
            Some((last, count)) if *last == hash => *count += 1,
            Some(_) | None => all.push((hash, 1)),
        }
    }
    all.retain(|(_, count)| *count >= LEAST_FLAKY);
    all.sort_by_key(|(hash, count)| (std::cmp::Reverse(*count), *hash));
    all.truncate(most);
    let named = all.into_iter().map(|(hash, count)| {
        let name = name(conn, hash)?;
        Ok(name.map(|name| (name, count)))
    });
    named.filter_map(Result::transpose).collect()
}

/// The slowest tests of the newest report of a line.
fn slow(conn: &Connection, line: i64, most: usize) -> rusqlite::Result<Vec<(TestName, u32)>> {
    let mut newest = conn.prepare_cached(NEWEST)?;
    let table: Option<Vec<u8>> = newest.query_row([line], |row| row.get(0)).optional()?;
    let table = TestTable::from_stored(table.unwrap_or_default());
    let timed = table.rows().filter_map(|row| Some((row.hash, row.millis?)));
    let mut timed: Vec<(TestHash, u32)> = timed.filter(|(_, millis)| *millis > 0).collect();
    timed.sort_by_key(|(hash, millis)| (std::cmp::Reverse(*millis), hash.signed()));
    timed.truncate(most);
    let named = timed.into_iter().map(|(hash, millis)| {
        let name = name(conn, hash.signed())?;
        Ok(name.map(|name| (name, millis)))
    });
    named.filter_map(Result::transpose).collect()
}

fn name(conn: &Connection, hash: i64) -> rusqlite::Result<Option<TestName>> {
    let mut name = conn.prepare_cached(NAME)?;
    name.query_row([hash], |row| {
        Ok(TestName::from_stored(row.get_ref(0)?.as_str()?))
    })
    .optional()
}

pub(super) const LINES_OF: &str = "SELECT id, step, tree ->> 0, last FROM test_line
    WHERE builder = ?1 ORDER BY last DESC LIMIT ?2";
/// In the order of the tests.
pub(super) const CHANGES_OF: &str = "SELECT hash, number, outcome FROM test_change WHERE line = ?1";
pub(super) const NEWEST: &str = "SELECT results FROM test_report
    WHERE line = ?1 AND results IS NOT NULL ORDER BY build DESC LIMIT 1";
