//! Connections that were refused.

use std::collections::BTreeSet;
use std::io;

use serde_json::{Value, json};

use super::json::secs;
use super::pages::heading;
use super::screen::Screen;
use crate::model::{Refusal, SlaveName};
use crate::store::read::SlaveRow;

/// Most lines about peers that did not give the name of a slave: strangers can cause more.
const MOST_OTHERS: usize = 20;

/// A table of them, first those of slaves, the latest first; nothing if there are none.
pub(super) fn page(
    screen: &mut Screen<'_>,
    slaves: &[SlaveRow],
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
    screen.line("refused connections")?;
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::screen::Zone;
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn strangers_do_not_push_slaves_out_of_the_table() {
        let refusal = |name: Option<&str>, why: &str| Refusal {
            name: name.map(str::to_owned),
            address: "10.0.0.1".to_owned(),
            why: why.to_owned(),
            first_at: Timestamp(0),
            last_at: Timestamp(0),
            times: 1,
        };
        let mut refusals = vec![refusal(None, "it speaks TLS"); MOST_OTHERS + 2];
        refusals.push(refusal(Some("bot"), "wrong password"));
        let slave = SlaveRow {
            name: "bot".into(),
            connected: false,
            seen_at: None,
            heard_at: None,
            info: std::collections::BTreeMap::new(),
            builders: Vec::new(),
            paused: None,
        };
        let mut out = Vec::new();
        let mut screen = Screen {
            out: &mut out,
            is_coloured: false,
            zone: Zone::Utc,
            notes: &mut io::sink(),
            width: None,
        };
        page(&mut screen, &[slave], &refusals).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3 + 1 + MOST_OTHERS + 1, "{text}");
        assert!(
            lines[3].starts_with("bot ") && lines[3].ends_with("wrong password"),
            "{text}"
        );
        assert_eq!(lines.last(), Some(&"and 2 more"));
    }
}
