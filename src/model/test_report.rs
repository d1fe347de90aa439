//! What is remembered of the tests of a step (TST-09).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildId, TestCounts, TestHash, TestName, TestOutcome, Timestamp, base64_text};

/// The tests of a step.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TestsReport {
    /// Number of the build.
    pub build: BuildId,
    /// Position of the step in the build.
    pub index: u32,
    /// Name of the step. Tests of steps of different names are not compared.
    pub step: String,
    /// The counts.
    pub counts: TestCounts,
    /// Whether the report has all tests: only then does the absence of a test mean anything.
    pub is_complete: bool,
    /// What people should know about the report.
    pub notes: Vec<String>,
    /// The tests with bad outcomes, and those that are flaky, as far as they are kept.
    pub told: Vec<ToldTest>,
    /// The names that the state did not have when the report was compared.
    pub names: Vec<TestName>,
    /// The outcomes and durations of all tests.
    pub table: TestTable,
    /// What has changed; absent if the report was not compared.
    pub compared: Option<ComparedTests>,
    /// Time of the event.
    pub at: Timestamp,
}

impl TestsReport {
    /// Most tests in [`TestsReport::told`].
    pub const MOST_TOLD: usize = 2_000;
    /// Most bytes of their messages.
    pub const MOST_TOLD_BYTES: usize = 1 << 20;
}

/// A test of which something is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ToldTest {
    /// Its name.
    pub name: TestName,
    /// How it ended.
    pub outcome: TestOutcome,
    /// One line about the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where the whole text about the outcome is (TST-08).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<TextPlace>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it failed in one attempt and passed in another.
    pub is_flaky: bool,
}

/// A stretch of what a command has written to a log of its step.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TextPlace {
    /// Name of the log.
    pub log: String,
    /// Where the stretch begins, in bytes of the standard output and error in the log.
    pub begin: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// How a report differs from the last outcomes of its line.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ComparedTests {
    /// How many reports the line had.
    pub reports: u64,
    /// The tests whose outcome is another, with the outcome; `None`: the test is gone.
    pub changes: Vec<(TestHash, Option<TestOutcome>)>,
}

/// Outcomes and durations of tests, in the order of their hashes as signed numbers. A row is the
/// hash in eight bytes, the letter of the outcome, and the milliseconds in four bytes, the highest
/// of which stands for an unknown duration. Numbers have their highest byte first.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TestTable(#[serde(with = "base64_text")] Vec<u8>);

/// A row of a [`TestTable`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TestRow {
    /// The test.
    pub hash: TestHash,
    /// How it ended.
    pub outcome: TestOutcome,
    /// How long it took, in milliseconds.
    pub millis: Option<u32>,
}

const ROW_BYTES: usize = 13;

