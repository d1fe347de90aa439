//! `show schedulers`: what waits in them, until when, and when they run next.

use std::io;

use anyhow::Context;

use super::fields::{heading, runs};
use super::output::Output;
use super::screen::Screen;
use super::source::Source;
use crate::model::Timestamp;
use crate::text::commas;
use crate::text::table::Cell;
use crate::view::{ChangeSource, Moment, Scheduler, Tree};

/// Shows schedulers.
pub(super) fn show(source: &Source<'_>, out: &mut Output<'_, '_>) -> anyhow::Result<()> {
    let config = source.config()?.context(
        "the configuration cannot be read, and with it which schedulers there are; \
         `buildmaster checkconfig` shows what is wrong",
    )?;
    let configs = config.schedulers.iter().map(AsRef::as_ref);
    let schedulers = Scheduler::all(source.state.as_ref(), configs, source.moment.now)?;
    let sources = ChangeSource::all(source.state.as_ref(), &config.change_sources)?;
    out.print(&schedulers, |screen, schedulers| {
        page(screen, schedulers, source.moment)?;
        // Why a scheduler hears nothing.
        for (name, failure) in sources.iter().filter_map(|s| Some((&s.name, s.failure()?))) {
            screen.line(&format!("change source {name} does not work: {failure}"))?;
        }
        Ok(())
    })
}

/// Prints schedulers.
fn page(screen: &mut Screen<'_>, schedulers: &[Scheduler], moment: Moment) -> io::Result<()> {
    if schedulers.is_empty() {
        return screen.line("the configuration has no schedulers");
    }
    let mut rows = vec![heading(&[
        "scheduler",
        "type",
        "state",
        "last set",
        "builders",
    ])];
    for scheduler in schedulers {
        let last = match scheduler.last_set {
            Some(set) => {
                let result = set.result;
                let result = result.map_or_else(|| "not finished".to_owned(), |r| r.to_string());
                format!("{} at {}: {result}", set.id, screen.time(set.submitted_at))
            }
            None => "none".to_owned(),
        };
        rows.push(vec![
            scheduler.name.as_str().into(),
            Cell::kept(scheduler.kind),
            Cell::wrapped(state(scheduler, screen, moment)),
            Cell::wrapped(last),
            Cell::wrapped(commas(&scheduler.builders)),
        ]);
    }
    screen.table(&rows)
}

/// What a scheduler does, in words.
fn state(scheduler: &Scheduler, screen: &Screen<'_>, moment: Moment) -> String {
    let trees = &scheduler.waiting;
    if !moment.is_running {
        return match trees.is_empty() {
            true => "offline".to_owned(),
            false => format!("offline, keeps {}", commas(trees.iter().map(kept))),
        };
    }
    let trees = trees.iter();
    let mut parts: Vec<_> = trees
        .map(|tree| waiting(tree, screen, moment.now))
        .collect();
    if let Some(next) = scheduler.next {
        parts.push(format!("runs next at {}", screen.clock(next, moment.now)));
    }
    if let Some(upstream) = &scheduler.upstream {
        parts.push(format!("waits for {upstream} to succeed"));
    }
    match parts.is_empty() {
        true => "idle".to_owned(),
        false => parts.join("; "),
    }
}

/// `waiting for the tree to be stable until 08:02:00: changes 7, 8`
pub(super) fn waiting(tree: &Tree, screen: &Screen<'_>, now: Timestamp) -> String {
    let kept = kept(tree);
    match tree.until {
        None => format!("keeps {kept} for the next important change"),
        Some(until) if until <= now => format!("about to build {kept}"),
        Some(until) if tree.is_timer => format!(
            "waiting for the tree to be stable until {}: {kept}",
            screen.clock(until, now)
        ),
        Some(until) => format!("keeps {kept} for the run at {}", screen.clock(until, now)),
    }
}

/// `changes 7, 8 of trunk`
fn kept(tree: &Tree) -> String {
    let word = match tree.changes.len() {
        1 => "change",
        _ => "changes",
    };
    let numbers = runs(tree.changes.iter().map(|change| change.0));
    let branch = tree.line.branch.as_deref();
    match branch.filter(|branch| !branch.is_empty()) {
        Some(branch) => format!("{word} {numbers} of {branch}"),
        None => format!("{word} {numbers}"),
    }
}
