//! `show slaves`: slaves, what keeps them from builds, and connections that were refused.

use std::collections::BTreeSet;
use std::io;

use super::fields::heading;
use super::output::Output;
use super::screen::Screen;
use super::source::Source;
use crate::text::commas;
use crate::text::table::{Cell, Colour};
use crate::view::{Refusal, Slave};

/// Most lines about peers that did not give the name of a slave: strangers can cause more.
pub(super) const MOST_OTHERS: usize = 20;

/// Shows slaves.
pub(super) fn show(source: &Source<'_>, out: &mut Output<'_, '_>) -> anyhow::Result<()> {
    let (config, live) = (source.config()?, source.live());
    let state = source.state.as_ref();
    let slaves = Slave::all(state, config.as_ref(), &live, source.moment)?;
    let refusals: Vec<_> = live.refusals.iter().map(Refusal::from).collect();
    out.print(&slaves, |screen, slaves| {
        page(screen, slaves)?;
        refused(screen, slaves, &refusals)
    })
}

/// Prints slaves.
pub(super) fn page(screen: &mut Screen<'_>, slaves: &[Slave]) -> io::Result<()> {
    if slaves.is_empty() {
        return screen.line("the configuration has no slaves");
    }
    let mut rows = vec![heading(&[
        "slave",
        "state",
        "last seen",
        "version",
        "builders",
    ])];
    for slave in slaves {
        let seen = slave.last_seen;
        let seen = seen.map_or_else(|| "never".to_owned(), |at| screen.time(at));
        let version = slave.info.get("version").map_or("", String::as_str);
        rows.push(vec![
            slave.name.as_str().into(),
            state(screen, slave),
            seen.into(),
            version.into(),
            Cell::wrapped(commas(&slave.builders)),
        ]);
    }
    screen.table(&rows)
}

/// What state a slave is in, in a few words.
fn state(screen: &Screen<'_>, slave: &Slave) -> Cell {
    let (mut text, mut colour) = match (slave.connected, slave.instance) {
        (true, _) => ("connected".to_owned(), Some(Colour::Green)),
        (false, None) => ("offline".to_owned(), Some(Colour::Red)),
        (false, Some(instance)) if instance.state == "down" => ("not started".to_owned(), None),
        (false, Some(instance)) => {
            let since = screen.time(instance.since);
            let text = format!("instance {} since {since}", instance.state);
            (text, Some(Colour::Yellow))
        }
    };
    let mut add = |what: &str| {
        text = format!("{text}, {what}");
        if slave.connected || slave.instance.is_some() {
            colour = Some(Colour::Yellow);
        }
    };
    match slave.paused.as_ref().map(|pause| pause.by.as_str()) {
        None => {}
        Some("") => add("paused"),
        Some(by) => add(&format!("paused by {by}")),
    }
    match (slave.graceful_since, slave.told_to_end_at) {
        (_, Some(at)) => add(&format!("told to shut down at {}", screen.time(at))),
        (Some(_), None) if slave.connected => add("ends when idle"),
        (Some(_), None) => add("was told to shut down"),
        (None, None) => {}
    }
    if let Some(until) = slave.held_until {
        add(&format!("held back until {}", screen.time(until)));
    }
    match colour {
        Some(colour) => Cell::coloured(text, colour),
        None => text.into(),
    }
}

/// Prints refused connections, first those of slaves, the latest first; nothing if there are none.
pub(super) fn refused(
    screen: &mut Screen<'_>,
    slaves: &[Slave],
    refusals: &[Refusal],
) -> io::Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    let names: BTreeSet<&str> = slaves.iter().map(|slave| slave.name.as_str()).collect();
    let is_of_slave = |refusal: &&Refusal| {
        let name = refusal.name.as_deref();
        name.is_some_and(|name| names.contains(name))
    };
    let (own, others): (Vec<_>, Vec<_>) = refusals.iter().partition(is_of_slave);
    screen.line("")?;
    screen.line("rejected connections")?;
    let mut rows = vec![heading(&["name", "from", "times", "last", "why"])];
    for refusal in own.iter().chain(others.iter().take(MOST_OTHERS)) {
        rows.push(vec![
            refusal.name.as_deref().unwrap_or("-").into(),
            refusal.address.as_str().into(),
            refusal.times.to_string().into(),
            screen.time(refusal.last_at).into(),
            refusal.why.as_str().into(),
        ]);
    }
    screen.table(&rows)?;
    match others.len().saturating_sub(MOST_OTHERS) {
        0 => Ok(()),
        more => screen.line(&format!("and {more} more")),
    }
}
