//! `[locks]`, and who uses them: slaves, builders and steps (LCK-01, LCK-02, LCK-05).
//!
//! A configuration in which builds could wait for each other for ever is refused: see `circles`.

mod circles;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checked::{BuilderConfig, Config, SlaveConfig};
use super::names::Names;
use super::reader::{Shape, Table, Value, of};
use crate::model::{LockName, SlaveName};

/// A lock (LCK-01).
#[derive(Clone, Debug, PartialEq)]
pub struct LockConfig {
    /// Its name.
    pub name: LockName,
    /// For whom it counts.
    pub kind: LockKind,
    /// How many may hold it at once, if they only count.
    pub max_count: u32,
}

/// Kinds of lock.
#[derive(Clone, Debug, PartialEq)]
pub enum LockKind {
    /// One for the whole master.
    Master,
    /// Each slave has its own.
    Slave {
        /// Another `max_count` for some slaves.
        max_count_for_slave: BTreeMap<SlaveName, u32>,
    },
}

impl LockConfig {
    /// How many may hold it at once on `slave`, if it is a lock of slaves.
    #[must_use]
    pub fn max_count_on(&self, slave: &SlaveName) -> u32 {
        match &self.kind {
            LockKind::Master => self.max_count,
            LockKind::Slave {
                max_count_for_slave,
            } => max_count_for_slave
                .get(slave)
                .copied()
                .unwrap_or(self.max_count),
        }
    }
}

/// A lock that something holds while it runs, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LockAccess {
    /// Which.
    pub lock: LockName,
    /// How.
    pub mode: LockMode,
}

/// Ways to hold a lock (LCK-02).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Together with others, up to the lock's `max_count`.
    Counting,
    /// Alone.
    Exclusive,
}

pub(super) static SHAPE: Shape = Shape {
    place: "locks",
    noun: "lock",
    keys: &["type", "max_count", "max_count_for_slave"],
};

pub(super) static ACCESS: Shape = Shape {
    place: "builders.locks",
    noun: "lock",
    keys: &["name", "mode"],
};

