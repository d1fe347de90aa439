//! Connections that were refused.

use std::io;

use serde_json::{Value, json};

use super::json::secs;
use super::pages::heading;
use super::screen::Screen;
use crate::model::{Refusal, SlaveName};
use crate::store::read::SlaveRow;

/// A table of all of them, the latest first; nothing if there are none.
pub(super) fn page(screen: &mut Screen<'_>, refusals: &[Refusal]) -> io::Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    screen.line("refused connections")?;
    let mut rows = vec![heading(&["name", "from", "times", "last", "why"])];
    for refusal in refusals {
        rows.push(vec![
            refusal.name.as_deref().unwrap_or("-").into(),
            refusal.address.as_str().into(),
            refusal.times.to_string().into(),
            screen.time(refusal.last_at).into(),
            refusal.why.as_str().into(),
        ]);
    }
    screen.table(&rows)
}

/// Adds to a slave, for programs, the refusals of its name, and if it is not connected those of peers that did not give
/// the name of a slave: they may be this one.
pub(super) fn add_to_slave(
    value: &mut Value,
    slave: &SlaveRow,
    all: &[SlaveRow],
    refusals: &[Refusal],
) {
    let names =
        |slave: &SlaveName, refusal: &Refusal| refusal.name.as_deref() == Some(slave.as_str());
    let own = refusals
        .iter()
        .filter(|refusal| names(&slave.name, refusal));
    let is_of_none = |refusal: &&Refusal| !all.iter().any(|slave| names(&slave.name, refusal));
    let others = refusals.iter().filter(is_of_none);
    value["refused"] = own.map(refusal).collect();
    value["refused_others"] = match slave.connected {
        true => json!([]),
        false => others.map(refusal).collect(),
    };
}

fn refusal(refusal: &Refusal) -> Value {
    json!({
        "name": refusal.name,
        "address": refusal.address,
        "why": refusal.why,
        "first_at": secs(refusal.first_at),
        "last_at": secs(refusal.last_at),
        "times": refusal.times,
    })
}
