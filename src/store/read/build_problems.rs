//! What a build says of problems: those that are new with it, those that are there still, and those
//! that it has ended (PRB-23).

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::builds::BuildRow;
use super::of_line::{origin_of, tree};
use super::problems::{
    FIXED_PROBLEMS, PROBLEMS_AT, ProblemRow, answers_of_build, row_of, with_remarks,
};
use super::tested::Tested;
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Judgement, Line, Origin, ProblemSubject,
    Properties, TestName, Timestamp, revision_built,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Answer, End, ProblemState};

/// Failing tests of a build whose problems are looked for.
const TESTS: usize = 200;

/// The fingerprint of a failure that has none of its own.
const ANY: &str = "*";

/// What a build says of problems.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaidOfProblems {
    /// What each problem is for the build, in the order of their numbers. Of a try, those that the
    /// base has already (PRB-18).
    pub problems: Vec<(Judgement, ProblemRow)>,
    /// Of a try whose base is known, what fails with it alone.
    pub yours: Vec<ProblemSubject>,
}

impl State {
    /// What a build that has ended and is of `origin` says of problems.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn build_problems(
        &self,
        build: &BuildRow,
        origin: &Origin,
    ) -> Result<SaidOfProblems, StoreError> {
        let Some(ended_at) = build.finished_at else {
            return Ok(SaidOfProblems::default());
        };
        self.read(|conn| {
            let newest = build.changes.last().copied();
            let point = point_of(conn, newest, &origin.line, &build.properties)?;
            let at = match point {
                None if origin.is_try => base_of(conn, &build.properties)?,
                point => point.map(|point| (origin.line.clone(), point)),
            };
            let Some((line, point)) = at else {
                return Ok(SaidOfProblems::default());
            };
            let place = Place {
                build: build.id,
                builder: &build.builder,
                line: &line,
                point,
            };
            let mut said = match origin.is_try {
                true => beside_base(conn, &place)?,
                false => SaidOfProblems {
                    problems: failing(conn, &place)?,
                    yours: Vec::new(),
                },
            };
            if !origin.is_try {
                let fixed = fixed(conn, &place, (build.number, ended_at))?.into_iter();
                said.problems
                    .extend(fixed.map(|row| (Judgement::Fixed, row)));
            }
            let mut found = said.problems;
            found.sort_by_key(|(_, row)| row.problem.number);
            let found = found.into_iter();
            let found = found.map(|(news, row)| Ok((news, with_remarks(conn, row)?)));
            Ok(SaidOfProblems {
                problems: found.collect::<rusqlite::Result<_>>()?,
                yours: said.yours,
            })
        })
    }
}

/// A build, and where it is on its line.
pub(in crate::store) struct Place<'a> {
    pub(in crate::store) build: BuildId,
    pub(in crate::store) builder: &'a BuilderName,
    pub(in crate::store) line: &'a Line,
    pub(in crate::store) point: ChangeNumber,
}

/// The point of a build: its newest change. Of one of the newest revision, or of a revision that
/// was asked for, the change of the revision that it got; of several codebases, that of the first
/// one counts (PRB-02).
pub(in crate::store) fn point_of(
    conn: &Connection,
    newest: Option<ChangeNumber>,
    line: &Line,
    properties: &Properties,
) -> rusqlite::Result<Option<ChangeNumber>> {
    if newest.is_some() {
        return Ok(newest);
    }
    let Some(revision) = revision_built(properties) else {
        return Ok(None);
    };
    let of = params![
        revision,
        line.branch,
        line.repository,
        line.project,
        line.codebase
    ];
    conn.prepare_cached(CHANGE_OF_REVISION)?
        .query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0))
        .optional()
}

