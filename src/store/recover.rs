//! What a starting master reads (MAS-06).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::column::{Col, Json, int};
use super::expectation;
use super::known_login;
use super::read::changes::change;
use super::read::held::{collect_changes, scheduler_states};
use super::read::sources::fingerprints;
use super::stamp::StoredStamp;
use crate::model::journal::{
    NextNumbers, OpenBuild, OpenLog, RecoveredSet, RecoveredSlave, StateId,
};
use crate::model::{
    BuildRequest, BuildSet, BuilderName, Change, ChangeNumber, InstanceRecord, ParentBuild, Patch,
    PatchBody, Pause, Properties, Recovered, RequestId, Results, SchedulerName, SetId, SlaveName,
    Timestamp,
};

/// Reads what the core must know; writes nothing.
pub(super) fn recover(conn: &Connection, basedir: &Path) -> rusqlite::Result<Recovered> {
    let schedulers = scheduler_states(conn)?;
    let sets = open_sets(conn)?;
    let mut needed: BTreeSet<ChangeNumber> =
        sets.iter().flat_map(|set| set.stamp.changes()).collect();
    let mut held = BTreeSet::new();
    for state in schedulers.values() {
        collect_changes(state, &mut held);
    }
    needed.extend(&held);
    let mut changes = BTreeMap::new();
    for number in needed {
        if let Some(change) = change(conn, number)? {
            changes.insert(number, Arc::new(change));
        }
    }
    let (sets, requests) = with_requests(conn, sets, &changes)?;
    changes.retain(|number, _| held.contains(number));
    Ok(Recovered {
        next: next_numbers(conn)?,
        expectations: expectation::read(conn)?,
        sets,
        requests,
        schedulers,
        changes,
        slaves: slaves(conn)?,
        used_last: used_last(conn)?,
        known_logins: known_login::recover(conn)?,
        open_builds: open_builds(conn, basedir)?,
        fingerprints: fingerprints(conn)?,
        paused_builders: paused_builders(conn)?,
        online: online(conn)?,
        state: state_id(conn)?,
    })
}

