//! `show changes`: the newest changes.

use std::io;

use super::fields::heading;
use super::output::Output;
use super::screen::{Screen, headline};
use super::source::Source;
use crate::text::table::Cell;
use crate::view::Change;

/// Shows the newest changes.
pub(super) fn show(source: &Source<'_>, out: &mut Output<'_, '_>) -> anyhow::Result<()> {
    let changes = source.state()?.changes(out.limit())?;
    let changes: Vec<_> = changes.iter().map(Change::from).collect();
    out.print(&changes, page)
}

/// Prints the newest changes.
fn page(screen: &mut Screen<'_>, changes: &[Change]) -> io::Result<()> {
    if changes.is_empty() {
        return screen.line("no changes yet");
    }
    let mut rows = vec![heading(&[
        "change", "arrived", "who", "branch", "revision", "comments",
    ])];
    for change in changes {
        rows.push(vec![
            Cell::kept(change.number),
            screen.moment(change.arrived_at),
            headline(&change.who).into(),
            change.branch.as_deref().unwrap_or_default().into(),
            headline(change.revision.as_deref().unwrap_or_default()).into(),
            headline(&change.comments).into(),
        ]);
    }
    screen.table(&rows)
}
