//! `[locks]`, and who uses them: slaves, builders and steps (LCK-01, LCK-02, LCK-05).
//!
//! A configuration in which builds could wait for each other for ever is refused: see
//! `lock_circles`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::names::Names;
use super::reader::{Table, Value};
use super::shape::{KindShape, Shape, of};
use crate::model::{LockName, SlaveName};

/// A lock (LCK-01).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LockConfig {
    /// Its name.
    pub name: LockName,
    /// For whom it counts.
    #[serde(flatten)]
    pub kind: LockKind,
    /// How many may hold it at once, if they only count.
    pub max_count: u32,
}

/// Kinds of lock.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum LockKind {
    /// One for the whole master.
    #[default]
    Master,
    /// Each slave has its own.
    Slave {
        /// Another `max_count` for some slaves.
        max_count_for_slave: BTreeMap<SlaveName, u32>,
    },
}

impl Default for LockConfig {
    fn default() -> Self {
        Self {
            name: LockName::default(),
            kind: LockKind::default(),
            max_count: 1,
        }
    }
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

impl LockKind {
    /// Whether each slave has a lock of its own.
    #[must_use]
    pub const fn is_of_slaves(&self) -> bool {
        match self {
            Self::Master => false,
            Self::Slave { .. } => true,
        }
    }
}

/// A lock that something holds while it runs, and how.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LockAccess {
    /// Which.
    #[serde(rename = "name")]
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
    keys: &["type", "max_count"],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A lock of this kind whose table says nothing.
    usual: fn() -> LockKind,
}

/// The kinds of lock.
static KINDS: [Kind; 2] = [
    Kind {
        shape: KindShape {
            name: "master",
            keys: &[],
        },
        usual: || LockKind::Master,
    },
    Kind {
        shape: KindShape {
            name: "slave",
            keys: &[&["max_count_for_slave"]],
        },
        usual: || LockKind::Slave {
            max_count_for_slave: BTreeMap::new(),
        },
    },
];

pub(super) static ACCESS: Shape = Shape {
    place: "builders.locks",
    noun: "lock",
    keys: &["name", "mode"],
    kinds: Vec::new,
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
    /// No locks.
    pub(super) const fn none() -> Self {
        Self {
            defined: Vec::new(),
            names: Names::new("lock"),
            counts: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// Reads the definitions.
    pub(super) fn read(root: &mut Table<'a>) -> Self {
        let mut locks = Self::none();
        let entries = root.take("locks").map(|v| v.entries());
        for (name, value) in entries.into_iter().flatten() {
            locks.names.insert(name, value.key_span.clone());
            if name.trim().is_empty() || name.contains(char::is_control) {
                let message = format!("a lock cannot be called `{}`", name.escape_debug());
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
        let mut lock = LockConfig {
            name: LockName::from(name),
            ..LockConfig::default()
        };
        if let Some(kind) = table.kind(&KINDS, |kind| kind.shape, None) {
            lock.kind = (kind.usual)();
            table.set("max_count", &mut lock.max_count, read_count);
            if lock.kind.is_of_slaves()
                && let Some(counts) = table.take("max_count_for_slave")
            {
                self.counts.push((self.defined.len(), counts.entries()));
            }
            table.finish();
        }
        self.defined.push(lock);
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

    /// Where `user` names `lock`.
    pub(super) fn place(&self, user: &User<'_>, lock: &LockName) -> Range<usize> {
        let place = self.places.get(&(user.clone(), lock.as_str()));
        place.cloned().unwrap_or_default()
    }
}

fn read_count(value: &Value<'_>) -> Option<u32> {
    value.integer(1..=u32::MAX)
}
