//! What is shown to programs: one JSON object a line, times in seconds since 1970-01-01 UTC.

use std::io::Write;

use serde_json::{Value, json};

use super::builds::{Moment, Shown};
use super::fate::Fate;
use super::live;
use super::schedulers::{Scheduler, Tree};
use super::trail::Trail;
use crate::botmaster::LiveSlave;
use crate::config::BuilderConfig;
use crate::model::{
    Change, Decision, FilterField, SchedulerName, Timestamp, UnusableTime, interested_users,
};
use crate::store::read::{BuilderRow, RequestRow, SetRow, SlaveRow};
use crate::text::printable_json;

/// Writes one value a line.
pub(super) fn lines(
    out: &mut dyn Write,
    values: impl IntoIterator<Item = Value>,
) -> anyhow::Result<()> {
    for value in values {
        writeln!(out, "{}", printable_json(&value.to_string()))?;
    }
    Ok(())
}

/// A builder with what waits for it until the tree is stable.
pub(super) fn builder(
    row: &BuilderRow,
    config: Option<&BuilderConfig>,
    schedulers: &[Scheduler],
) -> Value {
    let waiting = schedulers.iter().flat_map(|s| s.waiting_for(&row.name));
    let building = row.building.iter();
    json!({
        "name": row.name,
        "description": config.map(|config| &config.description),
        "tags": config.map(|config| &config.tags),
        "state": row.state,
        "slaves": row.slaves,
        "pending": row.pending,
        "pending_since": row.pending_since.map(secs),
        "waiting": waiting.map(Tree::json).collect::<Vec<_>>(),
        "building": building
            .map(|(number, slave)| json!({"number": number, "slave": slave}))
            .collect::<Vec<_>>(),
        "last": row.last.map(|(number, result, at)| {
            json!({"number": number, "result": result, "finished_at": secs(at)})
        }),
    })
}

pub(super) fn slave(row: &SlaveRow, live: Option<&LiveSlave>) -> Value {
    let mut value = json!({
        "name": row.name,
        "connected": row.connected,
        "connected_since": row.seen_at.filter(|_| row.connected).map(secs),
        "last_seen": live::last_heard(row, live).map(secs),
        "info": row.info,
        "builders": row.builders,
        "paused": row.paused.as_ref().map(|pause| json!({
            "since": secs(pause.since), "by": pause.by, "reason": pause.reason,
        })),
    });
    live::add_to_slave(&mut value, live);
    value
}

pub(in crate::cli) fn change(change: &Change) -> Value {
    json!({
        "number": change.number,
        "who": change.who,
        "files": change.files,
        "files_left_out": change.files_left_out,
        "comments": change.comments,
        "revision": change.revision,
        "branch": change.branch,
        "project": change.project,
        "repository": change.repository,
        "codebase": change.codebase,
        "category": change.category,
        "revlink": change.revlink,
        "src": change.src,
        "properties": change.properties,
        "when": secs(change.when),
        "when_not_used": change.usable_when().err().map(UnusableTime::as_str),
        "made_at": change.made_at.map(secs),
        "arrived_at": secs(change.arrived_at),
    })
}

/// A change with what became of it; `schedulers` is null if that was not written down.
pub(super) fn change_with(change: &Change, fate: &Fate) -> Value {
    let mut value = self::change(change);
    let decisions = fate.decisions.as_ref();
    value["schedulers"] = json!(decisions.map(|all| all.iter().map(decision).collect::<Vec<_>>()));
    value["sets"] = json!(fate.sets.iter().map(set).collect::<Vec<_>>());
    value["requests"] = json!(fate.requests.iter().map(request).collect::<Vec<_>>());
    value
}

fn decision((scheduler, decision): &(SchedulerName, Decision)) -> Value {
    let field = match decision {
        Decision::Filtered { by } => Some(FilterField::name(*by)),
        Decision::TimerRuns { .. }
        | Decision::BuiltAtOnce
        | Decision::KeptForRun { .. }
        | Decision::Remembered { .. }
        | Decision::Dropped
        | Decision::OffBranch
        | Decision::BranchNotListed
        | Decision::LooksAtNone { .. }
        | Decision::Stopped => None,
    };
    json!({
        "scheduler": scheduler,
        "decision": decision.name(),
        "counts": decision.counts(),
        "at": decision.time().map(secs),
        "field": field,
        "why": decision.sentence(|at| format!("{} s since 1970", secs(at))),
    })
}

