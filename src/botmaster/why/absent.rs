//! Slaves that are not connected: since when, and what is known of their refusals.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BlockerKind, BotMaster, Obstacle, at};
use crate::model::{Refusal, SlaveName, Timestamp};

/// After this time, peers that did not give the name of a slave explain nothing: slaves try again
/// sooner.
const DOUBTFUL_FOR: Duration = Duration::from_secs(900);

/// That a slave is not connected; `since` this master is up or the slave has gone.
pub(super) fn not_connected(since: Timestamp, seen: Option<Timestamp>) -> Obstacle {
    let kind = BlockerKind::NotConnected;
    match seen {
        None => Obstacle::new(
            kind,
            since,
            "has never been connected".to_owned(),
            "have never been connected".to_owned(),
        ),
        Some(seen) if seen >= since => {
            Obstacle::is(kind, since, &format!("not connected since {}", at(since)))
        }
        Some(seen) => {
            let start = at(since);
            let rest = format!(
                "not connected since the master was started at {start}, and last seen at {}",
                at(seen)
            );
            Obstacle::is(kind, since, &rest)
        }
    }
}

/// The connections that were refused.
#[derive(Debug)]
pub(super) struct Refused<'a> {
    /// The latest of each name.
    named: BTreeMap<&'a str, &'a Refusal>,
    /// The latest of a peer that may be any slave.
    doubtful: Option<&'a Refusal>,
}

impl BotMaster {
    /// Sorts the rejected connections, the latest first. Names that no slave has may be misspelt.
    pub(super) fn refused<'a>(&self, refusals: &'a [Refusal]) -> Refused<'a> {
        let is_slave = |name: &str| {
            self.out
                .layout
                .slave_named(&SlaveName::from(name))
                .is_some()
        };
        let is_doubtful = |refusal: &&Refusal| {
            let is_fresh = self.out.now.wall.since(refusal.last_at) <= DOUBTFUL_FOR;
            is_fresh && !refusal.name.as_deref().is_some_and(is_slave)
        };
        let mut named = BTreeMap::new();
        for refusal in refusals {
            if let Some(name) = &refusal.name {
                named.entry(name.as_str()).or_insert(refusal);
            }
        }
        Refused {
            named,
            doubtful: refusals.iter().find(is_doubtful),
        }
    }
}

impl Refused<'_> {
    /// The latest refusal of a slave.
    pub(super) fn of(&self, slave: &SlaveName) -> Option<&Refusal> {
        self.named.get(slave.as_str()).copied()
    }

    /// Adds to a slave's absence that it was refused, or that a peer was refused lately which may
    /// be this slave.
    pub(super) fn explain(&self, slave: &SlaveName, mut absence: Obstacle) -> Obstacle {
        let (whose, refusal) = match (self.of(slave), self.doubtful) {
            (Some(refusal), _) => ("its", refusal),
            (None, Some(refusal)) => ("a", refusal),
            (None, None) => return absence,
        };
        if whose == "its" {
            absence.kind = BlockerKind::Refused;
        }
        let text = format!("; {whose} {}", told(refusal));
        absence.one.push_str(&text);
        absence.many.push_str(&text);
        absence.by(vec![refusal.address.clone()])
    }
}

/// What happened to a connection.
pub(super) fn told(refusal: &Refusal) -> String {
    let Refusal {
        name,
        address,
        why,
        first_at,
        last_at,
        times,
    } = refusal;
    let name = match name {
        Some(name) => format!("login as {name:?}"),
        None => "connection".to_owned(),
    };
    let last = at(*last_at);
    match times {
        0 | 1 => format!("{name} from {address} was rejected at {last}: {why}"),
        _ => format!(
            "{name} from {address} was rejected {times} times since {}, the last time at {last}: {why}",
            at(*first_at)
        ),
    }
}
