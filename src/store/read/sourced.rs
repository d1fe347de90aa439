//! Builds in a line each with what they were made of, for matrices and time lines.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lines::{BriefRow, brief_columns, brief_of};
use super::of_line::origin_of;
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Origin, RequestId, Results, Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// A build in a line, with what it was made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourcedRow {
    /// Its number over all builders.
    pub id: BuildId,
    /// The build.
    pub brief: BriefRow,
    /// What it was made of; absent if its build sets were removed.
    pub origin: Option<Origin>,
    /// The revision that its steps found; absent if they did not say.
    pub got_revision: Option<String>,
}

/// When a step ran, and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepSpanRow {
    /// Its name.
    pub name: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Whether pages leave it out.
    pub hidden: bool,
    /// The name of its first log.
    pub log: Option<String>,
}

impl State {
    /// The newest `limit` builds of a builder below `before`, newest first, by the index of builder
    /// and number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sourced_of_builder(
        &self,
        builder: &BuilderName,
        before: BuildNumber,
        limit: u32,
    ) -> Result<Vec<SourcedRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SOURCED_OF_BUILDER)?
                .query_map(params![builder.as_str(), int(before.0), limit], sourced_of)?
                .collect()
        })
    }

    /// The newest `limit` builds of all builders below `before`, newest first, by their ids.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sourced(&self, before: BuildId, limit: u32) -> Result<Vec<SourcedRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SOURCED)?
                .query_map(params![int(before.0), limit], sourced_of)?
                .collect()
        })
    }

    /// The builds that are made of any of these changes, in order of start, by the index of the
    /// sets that each change is in.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sourced_of_changes(
        &self,
        changes: &[ChangeNumber],
    ) -> Result<Vec<SourcedRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SOURCED_OF_CHANGES)?
                .query_map(params![Json(changes)], sourced_of)?
                .collect()
        })
    }

    /// The requests that wait and are made of these changes, by change.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn waiting_for_changes(
        &self,
        changes: &[ChangeNumber],
    ) -> Result<Vec<(ChangeNumber, BuilderName, RequestId)>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(WAITING_FOR_CHANGES)?
                .query_map(params![Json(changes)], |row| {
                    Ok((
                        row.get::<_, Col<_>>(0)?.0,
                        row.get::<_, Col<_>>(1)?.0,
                        row.get::<_, Col<_>>(2)?.0,
                    ))
                })?
                .collect()
        })
    }

    /// When each step of a build ran, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn step_spans(&self, build: BuildId) -> Result<Vec<StepSpanRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(STEP_SPANS)?
                .query_map([int(build.0)], |row| {
                    Ok(StepSpanRow {
                        name: row.get(0)?,
                        started_at: row.get::<_, Col<_>>(1)?.0,
                        finished_at: row.get::<_, Option<Col<_>>>(2)?.map(|t| t.0),
                        result: row.get::<_, Option<Col<_>>>(3)?.map(|r| r.0),
                        hidden: row.get::<_, Option<bool>>(4)?.unwrap_or_default(),
                        log: row.get(5)?,
                    })
                })?
                .collect()
        })
    }

    /// The first number of a builder whose build started after `at`, found by halving: it looks at
    /// as many builds as the number has bits.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn first_build_after(
        &self,
        builder: &BuilderName,
        at: Timestamp,
    ) -> Result<BuildNumber, StoreError> {
        self.read(|conn| {
            let last: Option<i64> = conn
                .prepare_cached(NEWEST_NUMBER)?
                .query_row([builder.as_str()], |row| row.get(0))?;
            let end = last.map_or(0, |last| last + 1);
            let found = first_after(conn, BUILD_FROM, Some(builder), end, at)?;
            Ok(BuildNumber(found))
        })
    }

    /// The first change that arrived after `at`, found by halving.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn first_change_after(&self, at: Timestamp) -> Result<ChangeNumber, StoreError> {
        self.read(|conn| {
            let last: Option<i64> = conn
                .prepare_cached(NEWEST_CHANGE)?
                .query_row([], |row| row.get(0))?;
            let end = last.map_or(0, |last| last + 1);
            let found = first_after(conn, CHANGE_FROM, None, end, at)?;
            Ok(ChangeNumber(found))
        })
    }
}

