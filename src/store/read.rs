//! Reading the state: plain functions on a read-only connection, for `show` and later the pages.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{Col, Json, int};
use super::lock::Lock;
use super::{StoreError, schema};
use crate::model::{
    BuildId, BuildNumber, BuildSummary, BuilderName, Change, ChangeNumber, Forecast, NewChange,
    Pause, Properties, RequestId, Results, SchedulerName, SetId, SlaveName, StepSummary, Timestamp,
};

mod of_build;
mod of_change;
mod of_end;
mod of_line;
mod of_set;
mod pruned;
mod requests;

pub use of_build::{builds_before, diff, wishes};
pub use of_change::{decisions, requests_of_change, sets_of_change};
pub use of_end::{Among, FromEnd, from_end};
pub use of_line::{judgements, origin};
pub use of_set::{held_changes, last_set_of, requests_of_set};
pub use pruned::{are_logs_gone, was_build, was_change, was_request, were_sets};
pub use requests::{RequestRow, Which, request, requests};

/// The state, opened for reading, beside a running master or without one.
#[derive(Debug)]
pub struct State {
    /// What the functions of this module read from.
    pub conn: Connection,
    basedir: PathBuf,
}

impl State {
    /// Opens the state in `basedir`.
    ///
    /// # Errors
    /// There is none, or it is of another version of this program; see [`StoreError`].
    pub fn open_readonly(basedir: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            conn: schema::open_for_reading(basedir)?,
            basedir: basedir.to_owned(),
        })
    }

    /// Opens the state in `basedir`; a master that was never started has none.
    ///
    /// # Errors
    /// It is of another version of this program, or cannot be read; see [`StoreError`].
    pub fn open_if_any(basedir: &Path) -> Result<Option<Self>, StoreError> {
        match Self::open_readonly(basedir) {
            Err(StoreError::NoState { .. }) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Whether a master runs on the state in `basedir` now.
    #[must_use]
    pub fn is_in_use(basedir: &Path) -> bool {
        Lock::is_taken(basedir)
    }

    /// Whether a master runs on it now. Who is connected is true only then.
    #[must_use]
    pub fn is_master_running(&self) -> bool {
        Self::is_in_use(&self.basedir)
    }

    /// Copies the state of this moment into a new file, readable by its owner only. A master that runs goes on.
    ///
    /// # Errors
    /// The file exists or cannot be written, or the state cannot be read.
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file);
        made.map_err(|source| StoreError::Io {
            path: file.to_owned(),
            source,
        })?;
        let name = file.as_os_str().as_bytes();
        let name = std::str::from_utf8(name).map_err(|_| StoreError::Io {
            path: file.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidFilename, "the name is not UTF-8"),
        })?;
        let copied = self.conn.execute("VACUUM INTO ?1", [name]);
        copied.map_err(|source| {
            // Half a copy is worse than none.
            fs::remove_file(file).ok();
            schema::refused(file, source)
        })?;
        let synced = File::open(file).and_then(|copy| copy.sync_all());
        synced.map_err(|source| StoreError::Io {
            path: file.to_owned(),
            source,
        })
    }

    /// The base directory.
    #[must_use]
    pub fn basedir(&self) -> &Path {
        &self.basedir
    }
}

/// A configured builder.
#[derive(Clone, Debug, PartialEq)]
pub struct BuilderRow {
    /// Its name.
    pub name: BuilderName,
    /// Its big state: `offline`, `idle` or `building` (BLD-13).
    pub state: String,
    /// The slaves that may build for it.
    pub slaves: Vec<SlaveName>,
    /// How many requests wait for it.
    pub pending: u64,
    /// When the oldest of these was submitted (BLD-17).
    pub pending_since: Option<Timestamp>,
    /// Builds that run, by number.
    pub building: Vec<(BuildNumber, SlaveName)>,
    /// The last build that has ended and was no try, its result and when.
    pub last: Option<(BuildNumber, Results, Timestamp)>,
}

/// A configured slave.
#[derive(Clone, Debug, PartialEq)]
pub struct SlaveRow {
    /// Its name.
    pub name: SlaveName,
    /// Whether it is connected, or was when the master ended.
    pub connected: bool,
    /// When it last came or went; absent if it never came.
    pub seen_at: Option<Timestamp>,
    /// When something was heard of it last, as far as that is on record.
    pub heard_at: Option<Timestamp>,
    /// Whether people keep it from builds (SLV-09).
    pub paused: Option<Pause>,
    /// What it told of itself.
    pub info: BTreeMap<String, String>,
    /// The builders that it may build for.
    pub builders: Vec<BuilderName>,
}

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
    /// Its requests.
    pub requests: Vec<(RequestId, BuilderName)>,
}

