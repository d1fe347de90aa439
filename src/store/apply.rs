//! What each [`Op`] writes.
//!
//! Rows are inserted when something begins and updated once when it ends.

use std::collections::BTreeMap;

use rusqlite::{Connection, ErrorCode, named_params, params};

use super::column::{Json, int};
use super::expectation;
use super::known_login;
use super::prune;
use super::stamp::StoredStamp;
use crate::model::journal::BuildStart;
use crate::model::{
    BuildSet, BuilderName, Change, Decision, Op, PatchBody, SchedulerName, SetId, SlaveName,
};

/// Why an op was not written.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The op contradicts what is stored; it will never be accepted.
    Op(String),
    /// The disk or the file does not take writes now.
    Disk(rusqlite::Error),
}

/// Writes `op` in the transaction that is open on `conn`. After [`Refusal::Op`] the transaction is
/// open still, without anything of the statement that was refused.
pub(super) fn apply(conn: &Connection, op: &Op) -> Result<(), Refusal> {
    let changed = write(conn, op).map_err(Refusal::from)?;
    if changed == 0 {
        return Err(Refusal::Op("it is about something unknown".to_owned()));
    }
    Ok(())
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode as Code;
        let is_op = match error.sqlite_error_code() {
            // Not from SQLite: a value that cannot be bound.
            None => true,
            Some(code) => matches!(
                code,
                Code::ConstraintViolation
                    | Code::TypeMismatch
                    | Code::TooBig
                    | Code::ParameterOutOfRange
                    | Code::Unknown
            ),
        };
        if is_op {
            Self::Op(error.to_string())
        } else {
            Self::Disk(error)
        }
    }
}

