//! How much of the past is kept (MAS-08).

use std::ops::Range;
use std::time::Duration;

use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Shape, Table, Value};

/// How much of the past is kept: without a limit all of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Horizons {
    /// Of the builds of each builder, with what belongs to them.
    pub builds: Horizon,
    /// Of the logs of each builder, counted by builds.
    pub logs: Horizon,
    /// Of the changes (CHG-07).
    pub changes: Horizon,
}

/// What is beyond one of these limits goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Horizon {
    /// So many of the newest are kept, one at least.
    pub count: Option<u32>,
    /// So long.
    pub age: Option<Duration>,
}

impl Horizon {
    /// Whether anything goes at all.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.count.is_some() || self.age.is_some()
    }
}

pub(super) static SHAPE: Shape = Shape {
    place: "build_horizon",
    noun: "horizon",
    keys: &["count", "age"],
};

/// Reads all three.
pub(super) fn read(root: &mut Table<'_>) -> Horizons {
    let mut of = |key| {
        let value = root.take(key);
        let horizon = value.as_ref().and_then(horizon).unwrap_or_default();
        (horizon, value.map(|value| value.span()))
    };
    let (changes, _) = of("change_horizon");
    let (builds, _) = of("build_horizon");
    let (logs, place) = of("log_horizon");
    if let Some(place) = place {
        check(root, &builds, &logs, &place);
    }
    Horizons {
        builds,
        logs,
        changes,
    }
}

/// A number of the newest, a time, or a table of both.
fn horizon(value: &Value<'_>) -> Option<Horizon> {
    let count = |value: &Value<'_>| value.integer(1..=u32::MAX);
    let age = |value: &Value<'_>| match value.raw().as_str() {
        Some(_) => value.duration(SHORTEST..=LONGEST),
        None => value.expected("a time", AGE_HELP),
    };
    let raw = value.raw();
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
    value.expected("a number, a time or a table", HELP)
}

/// Logs go with their builds at the latest, so that keeping them longer than these means nothing (MAS-02).
fn check(root: &Table<'_>, builds: &Horizon, logs: &Horizon, place: &Range<usize>) {
    let is_more = builds.count.zip(logs.count).is_some_and(|(b, l)| l > b);
    let is_longer = builds.age.zip(logs.age).is_some_and(|(b, l)| l > b);
    if is_more || is_longer {
        let message = "`log_horizon` keeps logs beyond `build_horizon`".to_owned();
        let help =
            "logs go with their builds at the latest: give `log_horizon` less, or leave it out";
        root.sink.error(place.clone(), message, help);
    }
}

const AGE_HELP: &str = "a text such as \"90d\", \"12h\"";

const HELP: &str = "how many of the newest are kept, such as 100, or how long, such as \"90d\", or both: \
    { count = 100, age = \"90d\" }";