fn set(row: &SetRow) -> Value {
    json!({
        "id": row.id,
        "scheduler": row.scheduler,
        "external_id": row.external_id,
        "reason": row.reason,
        "submitted_at": secs(row.submitted_at),
        "result": row.finished.map(|(result, _)| result),
        "finished_at": row.finished.map(|(_, at)| secs(at)),
    })
}

pub(super) fn request(row: &RequestRow) -> Value {
    let state = match (row.finished, row.build) {
        (Some(_), _) => "finished",
        (None, Some(_)) => "building",
        (None, None) => "pending",
    };
    json!({
        "id": row.id,
        "set": row.set,
        "builder": row.builder,
        "reason": row.reason,
        "state": state,
        "build": row.build,
        "merged_into": row.merged_into,
        "priority": row.priority,
        "submitted_at": secs(row.submitted_at),
        "retries": row.retries,
        "starts": row.start_count,
        "result": row.finished.map(|(result, _)| result),
        "finished_at": row.finished.map(|(_, at)| secs(at)),
        "why": row.why,
    })
}

/// A build; `remaining` is in seconds, below zero for what is overdue, and null where it is unknown.
pub(super) fn build(shown: &Shown, moment: Moment<'_>) -> Value {
    let (row, left) = (&shown.row, &shown.left);
    let build = &row.summary;
    let line = shown.origin.as_ref().map(|origin| &origin.line);
    let steps = build.steps.iter().zip(&left.steps).map(|(step, left)| {
        json!({
            "name": step.name,
            "result": step.result,
            "text": step.text,
            "logs": step.logs,
            "started_at": secs(step.started_at),
            "finished_at": step.finished_at.map(secs),
            "remaining": left.map(|left| left.0),
        })
    });
    json!({
        "builder": build.builder,
        "number": build.number,
        "result": build.result,
        "text": build.text,
        "slave": build.slave,
        "reason": build.reason,
        "stop_reason": row.stop_reason,
        "started_at": secs(build.started_at),
        "finished_at": build.finished_at.map(secs),
        "elapsed": shown.elapsed(moment).map(|took| took.as_secs_f64()),
        "remaining": left.build.map(|left| left.0),
        "branch": shown.branch(),
        "revision": shown.revision(),
        "repository": line.map(|line| &line.repository),
        "project": line.map(|line| &line.project),
        "codebase": line.map(|line| &line.codebase),
        "try": shown.is_try(),
        "failed_steps": shown.bad_steps(),
        "not_run": shown.not_run(),
        "judgement": shown.judgement,
        "changes": build.changes,
        "blamelist": build.blamelist,
        "interested_users": interested_users(&build.blamelist, &row.properties),
        "requests": build.requests,
        "choice": row.choice,
        "properties": row.properties,
        "steps": steps.collect::<Vec<_>>(),
    })
}

/// A build and how it came about.
pub(super) fn build_with(shown: &Shown, trail: &Trail, moment: Moment<'_>) -> Value {
    let mut value = build(shown, moment);
    let changes = trail.changes.iter().map(|(number, decisions)| {
        let schedulers: Vec<_> = decisions.iter().map(decision).collect();
        json!({"number": number, "schedulers": schedulers})
    });
    let again = trail.again_after.iter();
    let again = again.map(|(number, why)| json!({"number": number, "why": why}));
    value["trail"] = json!({
        "changes": changes.collect::<Vec<_>>(),
        "sets": trail.sets.values().map(set).collect::<Vec<_>>(),
        "requests": trail.requests.iter().map(request).collect::<Vec<_>>(),
        "again_after": again.collect::<Vec<_>>(),
        "slave": shown.row.choice,
    });
    if trail.logs_are_gone {
        value["logs_removed"] = json!(true);
    }
    value
}

pub(super) fn secs(at: Timestamp) -> f64 {
    at.as_secs_f64()
}