impl TestTable {
    /// The table of these rows. Of several rows of one test the first counts.
    #[must_use]
    pub fn new(mut rows: Vec<TestRow>) -> Self {
        rows.sort_by_key(|row| row.hash.signed());
        rows.dedup_by_key(|row| row.hash);
        let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES);
        for row in rows {
            bytes.extend(row.hash.0.to_be_bytes());
            bytes.push(u8::try_from(row.outcome.letter()).unwrap_or_default());
            bytes.extend(row.millis.unwrap_or(u32::MAX).to_be_bytes());
        }
        Self(bytes)
    }

    /// The table with these bytes, as the store has them.
    #[must_use]
    pub const fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_stored(&self) -> &[u8] {
        &self.0
    }

    /// Its rows. Rows that cannot be read are left out.
    pub fn rows(&self) -> impl Iterator<Item = TestRow> {
        self.0.chunks_exact(ROW_BYTES).filter_map(|row| {
            let (hash, rest) = row.split_first_chunk::<8>()?;
            let (letter, millis) = rest.split_first()?;
            let millis = u32::from_be_bytes(millis.try_into().ok()?);
            Some(TestRow {
                hash: TestHash(u64::from_be_bytes(*hash)),
                outcome: TestOutcome::of_letter(char::from(*letter))?,
                millis: (millis != u32::MAX).then_some(millis),
            })
        })
    }

    /// The row of a test.
    #[must_use]
    pub fn find(&self, test: TestHash) -> Option<TestRow> {
        let (rows, _) = self.0.as_chunks::<ROW_BYTES>();
        let signed = |row: &[u8; ROW_BYTES]| {
            let first = row.first_chunk().copied().unwrap_or_default();
            i64::from_be_bytes(first)
        };
        let at = rows.binary_search_by_key(&test.signed(), signed).ok()?;
        Self(rows[at].to_vec()).rows().next()
    }

    /// How the table differs from the outcomes `before`, which are in the same order. If the table
    /// `is_complete`, a test that it lacks is gone.
    #[must_use]
    pub fn changes_since(
        &self,
        before: &[(TestHash, Option<TestOutcome>)],
        is_complete: bool,
    ) -> Vec<(TestHash, Option<TestOutcome>)> {
        let mut changes = Vec::new();
        let mut before = before.iter().copied().peekable();
        let gone = |(hash, outcome): (TestHash, Option<TestOutcome>)| {
            (is_complete && outcome.is_some()).then_some((hash, None))
        };
        for row in self.rows() {
            let is_earlier = |(hash, _): &(TestHash, _)| hash.signed() < row.hash.signed();
            while let Some(earlier) = before.next_if(is_earlier) {
                changes.extend(gone(earlier));
            }
            let known = before.next_if(|(hash, _)| *hash == row.hash);
            if known.is_none_or(|(_, outcome)| outcome != Some(row.outcome)) {
                changes.push((row.hash, Some(row.outcome)));
            }
        }
        changes.extend(before.filter_map(gone));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TestOutcome::{Failed, Passed, Skipped};

    fn table(rows: &[(u64, TestOutcome)]) -> TestTable {
        let rows = rows.iter().map(|(hash, outcome)| TestRow {
            hash: TestHash(*hash),
            outcome: *outcome,
            millis: None,
        });
        TestTable::new(rows.collect())
    }

    #[test]
    fn tst_09_only_what_differs_is_a_change() {
        let last = u64::MAX;
        let now = table(&[
            (last, Passed),
            (1, Passed),
            (3, Failed),
            (4, Skipped),
            (3, Passed),
        ]);
        assert_eq!(now.rows().count(), 4);
        let before: Vec<_> = [(last, Some(Passed)), (1, Some(Passed)), (2, Some(Failed))]
            .into_iter()
            .chain([(3, Some(Passed)), (4, None), (5, Some(Passed)), (6, None)])
            .map(|(hash, outcome)| (TestHash(hash), outcome))
            .collect();
        let changes = |is_complete| -> Vec<_> {
            let changes = now.changes_since(&before, is_complete);
            changes
                .into_iter()
                .map(|(hash, outcome)| (hash.0, outcome))
                .collect()
        };
        assert_eq!(changes(false), [(3, Some(Failed)), (4, Some(Skipped))]);
        assert_eq!(
            changes(true),
            [(2, None), (3, Some(Failed)), (4, Some(Skipped)), (5, None)]
        );
        assert_eq!(table(&[]).changes_since(&[], true), []);
    }

    #[test]
    fn tst_09_a_table_is_read_as_it_was_written() {
        let rows = vec![
            TestRow {
                hash: TestHash(u64::MAX),
                outcome: Failed,
                millis: Some(7),
            },
            TestRow {
                hash: TestHash(2),
                outcome: Passed,
                millis: None,
            },
        ];
        let table = TestTable::new(rows.clone());
        assert_eq!(table.rows().collect::<Vec<_>>(), rows);
        for row in &rows {
            assert_eq!(table.find(row.hash), Some(*row));
        }
        assert_eq!(table.find(TestHash(3)), None);
        let stored = TestTable::from_stored(table.as_stored().to_vec());
        assert_eq!(stored, table);
        assert_eq!(TestTable::from_stored(vec![1, 2]).rows().count(), 0);
    }
}
