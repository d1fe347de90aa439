//! Subjects that are proved to be flaky (FLK-08).

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, ProblemSubject, TestName, Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Evidence, flakiness, read, read_test};

/// A step or a test that is proved to be flaky on a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct FlakyRow {
    /// The branch; absent for the default one.
    pub branch: Option<String>,
    /// The step.
    pub step: String,
    /// How many of the answers outside of its problems are failures.
    pub failing: usize,
    /// How many answers there are outside of its problems.
    pub answers: usize,
    /// The last points with both answers, the newest first: a build that fails, and one that
    /// passes.
    pub contradictions: Vec<(ChangeNumber, BuildNumber, BuildNumber)>,
}

/// A step or a test of which a problem has ended lately, and which is not proved to be flaky.
#[derive(Clone, Debug, PartialEq)]
pub struct SuspectRow {
    /// The builder.
    pub builder: BuilderName,
    /// The step or the test.
    pub subject: ProblemSubject,
    /// What builds have answered about it.
    pub evidence: Vec<Evidence>,
}

/// Most problems whose subjects are looked at.
const MOST_SUSPECTS: u32 = 200;

impl State {
    /// The steps and tests of which problems were resolved since `since`, each once; those that are
    /// proved to be flaky are left out.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn suspects(&self, since: Timestamp) -> Result<Vec<SuspectRow>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(RESOLVED)?;
            let mut rows = select.query(params![since.0, MOST_SUSPECTS])?;
            let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let of: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                if !seen.insert(of.clone()) {
                    continue;
                }
                let mut subject = conn.prepare_cached(SUBJECT)?;
                let subject = subject.query_row(of.each_ref(), |row| row.get::<_, i64>(0));
                let Some(subject) = subject.optional()? else {
                    continue;
                };
                let [builder, _, step, test] = of;
                let test = Some(test).filter(|test| !test.is_empty());
                let test = test.map(|test| TestName::from_stored(&test));
                found.push(SuspectRow {
                    builder: builder.as_str().into(),
                    subject: ProblemSubject::of_step(step, test),
                    evidence: evidence_of(conn, subject, ChangeNumber::default())?,
                });
            }
            Ok(found)
        })
    }

    /// On which trees a test of a builder is flaky, or a step if `test` is empty. The test is as it
    /// is stored.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn flaky_on(
        &self,
        builder: &BuilderName,
        step: Option<&str>,
        test: &str,
    ) -> Result<Vec<FlakyRow>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(FLAKY)?;
            let mut rows = select.query(params![builder.as_str(), test, step])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let evidence = evidence_of(conn, row.get(0)?, ChangeNumber::default())?;
                let reading = match test.is_empty() {
                    true => read(&evidence),
                    false => read_test(&evidence),
                };
                let flaky = flakiness(&evidence, &reading);
                let mut contradictions = Vec::new();
                for one in flaky.contradictions {
                    let fails = number_of(conn, one.failing)?;
                    let passes = number_of(conn, one.passing)?;
                    contradictions.extend(fails.zip(passes).map(|(f, p)| (one.point, f, p)));
                }
                found.push(FlakyRow {
                    branch: row.get(1)?,
                    step: row.get(2)?,
                    failing: flaky.failing,
                    answers: flaky.answers,
                    contradictions,
                });
            }
            Ok(found)
        })
    }
}

/// What builds have answered about a subject at the points from `since` on, as far as it is kept.
pub(in crate::store) fn evidence_of(
    conn: &Connection,
    subject: i64,
    since: ChangeNumber,
) -> rusqlite::Result<Vec<Evidence>> {
    conn.prepare_cached(ANSWERS)?
        .query_map(params![subject, int(since.0)], evidence)?
        .collect()
}

/// The last two answers about a subject, the newest point first.
pub(in crate::store) fn newest_of(
    conn: &Connection,
    subject: i64,
) -> rusqlite::Result<Vec<Evidence>> {
    conn.prepare_cached(NEWEST_ANSWERS)?
        .query_map([subject], evidence)?
        .collect()
}

fn evidence(row: &Row<'_>) -> rusqlite::Result<Evidence> {
    Ok(Evidence {
        point: row.get::<_, Col<_>>(0)?.0,
        build: row.get::<_, Col<_>>(1)?.0,
        answer: row.get::<_, Json<_>>(2)?.0,
        slave: row.get::<_, Option<Col<_>>>(3)?.map(|slave| slave.0),
    })
}

fn number_of(conn: &Connection, build: BuildId) -> rusqlite::Result<Option<BuildNumber>> {
    let mut select = conn.prepare_cached(NUMBER)?;
    let number = select.query_row([int(build.0)], |row| Ok(row.get::<_, Col<_>>(0)?.0));
    number.optional()
}

pub(super) const RESOLVED: &str = "SELECT builder, tree, step, test FROM problem
    WHERE ended_at >= ?1 AND state = 1 AND kind = 0 LIMIT ?2";
pub(super) const SUBJECT: &str = "SELECT id FROM subject
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND flaky = 0";
pub(super) const FLAKY: &str = "SELECT id, tree ->> 0, step FROM subject
    WHERE builder = ?1 AND test = ?2 AND (?3 IS NULL OR step = ?3) AND flaky > 0 LIMIT 20";
pub(super) const ANSWERS: &str =
    "SELECT point, build, answer, slave FROM answer WHERE subject = ?1 AND point >= ?2";
pub(super) const NEWEST_ANSWERS: &str = "SELECT point, build, answer, slave FROM answer
    WHERE subject = ?1 ORDER BY point DESC, build DESC LIMIT 2";
pub(super) const NUMBER: &str = "SELECT number FROM build WHERE id = ?1";
