//! What culprit searches ask the history (SRH-04, PRB-10).

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::changes::change;
use super::of_line::{line_of, origin_of, tree};
use super::problems::{answers_of_build, suspects_between};
use super::tested::Tested;
use crate::model::{
    BuildId, BuildNumber, BuilderName, Change, ChangeNumber, Line, ProblemNumber, ProblemSubject,
    RequestId, Results, Said, SearchRecord, SourceStamp, SourceStamps, TestName,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Answer, Past};

/// Most builds that are looked at for how often a subject has passed.
const LOOKED_BACK: u32 = 200;

/// Most changes whose revisions begin alike.
const SAME_BEGINNING: u32 = 100;

/// What has become of a request of a search.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What it says about the question.
    pub said: Said,
    /// Its build; absent if it ended without one.
    pub build: Option<BuildNumber>,
    /// How long that ran, in seconds.
    pub took_secs: u64,
}

impl State {
    /// What `request` says about the question of `record`; absent while it has not ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn finding(
        &self,
        record: &SearchRecord,
        request: RequestId,
    ) -> Result<Option<Finding>, StoreError> {
        self.read(|conn| {
            let found = conn
                .prepare_cached(ENDED)?
                .query_row([int(request.0)], |row| {
                    let build = row.get::<_, Option<Col<BuildId>>>(0)?.map(|n| n.0);
                    let number = row.get::<_, Option<Col<BuildNumber>>>(1)?.map(|n| n.0);
                    let result = row.get::<_, Option<Col<Results>>>(2)?.map(|n| n.0);
                    let took: i64 = row.get(3)?;
                    Ok((build.zip(result), number, took))
                });
            let Some((ended, build, took)) = found.optional()? else {
                return Ok(None);
            };
            let said = match ended {
                Some((build, result)) => said(conn, record, build, result)?,
                None => Said::Unclear,
            };
            let took_secs = u64::try_from(took / 1_000_000).unwrap_or(0);
            Ok(Some(Finding {
                said,
                build,
                took_secs,
            }))
        })
    }

    /// What other builds have answered at the points of a search (SRH-04), by the numbers of the
    /// points. Points with both answers say nothing, and those inside a change are not known.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn known_points(&self, record: &SearchRecord) -> Result<BTreeMap<usize, Said>, StoreError> {
        let subject = record.subject().filter(|_| record.inside.is_none());
        let (Some(subject), Some(first), Some(last)) =
            (subject, record.points.first(), record.points.last())
        else {
            return Ok(BTreeMap::new());
        };
        self.read(|conn| {
            let mut known: BTreeMap<usize, Said> = BTreeMap::new();
            let mut contradicted = Vec::new();
            let mut select = conn.prepare_cached(ANSWERS)?;
            let of = params![
                record.builder.as_str(),
                Json(tree(&record.line)),
                subject.step(),
                stored_test(&subject),
                int(first.0),
                int(last.0),
                int(record.number.0)
            ];
            let mut rows = select.query(of)?;
            while let Some(row) = rows.next()? {
                let at: ChangeNumber = row.get::<_, Col<_>>(0)?.0;
                let Ok(point) = record.points.binary_search(&at) else {
                    continue;
                };
                let said = asked(record, &row.get::<_, Json<Answer>>(1)?.0);
                let before = known.insert(point, said);
                contradicted.extend(before.filter(|before| *before != said).map(|_| point));
            }
            known.retain(|point, _| !contradicted.contains(point));
            Ok(known)
        })
    }

    /// The sources of a tree when its newest change was `at`: in each codebase the newest change up
    /// to that one (SRH-03).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn stamps_at(&self, line: &Line, at: ChangeNumber) -> Result<SourceStamps, StoreError> {
        self.read(|conn| line.trees().map(|tree| stamp_at(conn, tree, at)).collect())
    }

    /// The points of a search on `line`: `good`, and the changes after it up to `bad`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn points_between(
        &self,
        line: &Line,
        good: ChangeNumber,
        bad: ChangeNumber,
    ) -> Result<Vec<ChangeNumber>, StoreError> {
        self.read(|conn| {
            let changes = suspects_between(conn, line, good, bad)?.into_iter();
            let mut points = vec![good];
            points.extend(changes.map(|suspect| suspect.change));
            Ok(points)
        })
    }

    /// What the builds up to the point `good` tell of a subject, as far as the newest ones go.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn past_of(
        &self,
        builder: &BuilderName,
        line: &Line,
        (subject, good): (&ProblemSubject, ChangeNumber),
    ) -> Result<Past, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(BUILDS_UP_TO)?;
            let mut rows = select.query(params![builder.as_str(), int(good.0), LOOKED_BACK])?;
            let mut past = Past::default();
            while let Some(row) = rows.next()? {
                if origin_of(row, 1)?.line != *line {
                    continue;
                }
                let build = row.get::<_, Col<BuildId>>(0)?.0;
                if let Some(answer) = answer_in(conn, build, subject)? {
                    past.hear(&answer);
                }
            }
            Ok(past)
        })
    }

    /// The tree on which a builder has a change: one that it has built, or else that of the change.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn line_with(
        &self,
        builder: &BuilderName,
        at: ChangeNumber,
    ) -> Result<Option<Line>, StoreError> {
        self.read(|conn| {
            let Some(known) = change(conn, at)? else {
                return Ok(None);
            };
            let content = known.content;
            let its = Line {
                branch: content.branch,
                repository: content.repository,
                project: content.project,
                codebase: content.codebase,
                more: Vec::new(),
            };
            let mut select = conn.prepare_cached(LINES_OF)?;
            let mut rows = select.query([builder.as_str()])?;
            while let Some(row) = rows.next()? {
                let line = line_of(&row.get::<_, Json<Value>>(0)?.0);
                let same = |tree: &Line| {
                    Line {
                        more: Vec::new(),
                        ..tree.clone()
                    } == its
                };
                if let Some(line) = line.filter(|line| line.trees().any(same)) {
                    return Ok(Some(line));
                }
            }
            Ok(Some(its))
        })
    }

    /// The newest change of a revision, or of the only revision that begins with these characters,
    /// at least seven.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn change_of_revision(&self, revision: &str) -> Result<Option<ChangeNumber>, StoreError> {
        let known = self.changes_of_revision(revision, SAME_BEGINNING)?;
        let exact = |change: &&Change| change.content.revision.as_deref() == Some(revision);
        if let Some(newest) = known.iter().filter(exact).map(|change| change.number).max() {
            return Ok(Some(newest));
        }
        let first = known.first().filter(|_| revision.len() >= 7);
        let is_one = |first: &Change| {
            let revision = &first.content.revision;
            known.iter().all(|one| one.content.revision == *revision)
        };
        let newest = known.iter().map(|change| change.number).max();
        Ok(newest.filter(|_| first.is_some_and(is_one)))
    }

    /// The open problem whose ends are those of a search, if there is one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problem_between(
        &self,
        (builder, subject): (&BuilderName, &ProblemSubject),
        line: &Line,
        (good, bad): (ChangeNumber, ChangeNumber),
    ) -> Result<Option<ProblemNumber>, StoreError> {
        let of = (
            builder.as_str(),
            Json(tree(line)),
            subject.step(),
            stored_test(subject),
            int(good.0),
            int(bad.0),
        );
        self.read(|conn| {
            conn.prepare_cached(BETWEEN)?
                .query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0))
                .optional()
        })
    }
}

