//! `show builders`: builders, what they do, and how their last build ended.

use std::io;

use super::fields::heading;
use super::output::Output;
use super::schedulers::waiting;
use super::screen::{Screen, colour_of};
use super::source::Source;
use crate::model::Timestamp;
use crate::text::commas;
use crate::text::table::{Cell, Colour};
use crate::view::Builder;

/// Shows builders.
pub(super) fn show(source: &Source<'_>, out: &mut Output<'_, '_>) -> anyhow::Result<()> {
    let (config, live) = (source.config()?, source.live());
    let state = source.state.as_ref();
    let builders = Builder::all(state, config.as_ref(), &live, source.moment)?;
    out.print(&builders, |screen, builders| {
        page(screen, builders, source.moment.now)
    })
}

/// Prints builders.
fn page(screen: &mut Screen<'_>, builders: &[Builder], now: Timestamp) -> io::Result<()> {
    if builders.is_empty() {
        return screen.line("the configuration has no builders");
    }
    let abouts: Vec<_> = builders.iter().map(about).collect();
    let is_described = abouts.iter().any(|about| !about.is_empty());
    let mut columns = vec!["builder", "state", "pending", "last build", "slaves"];
    columns.extend(is_described.then_some("description"));
    let mut rows = vec![heading(&columns)];
    for (builder, about) in builders.iter().zip(abouts) {
        let last = match builder.last {
            Some(last) => {
                let text = format!("{} {}", last.number, last.result);
                Cell::coloured(text, colour_of(last.result))
            }
            None => "none".into(),
        };
        let pending = match builder.pending_since {
            Some(since) => format!("{} since {}", builder.pending, screen.time(since)),
            None => builder.pending.to_string(),
        };
        let mut row = vec![
            builder.name.as_str().into(),
            state(screen, builder, now),
            pending.into(),
            last,
            Cell::wrapped(commas(&builder.slaves)),
        ];
        row.extend(is_described.then(|| about.into()));
        rows.push(row);
    }
    screen.table(&rows)
}

/// What a builder does, and what waits for it.
fn state(screen: &Screen<'_>, builder: &Builder, now: Timestamp) -> Cell {
    let state = match builder.state.as_str() {
        "building" => {
            let numbers = commas(builder.running.iter().map(|build| build.number));
            // The build may have ended since the builder's state was written.
            Cell::coloured(format!("building {numbers}").trim_end(), Colour::Yellow)
        }
        "offline" => return Cell::coloured("offline", Colour::Red),
        state => state.into(),
    };
    let trees = builder.waiting.iter();
    let trees: Vec<_> = trees.map(|tree| waiting(tree, screen, now)).collect();
    match trees.is_empty() {
        true => state,
        false => state.and(&trees.join("; ")),
    }
}

/// What the configuration says of a builder: its description, and its tags in brackets.
fn about(builder: &Builder) -> String {
    let tags = match builder.tags.as_deref().unwrap_or_default() {
        [] => String::new(),
        tags => format!("[{}]", commas(tags)),
    };
    let parts = [builder.description.as_deref().unwrap_or_default(), &tags];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}
