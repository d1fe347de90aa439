//! Problems, and what builds answer (PRB-01 to PRB-04).

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::of_line::origin_of;
use super::remarks::remarks_of;
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Line, ProblemNumber, ProblemSubject, Remark,
    Results, SlaveName, TestName, Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Answer, Evidence, Found, Problem, ProblemState, Suspect};

/// What [`row_of`] reads.
macro_rules! problem_columns {
    () => {
        "SELECT number, found, suspects, fixed_in, state, builder, tree ->> 0, tree ->> 1,
        first_build, last_build, good_build, opened_at, ended_at, step, test, kind, slave
        FROM problem "
    };
}
pub(super) use problem_columns;

/// A problem (PRB-01).
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemRow {
    /// What the evidence says.
    pub problem: Problem,
    /// The builder.
    pub builder: BuilderName,
    /// What fails.
    pub subject: ProblemSubject,
    /// The branch of the first codebase; absent for the default one.
    pub branch: Option<String>,
    /// The repository of the first codebase.
    pub repository: String,
    /// The first build that fails.
    pub first_build: Option<BuildNumber>,
    /// The last build that fails.
    pub last_build: Option<BuildNumber>,
    /// The last build before the first one that passes.
    pub good_build: Option<BuildNumber>,
    /// When it was found.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What people have said of it, in order.
    pub remarks: Vec<Remark>,
}

/// Something that has happened to a problem.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProblemEventRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// The build that told it; absent if the configuration did.
    pub build: Option<BuildNumber>,
}

/// Which problems are wanted.
#[derive(Clone, Debug, Default)]
pub struct ProblemFilter {
    /// Those that are over or dismissed, too.
    pub all: bool,
    /// Only those of this builder.
    pub builder: Option<BuilderName>,
    /// Only those below this number.
    pub before: Option<ProblemNumber>,
}

impl State {
    /// The newest `limit` problems, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problems(
        &self,
        wanted: &ProblemFilter,
        limit: u32,
    ) -> Result<Vec<ProblemRow>, StoreError> {
        let builder = wanted.builder.as_ref().map(BuilderName::as_str);
        let before = wanted.before.map_or(i64::MAX, |before| int(before.0));
        let sql = if wanted.all {
            ALL_PROBLEMS
        } else {
            OPEN_PROBLEMS
        };
        self.read(|conn| {
            conn.prepare_cached(sql)?
                .query_map(params![builder, before, limit], row_of)?
                .map(|row| with_remarks(conn, row?))
                .collect()
        })
    }

    /// A problem.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problem(&self, number: ProblemNumber) -> Result<Option<ProblemRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(ONE_PROBLEM)?
                .query_row([int(number.0)], row_of)
                .and_then(|row| with_remarks(conn, row))
                .optional()
        })
    }

    /// Whether problems have ended before `before` whose steps are not followed any more.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_old_problems(&self, before: Timestamp) -> Result<bool, StoreError> {
        self.read(|conn| conn.prepare_cached(OLD_PROBLEM)?.exists([before.0]))
    }

    /// What has happened to a problem, oldest first; at most the newest 100.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problem_events(
        &self,
        number: ProblemNumber,
    ) -> Result<Vec<ProblemEventRow>, StoreError> {
        let mut events: Vec<ProblemEventRow> = self.read(|conn| {
            conn.prepare_cached(PROBLEM_EVENTS)?
                .query_map([int(number.0)], |row| {
                    Ok(ProblemEventRow {
                        at: row.get::<_, Col<_>>(0)?.0,
                        event: row.get(1)?,
                        build: row.get::<_, Option<Col<_>>>(2)?.map(|n| n.0),
                    })
                })?
                .collect()
        })?;
        events.reverse();
        Ok(events)
    }
}

/// Reads the columns of [`problem_columns`].
pub(super) fn row_of(row: &Row<'_>) -> rusqlite::Result<ProblemRow> {
    let number = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<Col<_>>>(at)?.map(|n| n.0));
    Ok(ProblemRow {
        problem: problem_of(row)?,
        builder: row.get::<_, Col<_>>(5)?.0,
        subject: subject_of(row, 13)?,
        branch: row.get(6)?,
        repository: row.get(7)?,
        first_build: number(8)?,
        last_build: number(9)?,
        good_build: number(10)?,
        opened_at: row.get::<_, Col<_>>(11)?.0,
        ended_at: row.get::<_, Option<Col<_>>>(12)?.map(|t| t.0),
        remarks: Vec::new(),
    })
}

/// Adds what people have said.
pub(super) fn with_remarks(conn: &Connection, row: ProblemRow) -> rusqlite::Result<ProblemRow> {
    let remarks = remarks_of(conn, row.problem.number)?;
    Ok(ProblemRow { remarks, ..row })
}

