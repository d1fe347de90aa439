//! Builds with their steps and logs.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Forecast, Judgement, Properties, RequestId,
    Results, SlaveName, StepOutcome, Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// A build with everything that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRow {
    /// Its number over all builders.
    pub id: BuildId,
    /// Its builder.
    pub builder: BuilderName,
    /// Its number within the builder.
    pub number: BuildNumber,
    /// The slave that ran it.
    pub slave: SlaveName,
    /// The requests it answers for.
    pub requests: Vec<RequestId>,
    /// Why it ran.
    pub reason: String,
    /// The changes it is made of.
    pub changes: Vec<ChangeNumber>,
    /// Who is to blame for what it is made of (BUI-09).
    pub blamelist: Vec<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about the result (BUI-08).
    pub text: Vec<String>,
    /// Why it was stopped, if somebody stopped it (BUI-11).
    pub stop_reason: Option<String>,
    /// Its properties with their sources (PRP-10).
    pub properties: Properties,
    /// What is expected of its steps, while it runs.
    pub forecast: Forecast,
    /// Why it is on that slave, for people; empty if that was not recorded.
    pub choice: String,
    /// The names of all steps that it was to run; empty if that was not recorded.
    pub planned: Vec<String>,
    /// How its result compares with the one before it on its line (PRB-23).
    pub news: Option<Judgement>,
    /// Its steps so far.
    pub steps: Vec<StepRow>,
}

/// A step of a build.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRow {
    /// Its name, unique within the build (BUI-04).
    pub name: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When its own work began; absent while it waits for its locks.
    pub working_since: Option<Timestamp>,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about what it does or did.
    pub text: Vec<String>,
    /// Its logs, in the order in which they were opened.
    pub logs: Vec<LogRow>,
    /// Its links, names and addresses.
    pub links: Vec<(String, String)>,
    /// What it has counted by which its progress is estimated, by name.
    pub counts: BTreeMap<String, u64>,
    /// What it means for the build; absent while it runs, and where it was not recorded.
    pub outcome: Option<StepOutcome>,
}

/// A log of a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogRow {
    /// Its name.
    pub name: String,
    /// Its file, relative to the base directory and without suffix.
    pub path: String,
    /// Bytes of all channels; absent while it is written.
    pub size_bytes: Option<u64>,
}

impl State {
    /// The newest `limit` builds, of one builder or of all, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builds(
        &self,
        builder: Option<&BuilderName>,
        limit: u32,
    ) -> Result<Vec<BuildRow>, StoreError> {
        self.read(|conn| {
            let with_steps = |row: &Row<'_>| with_steps(conn, build_of(row)?);
            match builder {
                Some(builder) => conn
                    .prepare_cached(BUILDS_OF_BUILDER)?
                    .query_map(params![builder.as_str(), limit], with_steps)?
                    .collect(),
                None => conn
                    .prepare_cached(BUILDS)?
                    .query_map([limit], with_steps)?
                    .collect(),
            }
        })
    }

    /// One build.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn build(
        &self,
        builder: &BuilderName,
        number: BuildNumber,
    ) -> Result<Option<BuildRow>, StoreError> {
        self.read(|conn| build(conn, builder, number))
    }

    /// The build with this number over all builders.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn build_of_id(&self, id: BuildId) -> Result<Option<BuildRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BUILD_OF_ID)?
                .query_row([int(id.0)], |row| with_steps(conn, build_of(row)?))
                .optional()
        })
    }

    /// The oldest `limit` builds after build `id`, in order of start.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builds_after(&self, id: BuildId, limit: u32) -> Result<Vec<BuildRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BUILDS_AFTER)?
                .query_map(params![int(id.0), limit], |row| {
                    with_steps(conn, build_of(row)?)
                })?
                .collect()
        })
    }

    /// Whether the log at this path, one of build `id`, is complete.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn is_log_complete(&self, id: BuildId, path: &str) -> Result<bool, StoreError> {
        self.read(|conn| {
            let open = conn
                .prepare_cached(
                    "SELECT 1 FROM log WHERE build = ?1 AND path = ?2 AND size IS NULL",
                )?
                .exists(params![int(id.0), path])?;
            Ok(!open)
        })
    }
}

/// One build.
pub(super) fn build(
    conn: &Connection,
    builder: &BuilderName,
    number: BuildNumber,
) -> rusqlite::Result<Option<BuildRow>> {
    conn.prepare_cached(BUILD)?
        .query_row(params![builder.as_str(), int(number.0)], |row| {
            with_steps(conn, build_of(row)?)
        })
        .optional()
}

