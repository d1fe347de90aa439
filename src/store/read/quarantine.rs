//! Tests in quarantine (FLK-07).

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::flaky::evidence_of;
use super::test_reports::outcome;
use super::test_standing::LINES_OF;
use crate::model::{BuilderName, ChangeNumber, Quarantine, TestCounts, TestName, Timestamp};
use crate::store::StoreError;
use crate::store::column::{Col, Json};
use crate::store::state::State;
use crate::verdict::Evidence;

impl State {
    /// The tests that are in quarantine, also those whose time is over, by their names.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn quarantine(&self) -> Result<Vec<Quarantine>, StoreError> {
        self.read(|conn| conn.prepare_cached(ALL)?.query_map([], row_of)?.collect())
    }

    /// The tests that are in quarantine and count again within `notice`, whose owners were not
    /// told.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn quarantine_ending(
        &self,
        now: Timestamp,
        notice: Duration,
    ) -> Result<Vec<Quarantine>, StoreError> {
        let range = params![now.0, (now + notice).0];
        self.read(|conn| {
            conn.prepare_cached(ENDING)?
                .query_map(range, row_of)?
                .collect()
        })
    }

    /// Tests that are proved to be flaky on a tree and were never in quarantine, with what builds
    /// have answered about them.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn flaky_tests(&self) -> Result<Vec<FlakyTestRow>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(FLAKY)?;
            let mut rows = select.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(FlakyTestRow {
                    builder: row.get::<_, Col<_>>(1)?.0,
                    step: row.get(2)?,
                    test: TestName::from_stored(row.get_ref(3)?.as_str()?),
                    evidence: evidence_of(conn, row.get(0)?, ChangeNumber::default())?,
                });
            }
            Ok(found)
        })
    }

    /// The steps of which more than `percent` of the tests are in quarantine at `now`; at most 20.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn crowded_steps(
        &self,
        percent: u32,
        now: Timestamp,
    ) -> Result<Vec<CrowdedRow>, StoreError> {
        let mut all = self.quarantine()?;
        all.retain(|one| one.until > now);
        if all.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|conn| crowded(conn, &all, percent))
    }

    /// The quarantine in which a test of a builder is at `now`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn quarantine_of(
        &self,
        test: &TestName,
        builder: &BuilderName,
        now: Timestamp,
    ) -> Result<Option<Quarantine>, StoreError> {
        self.read(|conn| {
            let of = params![test.as_stored(), builder.as_str(), now.0];
            let mut select = conn.prepare_cached(OF_TEST)?;
            select.query_map(of, row_of)?.next().transpose()
        })
    }
}

/// A test that is proved to be flaky.
#[derive(Clone, Debug, PartialEq)]
pub struct FlakyTestRow {
    /// The builder.
    pub builder: BuilderName,
    /// The step.
    pub step: String,
    /// The test.
    pub test: TestName,
    /// What builds have answered about it.
    pub evidence: Vec<Evidence>,
}

/// A step with many tests in quarantine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CrowdedRow {
    /// The builder.
    pub builder: BuilderName,
    /// The step.
    pub step: String,
    /// How many of its tests are in quarantine.
    pub quarantined: u64,
    /// How many tests there are.
    pub tests: u64,
}

/// Most steps that are told of.
const MOST_STEPS: usize = 20;

/// Most lines of a builder, the newest, and most tests that are looked at for one answer.
const MOST_LINES: u32 = 5;
const MOST_LOOKS: usize = 50_000;

fn crowded(
    conn: &Connection,
    all: &[Quarantine],
    percent: u32,
) -> rusqlite::Result<Vec<CrowdedRow>> {
    let mut builders: BTreeSet<_> = all.iter().filter_map(|one| one.builder.clone()).collect();
    if all.iter().any(|one| one.builder.is_none()) {
        builders.extend(builder_names(conn)?);
    }
    let mut found = Vec::new();
    let mut looks = 0;
    for builder in builders {
        let is_its = |one: &&Quarantine| one.builder.as_ref().is_none_or(|it| *it == builder);
        let its = all.iter().filter(is_its);
        let hashes: BTreeSet<_> = its.map(|one| one.test.hash().signed()).collect();
        for (step, quarantined, tests) in crowded_lines(conn, &builder, (&hashes, percent))? {
            looks += hashes.len();
            found.push(CrowdedRow {
                builder: builder.clone(),
                step,
                quarantined,
                tests,
            });
        }
        if found.len() >= MOST_STEPS || looks >= MOST_LOOKS {
            break;
        }
    }
    Ok(found)
}

