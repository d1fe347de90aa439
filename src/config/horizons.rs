//! How much of the past is kept (MAS-08).

use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Table, Value};
use super::shape::Shape;
use super::trace::Wanted;

/// How much of the past is kept: without a limit all of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Horizons {
    /// Of the builds of each builder, with what belongs to them.
    #[serde(rename = "build_horizon")]
    pub builds: Horizon,
    /// Of the logs of each builder, counted by builds.
    #[serde(rename = "log_horizon")]
    pub logs: Horizon,
    /// Of the changes (CHG-07).
    #[serde(rename = "change_horizon")]
    pub changes: Horizon,
}

/// Limits of what is kept; what exceeds one of them is deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Horizon {
    /// How many of the newest are kept, at least one.
    pub count: Option<u32>,
    /// How long they are kept.
    pub age: Option<Duration>,
}

impl Horizon {
    /// Whether anything is ever deleted.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.count.is_some() || self.age.is_some()
    }
}

pub(super) static SHAPE: Shape = Shape {
    place: "build_horizon",
    noun: "horizon",
    keys: &["count", "age"],
    kinds: Vec::new,
};

impl Horizons {
    /// Takes all three.
    pub(super) fn read(&mut self, root: &mut Table<'_>) {
        root.set("change_horizon", &mut self.changes, horizon);
        root.set("build_horizon", &mut self.builds, horizon);
        if let Some(logs) = root.take("log_horizon") {
            self.logs = horizon(&logs).unwrap_or_default();
            check(root, self, &logs.span());
        }
    }
}

/// A number of the newest, a time, or a table of both.
fn horizon(value: &Value<'_>) -> Option<Horizon> {
    let count = |value: &Value<'_>| value.integer(1..=u32::MAX);
    let age = |value: &Value<'_>| match value.data().as_str() {
        Some(_) => value.duration(SHORTEST..=LONGEST),
        None => value.expected("a duration", AGE_HELP),
    };
    let raw = value.among([Wanted::Integer, Wanted::Text, Wanted::Table]);
    if raw.is_table() {
        let mut table = value.table(&SHAPE)?;
        let horizon = Horizon {
            count: table.take("count").and_then(|v| count(&v)),
            age: table.take("age").and_then(|v| age(&v)),
        };
        table.finish();
        return Some(horizon);
    }
    if raw.as_integer().is_some() {
        return Some(Horizon {
            count: count(value),
            age: None,
        });
    }
    if raw.as_str().is_some() {
        return Some(Horizon {
            count: None,
            age: age(value),
        });
    }
    value.expected("a number, a duration or a table", HELP)
}

/// Logs are deleted with their builds at the latest, so that keeping them longer has no effect
/// (MAS-02).
fn check(root: &Table<'_>, horizons: &Horizons, place: &Range<usize>) {
    let Horizons { builds, logs, .. } = horizons;
    let is_more = builds.count.zip(logs.count).is_some_and(|(b, l)| l > b);
    let is_longer = builds.age.zip(logs.age).is_some_and(|(b, l)| l > b);
    if is_more || is_longer {
        let message =
            "`log_horizon` keeps logs longer than `build_horizon` keeps their builds".to_owned();
        let help = "logs are deleted with their builds at the latest: make `log_horizon` smaller, or leave it out";
        root.sink.error(place.clone(), message, help);
    }
}

const AGE_HELP: &str = "write \"90d\" or \"12h\"";

const HELP: &str = "how many of the newest are kept, such as 100, or how long, such as \"90d\", or both: \
    { count = 100, age = \"90d\" }";
