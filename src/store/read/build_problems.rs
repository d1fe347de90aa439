//! What a build says of problems: those that are new with it, those that are there still, and those
//! that it has ended (PRB-23).

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::builds::BuildRow;
use super::of_line::tree;
use super::problems::{
    FIXED_PROBLEMS, PROBLEMS_AT, ProblemRow, answers_of_build, row_of, with_remarks,
};
use super::tested::Tested;
use crate::model::{
    BuildId, BuilderName, ChangeNumber, Judgement, Line, Origin, Properties, Timestamp,
    revision_built,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Answer, End};

/// Failing tests of a build whose problems are looked for.
const TESTS: usize = 200;

/// The fingerprint of a failure that has none of its own.
const ANY: &str = "*";

impl State {
    /// The problems of a build that has ended and is of `origin`, in the order of their numbers:
    /// what each is for the build.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn build_problems(
        &self,
        build: &BuildRow,
        origin: &Origin,
    ) -> Result<Vec<(Judgement, ProblemRow)>, StoreError> {
        let Some(at) = build.finished_at.filter(|_| !origin.is_try) else {
            return Ok(Vec::new());
        };
        self.read(|conn| {
            let newest = build.changes.last().copied();
            let Some(point) = point_of(conn, newest, &origin.line, &build.properties)? else {
                return Ok(Vec::new());
            };
            let place = Place {
                build: build.id,
                builder: &build.builder,
                line: &origin.line,
                point,
            };
            let mut found = failing(conn, &place)?;
            for row in fixed(conn, &place, at)? {
                found.push((Judgement::Fixed, row));
            }
            found.sort_by_key(|(_, row)| row.problem.number);
            found
                .into_iter()
                .map(|(news, row)| Ok((news, with_remarks(conn, row)?)))
                .collect()
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

/// The problems of what fails in a build: new if its point is the first failing one.
pub(in crate::store) fn failing(
    conn: &Connection,
    place: &Place<'_>,
) -> rusqlite::Result<Vec<(Judgement, ProblemRow)>> {
    let mut found: Vec<(Judgement, ProblemRow)> = Vec::new();
    let tree = tree(place.line);
    let mut select = conn.prepare_cached(PROBLEMS_AT)?;
    for (step, test, symptoms) in failures(conn, place.build)? {
        let builder = place.builder.as_str();
        let of = params![builder, Json(&tree), step, test, int(place.point.0)];
        let rows = select.query_map(of, row_of)?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.retain(|row| place.point <= row.problem.found.last);
        let is_same = |row: &ProblemRow| !row.problem.found.symptoms.is_disjoint(&symptoms);
        if rows.iter().any(is_same) {
            rows.retain(is_same);
        }
        for row in rows {
            let number = row.problem.number;
            if found
                .iter()
                .all(|(_, known)| known.problem.number != number)
            {
                let news = match row.problem.found.first == place.point {
                    true => Judgement::New,
                    false => Judgement::Still,
                };
                found.push((news, row));
            }
        }
    }
    Ok(found)
}

/// What fails in a build: the step, the test as it is stored, and the fingerprints.
fn failures(
    conn: &Connection,
    build: BuildId,
) -> rusqlite::Result<Vec<(String, String, BTreeSet<String>)>> {
    let any = || BTreeSet::from([ANY.to_owned()]);
    let mut failures = Vec::new();
    for (step, answer) in answers_of_build(conn, build)? {
        if let Answer::Fail(symptoms) = answer {
            let symptoms = Some(symptoms).filter(|symptoms| !symptoms.is_empty());
            failures.push((step, String::new(), symptoms.unwrap_or_else(any)));
        }
    }
    for report in Tested::of_build(conn, build)? {
        let bad = report.bad().filter(|test| test.outcome.is_bad());
        let tests: Vec<_> = bad.take(TESTS).collect();
        // So many may fail that the step answers for them.
        let is_known = failures.iter().any(|(step, ..)| *step == report.step);
        if !tests.is_empty() && !is_known {
            failures.push((report.step.clone(), String::new(), any()));
        }
        for test in tests {
            let name = test.name.as_stored().to_owned();
            failures.push((report.step.clone(), name, any()));
        }
    }
    Ok(failures)
}

/// The problems that a build has ended.
fn fixed(conn: &Connection, place: &Place<'_>, at: Timestamp) -> rusqlite::Result<Vec<ProblemRow>> {
    let of = params![at.0, place.builder.as_str(), Json(&tree(place.line))];
    let mut select = conn.prepare_cached(FIXED_PROBLEMS)?;
    let rows = select.query_map(of, row_of)?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    // Another build may have ended at the same time.
    rows.retain(|row| row.problem.found.end == Some(End::Resolved(place.point)));
    Ok(rows)
}

pub(super) const CHANGE_OF_REVISION: &str = "SELECT number FROM change
    WHERE revision = ?1 AND branch IS ?2 AND repository = ?3 AND project = ?4 AND codebase = ?5
    ORDER BY number DESC LIMIT 1";