/// Returns how many rows the op concerned.
fn write(conn: &Connection, op: &Op) -> rusqlite::Result<usize> {
    match op {
        Op::ChangeAdded(change) => change_added(conn, change),
        Op::ChangeOffered { change, decisions } => conn
            .prepare_cached("INSERT INTO decision (change, schedulers) VALUES (?1, ?2)")?
            .execute(params![int(change.0), Json(in_runs(decisions))]),
        Op::SetSubmitted(set) => set_submitted(conn, set),
        Op::PatchKept { set, body } => patch_kept(conn, *set, body),
        Op::SetFinished { set, result, at } => conn
            .prepare_cached("UPDATE build_set SET finished_at = ?2, result = ?3 WHERE id = ?1")?
            .execute(params![int(set.0), at.0, result.number()]),
        Op::RequestFinished {
            request,
            result,
            why,
            at,
        } => conn
            .prepare_cached(
                "UPDATE request SET finished_at = ?2, result = ?3, why = ?4 WHERE id = ?1",
            )?
            .execute(params![int(request.0), at.0, result.number(), why]),
        Op::BuildStarted(start) => build_started(conn, start),
        Op::BuildStopped { build, reason } => conn
            .prepare_cached(
                "UPDATE build SET stop_reason = coalesce(stop_reason, ?2) WHERE id = ?1",
            )?
            .execute(params![int(build.0), reason]),
        Op::BuildFinished {
            build,
            result,
            text,
            stop_reason,
            properties,
            at,
        } => conn
            .prepare_cached(
                "UPDATE build SET finished_at = ?2, result = ?3, text = ?4, stop_reason = ?5,
                     properties = ?6, forecast = NULL WHERE id = ?1",
            )?
            .execute(params![
                int(build.0),
                at.0,
                result.number(),
                Json(text),
                stop_reason,
                Json(properties),
            ]),
        Op::StartFailed { requests } => {
            let mut count = conn.prepare_cached(
                "UPDATE request SET start_count = start_count + 1 WHERE id = ?1",
            )?;
            let counted = requests.iter().map(|r| count.execute([int(r.0)]));
            counted.sum()
        }
        Op::RequestRetries { request, retries } => conn
            .prepare_cached("UPDATE request SET retries = ?2, build = NULL WHERE id = ?1")?
            .execute(params![int(request.0), retries]),
        Op::StepStarted {
            build,
            index,
            name,
            text,
            waits,
            at,
        } => conn
            .prepare_cached(
                "INSERT INTO step (build, position, name, started_at, text, working_since)
                 VALUES (?1, ?2, ?3, ?4, ?5, iif(?6, NULL, ?4))",
            )?
            .execute(params![int(build.0), index, name, at.0, Json(text), waits]),
        Op::StepHasLocks { build, index, at } => conn
            .prepare_cached("UPDATE step SET working_since = ?3 WHERE build = ?1 AND position = ?2")?
            .execute(params![int(build.0), index, at.0]),
        Op::StepText { build, index, text } => conn
            .prepare_cached("UPDATE step SET text = ?3 WHERE build = ?1 AND position = ?2")?
            .execute(params![int(build.0), index, Json(text)]),
        Op::StepFinished {
            build,
            index,
            result,
            text,
            outcome,
            at,
        } => conn
            .prepare_cached(
                "UPDATE step SET finished_at = ?3, result = ?4, text = ?5, outcome = ?6
                 WHERE build = ?1 AND position = ?2",
            )?
            .execute(params![
                int(build.0),
                index,
                at.0,
                result.number(),
                Json(text),
                Json(&**outcome),
            ]),
        Op::LogOpened {
            build,
            step,
            position,
            name,
            path,
        } => conn
            .prepare_cached(LOG_OPENED)?
            .execute(params![int(build.0), step, position, name, path]),
        Op::LogClosed {
            build,
            step,
            name,
            size_bytes,
        } => conn
            .prepare_cached(
                "UPDATE log SET size = ?4 WHERE build = ?1 AND step = ?2 AND name = ?3",
            )?
            .execute(params![int(build.0), step, name, int(*size_bytes)]),
        Op::SchedulerState {
            scheduler,
            state: Some(state),
        } => conn
            .prepare_cached(
                "INSERT INTO scheduler (name, state) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            )?
            .execute(params![scheduler.as_str(), Json(state)]),
        Op::SchedulerState {
            scheduler,
            state: None,
        } => conn
            .prepare_cached("DELETE FROM scheduler WHERE name = ?1")?
            .execute(params![scheduler.as_str()])
            // There may be nothing to forget.
            .map(|_| 1),
        Op::SlaveState {
            slave,
            connected,
            info,
            at,
        } => conn
            .prepare_cached(
                "INSERT INTO slave (name, connected, info, seen_at)
                 VALUES (?1, ?2, coalesce(?3, '{}'), ?4)
                 ON CONFLICT (name) DO UPDATE SET connected = excluded.connected,
                     info = coalesce(?3, info), seen_at = excluded.seen_at,
                     missed_at = iif(excluded.connected, NULL, missed_at)",
            )?
            .execute(params![
                slave.as_str(),
                connected,
                info.as_deref().map(Json::<&BTreeMap<_, _>>),
                at.0,
            ]),
        Op::SlaveHeard { slave, at } => conn
            .prepare_cached(
                "INSERT INTO slave (name, heard_at) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET heard_at = excluded.heard_at",
            )?
            .execute(params![slave.as_str(), at.0]),
        Op::SlaveMissed { slave, at } => conn
            .prepare_cached(
                "INSERT INTO slave (name, missed_at) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET missed_at = excluded.missed_at",
            )?
            .execute(params![slave.as_str(), at.0]),
        Op::SlavePaused { slave, pause } => conn
            .prepare_cached(
                "INSERT INTO slave (name, paused_at, paused_by, pause_reason)
                 VALUES (?1, ?2, coalesce(?3, ''), coalesce(?4, ''))
                 ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at,
                     paused_by = excluded.paused_by, pause_reason = excluded.pause_reason",
            )?
            .execute(params![
                slave.as_str(),
                pause.as_ref().map(|p| p.since.0),
                pause.as_ref().map(|p| &p.by),
                pause.as_ref().map(|p| &p.reason),
            ]),
        Op::LoginKnown { record, at } => known_login::write(conn, record, *at),
        Op::SlaveInstance { slave, instance } => conn
            .prepare_cached(
                "INSERT INTO slave (name, instance_stop, instance) VALUES (?1, ?2, coalesce(?3, ''))
                 ON CONFLICT (name) DO UPDATE SET instance_stop = excluded.instance_stop,
                     instance = excluded.instance",
            )?
            .execute(params![
                slave.as_str(),
                instance.as_ref().map(|i| Json(&i.stop)),
                instance.as_ref().map(|i| &i.identity),
            ]),
        Op::BuilderState { builder, state } => conn
            .prepare_cached(
                "INSERT INTO builder (name, state) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            )?
            .execute(params![builder.as_str(), state.as_str()]),
        Op::StepsExpected { builder, expected } => expectation::write(conn, builder, expected),
        Op::Configured { builders, slaves } => configured(conn, builders, slaves),
        Op::Pruned(pruned) => prune::write(conn, pruned),
        Op::EpochBegun { epoch } => conn
            .prepare_cached("UPDATE meta SET epoch = max(epoch, ?1)")?
            .execute([int(*epoch)]),
    }
}

/// Has no sub-select on the table, which SQLite would compile again at each use.
const LOG_OPENED: &str =
    "INSERT INTO log (build, step, position, name, path) VALUES (?1, ?2, ?3, ?4, ?5)";

fn change_added(conn: &Connection, change: &Change) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO change (number, arrived_at, made_at, said_when, who, comments, revision,
             branch, project, repository, codebase, category, revlink, src, files,
             files_left_out, properties, committed_at)
         VALUES (:number, :arrived_at, :made_at, :said_when, :who, :comments, :revision,
             :branch, :project, :repository, :codebase, :category, :revlink, :src, :files,
             :files_left_out, :properties, :committed_at)",
    )?
    .execute(named_params! {
        ":number": int(change.number.0),
        ":arrived_at": change.arrived_at.0,
        ":made_at": change.when.0,
        ":said_when": change.content.when.map(|t| t.0),
        ":who": change.who,
        ":comments": change.comments,
        ":revision": change.revision,
        ":branch": change.branch,
        ":project": change.project,
        ":repository": change.repository,
        ":codebase": change.codebase,
        ":category": change.category,
        ":revlink": change.revlink,
        ":src": change.src,
        ":files": Json(&change.files),
        ":files_left_out": int(change.files_left_out),
        ":properties": Json(&change.properties),
        ":committed_at": change.content.made_at.map(|t| t.0),
    })
}