/// What an answer says about the question of a search.
fn asked(record: &SearchRecord, answer: &Answer) -> Said {
    match answer {
        Answer::Pass => Said::Pass,
        Answer::Fail(symptoms) => {
            let is_same = |known: &String| symptoms.contains(known) || known == "*";
            match record.symptoms.is_empty() || record.symptoms.iter().any(is_same) {
                true => Said::Fail,
                false => Said::Unclear,
            }
        }
        Answer::Absent if record.is_absent_before => Said::Pass,
        Answer::Absent | Answer::Mixed => Said::Unclear,
    }
}

/// The test of a subject, as the store has it.
fn stored_test(subject: &ProblemSubject) -> &str {
    subject.test().map_or("", TestName::as_stored)
}

/// What a build answers about a subject, if it answers anything.
fn answer_in(
    conn: &Connection,
    build: BuildId,
    subject: &ProblemSubject,
) -> rusqlite::Result<Option<Answer>> {
    let (Some(step), test) = (subject.step(), subject.test()) else {
        return Ok(None);
    };
    let Some(test) = test else {
        return Ok(answers_of_build(conn, build)?.remove(step));
    };
    let reports = Tested::of_build(conn, build)?;
    let its = reports.iter().find(|report| report.step == step);
    its.map_or(Ok(None), |report| report.answer(conn, test))
}