/// A build with everything that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRow {
    /// The build and its steps.
    pub summary: BuildSummary,
    /// Why it was stopped, if somebody stopped it (BUI-11).
    pub stop_reason: Option<String>,
    /// Its properties with their sources (PRP-10).
    pub properties: Properties,
    /// What is expected of its steps, while it runs.
    pub forecast: Forecast,
    /// Why it is on that slave, for people; empty if that was not written down.
    pub choice: String,
    /// The names of all steps that it was to run; empty if that was not written down.
    pub planned: Vec<String>,
    /// The logs of each step.
    pub logs: Vec<Vec<LogRow>>,
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

/// The configured builders, in the order of the configuration.
///
/// # Errors
/// The state cannot be read.
pub fn builders(conn: &Connection) -> rusqlite::Result<Vec<BuilderRow>> {
    let mut pending: BTreeMap<String, (u64, Timestamp)> = conn
        .prepare_cached(PENDING)?
        .query_map([], |row| {
            let count = row.get::<_, u32>(1)?.into();
            Ok((row.get(0)?, (count, row.get::<_, Col<_>>(2)?.0)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut building: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut select = conn.prepare_cached(BUILDING)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        building
            .entry(row.get(0)?)
            .or_default()
            .push((row.get::<_, Col<_>>(1)?.0, row.get::<_, Col<_>>(2)?.0));
    }
    let mut last = conn.prepare_cached(LAST_BUILD)?;
    conn.prepare_cached(BUILDERS)?
        .query_map([], |row| {
            let name: BuilderName = row.get::<_, Col<_>>(0)?.0;
            let pending = pending.remove(name.as_str());
            Ok(BuilderRow {
                state: row.get(1)?,
                slaves: row.get::<_, Json<_>>(2)?.0,
                pending: pending.map_or(0, |(count, _)| count),
                pending_since: pending.map(|(_, since)| since),
                building: building.remove(name.as_str()).unwrap_or_default(),
                last: last
                    .query_row([name.as_str()], |row| {
                        Ok((
                            row.get::<_, Col<_>>(0)?.0,
                            row.get::<_, Col<_>>(1)?.0,
                            row.get::<_, Col<_>>(2)?.0,
                        ))
                    })
                    .optional()?,
                name,
            })
        })?
        .collect()
}

/// Names of all builders that are configured or have builds, in order of name.
///
/// # Errors
/// The state cannot be read.
pub fn builder_names(conn: &Connection) -> rusqlite::Result<Vec<BuilderName>> {
    conn.prepare_cached(BUILDER_NAMES)?
        .query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
        .collect()
}

/// The configured slaves, in the order of the configuration.
///
/// # Errors
/// The state cannot be read.
pub fn slaves(conn: &Connection) -> rusqlite::Result<Vec<SlaveRow>> {
    let mut builders_of: BTreeMap<SlaveName, Vec<BuilderName>> = BTreeMap::new();
    for builder in builders(conn)? {
        for slave in builder.slaves {
            let builders = builders_of.entry(slave).or_default();
            builders.push(builder.name.clone());
        }
    }
    conn.prepare_cached(SLAVES)?
        .query_map([], |row| {
            let name: SlaveName = row.get::<_, Col<_>>(0)?.0;
            Ok(SlaveRow {
                connected: row.get(1)?,
                seen_at: row.get::<_, Option<Col<_>>>(2)?.map(|t| t.0),
                heard_at: row.get::<_, Option<Col<_>>>(7)?.map(|t| t.0),
                info: row.get::<_, Json<_>>(3)?.0,
                paused: match row.get::<_, Option<Col<_>>>(4)? {
                    Some(since) => Some(Pause {
                        since: since.0,
                        by: row.get(5)?,
                        reason: row.get(6)?,
                    }),
                    None => None,
                },
                builders: builders_of.remove(&name).unwrap_or_default(),
                name,
            })
        })?
        .collect()
}

/// The newest `limit` changes, newest first.
///
/// # Errors
/// The state cannot be read.
pub fn changes(conn: &Connection, limit: u32) -> rusqlite::Result<Vec<Change>> {
    conn.prepare_cached(CHANGES)?
        .query_map([limit], change_of)?
        .collect()
}

/// The change with this number.
///
/// # Errors
/// The state cannot be read.
pub fn change(conn: &Connection, number: ChangeNumber) -> rusqlite::Result<Option<Change>> {
    conn.prepare_cached(CHANGE)?
        .query_row([int(number.0)], change_of)
        .optional()
}

/// The newest `limit` sets to which a client has given this id, newest first (BST-10, TJD-11).
///
/// # Errors
/// The state cannot be read.
pub fn sets_of_client(
    conn: &Connection,
    external_id: &str,
    limit: u32,
) -> rusqlite::Result<Vec<SetRow>> {
    let ids: Vec<SetId> = conn
        .prepare_cached(SETS_OF_CLIENT)?
        .query_map(params![external_id, limit], |row| {
            Ok(row.get::<_, Col<_>>(0)?.0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    sets(conn, ids)
}

fn sets(conn: &Connection, ids: Vec<SetId>) -> rusqlite::Result<Vec<SetRow>> {
    let sets = ids.into_iter().map(|id| build_set(conn, id));
    sets.filter_map(Result::transpose).collect()
}

/// The set with this number (BST-11).
///
/// # Errors
/// The state cannot be read.
pub fn build_set(conn: &Connection, id: SetId) -> rusqlite::Result<Option<SetRow>> {
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

/// The newest set that `scheduler` made of the try job with this id (TJD-11).
///
/// # Errors
/// The state cannot be read.
pub fn set_of_try_job(
    conn: &Connection,
    scheduler: &SchedulerName,
    job: &str,
) -> rusqlite::Result<Option<SetId>> {
    conn.prepare_cached(SET_OF_TRY_JOB)?
        .query_row((scheduler.as_str(), job), |row| {
            row.get::<_, Col<_>>(0).map(|id| id.0)
        })
        .optional()
}

/// The newest `limit` builds, of one builder or of all, newest first.
///
/// # Errors
/// The state cannot be read.
pub fn builds(
    conn: &Connection,
    builder: Option<&BuilderName>,
    limit: u32,
) -> rusqlite::Result<Vec<BuildRow>> {
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
}

/// One build.
///
/// # Errors
/// The state cannot be read.
pub fn build(
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

/// Whether the log at this path, one of build `id`, is complete.
///
/// # Errors
/// The state cannot be read.
pub fn is_log_complete(conn: &Connection, id: BuildId, path: &str) -> rusqlite::Result<bool> {
    let open = conn
        .prepare_cached("SELECT 1 FROM log WHERE build = ?1 AND path = ?2 AND size IS NULL")?
        .exists(params![int(id.0), path])?;
    Ok(!open)
}

fn change_of(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        number: row.get::<_, Col<_>>(0)?.0,
        arrived_at: row.get::<_, Col<_>>(1)?.0,
        when: row.get::<_, Col<_>>(2)?.0,
        said: NewChange {
            when: row.get::<_, Option<Col<_>>>(3)?.map(|t| t.0),
            who: row.get(4)?,
            comments: row.get(5)?,
            revision: row.get(6)?,
            branch: row.get(7)?,
            project: row.get(8)?,
            repository: row.get(9)?,
            codebase: row.get(10)?,
            category: row.get(11)?,
            revlink: row.get(12)?,
            src: row.get(13)?,
            files: row.get::<_, Json<_>>(14)?.0,
            properties: row.get::<_, Json<_>>(15)?.0,
            files_left_out: row.get::<_, i64>(16)?.try_into().unwrap_or_default(),
            made_at: row.get::<_, Option<Col<_>>>(17)?.map(|t| t.0),
        },
    })
}

fn finished(
    row: &Row<'_>,
    result: usize,
    at: usize,
) -> rusqlite::Result<Option<(Results, Timestamp)>> {
    let result = row.get::<_, Option<Col<_>>>(result)?;
    let at = row.get::<_, Option<Col<_>>>(at)?;
    Ok(result.zip(at).map(|(result, at)| (result.0, at.0)))
}

fn build_of(row: &Row<'_>) -> rusqlite::Result<BuildRow> {
    Ok(BuildRow {
        summary: BuildSummary {
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
            blamelist: row.get::<_, Json<_>>(15)?.0,
            steps: Vec::new(),
        },
        properties: row.get::<_, Json<_>>(11)?.0,
        stop_reason: row.get(12)?,
        forecast: row
            .get::<_, Option<Json<_>>>(13)?
            .map_or_else(Forecast::default, |forecast| forecast.0),
        choice: row.get(14)?,
        planned: row.get::<_, Json<_>>(16)?.0,
        logs: Vec::new(),
    })
}

fn with_steps(conn: &Connection, mut build: BuildRow) -> rusqlite::Result<BuildRow> {
    let id: BuildId = build.summary.id;
    let mut positions = Vec::new();
    let mut select = conn.prepare_cached(STEPS)?;
    let mut rows = select.query([int(id.0)])?;
    while let Some(row) = rows.next()? {
        positions.push(row.get::<_, u32>(0)?);
        build.logs.push(Vec::new());
        build.summary.steps.push(StepSummary {
            name: row.get(1)?,
            started_at: row.get::<_, Col<_>>(2)?.0,
            finished_at: row.get::<_, Option<Col<_>>>(3)?.map(|t| t.0),
            result: row.get::<_, Option<Col<_>>>(4)?.map(|r| r.0),
            text: row.get::<_, Json<_>>(5)?.0,
            working_since: row.get::<_, Option<Col<_>>>(6)?.map(|t| t.0),
            logs: Vec::new(),
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
        build.summary.steps[step].logs.push(log.name.clone());
        build.logs[step].push(log);
    }
    Ok(build)
}

const BUILDERS: &str =
    "SELECT name, state, slaves FROM builder WHERE position IS NOT NULL ORDER BY position";
const BUILDER_NAMES: &str = "SELECT name FROM builder
    WHERE position IS NOT NULL OR EXISTS (SELECT 1 FROM build b WHERE b.builder = name)
    ORDER BY name";
const PENDING: &str =
    "SELECT builder, count(*), min(submitted_at) FROM request INDEXED BY request_open
    WHERE finished_at IS NULL AND build IS NULL GROUP BY builder";
const BUILDING: &str = "SELECT builder, number, slave FROM build INDEXED BY build_open
    WHERE finished_at IS NULL ORDER BY builder, id";
pub(super) const LAST_BUILD: &str = "SELECT b.number, b.result, b.finished_at FROM build b
    WHERE b.builder = ?1 AND b.finished_at IS NOT NULL AND b.result IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM request r JOIN patch p ON p.build_set = r.build_set
            WHERE r.id = b.requests ->> 0)
    ORDER BY b.number DESC LIMIT 1";
const SLAVES: &str = "SELECT name, connected, seen_at, info, paused_at, paused_by, pause_reason,
        heard_at
    FROM slave
    WHERE position IS NOT NULL ORDER BY position";
const CHANGES: &str = "SELECT number, arrived_at, made_at, said_when, who, comments, revision,
        branch, project, repository, codebase, category, revlink, src, files, properties,
        files_left_out, committed_at
    FROM change ORDER BY number DESC LIMIT ?1";
const CHANGE: &str = "SELECT number, arrived_at, made_at, said_when, who, comments, revision,
        branch, project, repository, codebase, category, revlink, src, files, properties,
        files_left_out, committed_at
    FROM change WHERE number = ?1";
const SETS_OF_CLIENT: &str =
    "SELECT id FROM build_set WHERE external_id = ?1 ORDER BY id DESC LIMIT ?2";
const SET: &str = "SELECT external_id, scheduler, reason, submitted_at, result, finished_at,
        properties
    FROM build_set WHERE id = ?1";
const SET_OF_TRY_JOB: &str = "SELECT id FROM build_set
    WHERE scheduler = ?1 AND external_id = ?2 ORDER BY id DESC LIMIT 1";
const SET_REQUESTS: &str = "SELECT id, builder FROM request WHERE build_set = ?1 ORDER BY id";
/// What [`build_of`] reads.
macro_rules! build_columns {
    () => {
        "SELECT id, builder, number, slave, reason, started_at, finished_at, result, text,
        requests, changes, properties, stop_reason, forecast, choice, blamelist, planned FROM build"
    };
}
const BUILDS: &str = concat!(build_columns!(), " ORDER BY id DESC LIMIT ?1");
const BUILDS_OF_BUILDER: &str = concat!(
    build_columns!(),
    " WHERE builder = ?1 ORDER BY number DESC LIMIT ?2"
);
const BUILD: &str = concat!(build_columns!(), " WHERE builder = ?1 AND number = ?2");
const STEPS: &str = "SELECT position, name, started_at, finished_at, result, text, working_since
    FROM step WHERE build = ?1 ORDER BY position";
const LOGS: &str = "SELECT step, name, path, size FROM log WHERE build = ?1
    ORDER BY step, position";

#[cfg(test)]
pub(super) mod tests;