/// Schedulers that came to the same decision one after the other share it: most are not concerned
/// by a change.
fn in_runs(decisions: &[(SchedulerName, Decision)]) -> Vec<(Decision, Vec<&SchedulerName>)> {
    decisions
        .chunk_by(|(_, one), (_, next)| one == next)
        .filter_map(|run| Some((run.first()?.1, run.iter().map(|(name, _)| name).collect())))
        .collect()
}

fn set_submitted(conn: &Connection, set: &BuildSet) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO build_set (id, external_id, scheduler, reason, submitted_at, stamp,
             properties, priority)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        int(set.id.0),
        set.external_id,
        set.scheduler.as_ref().map(|s| s.as_str()),
        set.reason,
        set.submitted_at.0,
        Json(StoredStamp::of(&set.stamp)),
        Json(&*set.properties),
        set.priority,
    ])?;
    if let Some(patch) = &set.stamp.patch {
        conn.prepare_cached(
            "INSERT INTO patch (build_set, level, subdir, who, comment, body)
             VALUES (?1, ?2, ?3, ?4, ?5, x'')",
        )?
        .execute(params![
            int(set.id.0),
            patch.level,
            patch.subdir,
            patch.who,
            patch.comment,
        ])?;
    }
    let mut insert =
        conn.prepare_cached("INSERT INTO change_in_set (change, build_set) VALUES (?1, ?2)")?;
    for change in &set.stamp.changes {
        insert.execute(params![int(change.number.0), int(set.id.0)])?;
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO request (id, build_set, builder, submitted_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (request, builder) in &set.requests {
        insert.execute(params![
            int(request.0),
            int(set.id.0),
            builder.as_str(),
            set.submitted_at.0
        ])?;
    }
    Ok(1)
}

/// Copies the diff of another set within the file, since that set may be pruned before this one. If
/// it is pruned already, the diff stays empty, which no diff is; a build that needs it fails.
fn patch_kept(conn: &Connection, set: SetId, body: &PatchBody) -> rusqlite::Result<usize> {
    match body {
        PatchBody::Given(diff) => conn
            .prepare_cached("UPDATE patch SET body = ?2 WHERE build_set = ?1")?
            .execute(params![int(set.0), &diff[..]]),
        PatchBody::Kept(other) => conn
            .prepare_cached(
                "UPDATE patch SET body =
                     coalesce((SELECT body FROM patch WHERE build_set = ?2), x'')
                 WHERE build_set = ?1",
            )?
            .execute(params![int(set.0), int(other.0)]),
    }
}

fn build_started(conn: &Connection, start: &BuildStart) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO build (id, builder, number, slave, reason, started_at, requests, changes,
             properties, forecast, choice, blamelist, planned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        int(start.build.0),
        start.builder.as_str(),
        int(start.number.0),
        start.slave.as_str(),
        start.reason,
        start.at.0,
        Json(&start.requests),
        Json(&start.changes),
        Json(&start.properties),
        Json(&start.forecast),
        start.choice,
        Json(&start.blamelist),
        Json(&start.planned),
    ])?;
    conn.prepare_cached(
        "INSERT INTO spent_dirs (builddir, next) VALUES (?1, ?2)
         ON CONFLICT (builddir) DO UPDATE SET next = max(next, excluded.next)",
    )?
    .execute(params![start.builddir, int(start.number.next().0)])?;
    let mut claim = conn.prepare_cached(
        "UPDATE request SET build = ?2, start_count = start_count + 1 WHERE id = ?1",
    )?;
    for request in &start.requests {
        claim.execute(params![int(request.0), int(start.build.0)])?;
    }
    Ok(1)
}

fn configured(
    conn: &Connection,
    builders: &[(BuilderName, Vec<SlaveName>)],
    slaves: &[SlaveName],
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE builder SET position = NULL, slaves = '[]'")?
        .execute([])?;
    let mut upsert = conn.prepare_cached(
        "INSERT INTO builder (name, position, slaves) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position, slaves = excluded.slaves",
    )?;
    for (position, (builder, its_slaves)) in (0_i64..).zip(builders) {
        upsert.execute(params![builder.as_str(), position, Json(its_slaves)])?;
    }
    conn.prepare_cached("UPDATE slave SET position = NULL")?
        .execute([])?;
    let mut upsert = conn.prepare_cached(
        "INSERT INTO slave (name, position) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position",
    )?;
    for (position, slave) in (0_i64..).zip(slaves) {
        upsert.execute(params![slave.as_str(), position])?;
    }
    Ok(1)
}

#[cfg(test)]
pub(super) mod tests;
