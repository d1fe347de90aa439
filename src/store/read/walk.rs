//! Builds and their like in order, from a number on, as far as somebody wants to see them.

use std::ops::ControlFlow;

use rusqlite::{Row, params};

use super::builds::news_of;
use super::changes::change_of;
use super::of_line::origin_of_requests;
use super::requests::{RequestRow, request_columns, request_of};
use crate::model::{
    BuildId, BuildNumber, BuilderName, Change, Judgement, Origin, RequestId, Results, SlaveName,
    Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// What a build says of itself when somebody looks for others.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    /// The number over all builders.
    pub id: BuildId,
    /// The builder.
    pub builder: BuilderName,
    /// The number within the builder.
    pub number: BuildNumber,
    /// The result; absent while the build runs.
    pub result: Option<Results>,
    /// How the result compares with the one before it on the same line.
    pub news: Option<Judgement>,
    /// The slave.
    pub slave: SlaveName,
    /// When the build started.
    pub started_at: Timestamp,
    /// When the build ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// The requests that the build answers for.
    pub requests: Vec<RequestId>,
}

/// The numbers between which something is looked for: above the first, below the second.
pub type Between = (Option<u64>, u64);

impl State {
    /// Shows `see` the builds of a builder or of all, the newest first, between these numbers
    /// (those within the builder, or those over all builders), and at most `most` of them. Returns
    /// whether there are no more.
    ///
    /// # Errors
    /// The state cannot be read, or what `see` says.
    pub fn walk_builds(
        &self,
        builder: Option<&BuilderName>,
        between: Between,
        most: u32,
        mut see: impl FnMut(Passed) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut refused = None;
        let ended = self.read(|conn| {
            let (above, below) = bounds(between);
            let name = builder.map_or("", |builder| builder.as_str());
            let mut select = conn.prepare_cached(match builder {
                Some(_) => WALK_BUILDER,
                None => WALK,
            })?;
            let mut rows = match builder {
                Some(_) => select.query(params![name, above, below, most])?,
                None => select.query(params![above, below, most])?,
            };
            while let Some(row) = rows.next()? {
                match see(passed(row)?) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return Ok(false),
                    Err(error) => {
                        refused = Some(error);
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        })?;
        refused.map_or(Ok(ended), Err)
    }

    /// What a build with these requests was made of, without its changes; absent if its build sets
    /// were removed.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn origin_of(&self, requests: &[RequestId]) -> Result<Option<Origin>, StoreError> {
        self.read(|conn| origin_of_requests(conn, requests))
    }

    /// The newest `limit` changes between these numbers, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn changes_between(&self, between: Between, limit: u32) -> Result<Vec<Change>, StoreError> {
        let (above, below) = bounds(between);
        self.read(|conn| {
            conn.prepare_cached(CHANGES_BETWEEN)?
                .query_map(params![above, below, limit], change_of)?
                .collect()
        })
    }

    /// The newest `limit` requests between these numbers, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn requests_between(
        &self,
        between: Between,
        limit: u32,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let (above, below) = bounds(between);
        self.read(|conn| {
            conn.prepare_cached(REQUESTS_BETWEEN)?
                .query_map(params![above, below, limit], request_of)?
                .collect()
        })
    }
}

fn bounds((above, below): Between) -> (i64, i64) {
    (above.map_or(-1, int), int(below))
}

fn passed(row: &Row<'_>) -> rusqlite::Result<Passed> {
    Ok(Passed {
        id: row.get::<_, Col<_>>(0)?.0,
        builder: row.get::<_, Col<_>>(1)?.0,
        number: row.get::<_, Col<_>>(2)?.0,
        result: row.get::<_, Option<Col<_>>>(3)?.map(|result| result.0),
        news: news_of(row, 4)?,
        slave: row.get::<_, Col<_>>(5)?.0,
        started_at: row.get::<_, Col<_>>(6)?.0,
        finished_at: row.get::<_, Option<Col<_>>>(7)?.map(|at| at.0),
        requests: row.get::<_, Json<_>>(8)?.0,
    })
}

/// What [`passed`] reads.
macro_rules! passed_columns {
    () => {
        "SELECT id, builder, number, result, news, slave, started_at, finished_at, requests
        FROM build"
    };
}
pub(super) const WALK: &str = concat!(
    passed_columns!(),
    " WHERE id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
);
pub(super) const WALK_BUILDER: &str = concat!(
    passed_columns!(),
    " WHERE builder = ?1 AND number > ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4"
);
pub(super) const CHANGES_BETWEEN: &str =
    "SELECT number, arrived_at, made_at, said_when, who, comments, revision,
        branch, project, repository, codebase, category, revlink, src, files, properties,
        files_left_out, committed_at, notes, skipped
    FROM change WHERE number > ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3";
pub(super) const REQUESTS_BETWEEN: &str = concat!(
    request_columns!(),
    "
    FROM request r JOIN build_set s ON s.id = r.build_set
    WHERE r.id > ?1 AND r.id < ?2 ORDER BY r.id DESC LIMIT ?3"
);