fn open_builds(conn: &Connection, basedir: &Path) -> rusqlite::Result<Vec<OpenBuild>> {
    let mut builds: Vec<OpenBuild> = conn
        .prepare(OPEN_BUILDS)?
        .query_map([], |row| {
            Ok(OpenBuild {
                build: row.get::<_, Col<_>>(0)?.0,
                builder: row.get::<_, Col<_>>(1)?.0,
                number: row.get::<_, Col<_>>(2)?.0,
                requests: Vec::new(),
                stop_reason: row.get(3)?,
                properties: row.get::<_, Json<_>>(4)?.0,
                last_at: row.get::<_, Col<_>>(5)?.0,
                steps: Vec::new(),
                logs: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for open in &mut builds {
        let build = [int(open.build.0)];
        open.requests = conn
            .prepare_cached(CLAIMED_REQUESTS)?
            .query_map(build, |row| Ok(row.get::<_, Col<_>>(0)?.0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut steps = conn.prepare_cached(STEPS_SO_FAR)?;
        let mut rows = steps.query(build)?;
        while let Some(row) = rows.next()? {
            let started_at = row.get::<_, Col<_>>(2)?.0;
            let finished_at = row.get::<_, Option<Col<_>>>(3)?.map(|at| at.0);
            open.last_at = open
                .last_at
                .max(started_at)
                .max(finished_at.unwrap_or(started_at));
            if finished_at.is_none() {
                open.steps.push((row.get(0)?, row.get::<_, Json<_>>(1)?.0));
            }
        }
        open.logs = conn
            .prepare_cached(OPEN_LOGS)?
            .query_map(build, |row| {
                let path: String = row.get(2)?;
                let file = basedir.join(path + ".log");
                Ok(OpenLog {
                    step: row.get(0)?,
                    name: row.get(1)?,
                    size_bytes: file.metadata().map_or(0, |meta| meta.len()),
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
    }
    Ok(builds)
}

fn online(conn: &Connection) -> rusqlite::Result<Vec<BuilderName>> {
    conn.prepare("SELECT name FROM builder WHERE state <> 'offline'")?
        .query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
        .collect()
}

fn paused_builders(conn: &Connection) -> rusqlite::Result<BTreeMap<BuilderName, Pause>> {
    let paused = "SELECT name, paused_at, paused_by, pause_reason FROM builder
        WHERE paused_at IS NOT NULL";
    conn.prepare(paused)?
        .query_map([], |row| {
            let pause = Pause {
                since: row.get::<_, Col<_>>(1)?.0,
                by: row.get(2)?,
                reason: row.get(3)?,
            };
            Ok((row.get::<_, Col<_>>(0)?.0, pause))
        })?
        .collect()
}

fn state_id(conn: &Connection) -> rusqlite::Result<StateId> {
    conn.query_row("SELECT identity, epoch FROM meta", [], |row| {
        let (identity, epoch) = (row.get(0)?, row.get::<_, i64>(1)?);
        let epoch = u64::try_from(epoch).unwrap_or_default();
        Ok(StateId { identity, epoch })
    })
}

fn slaves(conn: &Connection) -> rusqlite::Result<BTreeMap<SlaveName, RecoveredSlave>> {
    conn.prepare(SLAVES)?
        .query_map([], |row| {
            let (by, reason) = (row.get(3)?, row.get(4)?);
            let since = row.get::<_, Option<Col<_>>>(2)?;
            let paused = since.map(|since| Pause {
                since: since.0,
                by,
                reason,
            });
            let seen_at = row.get::<_, Option<Col<_>>>(1)?.map(|t| t.0);
            let identity = row.get(6)?;
            let stop: Option<Json<_>> = row.get(5)?;
            Ok((
                row.get::<_, Col<_>>(0)?.0,
                RecoveredSlave {
                    connected: row.get(9)?,
                    seen_at,
                    paused,
                    missed: row.get(7)?,
                    info: Arc::new(row.get::<_, Json<_>>(8)?.0),
                    instance: stop.map(|Json(stop)| InstanceRecord { identity, stop }),
                },
            ))
        })?
        .collect()
}

const SLAVES: &str = "SELECT name, seen_at, paused_at, paused_by, pause_reason, instance_stop,
        instance, missed_at IS NOT NULL, info, connected
    FROM slave";

struct OpenSet {
    id: SetId,
    external_id: Option<String>,
    scheduler: Option<SchedulerName>,
    reason: String,
    submitted_at: Timestamp,
    stamp: StoredStamp<'static>,
    properties: Properties,
    priority: i32,
    patch: Option<Patch>,
    parent: Option<ParentBuild>,
}

fn open_sets(conn: &Connection) -> rusqlite::Result<Vec<OpenSet>> {
    conn.prepare(OPEN_SETS)?
        .query_map([], |row| {
            let id: SetId = row.get::<_, Col<_>>(0)?.0;
            let has_patch = row.get::<_, Option<u32>>(7)?;
            let patch = has_patch
                .map(|level| -> rusqlite::Result<_> {
                    Ok(Patch {
                        level,
                        subdir: row.get(8)?,
                        who: row.get(9)?,
                        comment: row.get(10)?,
                        body: PatchBody::Kept(id),
                    })
                })
                .transpose()?;
            Ok(OpenSet {
                id,
                external_id: row.get(1)?,
                scheduler: row.get::<_, Option<Col<_>>>(2)?.map(|s| s.0),
                reason: row.get(3)?,
                submitted_at: row.get::<_, Col<_>>(4)?.0,
                stamp: row.get::<_, Json<_>>(5)?.0,
                properties: row.get::<_, Json<_>>(6)?.0,
                priority: row.get(11)?,
                patch,
                parent: row.get::<_, Option<Json<_>>>(12)?.map(|parent| parent.0),
            })
        })?
        .collect()
}

fn with_requests(
    conn: &Connection,
    open: Vec<OpenSet>,
    changes: &BTreeMap<ChangeNumber, Arc<Change>>,
) -> rusqlite::Result<(Vec<RecoveredSet>, Vec<BuildRequest>)> {
    let mut sets = Vec::with_capacity(open.len());
    let mut requests = Vec::new();
    let mut names: HashMap<Box<str>, BuilderName> = HashMap::new();
    let mut select = conn.prepare(REQUESTS_OF_SET)?;
    for set in open {
        let reason: Arc<str> = set.reason.as_str().into();
        let properties = Arc::new(set.properties);
        let known = |number| Ok(changes.get(&number).cloned());
        let stamps = Arc::new(set.stamp.read(set.patch, known)?);
        let mut of_set = Vec::new();
        let mut finished = Vec::new();
        let mut rows = select.query([int(set.id.0)])?;
        while let Some(row) = rows.next()? {
            let id: RequestId = row.get::<_, Col<_>>(0)?.0;
            let name = row.get_ref(1)?.as_str()?;
            let builder = match names.get(name) {
                Some(builder) => builder.clone(),
                None => {
                    let builder = BuilderName::from(name);
                    names.insert(name.into(), builder.clone());
                    builder
                }
            };
            of_set.push((id, builder.clone()));
            if row.get::<_, Option<i64>>(2)?.is_some() {
                // A finished row without a result cannot be; the worst is the safe reading.
                let result = row.get::<_, Option<Col<_>>>(3)?;
                finished.push((id, result.map_or(Results::Exception, |r| r.0)));
                continue;
            }
            requests.push(BuildRequest {
                id,
                set: set.id,
                builder,
                stamps: Arc::clone(&stamps),
                reason: Arc::clone(&reason),
                properties: Arc::clone(&properties),
                submitted_at: row.get::<_, Col<_>>(4)?.0,
                priority: set.priority,
                retries: row.get(5)?,
                start_count: row.get(6)?,
            });
        }
        sets.push(RecoveredSet {
            set: Arc::new(BuildSet {
                id: set.id,
                external_id: set.external_id,
                scheduler: set.scheduler,
                stamps,
                reason: set.reason,
                properties,
                submitted_at: set.submitted_at,
                priority: set.priority,
                requests: of_set,
                parent: set.parent,
            }),
            finished,
        });
    }
    requests.sort_by_key(|request| (request.submitted_at, request.id));
    Ok((sets, requests))
}

fn used_last(conn: &Connection) -> rusqlite::Result<BTreeMap<BuilderName, SlaveName>> {
    conn.prepare(USED_LAST)?
        .query_map([], |row| {
            Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0))
        })?
        .collect()
}

fn next_numbers(conn: &Connection) -> rusqlite::Result<NextNumbers> {
    let next = conn.query_row(NEXT_NUMBERS, [], |row| {
        Ok(NextNumbers {
            change: row.get::<_, Col<_>>(0)?.0,
            set: row.get::<_, Col<_>>(1)?.0,
            request: row.get::<_, Col<_>>(2)?.0,
            build: row.get::<_, Col<_>>(3)?.0,
            build_of: BTreeMap::new(),
            build_in: BTreeMap::new(),
        })
    })?;
    let build_of = conn
        .prepare(NEXT_BUILDS)?
        .query_map([], |row| {
            Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let build_in = conn
        .prepare("SELECT builddir, next FROM spent_dirs")?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, Col<_>>(1)?.0)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(NextNumbers {
        build_of,
        build_in,
        ..next
    })
}

pub(super) const OPEN_BUILDS: &str =
    "SELECT id, builder, number, stop_reason, properties, started_at
     FROM build INDEXED BY build_open WHERE finished_at IS NULL ORDER BY id";

pub(super) const CLAIMED_REQUESTS: &str = "SELECT id FROM request
     WHERE id IN (SELECT value FROM json_each((SELECT requests FROM build WHERE id = ?1)))
         AND build = ?1 AND finished_at IS NULL";

pub(super) const STEPS_SO_FAR: &str = "SELECT position, text, started_at, finished_at
     FROM step WHERE build = ?1 ORDER BY position";

pub(super) const OPEN_LOGS: &str = "SELECT step, name, path
     FROM log WHERE build = ?1 AND size IS NULL ORDER BY step, position";

pub(super) const OPEN_SETS: &str =
    "SELECT s.id, s.external_id, s.scheduler, s.reason, s.submitted_at, s.stamp, s.properties,
         p.level, p.subdir, p.who, p.comment, s.priority, s.parent
     FROM build_set s INDEXED BY build_set_open LEFT JOIN patch p ON p.build_set = s.id
     WHERE s.finished_at IS NULL ORDER BY s.id";

pub(super) const REQUESTS_OF_SET: &str =
    "SELECT id, builder, finished_at, result, submitted_at, retries, start_count
     FROM request WHERE build_set = ?1 ORDER BY id";

pub(super) const NEXT_NUMBERS: &str = "SELECT
    max((SELECT next FROM spent WHERE kind = 'change'),
        (SELECT coalesce(max(number) + 1, 1) FROM change)),
    max((SELECT next FROM spent WHERE kind = 'build_set'),
        (SELECT coalesce(max(id) + 1, 1) FROM build_set)),
    max((SELECT next FROM spent WHERE kind = 'request'),
        (SELECT coalesce(max(id) + 1, 1) FROM request)),
    max((SELECT next FROM spent WHERE kind = 'build'),
        (SELECT coalesce(max(id) + 1, 1) FROM build))";

/// Goes from builder to builder through the index instead of over all builds.
pub(super) const NEXT_BUILDS: &str = "WITH RECURSIVE built (builder) AS (
        SELECT min(builder) FROM build
        UNION ALL
        SELECT (SELECT min(b.builder) FROM build b WHERE b.builder > built.builder)
        FROM built WHERE built.builder IS NOT NULL
    ),
    known (builder) AS (
        SELECT builder FROM built WHERE builder IS NOT NULL
        UNION SELECT builder FROM spent_builds
    )
    SELECT builder, max(
        coalesce((SELECT max(b.number) + 1 FROM build b WHERE b.builder = known.builder), 0),
        coalesce((SELECT s.next FROM spent_builds s WHERE s.builder = known.builder), 0))
    FROM known";

/// Goes through the index like [`NEXT_BUILDS`].
pub(super) const USED_LAST: &str = "WITH RECURSIVE built (builder) AS (
        SELECT min(builder) FROM build
        UNION ALL
        SELECT (SELECT min(b.builder) FROM build b WHERE b.builder > built.builder)
        FROM built WHERE built.builder IS NOT NULL
    )
    SELECT builder,
        (SELECT b.slave FROM build b WHERE b.builder = built.builder ORDER BY b.number DESC LIMIT 1)
    FROM built WHERE builder IS NOT NULL";
