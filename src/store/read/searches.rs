//! Culprit searches (SRH-14).

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::changes::change;
use super::problems::ProblemRow;
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, ProblemNumber, RequestId, STANDS_FOR, Said,
    SearchNumber, SearchRecord, Timestamp, Verdict,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Suspect, is_same_failure};

/// What a search on another builder has found, and is presumed of a problem (SRH-12).
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Presumed {
    /// The change.
    pub change: ChangeNumber,
    /// Who made it.
    pub who: String,
    /// The builder of the search.
    pub builder: BuilderName,
    /// The search.
    pub search: SearchNumber,
}

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
    /// For how many older commits the change stands that it has found, which have no change of
    /// their own (SRH-15).
    pub stands_for: Option<u64>,
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

impl SearchRow {
    /// The points that it has asked for, with what was said.
    #[must_use]
    pub fn points(&self) -> Vec<(usize, Option<Said>)> {
        let asks = self.asks.iter();
        asks.map(|ask| (ask.point, ask.said)).collect()
    }

    /// The change that it has proved guilty, without a doubt (GRD-07).
    #[must_use]
    pub fn guilty(&self) -> Option<ChangeNumber> {
        proved_by(&self.record, self.verdict?)
    }
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

    /// What searches prove of these problems: who is guilty, by a search that has built both ends
    /// again, without a doubt (GRD-07, SRH-17). Of problems without a proof, what a search on
    /// another builder has found for the same suspects, if what fails is the same: no search is
    /// begun for them, and nobody is accused (SRH-12).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn proved_of(&self, rows: &[ProblemRow]) -> Result<Proved, StoreError> {
        let clear = rows.iter().filter(|row| row.problem.found.doubt.is_none());
        let clear: Vec<&ProblemRow> = clear.collect();
        let numbers: Vec<u64> = clear.iter().map(|row| row.problem.number.0).collect();
        let mut proved = Proved::default();
        for (change, record) in self.read(|conn| proofs(conn, PROOFS, &numbers))? {
            let mut its = clear.iter();
            let row = its.find(|row| Some(row.problem.number) == record.problem);
            let suspect = row.and_then(|row| suspect(row, change).map(|one| (row, one)));
            // The latest proof counts.
            proved
                .guilty
                .extend(suspect.map(|(row, one)| (row.problem.number, one.clone())));
        }
        let is_proved = |row: &&&ProblemRow| proved.guilty.contains_key(&row.problem.number);
        let others: Vec<_> = clear.iter().filter(|row| !is_proved(row)).collect();
        let last = others.iter().filter_map(|row| row.problem.suspects.last());
        let last: Vec<u64> = last.map(|suspect| suspect.change.0).collect();
        if last.is_empty() {
            return Ok(proved);
        }
        let mut found = self.read(|conn| proofs(conn, PROOFS_UP_TO, &last))?;
        found.reverse();
        for row in others {
            let mut all = found.iter();
            let presumed = all.find_map(|(change, record)| Presumed::of(row, *change, record));
            let presumed = presumed.map(|presumed| (row.problem.number, presumed));
            proved.presumed.extend(presumed);
        }
        Ok(proved)
    }
}

/// What searches prove of problems.
#[derive(Clone, Debug, Default)]
pub struct Proved {
    /// Whose change has caused a problem.
    pub guilty: BTreeMap<ProblemNumber, Suspect>,
    /// The change that has caused the same on another builder, for problems without a proof.
    pub presumed: BTreeMap<ProblemNumber, Presumed>,
}

impl Presumed {
    /// What a search that has found a change says of a problem.
    fn of(row: &ProblemRow, change: ChangeNumber, record: &SearchRecord) -> Option<Self> {
        let suspects = row.problem.suspects.iter().map(|one| one.change);
        let symptoms = record.symptoms.iter().cloned().collect();
        let is_same = record.points.iter().skip(1).copied().eq(suspects)
            && record.problem != Some(row.problem.number)
            && is_same_failure(
                (&record.subject()?, &symptoms),
                (&row.subject, &row.problem.found.symptoms),
            );
        let who = suspect(row, change).filter(|_| is_same)?;
        Some(Self {
            change,
            who: who.who.clone(),
            builder: record.builder.clone(),
            search: record.number,
        })
    }
}

fn suspect(row: &ProblemRow, change: ChangeNumber) -> Option<&Suspect> {
    let mut suspects = row.problem.suspects.iter();
    suspects.find(|suspect| suspect.change == change)
}

/// The changes that searches have proved guilty, the oldest search first.
fn proofs(
    conn: &Connection,
    sql: &str,
    of: &[u64],
) -> rusqlite::Result<Vec<(ChangeNumber, SearchRecord)>> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query([Json(of)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record: SearchRecord = row.get::<_, Json<_>>(0)?.0;
        let change = proved_by(&record, row.get::<_, Json<Verdict>>(1)?.0);
        found.extend(change.map(|change| (change, record)));
    }
    found.sort_by_key(|(_, record)| record.number);
    Ok(found)
}

/// The change that a search with this verdict has proved guilty, without a doubt (GRD-07).
fn proved_by(record: &SearchRecord, verdict: Verdict) -> Option<ChangeNumber> {
    let Verdict::Found {
        bad,
        is_not_monotone: false,
        is_flaky: false,
        ..
    } = verdict
    else {
        return None;
    };
    let record = Some(record).filter(|record| !record.seeks_fix)?;
    record.points.get(bad).copied()
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
            stands_for: None,
        })
    })?;
    let mut found: Vec<SearchRow> = found.collect::<rusqlite::Result<_>>()?;
    let mut select = conn.prepare_cached(ASKS)?;
    for search in &mut found {
        let asks = select.query_map([int(search.record.number.0)], ask_of)?;
        search.asks = asks.collect::<rusqlite::Result<_>>()?;
        search.stands_for = stands_for(conn, search)?;
    }
    Ok(found)
}

/// For how many older commits the change stands that a search has found.
fn stands_for(conn: &Connection, search: &SearchRow) -> rusqlite::Result<Option<u64>> {
    let Some(Verdict::Found { bad, .. }) = search.verdict else {
        return Ok(None);
    };
    let Some(found) = search.record.points.get(bad) else {
        return Ok(None);
    };
    let found = change(conn, *found)?;
    let older = found.and_then(|found| {
        let properties = &found.content.properties;
        let is_told = properties.source_of(STANDS_FOR) == Some("Change");
        properties.get(STANDS_FOR).filter(|_| is_told)?.as_u64()
    });
    Ok(older)
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
pub(super) const PROOFS: &str = "SELECT record, verdict FROM search
    WHERE problem IN (SELECT value FROM json_each(?1)) AND verdict IS NOT NULL";
/// Of those whose last point is one of these changes.
pub(super) const PROOFS_UP_TO: &str = "SELECT record, verdict FROM search
    WHERE record ->> '$.points[#-1]' IN (SELECT value FROM json_each(?1)) AND verdict IS NOT NULL";
pub(super) const SEARCH: &str = concat!(search_columns!(), "WHERE number = ?1");
const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'search'";
pub(super) const ASKS: &str = "SELECT point, request, said, build, took_secs FROM search_ask
    WHERE search = ?1 ORDER BY request";
