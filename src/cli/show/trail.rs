//! How a build came about: which changes counted for which schedulers, what they submitted, which requests share it,
//! and why it is on its slave.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::screen::Screen;
use crate::model::{BuildNumber, ChangeNumber, Decision, SchedulerName, SetId};
use crate::store::read::{BuildRow, RequestRow, SetRow};
use crate::store::{State, StoreError};
use crate::text::duration;
use crate::text::table::Cell;

/// How a build came about, as far as it was written down.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// What the schedulers that submitted its sets made of each of its changes.
    pub(super) changes: Vec<(ChangeNumber, Vec<(SchedulerName, Decision)>)>,
    /// The sets of its requests, in order of number.
    pub(super) sets: BTreeMap<SetId, SetRow>,
    /// Its requests, in the order of the queue.
    pub(super) requests: Vec<RequestRow>,
    /// The earlier builds of its requests that were cut short, and by what.
    pub(super) again_after: Vec<(BuildNumber, String)>,
    /// Whether its logs were removed (MAS-08).
    pub(super) logs_are_gone: bool,
}

/// Follows a build back.
pub(super) fn of_build(state: &State, row: &BuildRow) -> Result<Trail, StoreError> {
    let mut trail = Trail {
        again_after: state.builds_before(&row.summary)?,
        logs_are_gone: state.are_logs_gone(row.summary.id)?,
        ..Trail::default()
    };
    for &id in &row.summary.requests {
        let Some(request) = state.request(id)? else {
            continue;
        };
        if !trail.sets.contains_key(&request.set)
            && let Some(set) = state.build_set(request.set)?
        {
            trail.sets.insert(set.id, set);
        }
        trail.requests.push(request);
    }
    let schedulers: BTreeSet<_> = trail.sets.values().flat_map(|s| &s.scheduler).collect();
    for &number in &row.summary.changes {
        let decisions = state.decisions(number)?.unwrap_or_default();
        let its = decisions
            .into_iter()
            .filter(|(name, _)| schedulers.contains(name));
        trail.changes.push((number, its.collect()));
    }
    Ok(trail)
}

/// Prints it below a build.
pub(super) fn page(screen: &mut Screen<'_>, row: &BuildRow, trail: &Trail) -> io::Result<()> {
    if trail.logs_are_gone {
        screen.line("  logs were pruned (log_horizon)")?;
    }
    let started = row.summary.started_at;
    let mut rows = Vec::new();
    for (number, decisions) in &trail.changes {
        for (scheduler, decision) in decisions {
            let why = decision.sentence(|at| screen.time(at));
            rows.push((format!("change {number}"), format!("{scheduler} {why}")));
        }
    }
    for set in trail.sets.values() {
        let whose = match &set.scheduler {
            Some(scheduler) => format!("by {scheduler}"),
            None => "by hand".to_owned(),
        };
        let at = screen.time(set.submitted_at);
        rows.push((
            format!("set {}", set.id),
            format!("submitted {whose} at {at}"),
        ));
    }
    for request in &trail.requests {
        // Also through builds that lost their slave.
        let waited = duration(started.since(request.submitted_at));
        let merged = match request.merged_into {
            Some(first) => format!(", merged into request {first}"),
            None => String::new(),
        };
        let text = format!("of set {}, waited {waited}{merged}", request.set);
        rows.push((format!("request {}", request.id), text));
    }
    for (number, why) in &trail.again_after {
        let text = format!("because build {number} was interrupted: {why}");
        rows.push(("built again".to_owned(), text));
    }
    if !row.choice.is_empty() {
        let slave = format!("slave {}", row.summary.slave);
        rows.push((slave, format!("chosen: {}", row.choice)));
    }
    if rows.is_empty() {
        return Ok(());
    }
    screen.line("  how it came about")?;
    let rows = rows.into_iter();
    let rows: Vec<_> = rows
        .map(|(what, text)| vec![format!("    {what}").into(), Cell::wrapped(text)])
        .collect();
    screen.table(&rows)
}
