//! `show locks`: what waits for locks, what holds them, and whose turn it is.

use std::io;

use super::fields::heading;
use super::output::Output;
use super::screen::Screen;
use super::source::Source;
use crate::text::commas;
use crate::text::table::Cell;
use crate::view::LockWait;

/// Shows what waits for locks.
pub(super) fn show(source: &Source<'_>, out: &mut Output<'_, '_>) -> anyhow::Result<()> {
    source.state()?;
    let waits = source.ask()?.locks;
    let waits: Vec<_> = waits.iter().map(LockWait::from).collect();
    out.print(&waits, page)
}

/// Prints what waits for locks.
pub(super) fn page(screen: &mut Screen<'_>, waits: &[LockWait]) -> io::Result<()> {
    if waits.is_empty() {
        return screen.line("nothing waits for a lock");
    }
    let mut rows = vec![heading(&["waiting", "since", "lock", "held by", "place"])];
    for wait in waits {
        for block in &wait.locks {
            let of = match (&block.slave, &block.group) {
                (Some(slave), _) => format!(" of {slave}"),
                (None, Some(group)) => format!(" ({group})"),
                (None, None) => String::new(),
            };
            let holders = match block.holders.is_empty() {
                true => "(kept for those before)".to_owned(),
                false => commas(block.holders.iter().map(|holder| &holder.who)),
            };
            rows.push(vec![
                wait.who.as_str().into(),
                screen.moment(wait.since),
                format!("{}{of}", block.lock).into(),
                Cell::wrapped(holders),
                Cell::kept(block.place),
            ]);
        }
    }
    screen.table(&rows)
}
