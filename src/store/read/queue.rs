//! The queue on disk: open requests in build order, found from any place on without a look at those
//! before.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::model::{BuilderName, RequestId, Timestamp};
use crate::store::StoreError;
use crate::store::column::{Col, int};
use crate::store::state::State;

/// Where an open request stands among those of its builder: the more urgent first, then by number
/// (BRQ-09).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestPlace {
    /// Its own priority.
    pub priority: i32,
    /// Its number.
    pub id: RequestId,
}

impl State {
    /// The builders that have open requests, in order of name, at the cost of one look each.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builders_with_requests(&self) -> Result<Vec<BuilderName>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BUILDERS_WITH_REQUESTS)?
                .query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
                .collect()
        })
    }

    /// The first `limit` open requests of a builder after a place, in build order. With
    /// `is_pending` those that have a build are passed over.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn places_in_queue(
        &self,
        builder: &BuilderName,
        after: Option<RequestPlace>,
        is_pending: bool,
        limit: u32,
    ) -> Result<Vec<RequestPlace>, StoreError> {
        let (beside, below) = match is_pending {
            true => (PENDING_BESIDE, PENDING_BELOW),
            false => (OPEN_BESIDE, OPEN_BELOW),
        };
        let builder = builder.as_str();
        self.read(|conn| {
            let mut places = Vec::new();
            if let Some(after) = after {
                let values = params![builder, after.priority, int(after.id.0), limit];
                places = found(conn, beside, values)?;
            }
            let found_so_far = u32::try_from(places.len()).unwrap_or(u32::MAX);
            let left = limit.saturating_sub(found_so_far);
            if left > 0 {
                let below_this = after.map_or(i64::MAX, |after| after.priority.into());
                places.extend(found(conn, below, params![builder, below_this, left])?);
            }
            Ok(places)
        })
    }

    /// The open requests that have a build.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn requests_being_built(&self) -> Result<Vec<(BuilderName, RequestId)>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BEING_BUILT)?
                .query_map([], |row| {
                    Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0))
                })?
                .collect()
        })
    }

    /// How many requests wait for each builder that has one, and when the oldest was submitted. It
    /// looks at every one of them: a running master knows it without that.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn pending(&self) -> Result<BTreeMap<BuilderName, (u64, Timestamp)>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(PENDING)?
                .query_map([], |row| {
                    let count = row.get::<_, u32>(1)?.into();
                    let since = row.get::<_, Col<_>>(2)?.0;
                    Ok((row.get::<_, Col<_>>(0)?.0, (count, since)))
                })?
                .collect()
        })
    }
}

fn found(
    conn: &Connection,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<RequestPlace>> {
    let mut select = conn.prepare_cached(sql)?;
    let places = select.query_map(values, |row| {
        Ok(RequestPlace {
            priority: row.get(0)?,
            id: row.get::<_, Col<_>>(1)?.0,
        })
    })?;
    places.collect()
}

/// Jumps from one builder to the next in the index.
pub(super) const BUILDERS_WITH_REQUESTS: &str = "WITH RECURSIVE open (builder) AS (
        SELECT (SELECT builder FROM request WHERE finished_at IS NULL ORDER BY builder LIMIT 1)
        UNION ALL
        SELECT (SELECT r.builder FROM request r
            WHERE r.finished_at IS NULL AND r.builder > open.builder ORDER BY r.builder LIMIT 1)
        FROM open WHERE open.builder IS NOT NULL)
    SELECT builder FROM open WHERE builder IS NOT NULL";
macro_rules! beside {
    ($and:literal) => {
        concat!(
            "SELECT priority, id FROM request WHERE builder = ?1 AND finished_at IS NULL",
            $and,
            " AND priority = ?2 AND id > ?3 ORDER BY id LIMIT ?4"
        )
    };
}
macro_rules! below {
    ($and:literal) => {
        concat!(
            "SELECT priority, id FROM request WHERE builder = ?1 AND finished_at IS NULL",
            $and,
            " AND priority < ?2 ORDER BY priority DESC, id LIMIT ?3"
        )
    };
}
pub(super) const OPEN_BESIDE: &str = beside!("");
pub(super) const OPEN_BELOW: &str = below!("");
pub(super) const PENDING_BESIDE: &str = beside!(" AND build IS NULL");
pub(super) const PENDING_BELOW: &str = below!(" AND build IS NULL");
/// In this order: from the builds that run, never from the queue.
pub(super) const BEING_BUILT: &str = "SELECT r.builder, r.id
    FROM build b CROSS JOIN json_each(b.requests) n CROSS JOIN request r ON r.id = n.value
    WHERE b.finished_at IS NULL AND r.build = b.id AND r.finished_at IS NULL";
pub(super) const PENDING: &str = "SELECT builder, count(*), min(submitted_at)
    FROM request WHERE finished_at IS NULL AND build IS NULL GROUP BY builder";
