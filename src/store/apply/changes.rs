//! Changes, and what schedulers make of them.

use rusqlite::{Connection, named_params, params};
use serde_json::Value;

use crate::model::{Change, ChangeNumber, Decision, SchedulerName, WaitingChange};
use crate::store::column::{Json, int};

pub(super) fn added(conn: &Connection, change: &Change) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO change (number, arrived_at, made_at, said_when, who, comments, revision,
             branch, project, repository, codebase, category, revlink, src, files,
             files_left_out, properties, committed_at, notes, skipped)
         VALUES (:number, :arrived_at, :made_at, :said_when, :who, :comments, :revision,
             :branch, :project, :repository, :codebase, :category, :revlink, :src, :files,
             :files_left_out, :properties, :committed_at, :notes, :skipped)",
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
        ":notes": Json(&change.notes),
        ":skipped": change.is_skipped,
    })
}

pub(super) fn offered(
    conn: &Connection,
    change: ChangeNumber,
    decisions: &[(SchedulerName, Decision)],
) -> rusqlite::Result<usize> {
    conn.prepare_cached("INSERT INTO decision (change, schedulers) VALUES (?1, ?2)")?
        .execute(params![int(change.0), Json(in_runs(decisions))])
}

/// Schedulers that came to the same decision one after the other share it: most are not concerned
/// by a change.
fn in_runs(decisions: &[(SchedulerName, Decision)]) -> Vec<(Decision, Vec<&SchedulerName>)> {
    decisions
        .chunk_by(|(_, one), (_, next)| one == next)
        .filter_map(|run| {
            Some((
                run.first()?.1.clone(),
                run.iter().map(|(name, _)| name).collect(),
            ))
        })
        .collect()
}

/// Without a state there may be nothing to forget. A state has all changes that wait.
pub(super) fn scheduler_state(
    conn: &Connection,
    scheduler: &SchedulerName,
    state: Option<&Value>,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("DELETE FROM scheduler_waits WHERE scheduler = ?1")?
        .execute(params![scheduler.as_str()])?;
    match state {
        Some(state) => conn
            .prepare_cached(
                "INSERT INTO scheduler (name, state) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            )?
            .execute(params![scheduler.as_str(), Json(state)]),
        None => conn
            .prepare_cached("DELETE FROM scheduler WHERE name = ?1")?
            .execute(params![scheduler.as_str()])
            .map(|_| 1),
    }
}

/// A change waits besides those of the state.
pub(super) fn scheduler_waits(
    conn: &Connection,
    scheduler: &SchedulerName,
    waits: WaitingChange,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO scheduler_waits (scheduler, change, important) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![
        scheduler.as_str(),
        int(waits.change.0),
        waits.important
    ])
}