/// Whether a build of `builder` between two others is of `line` and of unknown sources: it has no
/// point (PRB-02). Looks at a limited number of builds.
pub(in crate::store) fn has_unknown_between(
    conn: &Connection,
    builder: &BuilderName,
    line: &Line,
    (after, before): (BuildNumber, BuildNumber),
) -> rusqlite::Result<bool> {
    let mut select = conn.prepare_cached(WITHOUT_CHANGES)?;
    let of = params![builder.as_str(), int(after.0), int(before.0)];
    let mut rows = select.query(of)?;
    while let Some(row) = rows.next()? {
        if origin_of(row, 1)?.line != *line {
            continue;
        }
        let properties = row.get::<_, Json<Properties>>(0)?.0;
        if point_of(conn, None, line, &properties)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The problems of what fails in a build: new if its point is the first failing one.
fn failing(conn: &Connection, place: &Place<'_>) -> rusqlite::Result<Vec<(Judgement, ProblemRow)>> {
    let mut found: Vec<(Judgement, ProblemRow)> = Vec::new();
    let tree = tree(place.line);
    for fails in failures(conn, place.build)? {
        for (news, row) in failing_of(conn, place, &tree, &fails)? {
            let number = row.problem.number;
            let mut known = found.iter().map(|(_, known)| known.problem.number);
            if !known.any(|known| known == number) {
                found.push((news, row));
            }
        }
    }
    Ok(found)
}

/// The problems of one thing that fails in a build.
pub(in crate::store) fn failing_of(
    conn: &Connection,
    place: &Place<'_>,
    tree: &Value,
    fails: &Failing,
) -> rusqlite::Result<Vec<(Judgement, ProblemRow)>> {
    let mut rows = problems_at(conn, place, tree, fails)?;
    rows.retain(|row| place.point <= row.problem.found.last);
    if rows.iter().any(|row| fails.is_of(row)) {
        rows.retain(|row| fails.is_of(row));
    }
    let with_news = rows.into_iter().map(|row| {
        let news = match row.problem.found.first == place.point {
            true => Judgement::New,
            false => Judgement::Still,
        };
        (news, row)
    });
    Ok(with_news.collect())
}

/// What a build is that has problems of these: new if one is, else still failing.
pub(in crate::store) fn newest_news(
    all: impl Iterator<Item = Judgement> + Clone,
) -> Option<Judgement> {
    let mut kinds = [Judgement::New, Judgement::Still].into_iter();
    kinds.find(|news| all.clone().any(|one| one == *news))
}

/// The newest change of the revision that a try was built of, and the tree that this is in. Who
/// tries says seldom which repository that is.
fn base_of(
    conn: &Connection,
    properties: &Properties,
) -> rusqlite::Result<Option<(Line, ChangeNumber)>> {
    let Some(revision) = revision_built(properties) else {
        return Ok(None);
    };
    conn.prepare_cached(BASE)?
        .query_row([revision], |row| {
            let line = Line {
                branch: row.get(1)?,
                repository: row.get(2)?,
                project: row.get(3)?,
                codebase: row.get(4)?,
                more: Vec::new(),
            };
            Ok((line, row.get::<_, Col<_>>(0)?.0))
        })
        .optional()
}

/// The problems of what fails that had begun at the point.
pub(super) fn problems_at(
    conn: &Connection,
    place: &Place<'_>,
    tree: &Value,
    fails: &Failing,
) -> rusqlite::Result<Vec<ProblemRow>> {
    let builder = place.builder.as_str();
    let (step, test) = (&fails.step, &fails.test);
    let of = params![builder, Json(tree), step, test, int(place.point.0)];
    let mut select = conn.prepare_cached(PROBLEMS_AT)?;
    let rows = select.query_map(of, row_of)?;
    rows.collect()
}

/// Compares what fails in a try with the problems of its base (PRB-18).
fn beside_base(conn: &Connection, place: &Place<'_>) -> rusqlite::Result<SaidOfProblems> {
    let mut said = SaidOfProblems::default();
    let tree = tree(place.line);
    for fails in failures(conn, place.build)? {
        let mut rows = problems_at(conn, place, &tree, &fails)?;
        rows.retain(|row| is_at(row, place.point) && fails.is_of(row));
        if rows.is_empty() && fails.is_told {
            said.yours.push(fails.subject());
        }
        for row in rows {
            let is_other = |known: &ProblemRow| known.problem.number != row.problem.number;
            if said.problems.iter().all(|(_, known)| is_other(known)) {
                said.problems.push((Judgement::Still, row));
            }
        }
    }
    Ok(said)
}

/// Whether a problem that has begun by a point is there at it.
pub(super) fn is_at(row: &ProblemRow, point: ChangeNumber) -> bool {
    let found = &row.problem.found;
    match (row.problem.state, found.end) {
        (ProblemState::Open | ProblemState::Dismissed, _) => true,
        (ProblemState::Resolved, Some(End::Resolved(at))) => point < at,
        (
            ProblemState::Resolved
            | ProblemState::Gone
            | ProblemState::Flaky
            | ProblemState::Withdrawn,
            _,
        ) => point <= found.last,
    }
}

/// What fails in a build.
pub(in crate::store) struct Failing {
    step: String,
    /// The test as it is stored; empty for the step.
    test: String,
    symptoms: BTreeSet<String>,
    /// Whether it is said, and not only meant by its tests.
    is_told: bool,
}

impl Failing {
    /// A step with these fingerprints, or a test, which is its own.
    pub(in crate::store) fn new(what: &ProblemSubject, symptoms: BTreeSet<String>) -> Self {
        let is_own = what.test().is_some() || symptoms.is_empty();
        Self {
            step: what.step().unwrap_or_default().to_owned(),
            test: what
                .test()
                .map_or_else(String::new, |test| test.as_stored().to_owned()),
            symptoms: match is_own {
                true => BTreeSet::from([ANY.to_owned()]),
                false => symptoms,
            },
            is_told: true,
        }
    }

    pub(super) fn is_of(&self, row: &ProblemRow) -> bool {
        !row.problem.found.symptoms.is_disjoint(&self.symptoms)
    }

    fn subject(self) -> ProblemSubject {
        let test = Some(self.test).filter(|test| !test.is_empty());
        ProblemSubject::of_step(self.step, test.map(|test| TestName::from_stored(&test)))
    }
}

fn failures(conn: &Connection, build: BuildId) -> rusqlite::Result<Vec<Failing>> {
    let any = || BTreeSet::from([ANY.to_owned()]);
    let mut failures = Vec::new();
    for (step, answer) in answers_of_build(conn, build)? {
        if let Answer::Fail(symptoms) = answer {
            failures.push(Failing::new(&ProblemSubject::Step(step), symptoms));
        }
    }
    for report in Tested::of_build(conn, build)? {
        let bad = report.bad().filter(|test| test.outcome.is_bad());
        let tests: Vec<_> = bad.take(TESTS).collect();
        // So many may fail that the step answers for them.
        let is_known = failures.iter().any(|known| known.step == report.step);
        let whole = Some(String::new()).filter(|_| !tests.is_empty() && !is_known);
        let names = tests.iter().map(|test| test.name.as_stored().to_owned());
        for test in whole.into_iter().chain(names) {
            failures.push(Failing {
                step: report.step.clone(),
                is_told: !test.is_empty(),
                test,
                symptoms: any(),
            });
        }
    }
    Ok(failures)
}

/// Whether a build has failed in a way that problems know: something answers, at a known point.
pub(in crate::store) fn has_answered_failing(
    conn: &Connection,
    (builder, number): (&BuilderName, BuildNumber),
    line: &Line,
) -> rusqlite::Result<bool> {
    let build = conn
        .prepare_cached(BUILT_AT)?
        .query_row(params![builder.as_str(), int(number.0)], |row| {
            let id = row.get::<_, Col<BuildId>>(0)?.0;
            let newest = row.get::<_, Option<Col<_>>>(1)?.map(|newest| newest.0);
            Ok((id, newest, row.get::<_, Json<Properties>>(2)?.0))
        })
        .optional()?;
    let Some((id, newest, properties)) = build else {
        return Ok(false);
    };
    let has_point = point_of(conn, newest, line, &properties)?.is_some();
    Ok(has_point && !failures(conn, id)?.is_empty())
}

/// The problems that a build has ended.
fn fixed(
    conn: &Connection,
    place: &Place<'_>,
    (number, at): (BuildNumber, Timestamp),
) -> rusqlite::Result<Vec<ProblemRow>> {
    let (builder, tree) = (place.builder.as_str(), tree(place.line));
    let of = params![at.0, builder, Json(&tree), int(number.0)];
    let mut select = conn.prepare_cached(FIXED_PROBLEMS)?;
    select.query_map(of, row_of)?.collect()
}

pub(super) const BUILT_AT: &str = "SELECT id, changes ->> '$[#-1]', properties FROM build
    WHERE builder = ?1 AND number = ?2";
pub(super) const WITHOUT_CHANGES: &str = "SELECT b.properties, s.stamp, p.build_set IS NOT NULL
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.builder = ?1 AND b.number > ?2 AND b.number < ?3 AND b.result IN (0, 1, 2)
        AND b.changes = '[]' AND p.build_set IS NULL
    ORDER BY b.number DESC LIMIT 20";
pub(super) const BASE: &str = "SELECT number, branch, repository, project, codebase FROM change
    WHERE revision = ?1 ORDER BY number DESC LIMIT 1";
pub(super) const CHANGE_OF_REVISION: &str = "SELECT number FROM change
    WHERE revision = ?1 AND branch IS ?2 AND repository = ?3 AND project = ?4 AND codebase = ?5
    ORDER BY number DESC LIMIT 1";