/// Who uses locks.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum User<'a> {
    /// A slave.
    Slave(&'a str),
    /// A builder.
    Builder(&'a str),
    /// A step, by the name of its factory and its place there.
    Step(&'a str, usize),
}

/// The locks, and where they are used.
#[derive(Debug)]
pub(super) struct Locks<'a> {
    /// All of them, in the order of the file.
    pub(super) defined: Vec<LockConfig>,
    names: Names<'a>,
    /// Slaves that have a count of their own, by lock; to be checked when the slaves are known.
    counts: Vec<(usize, Vec<(&'a str, Value<'a>)>)>,
    places: BTreeMap<(User<'a>, &'a str), Range<usize>>,
}

impl<'a> Locks<'a> {
    /// Reads the definitions.
    pub(super) fn read(root: &mut Table<'a>) -> Self {
        let mut locks = Self {
            defined: Vec::new(),
            names: Names::new("lock"),
            counts: Vec::new(),
            places: BTreeMap::new(),
        };
        let entries = root.take("locks").map(|v| v.entries());
        for (name, value) in entries.into_iter().flatten() {
            locks.names.insert(name, value.key_span.clone());
            if name.trim().is_empty() || name.contains(char::is_control) {
                let message = format!("a lock cannot be called {name:?}");
                let span = value.key_span.clone();
                value.sink.error(span, message, "use printable characters");
            }
            locks.define(name, &value);
        }
        locks
    }

    fn define(&mut self, name: &'a str, value: &Value<'a>) {
        let Some(mut table) = value.table(&SHAPE) else {
            return;
        };
        table.label = format!("lock `{name}`").into();
        let kind = table.require("type", "\"master\"");
        let kind = kind.and_then(|v| v.one_of(&["master", "slave"]));
        let max_count = table.take("max_count").and_then(|v| read_count(&v));
        let kind = match kind {
            Some("slave") => {
                let counts = table.take("max_count_for_slave").map(|v| v.entries());
                self.counts
                    .extend(counts.map(|counts| (self.defined.len(), counts)));
                LockKind::Slave {
                    max_count_for_slave: BTreeMap::new(),
                }
            }
            Some(_) => LockKind::Master,
            None => {
                drop(table.take("max_count_for_slave"));
                LockKind::Master
            }
        };
        table.finish();
        self.defined.push(LockConfig {
            name: LockName::from(name),
            kind,
            max_count: max_count.unwrap_or(1),
        });
    }

    /// Reads the counts that some slaves have of their own, now that the slaves are known.
    pub(super) fn read_counts(&mut self, slaves: &Names<'a>) {
        for (lock, counts) in std::mem::take(&mut self.counts) {
            let counts = counts.iter().filter_map(|(name, value)| {
                let slave = slaves.refer_by_key(value)?;
                debug_assert_eq!(slave, *name);
                Some((SlaveName::from(slave), read_count(value)?))
            });
            if let Some(LockKind::Slave {
                max_count_for_slave,
            }) = self.defined.get_mut(lock).map(|lock| &mut lock.kind)
            {
                max_count_for_slave.extend(counts);
            }
        }
    }

    /// Takes the `locks` of a slave, a builder or a step.
    pub(super) fn read_uses(&mut self, table: &mut Table<'a>, user: &User<'a>) -> Vec<LockAccess> {
        let entries = table.take("locks").and_then(|v| v.list());
        let mut uses: Vec<LockAccess> = Vec::new();
        for entry in entries.into_iter().flatten() {
            let Some((name, mode)) = self.read_use(&entry) else {
                continue;
            };
            if uses.iter().any(|u| u.lock.as_str() == name) {
                entry.error(&format!("names `{name}` twice"), "remove one of the two");
                continue;
            }
            self.places.insert((user.clone(), name), entry.span());
            uses.push(LockAccess {
                lock: LockName::from(name),
                mode,
            });
        }
        uses
    }

    fn read_use(&self, entry: &Value<'a>) -> Option<(&'a str, LockMode)> {
        if entry.raw().is_str() {
            return Some((self.names.refer(entry)?, LockMode::Counting));
        }
        if !entry.raw().is_table() {
            let help = "for example [\"disk\", { name = \"license\", mode = \"exclusive\" }]";
            return entry.expected("names of locks", help);
        }
        let mut table = entry.table(&ACCESS)?;
        table.label = of(entry.key, &entry.label).into();
        let name = table.require("name", "\"NAME\"");
        let name = name.and_then(|v| self.names.refer(&v));
        let mode = match table.take("mode") {
            Some(mode) => mode.one_of(&["counting", "exclusive"])?,
            None => "counting",
        };
        table.finish();
        let mode = match mode {
            "exclusive" => LockMode::Exclusive,
            _ => LockMode::Counting,
        };
        Some((name?, mode))
    }

    /// Reports locks on a build and one of its steps (LCK-05), and circles in which builds would wait for each
    /// other for ever.
    pub(super) fn check(
        &self,
        root: &Table<'a>,
        slaves: &[Arc<SlaveConfig>],
        builders: &[Arc<BuilderConfig>],
    ) {
        let mut is_clear = true;
        for builder in builders {
            for (at, step) in builder.factory.steps.iter().enumerate() {
                for both in &step.locks {
                    if !builder.locks.iter().any(|l| l.lock == both.lock) {
                        continue;
                    }
                    is_clear = false;
                    let on_builder = self.place(&User::Builder(builder.name.as_str()), &both.lock);
                    let on_step = self.place(&User::Step(&builder.factory.name, at), &both.lock);
                    root.sink.clash(
                        (on_builder, on_step),
                        format!(
                            "builder `{}` and its step `{}` both use lock `{}`",
                            builder.name, step.name, both.lock
                        ),
                        "its step",
                        "the build holds it during all its steps; remove it from one of the two",
                    );
                }
            }
        }
        if is_clear && let Some(circle) = circles::find(&self.defined, pairs(slaves, builders)) {
            let place = circle.first().map(|link| {
                let user = match link.step {
                    Some(step) => User::Step(&link.builder.factory.name, step),
                    None => User::Builder(link.builder.name.as_str()),
                };
                self.place(&user, link.wanted)
            });
            let help = "let all take them in the same order, or together: locks of one list are \
                        given at once";
            let (span, message) = (place.unwrap_or_default(), circles::describe(&circle));
            root.sink.error(span, message, help);
        }
    }

    fn place(&self, user: &User<'_>, lock: &LockName) -> Range<usize> {
        let place = self.places.get(&(user.clone(), lock.as_str()));
        place.cloned().unwrap_or_default()
    }
}

/// How builds that run, each begun by a builder and on a slave as these were then, and those of `new` could wait for
/// each other's locks for ever, although `new` is free of that by itself (LCK-04).
#[must_use]
pub fn circle_with(running: &[(&BuilderConfig, &SlaveConfig)], new: &Config) -> Option<String> {
    if running.is_empty() {
        return None;
    }
    let builds = pairs(&new.slaves, &new.builders).chain(running.iter().copied());
    circles::find(&new.locks, builds).map(|circle| circles::describe(&circle))
}

/// Each builder whose builds wait for locks, with each of its slaves.
fn pairs<'c>(
    slaves: &'c [Arc<SlaveConfig>],
    builders: &'c [Arc<BuilderConfig>],
) -> impl Iterator<Item = (&'c BuilderConfig, &'c SlaveConfig)> {
    let slaves: BTreeMap<_, _> = slaves.iter().map(|s| (&s.name, &**s)).collect();
    let waits = |builder: &&Arc<BuilderConfig>| {
        let mut steps = builder.factory.steps.iter();
        !builder.locks.is_empty() || steps.any(|step| !step.locks.is_empty())
    };
    builders.iter().filter(waits).flat_map(move |builder| {
        let its = builder.slaves.iter().filter_map(|name| slaves.get(name));
        let its = its.map(|slave| (&**builder, *slave));
        its.collect::<Vec<_>>()
    })
}

fn read_count(value: &Value<'_>) -> Option<u32> {
    value.integer(1..=u32::MAX)
}