fn build_of(row: &Row<'_>) -> rusqlite::Result<BuildRow> {
    Ok(BuildRow {
        id: row.get::<_, Col<_>>(0)?.0,
        builder: row.get::<_, Col<_>>(1)?.0,
        number: row.get::<_, Col<_>>(2)?.0,
        slave: row.get::<_, Col<_>>(3)?.0,
        reason: row.get(4)?,
        started_at: row.get::<_, Col<_>>(5)?.0,
        finished_at: row.get::<_, Option<Col<_>>>(6)?.map(|t| t.0),
        result: row.get::<_, Option<Col<_>>>(7)?.map(|r| r.0),
        text: row.get::<_, Json<_>>(8)?.0,
        requests: row.get::<_, Json<_>>(9)?.0,
        changes: row.get::<_, Json<_>>(10)?.0,
        properties: row.get::<_, Json<_>>(11)?.0,
        stop_reason: row.get(12)?,
        forecast: row
            .get::<_, Option<Json<_>>>(13)?
            .map_or_else(Forecast::default, |forecast| forecast.0),
        choice: row.get(14)?,
        blamelist: row.get::<_, Json<_>>(15)?.0,
        planned: row.get::<_, Json<_>>(16)?.0,
        news: news_of(row, 17)?,
        steps: Vec::new(),
    })
}

/// The judgement in this column.
pub(super) fn news_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Judgement>> {
    let name: Option<String> = row.get(column)?;
    Ok(name.and_then(|name| Judgement::named(&name)))
}

fn with_steps(conn: &Connection, mut build: BuildRow) -> rusqlite::Result<BuildRow> {
    let id: BuildId = build.id;
    let mut positions = Vec::new();
    let mut select = conn.prepare_cached(STEPS)?;
    let mut rows = select.query([int(id.0)])?;
    while let Some(row) = rows.next()? {
        positions.push(row.get::<_, u32>(0)?);
        build.steps.push(StepRow {
            name: row.get(1)?,
            started_at: row.get::<_, Col<_>>(2)?.0,
            finished_at: row.get::<_, Option<Col<_>>>(3)?.map(|t| t.0),
            result: row.get::<_, Option<Col<_>>>(4)?.map(|r| r.0),
            text: row.get::<_, Json<_>>(5)?.0,
            working_since: row.get::<_, Option<Col<_>>>(6)?.map(|t| t.0),
            logs: Vec::new(),
            links: row.get::<_, Json<_>>(7)?.0,
            outcome: row.get::<_, Option<Json<_>>>(8)?.map(|outcome| outcome.0),
            counts: row.get::<_, Json<_>>(9)?.0,
        });
    }
    let mut select = conn.prepare_cached(LOGS)?;
    let mut rows = select.query([int(id.0)])?;
    while let Some(row) = rows.next()? {
        let Ok(step) = positions.binary_search(&row.get(0)?) else {
            continue;
        };
        let log = LogRow {
            name: row.get(1)?,
            path: row.get(2)?,
            size_bytes: row
                .get::<_, Option<i64>>(3)?
                .map(|size| u64::try_from(size).unwrap_or(0)),
        };
        build.steps[step].logs.push(log);
    }
    Ok(build)
}

/// What [`build_of`] reads.
macro_rules! build_columns {
    () => {
        "SELECT id, builder, number, slave, reason, started_at, finished_at, result, text,
        requests, changes, properties, stop_reason, forecast, choice, blamelist, planned, news FROM build"
    };
}
pub(super) const BUILDS: &str = concat!(build_columns!(), " ORDER BY id DESC LIMIT ?1");
pub(super) const BUILDS_OF_BUILDER: &str = concat!(
    build_columns!(),
    " WHERE builder = ?1 ORDER BY number DESC LIMIT ?2"
);
pub(super) const BUILD: &str = concat!(build_columns!(), " WHERE builder = ?1 AND number = ?2");
pub(super) const BUILD_OF_ID: &str = concat!(build_columns!(), " WHERE id = ?1");
pub(super) const BUILDS_AFTER: &str =
    concat!(build_columns!(), " WHERE id > ?1 ORDER BY id LIMIT ?2");
pub(super) const STEPS: &str =
    "SELECT position, name, started_at, finished_at, result, text, working_since,
        links, outcome, counts
    FROM step WHERE build = ?1 ORDER BY position";
pub(super) const LOGS: &str = "SELECT step, name, path, size FROM log WHERE build = ?1
    ORDER BY step, position";