/// What a problem is about: step, test, kind and slave, from the column `at` on.
pub(in crate::store) fn subject_of(row: &Row<'_>, at: usize) -> rusqlite::Result<ProblemSubject> {
    let kind: i64 = row.get(at + 2)?;
    Ok(match kind {
        0 => {
            let test = row.get_ref(at + 1)?.as_str()?;
            let test = Some(test).filter(|test| !test.is_empty());
            ProblemSubject::of_step(row.get(at)?, test.map(TestName::from_stored))
        }
        1 => ProblemSubject::Builder,
        2 => ProblemSubject::Slave(row.get::<_, Col<_>>(at + 3)?.0),
        3 => ProblemSubject::Master,
        _ => return Err(rusqlite::Error::IntegralValueOutOfRange(at + 2, kind)),
    })
}

/// Reads what stands first in a row: number, findings, suspects, what has mended it, state.
pub(in crate::store) fn problem_of(row: &Row<'_>) -> rusqlite::Result<Problem> {
    let state: i64 = row.get(4)?;
    let mut states = ProblemState::ALL.into_iter();
    let known = states.find(|known| known.number() == state);
    Ok(Problem {
        number: row.get::<_, Col<_>>(0)?.0,
        found: row.get::<_, Json<Found>>(1)?.0,
        suspects: row.get::<_, Json<_>>(2)?.0,
        fixed_in: row.get::<_, Json<_>>(3)?.0,
        state: known.ok_or(rusqlite::Error::IntegralValueOutOfRange(4, state))?,
    })
}

/// What the steps of a build answer, by their names. Of steps with the same name one that fails
/// counts (PRB-04).
pub(in crate::store) fn answers_of_build(
    conn: &Connection,
    build: BuildId,
) -> rusqlite::Result<BTreeMap<String, Answer>> {
    let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
    let mut select = conn.prepare_cached(STEP_ANSWERS)?;
    let mut rows = select.query([int(build.0)])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let Some(answer) = answer_of(row)? else {
            continue;
        };
        match (answers.get_mut(&name), answer) {
            (Some(Answer::Fail(known)), Answer::Fail(more)) => known.extend(more),
            (Some(Answer::Fail(_)), _) => {}
            (_, answer) => drop(answers.insert(name, answer)),
        }
    }
    Ok(answers)
}

/// What a step that has ended answers, if it answers anything: a failure of the sources that fails
/// the build, or success. If a complete report names the failing tests, these answer instead.
fn answer_of(row: &Row<'_>) -> rusqlite::Result<Option<Answer>> {
    let result = row.get::<_, Col<Results>>(1)?.0;
    let contribution: Option<String> = row.get(2)?;
    let (is_infrastructure, is_named_by_tests): (bool, bool) = (row.get(4)?, row.get(5)?);
    Ok(match result {
        Results::Success | Results::Warnings => Some(Answer::Pass),
        Results::Failure if is_infrastructure || is_named_by_tests => None,
        Results::Failure if contribution.as_deref() == Some("failure") => {
            let symptoms = row.get::<_, Option<Json<_>>>(3)?;
            Some(Answer::Fail(
                symptoms.map_or_else(Default::default, |s| s.0),
            ))
        }
        Results::Failure | Results::Skipped | Results::Exception | Results::Retry => None,
    })
}

