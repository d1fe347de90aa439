//! Culprit searches, and what they ask the history (SRH-04, SRH-14).

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::changes::change;
use super::of_line::{line_of, origin_of, tree};
use super::problems::{answers_of_build, suspects_between};
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Line, ProblemNumber, RequestId, Results, Said,
    SearchNumber, SearchRecord, SourceStamp, SourceStamps, Timestamp, Verdict,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Answer, Suspect};

/// Most builds that are looked at for how often a step has passed.
const LOOKED_BACK: u32 = 50;

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRow {
    /// How it began.
    pub record: SearchRecord,
    /// What it has found; absent while it goes on.
    pub verdict: Option<Verdict>,
    /// Why it was stopped, if it was.
    pub why: Option<String>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What it has asked for, in that order.
    pub asks: Vec<AskRow>,
}

/// A build that a search has asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AskRow {
    /// The point, from 0.
    pub point: usize,
    /// The request.
    pub request: RequestId,
    /// What it says; absent until it has ended.
    pub said: Option<Said>,
    /// Its build.
    pub build: Option<BuildNumber>,
    /// How long that ran, in seconds.
    pub took_secs: u64,
}

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
    /// The newest `limit` searches below `before`, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn searches(
        &self,
        before: Option<SearchNumber>,
        limit: u32,
    ) -> Result<Vec<SearchRow>, StoreError> {
        let before = before.map_or(i64::MAX, |before| int(before.0));
        self.read(|conn| rows(conn, SEARCHES, params![before, limit]))
    }

    /// The searches that go on, and those that are over with builds that were not heard of since,
    /// the oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn unsettled_searches(&self) -> Result<Vec<SearchRow>, StoreError> {
        self.read(|conn| rows(conn, UNSETTLED, params![]))
    }

    /// The searches that go on, the oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn running_searches(&self) -> Result<Vec<SearchRow>, StoreError> {
        self.read(|conn| rows(conn, RUNNING, params![]))
    }

    /// The searches for the cause of a problem, the oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn searches_of(&self, problem: ProblemNumber) -> Result<Vec<SearchRow>, StoreError> {
        self.read(|conn| rows(conn, OF_PROBLEM, params![int(problem.0)]))
    }

    /// A search.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn search(&self, number: SearchNumber) -> Result<Option<SearchRow>, StoreError> {
        self.read(|conn| Ok(rows(conn, SEARCH, params![int(number.0)])?.pop()))
    }

    /// The number of the next search.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn next_search(&self) -> Result<SearchNumber, StoreError> {
        self.read(|conn| {
            let last = conn.query_row(LAST, [], |row| Ok(row.get::<_, Col<SearchNumber>>(0)?.0));
            Ok(last.optional()?.unwrap_or_default().next())
        })
    }

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

    /// What builds have answered already at the points of a search (SRH-04), by the numbers of the
    /// points. Points with both answers say nothing.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn known_points(&self, record: &SearchRecord) -> Result<BTreeMap<usize, Said>, StoreError> {
        let (Some(step), Some(first), Some(last)) =
            (&record.step, record.points.first(), record.points.last())
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
                step,
                int(first.0),
                int(last.0)
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

    /// How often a step had passed in a row up to the point `good`, as far as the newest builds
    /// tell.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn passed_before(
        &self,
        builder: &BuilderName,
        line: &Line,
        (step, good): (&str, ChangeNumber),
    ) -> Result<u64, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(BUILDS_UP_TO)?;
            let mut rows = select.query(params![builder.as_str(), int(good.0), LOOKED_BACK])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                if origin_of(row, 1)?.line != *line {
                    continue;
                }
                let build = row.get::<_, Col<BuildId>>(0)?.0;
                match answers_of_build(conn, build)?.remove(step) {
                    Some(Answer::Pass) => count += 1,
                    Some(Answer::Fail(_)) => break,
                    Some(Answer::Absent | Answer::Mixed) | None => {}
                }
            }
            Ok(count)
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
        self.read(|conn| {
            conn.prepare_cached(OF_REVISION)?
                .query_row([revision], |row| Ok(row.get::<_, Col<_>>(0)?.0))
                .optional()
        })
    }

    /// The open problem whose ends are those of a search, if there is one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problem_between(
        &self,
        (builder, step): (&BuilderName, &str),
        line: &Line,
        (good, bad): (ChangeNumber, ChangeNumber),
    ) -> Result<Option<ProblemNumber>, StoreError> {
        let of = (
            builder.as_str(),
            Json(tree(line)),
            step,
            int(good.0),
            int(bad.0),
        );
        self.read(|conn| {
            conn.prepare_cached(BETWEEN)?
                .query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0))
                .optional()
        })
    }

    /// Who is guilty of a problem: proved by a search that has built both ends again, without a
    /// doubt (GRD-07, SRH-17).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn guilty_of(&self, problem: ProblemNumber) -> Result<Option<Suspect>, StoreError> {
        let Some(row) = self.problem(problem)? else {
            return Ok(None);
        };
        let searches = self.searches_of(problem)?;
        let mut latest = searches.iter().rev();
        let proved = latest.find_map(|search| {
            let Verdict::Found {
                bad,
                is_not_monotone: false,
                ..
            } = search.verdict?
            else {
                return None;
            };
            let record = Some(&search.record).filter(|record| !record.seeks_fix)?;
            record.points.get(bad).copied()
        });
        let suspects = row.problem.suspects.into_iter();
        let has_doubt = row.problem.found.doubt.is_some();
        let mut proved_of = suspects.filter(|one| !has_doubt && Some(one.change) == proved);
        Ok(proved_of.next())
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
        Answer::Absent | Answer::Mixed => Said::Unclear,
    }
}

