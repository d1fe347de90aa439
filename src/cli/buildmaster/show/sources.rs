//! `show sources`: whether change sources work, and what they have brought (INT-01).

use std::io;

use anyhow::Context;

use super::fields::heading;
use super::output::Output;
use super::screen::Screen;
use super::source::Source;
use crate::text::commas;
use crate::text::table::Cell;
use crate::view::{ChangeSource, Moment};

/// Shows change sources.
pub(super) fn show(source: &Source<'_>, out: &mut Output<'_, '_>) -> anyhow::Result<()> {
    let config = source.config()?.context(
        "the configuration cannot be read, and with it which change sources there are; \
         `buildmaster checkconfig` shows what is wrong",
    )?;
    let sources = ChangeSource::all(source.state.as_ref(), &config.change_sources)?;
    out.print(&sources, |screen, sources| {
        page(screen, sources, source.moment)
    })
}

/// Prints change sources.
fn page(screen: &mut Screen<'_>, sources: &[ChangeSource], moment: Moment) -> io::Result<()> {
    if sources.is_empty() {
        return screen.line("the configuration has no change sources");
    }
    let mut rows = vec![heading(&[
        "source", "type", "last", "next", "changes", "state",
    ])];
    for source in sources {
        let time = |at| match at {
            Some(at) => screen.moment(at),
            None => "-".into(),
        };
        let next = source.next_attempt.filter(|_| moment.is_running);
        rows.push(vec![
            source.name.as_str().into(),
            Cell::kept(source.kind),
            time(source.last_attempt),
            time(next),
            Cell::wrapped(counts(source)),
            Cell::wrapped(state(source)),
        ]);
    }
    screen.table(&rows)
}

/// `12 new, 3 known, 1 dropped`
fn counts(source: &ChangeSource) -> String {
    let mut parts = vec![format!("{} new", source.taken)];
    for (count, word) in [
        (source.known, "known"),
        (source.dropped, "dropped"),
        (source.redelivered, "delivered again"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    commas(parts)
}

/// Whether a source works, in words.
fn state(source: &ChangeSource) -> String {
    let works = match (source.failure(), source.last_success) {
        (Some(failure), _) => failure,
        (None, Some(_)) => "ok".to_owned(),
        (None, None) => "nothing yet".to_owned(),
    };
    match &source.note {
        Some(note) => format!("{works}; {note}"),
        None => works,
    }
}