/// The steps of a builder of which more than this percentage of the tests are among these, each
/// on the newest tree where that is so.
fn crowded_lines(
    conn: &Connection,
    builder: &BuilderName,
    (hashes, percent): (&BTreeSet<i64>, u32),
) -> rusqlite::Result<Vec<(String, u64, u64)>> {
    let mut lines = conn.prepare_cached(LINES_OF)?;
    let mut rows = lines.query(params![builder.as_str(), MOST_LINES])?;
    let mut found: Vec<(String, u64, u64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (line, step): (i64, String) = (row.get(0)?, row.get(1)?);
        let mut counts = conn.prepare_cached(COUNTS)?;
        let counts = counts.query_row([line], |row| row.get::<_, Json<TestCounts>>(0));
        let tests = counts.optional()?.map_or(0, |counts| counts.0.total());
        let is_many = |count: u64| count * 100 > tests * u64::from(percent);
        let is_known = found.iter().any(|(known, ..)| *known == step);
        if is_known || !is_many(hashes.len() as u64) {
            continue;
        }
        let mut last = conn.prepare_cached(LAST_OF_TEST)?;
        let mut quarantined = 0;
        for hash in hashes {
            let known = last.query_row(params![line, hash], |row| row.get::<_, String>(0));
            let known = known.optional()?.and_then(|letter| outcome(&letter));
            quarantined += u64::from(known.is_some());
        }
        if is_many(quarantined) {
            found.push((step, quarantined, tests));
        }
    }
    Ok(found)
}

fn builder_names(conn: &Connection) -> rusqlite::Result<Vec<BuilderName>> {
    let mut names = conn.prepare_cached(BUILDERS)?;
    let names = names.query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?;
    names.collect()
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<Quarantine> {
    let builder = row.get_ref(1)?.as_str()?;
    Ok(Quarantine {
        test: TestName::from_stored(row.get_ref(0)?.as_str()?),
        builder: (!builder.is_empty()).then(|| builder.into()),
        owner: row.get(2)?,
        reason: row.get(3)?,
        until: row.get::<_, Col<_>>(4)?.0,
        by: row.get(5)?,
        at: row.get::<_, Col<_>>(6)?.0,
    })
}

pub(super) const ALL: &str = "SELECT name, builder, owner, reason, until, set_by, set_at
    FROM quarantine ORDER BY name, builder";
pub(super) const OF_TEST: &str = "SELECT name, builder, owner, reason, until, set_by, set_at
    FROM quarantine WHERE name = ?1 AND builder IN ('', ?2) AND until > ?3 LIMIT 1";
pub(super) const ENDING: &str =
    "SELECT name, builder, owner, reason, until, set_by, set_at FROM quarantine
    WHERE told = 0 AND until > ?1 AND until <= ?2 ORDER BY until LIMIT 100";
/// Those of which there are many are looked at again when others are in quarantine.
pub(super) const FLAKY: &str = "SELECT s.id, s.builder, s.step, s.test
    FROM subject s
    WHERE s.flaky > 0 AND s.test <> ''
        AND NOT EXISTS (SELECT 1 FROM quarantine q
            WHERE q.name = s.test AND q.builder IN ('', s.builder))
    LIMIT 200";
pub(super) const BUILDERS: &str = "SELECT name FROM builder";
pub(super) const COUNTS: &str = "SELECT counts FROM test_report
    WHERE line = ?1 AND results IS NOT NULL ORDER BY build DESC LIMIT 1";
pub(super) const LAST_OF_TEST: &str = "SELECT outcome FROM test_last WHERE line = ?1 AND hash = ?2";
