//! Build sets.

use rusqlite::{Connection, OptionalExtension};

use super::builds::{BuildRow, build};
use super::requests::{RequestRow, finished, request_columns, request_of};
use crate::model::{
    BuilderName, ParentBuild, Properties, RequestId, Results, SchedulerName, SetId, Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// A build set (BST-11).
#[derive(Clone, Debug, PartialEq)]
pub struct SetRow {
    /// Its number.
    pub id: SetId,
    /// The id a client gave it.
    pub external_id: Option<String>,
    /// The scheduler that submitted it.
    pub scheduler: Option<SchedulerName>,
    /// Why.
    pub reason: String,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Its result, and when it finished.
    pub finished: Option<(Results, Timestamp)>,
    /// Its properties.
    pub properties: Properties,
    /// The build whose step triggered it.
    pub parent: Option<ParentBuild>,
    /// Its requests.
    pub requests: Vec<(RequestId, BuilderName)>,
}

impl State {
    /// The set with this number (BST-11).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn build_set(&self, id: SetId) -> Result<Option<SetRow>, StoreError> {
        self.read(|conn| build_set(conn, id))
    }

    /// The newest set that `scheduler` made of the try job with this id (TJD-11).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn set_of_try_job(
        &self,
        scheduler: &SchedulerName,
        job: &str,
    ) -> Result<Option<SetId>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SET_OF_TRY_JOB)?
                .query_row((scheduler.as_str(), job), |row| {
                    row.get::<_, Col<_>>(0).map(|id| id.0)
                })
                .optional()
        })
    }

    /// The requests of a set, each with the build that serves or served it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn requests_of_set(
        &self,
        set: SetId,
    ) -> Result<Vec<(RequestRow, Option<BuildRow>)>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(REQUESTS)?;
            let requests = select.query_map([int(set.0)], request_of)?;
            let with_build = |request: rusqlite::Result<RequestRow>| {
                let request = request?;
                let build = match request.build {
                    Some(number) => build(conn, &request.builder, number)?,
                    None => None,
                };
                Ok((request, build))
            };
            requests.map(with_build).collect()
        })
    }

    /// The newest `limit` sets of a scheduler, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sets_of(
        &self,
        scheduler: &SchedulerName,
        limit: u32,
    ) -> Result<Vec<SetRow>, StoreError> {
        self.read(|conn| {
            let ids: Vec<SetId> = conn
                .prepare_cached(SETS_OF)?
                .query_map((scheduler.as_str(), limit), |row| {
                    Ok(row.get::<_, Col<_>>(0)?.0)
                })?
                .collect::<rusqlite::Result<_>>()?;
            sets(conn, ids)
        })
    }

    /// The newest set of a scheduler: its number, when it was submitted, and its result if it has
    /// finished.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn last_set_of(
        &self,
        scheduler: &SchedulerName,
    ) -> Result<Option<(SetId, Timestamp, Option<Results>)>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(LAST_SET)?
                .query_row([scheduler.as_str()], |row| {
                    let result = row.get::<_, Option<Col<_>>>(2)?;
                    let (set, at) = (row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0);
                    Ok((set, at, result.map(|result| result.0)))
                })
                .optional()
        })
    }
}

/// The sets with these numbers.
pub(super) fn sets(conn: &Connection, ids: Vec<SetId>) -> rusqlite::Result<Vec<SetRow>> {
    let sets = ids.into_iter().map(|id| build_set(conn, id));
    sets.filter_map(Result::transpose).collect()
}

fn build_set(conn: &Connection, id: SetId) -> rusqlite::Result<Option<SetRow>> {
    let set = conn
        .prepare_cached(SET)?
        .query_row([int(id.0)], |row| {
            Ok(SetRow {
                id,
                external_id: row.get(0)?,
                scheduler: row.get::<_, Option<Col<_>>>(1)?.map(|s| s.0),
                reason: row.get(2)?,
                submitted_at: row.get::<_, Col<_>>(3)?.0,
                finished: finished(row, 4, 5)?,
                properties: row.get::<_, Json<_>>(6)?.0,
                parent: row.get::<_, Option<Json<_>>>(7)?.map(|parent| parent.0),
                requests: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut set) = set else { return Ok(None) };
    set.requests = conn
        .prepare_cached(SET_REQUESTS)?
        .query_map([int(id.0)], |row| {
            Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(set))
}

pub(super) const SET: &str =
    "SELECT external_id, scheduler, reason, submitted_at, result, finished_at,
        properties, parent
    FROM build_set WHERE id = ?1";
const SET_OF_TRY_JOB: &str = "SELECT id FROM build_set
    WHERE scheduler = ?1 AND external_id = ?2 ORDER BY id DESC LIMIT 1";
pub(super) const SET_REQUESTS: &str =
    "SELECT id, builder FROM request WHERE build_set = ?1 ORDER BY id";
pub(super) const LAST_SET: &str = "SELECT id, submitted_at, result FROM build_set
    WHERE scheduler = ?1 ORDER BY id DESC LIMIT 1";
pub(super) const SETS_OF: &str =
    "SELECT id FROM build_set WHERE scheduler = ?1 ORDER BY id DESC LIMIT ?2";
const REQUESTS: &str = concat!(
    request_columns!(),
    "
    FROM request r JOIN build_set s ON s.id = r.build_set
    WHERE r.build_set = ?1 ORDER BY r.id"
);