fn said(
    conn: &Connection,
    record: &SearchRecord,
    build: BuildId,
    result: Results,
) -> rusqlite::Result<Said> {
    let result = match &record.step {
        // With its tests to say what fails, the step itself answers nothing (PRB-04).
        Some(step) if record.symptoms.is_empty() => {
            let ended = conn
                .prepare_cached(STEP_RESULT)?
                .query_row(params![int(build.0), step], |row| {
                    Ok(row.get::<_, Col<Results>>(0)?.0)
                });
            ended.optional()?.unwrap_or(Results::Skipped)
        }
        Some(step) => {
            let answer = answers_of_build(conn, build)?.remove(step);
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

fn rows(
    conn: &Connection,
    sql: &str,
    of: impl rusqlite::Params,
) -> rusqlite::Result<Vec<SearchRow>> {
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_map(of, |row| {
        Ok(SearchRow {
            record: row.get::<_, Json<_>>(0)?.0,
            verdict: row.get::<_, Option<Json<_>>>(1)?.map(|verdict| verdict.0),
            why: row.get(2)?,
            ended_at: row.get::<_, Option<Col<_>>>(3)?.map(|at| at.0),
            asks: Vec::new(),
        })
    })?;
    let mut found: Vec<SearchRow> = found.collect::<rusqlite::Result<_>>()?;
    let mut select = conn.prepare_cached(ASKS)?;
    for search in &mut found {
        let asks = select.query_map([int(search.record.number.0)], ask_of)?;
        search.asks = asks.collect::<rusqlite::Result<_>>()?;
    }
    Ok(found)
}

fn ask_of(row: &Row<'_>) -> rusqlite::Result<AskRow> {
    Ok(AskRow {
        point: usize::try_from(row.get::<_, u32>(0)?).unwrap_or(usize::MAX),
        request: row.get::<_, Col<_>>(1)?.0,
        said: row.get::<_, Option<Json<_>>>(2)?.map(|said| said.0),
        build: row.get::<_, Option<Col<_>>>(3)?.map(|build| build.0),
        took_secs: row
            .get::<_, Option<i64>>(4)?
            .map_or(0, |secs| u64::try_from(secs).unwrap_or(0)),
    })
}

/// What [`rows`] reads.
macro_rules! search_columns {
    () => {
        "SELECT record, verdict, why, ended_at FROM search "
    };
}
pub(super) const SEARCHES: &str = concat!(
    search_columns!(),
    "WHERE number < ?1 ORDER BY number DESC LIMIT ?2"
);
pub(super) const RUNNING: &str =
    concat!(search_columns!(), "WHERE ended_at IS NULL ORDER BY number");
pub(super) const UNSETTLED: &str = concat!(
    search_columns!(),
    "WHERE number IN (SELECT number FROM search WHERE ended_at IS NULL
        UNION SELECT search FROM search_ask WHERE said IS NULL) ORDER BY number"
);
pub(super) const OF_PROBLEM: &str =
    concat!(search_columns!(), "WHERE problem = ?1 ORDER BY number");
pub(super) const SEARCH: &str = concat!(search_columns!(), "WHERE number = ?1");
const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'search'";
pub(super) const ASKS: &str = "SELECT point, request, said, build, took_secs FROM search_ask
    WHERE search = ?1 ORDER BY request";
pub(super) const ENDED: &str = "SELECT b.id, b.number, b.result,
        coalesce(b.finished_at - b.started_at, 0)
    FROM request r LEFT JOIN build b ON b.id = r.build
    WHERE r.id = ?1 AND r.finished_at IS NOT NULL";
pub(super) const STEP_RESULT: &str = "SELECT result FROM step
    WHERE build = ?1 AND name = ?2 AND result IS NOT NULL
        AND NOT coalesce(outcome ->> '$.is_infrastructure', 0)";
pub(super) const ANSWERS: &str = "SELECT a.point, a.answer
    FROM subject s JOIN answer a ON a.subject = s.id
    WHERE s.builder = ?1 AND s.tree = ?2 AND s.step = ?3 AND s.test = ''
        AND a.point BETWEEN ?4 AND ?5";
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
const OF_REVISION: &str = "SELECT number FROM change
    WHERE revision = ?1 OR (length(?1) >= 7 AND substr(revision, 1, length(?1)) = ?1)
    ORDER BY revision = ?1 DESC, number DESC LIMIT 1";
pub(super) const BETWEEN: &str = "SELECT number FROM problem
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = '' AND first = ?5 AND state = 0
        AND found ->> '$.after' = ?4
    ORDER BY number DESC LIMIT 1";
