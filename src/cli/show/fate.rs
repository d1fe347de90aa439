//! What became of a change: which scheduler made what of it and why, and where it is built.

use std::io;

use super::pages::merged_with;
use super::screen::Screen;
use crate::model::{Decision, SchedulerName};
use crate::store::read::{RequestRow, SetRow};
use crate::text::commas;
use crate::text::table::{Cell, Colour};

/// What became of a change.
pub(super) struct Fate {
    /// What each scheduler made of it; absent if that was not written down.
    pub(super) decisions: Option<Vec<(SchedulerName, Decision)>>,
    /// The sets it is in.
    pub(super) sets: Vec<SetRow>,
    /// The requests of these.
    pub(super) requests: Vec<RequestRow>,
    /// Whether old sets have been removed, of whatever change.
    pub(super) some_have_gone: bool,
}

pub(super) fn page(screen: &mut Screen<'_>, fate: &Fate) -> io::Result<()> {
    decisions(screen, fate.decisions.as_deref())?;
    if fate.sets.is_empty() {
        return screen.line(match fate.some_have_gone {
            true => "  in no build set, or only in pruned ones (build_horizon)",
            false => "  in no build set yet",
        });
    }
    screen.line("  build sets")?;
    let mut rows = Vec::new();
    for set in &fate.sets {
        let scheduler = set.scheduler.as_ref().map_or("", SchedulerName::as_str);
        let result = match set.finished {
            Some((result, _)) => result.into(),
            None => Cell::coloured("not finished", Colour::Yellow),
        };
        let its = fate.requests.iter().filter(|r| r.set == set.id);
        let builds: Vec<_> = its.map(build).collect();
        rows.push(vec![
            format!("    {}", set.id).into(),
            scheduler.into(),
            result,
            screen.moment(set.submitted_at),
            Cell::wrapped(commas(builds)),
        ]);
    }
    screen.table(&rows)
}

fn decisions(
    screen: &mut Screen<'_>,
    decisions: Option<&[(SchedulerName, Decision)]>,
) -> io::Result<()> {
    let Some(decisions) = decisions else {
        return screen.line("  schedulers: what they made of it was not written down");
    };
    if decisions.is_empty() {
        return screen.line("  schedulers: there were none");
    }
    screen.line("  schedulers")?;
    let mut rows = Vec::with_capacity(decisions.len());
    for (name, decision) in decisions {
        let why = decision.sentence(|at| screen.time(at));
        let why = match decision.counts() {
            true => Cell::coloured(why, Colour::Green),
            false => why.into(),
        };
        rows.push(vec![format!("    {name}").into(), why]);
    }
    screen.table(&rows)
}

/// Where a request of its is built.
fn build(request: &RequestRow) -> String {
    let builder = &request.builder;
    match (request.build, request.finished) {
        (Some(number), _) => format!("{builder} build {number}{}", merged_with(request)),
        (None, Some((result, _))) => format!("{builder} {result}"),
        (None, None) => format!("{builder} pending"),
    }
}