/// The first number below `end` whose row is of a time after `at`, else `end`. Times grow with the
/// numbers, but for a clock that was set back.
fn first_after(
    conn: &Connection,
    sql: &'static str,
    builder: Option<&BuilderName>,
    end: i64,
    at: Timestamp,
) -> rusqlite::Result<u64> {
    let mut select = conn.prepare_cached(sql)?;
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let found = match builder {
            Some(builder) => select.query_row(params![middle, builder.as_str()], row),
            None => select.query_row(params![middle], row),
        };
        match found.optional()? {
            Some((number, time)) if time <= at.0 => low = number + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(u64::try_from(low).unwrap_or_default())
}

fn sourced_of(row: &Row<'_>) -> rusqlite::Result<SourcedRow> {
    let brief = brief_of(row)?;
    let has_origin = row.get_ref(11)? != rusqlite::types::ValueRef::Null;
    let origin = if has_origin {
        let origin = origin_of(row, 11)?;
        Some(Origin {
            newest: brief.changes.last().copied(),
            ..origin
        })
    } else {
        None
    };
    Ok(SourcedRow {
        id: row.get::<_, Col<_>>(10)?.0,
        origin,
        got_revision: row.get(13)?,
        brief,
    })
}

/// What [`sourced_of`] reads.
macro_rules! sourced_columns {
    () => {
        concat!(
            brief_columns!(),
            ", b.id, s.stamp, p.build_set IS NOT NULL,
        iif(b.properties ->> '$.got_revision.runtime',
            CAST(b.properties ->> '$.got_revision.value' AS TEXT), NULL)
    FROM build b LEFT JOIN request r ON r.id = b.requests ->> 0
        LEFT JOIN build_set s ON s.id = r.build_set LEFT JOIN patch p ON p.build_set = s.id"
        )
    };
}
pub(super) const SOURCED_OF_BUILDER: &str = concat!(
    sourced_columns!(),
    " WHERE b.builder = ?1 AND b.number < ?2 ORDER BY b.number DESC LIMIT ?3"
);
pub(super) const SOURCED: &str = concat!(
    sourced_columns!(),
    " WHERE b.id < ?1 ORDER BY b.id DESC LIMIT ?2"
);
pub(super) const SOURCED_OF_CHANGES: &str = concat!(
    sourced_columns!(),
    " WHERE b.id IN (SELECT x.build FROM json_each(?1) j
        CROSS JOIN change_in_set c ON c.change = j.value CROSS JOIN request x ON x.build_set = c.build_set WHERE x.build IS NOT NULL) ORDER BY b.id"
);
pub(super) const WAITING_FOR_CHANGES: &str = "SELECT c.change, r.builder, r.id
    FROM json_each(?1) j CROSS JOIN change_in_set c ON c.change = j.value
        CROSS JOIN request r ON r.build_set = c.build_set
    WHERE r.build IS NULL AND r.finished_at IS NULL";
pub(super) const STEP_SPANS: &str =
    "SELECT s.name, s.started_at, s.finished_at, s.result, s.outcome ->> '$.hidden',
        (SELECT l.name FROM log l WHERE l.build = s.build AND l.step = s.position
            ORDER BY l.position LIMIT 1)
    FROM step s WHERE s.build = ?1 ORDER BY s.position";
pub(super) const NEWEST_NUMBER: &str = "SELECT max(number) FROM build WHERE builder = ?1";
pub(super) const BUILD_FROM: &str = "SELECT number, started_at FROM build
    WHERE builder = ?2 AND number >= ?1 ORDER BY number LIMIT 1";
pub(super) const NEWEST_CHANGE: &str = "SELECT max(number) FROM change";
pub(super) const CHANGE_FROM: &str =
    "SELECT number, arrived_at FROM change WHERE number >= ?1 ORDER BY number LIMIT 1";