/// The answers about `step` of the newest builds before `number` on `line`, back to the first that
/// passes at a point before `point`.
pub(in crate::store) fn answers_so_far(
    conn: &Connection,
    build: (&BuilderName, BuildNumber),
    line: &Line,
    step: &str,
    point: ChangeNumber,
) -> rusqlite::Result<Vec<Evidence>> {
    let mut found = Vec::new();
    walk_back(conn, build, line, |earlier| {
        let Some(answer) = answers_of_build(conn, earlier.build)?.remove(step) else {
            return Ok(ControlFlow::Continue(()));
        };
        let is_enough = answer == Answer::Pass && earlier.point < point;
        found.push(earlier.says(answer));
        Ok(match is_enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    Ok(found)
}

/// An earlier build on a line.
pub(in crate::store) struct EarlierBuild {
    pub(in crate::store) build: BuildId,
    pub(in crate::store) number: BuildNumber,
    pub(in crate::store) point: ChangeNumber,
    slave: SlaveName,
}

impl EarlierBuild {
    /// The build as evidence.
    pub(in crate::store) fn says(&self, answer: Answer) -> Evidence {
        Evidence {
            build: self.build,
            point: self.point,
            answer,
            slave: Some(self.slave.clone()),
        }
    }
}

/// Goes back over the builds before `number` on `line` whose points are known, until `look` has
/// seen enough. Looks at a limited number of builds.
pub(in crate::store) fn walk_back(
    conn: &Connection,
    (builder, number): (&BuilderName, BuildNumber),
    line: &Line,
    mut look: impl FnMut(&EarlierBuild) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached(EARLIER_BUILDS)?;
    let mut rows = select.query(params![builder.as_str(), int(number.0)])?;
    while let Some(row) = rows.next()? {
        let Some(at) = row.get::<_, Option<Col<ChangeNumber>>>(1)?.map(|n| n.0) else {
            continue;
        };
        if origin_of(row, 2)?.line != *line {
            continue;
        }
        let earlier = EarlierBuild {
            build: row.get::<_, Col<_>>(0)?.0,
            number: row.get::<_, Col<_>>(4)?.0,
            point: at,
            slave: row.get::<_, Col<_>>(5)?.0,
        };
        if look(&earlier)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The changes of the trees of `line` after one point up to another one, oldest first, at most the
/// newest 1000.
pub(in crate::store) fn suspects_between(
    conn: &Connection,
    line: &Line,
    after: ChangeNumber,
    to: ChangeNumber,
) -> rusqlite::Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for tree in line.trees() {
        let of = params![
            int(after.0),
            int(to.0),
            tree.branch,
            tree.repository,
            tree.project,
            tree.codebase
        ];
        let mut select = conn.prepare_cached(TREE_CHANGES)?;
        let mut rows = select.query(of)?;
        while let Some(row) = rows.next()? {
            suspects.push(Suspect {
                change: row.get::<_, Col<_>>(0)?.0,
                who: row.get(1)?,
            });
        }
    }
    suspects.sort_by_key(|suspect| suspect.change);
    Ok(suspects)
}

pub(super) const ALL_PROBLEMS: &str = concat!(
    problem_columns!(),
    "WHERE (?1 IS NULL OR builder = ?1) AND number < ?2 ORDER BY number DESC LIMIT ?3"
);
pub(super) const OPEN_PROBLEMS: &str = concat!(
    problem_columns!(),
    "WHERE state = 0 AND (?1 IS NULL OR builder = ?1) AND number < ?2
        AND coalesce((SELECT r.kind FROM problem_remark r
            WHERE r.problem = number AND r.kind IN ('dismiss', 'reopen')
            ORDER BY r.id DESC LIMIT 1), '') <> 'dismiss'
    ORDER BY number DESC LIMIT ?3"
);
/// Those of a step or a test that may be there at a point.
pub(super) const PROBLEMS_AT: &str = concat!(
    problem_columns!(),
    "WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND first <= ?5 AND kind = 0
    ORDER BY first DESC LIMIT 8"
);
/// Those that were resolved by this build, which ended at this time.
pub(super) const FIXED_PROBLEMS: &str = concat!(
    problem_columns!(),
    "WHERE ended_at = ?1 AND +builder = ?2 AND +tree = ?3 AND state = 1 AND kind = 0
        AND EXISTS (SELECT 1 FROM problem_event e
            WHERE e.problem = number AND e.event = 'resolved' AND e.build = ?4) LIMIT 200"
);
pub(super) const ONE_PROBLEM: &str = concat!(problem_columns!(), "WHERE number = ?1");
pub(super) const OLD_PROBLEM: &str = "SELECT 1 FROM problem p WHERE p.ended_at < ?1 AND NOT EXISTS
    (SELECT 1 FROM subject s WHERE s.builder = p.builder AND s.tree = p.tree AND s.step = p.step
        AND s.test = p.test)
    UNION ALL SELECT 1 FROM search WHERE ended_at < ?1 AND problem IS NULL";
pub(super) const PROBLEM_EVENTS: &str = "SELECT at, event, build FROM problem_event
    WHERE problem = ?1 ORDER BY at DESC, rowid DESC LIMIT 100";
/// Only of what has failed more is wanted than its result.
pub(super) const STEP_ANSWERS: &str = "SELECT s.name, s.result,
        iif(s.result = 2, s.outcome ->> '$.contribution', NULL),
        iif(s.result = 2, s.outcome -> '$.symptoms', NULL),
        iif(s.result = 2, coalesce(s.outcome ->> '$.is_infrastructure', 0), 0),
        s.result = 2 AND EXISTS (SELECT 1 FROM test_report t
            WHERE t.build = s.build AND t.step = s.position AND t.is_complete
                AND t.counts ->> '$.failed' > 0)
    FROM step s WHERE s.build = ?1 AND s.result IS NOT NULL";
pub(super) const EARLIER_BUILDS: &str =
    "SELECT b.id, b.changes ->> '$[#-1]', s.stamp, p.build_set IS NOT NULL, b.number, b.slave
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.builder = ?1 AND b.number < ?2 AND b.finished_at IS NOT NULL AND p.build_set IS NULL
    ORDER BY b.number DESC LIMIT 200";
pub(super) const TREE_CHANGES: &str = "SELECT number, who FROM change
    WHERE number > ?1 AND number <= ?2 AND branch IS ?3 AND repository = ?4 AND project = ?5
        AND codebase = ?6
    ORDER BY number DESC LIMIT 1000";