fn said(
    conn: &Connection,
    record: &SearchRecord,
    build: BuildId,
    result: Results,
) -> rusqlite::Result<Said> {
    let subject = record.subject();
    let result = match &subject {
        // With its tests to say what fails, the step itself answers nothing (PRB-04).
        Some(ProblemSubject::Step(step)) if record.symptoms.is_empty() => {
            let ended = conn
                .prepare_cached(STEP_RESULT)?
                .query_row(params![int(build.0), step], |row| {
                    Ok(row.get::<_, Col<Results>>(0)?.0)
                });
            ended.optional()?.unwrap_or(Results::Skipped)
        }
        Some(subject) => {
            let answer = answer_in(conn, build, subject)?;
            return Ok(answer.map_or(Said::Unclear, |answer| asked(record, &answer)));
        }
        None => result,
    };
    Ok(match result {
        Results::Success | Results::Warnings => Said::Pass,
        Results::Failure => Said::Fail,
        Results::Skipped | Results::Exception | Results::Retry => Said::Unclear,
    })
}

fn stamp_at(conn: &Connection, tree: &Line, at: ChangeNumber) -> rusqlite::Result<SourceStamp> {
    let of = params![
        int(at.0),
        tree.branch,
        tree.repository,
        tree.project,
        tree.codebase
    ];
    let newest = conn
        .prepare_cached(NEWEST_UP_TO)?
        .query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0))
        .optional()?;
    let newest = newest.map(|number| change(conn, number)).transpose()?;
    Ok(match newest.flatten() {
        Some(change) => SourceStamp::from_changes(vec![Arc::new(change)]),
        None => SourceStamp {
            branch: tree.branch.clone(),
            repository: tree.repository.clone(),
            project: tree.project.clone(),
            codebase: tree.codebase.clone(),
            ..SourceStamp::default()
        },
    })
}

pub(super) const ENDED: &str = "SELECT b.id, b.number, b.result,
        coalesce(b.finished_at - b.started_at, 0)
    FROM request r LEFT JOIN build b ON b.id = r.build
    WHERE r.id = ?1 AND r.finished_at IS NOT NULL";
pub(super) const STEP_RESULT: &str = "SELECT result FROM step
    WHERE build = ?1 AND name = ?2 AND result IS NOT NULL
        AND NOT coalesce(outcome ->> '$.is_infrastructure', 0)";
pub(super) const ANSWERS: &str = "SELECT a.point, a.answer
    FROM subject s JOIN answer a ON a.subject = s.id
    WHERE s.builder = ?1 AND s.tree = ?2 AND s.step = ?3 AND s.test = ?4
        AND a.point BETWEEN ?5 AND ?6
        AND NOT EXISTS (SELECT 1 FROM search_ask k JOIN request r ON r.id = k.request
            WHERE k.search = ?7 AND r.build = a.build)";
pub(super) const NEWEST_UP_TO: &str = "SELECT number FROM change
    WHERE number <= ?1 AND branch IS ?2 AND repository = ?3 AND project = ?4 AND codebase = ?5
    ORDER BY number DESC LIMIT 1";
pub(super) const BUILDS_UP_TO: &str = "SELECT b.id, s.stamp, p.build_set IS NOT NULL
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.builder = ?1 AND b.finished_at IS NOT NULL AND p.build_set IS NULL
        AND b.changes ->> '$[#-1]' <= ?2
    ORDER BY b.number DESC LIMIT ?3";
pub(super) const LINES_OF: &str = "SELECT tree FROM line WHERE builder = ?1 ORDER BY last DESC";
pub(super) const BETWEEN: &str = "SELECT number FROM problem
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND first = ?6 AND state = 0
        AND found ->> '$.after' = ?5
    ORDER BY number DESC LIMIT 1";
