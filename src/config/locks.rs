//! `[locks]`, and who uses them: slaves, builders and steps (LCK-01, LCK-02, LCK-05).
//!
//! A configuration in which builds could wait for each other for ever is refused: see
//! `lock_circles`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::expression::{Expression, Scope, alike};
use super::names::Names;
use super::reader::{Sink, Table, Value};
use super::shape::{KindShape, Shape, of};
use super::trace::Wanted;
use super::visible::Sees;
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
    /// Slaves for which an expression gives the same share one (CFL-135).
    Per {
        /// The expression, which sees the slave.
        per: Expression,
        /// What it gives; slaves that are not here share with none.
        #[serde(skip)]
        groups: BTreeMap<SlaveName, LockGroup>,
    },
}

/// What an expression gives for all slaves that share a lock: JSON in which numbers that are equal
/// are written alike (CFL-88).
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct LockGroup(String);

/// Who shares one instance of a lock.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LockScope {
    /// The whole master.
    #[default]
    Master,
    /// What runs on one slave.
    Slave(SlaveName),
    /// What runs on some slaves.
    Group(LockGroup),
}

impl LockGroup {
    /// The group of slaves for which an expression gives `value`.
    #[must_use]
    pub fn of(value: &Json) -> Self {
        Self(alike(value).to_string())
    }
}

impl fmt::Display for LockGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::from_str::<String>(&self.0) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str(&self.0),
        }
    }
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
            LockKind::Master | LockKind::Per { .. } => self.max_count,
            LockKind::Slave {
                max_count_for_slave,
            } => max_count_for_slave
                .get(slave)
                .copied()
                .unwrap_or(self.max_count),
        }
    }

    /// Who shares the lock that a build on `slave` takes.
    #[must_use]
    pub fn scope_on(&self, slave: &SlaveName) -> LockScope {
        match &self.kind {
            LockKind::Master => LockScope::Master,
            LockKind::Slave { .. } => LockScope::Slave(slave.clone()),
            LockKind::Per { groups, .. } => match groups.get(slave) {
                Some(group) => LockScope::Group(group.clone()),
                None => LockScope::Slave(slave.clone()),
            },
        }
    }
}

impl LockKind {
    /// Whether it depends on the slave who shares the lock.
    #[must_use]
    pub const fn is_of_slaves(&self) -> bool {
        match self {
            Self::Master => false,
            Self::Slave { .. } | Self::Per { .. } => true,
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
    keys: &["type", "max_count", "per"],
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
    /// The expressions of `per`, by lock; to be worked out when the slaves are known.
    per: Vec<(usize, Value<'a>)>,
    places: BTreeMap<(User<'a>, &'a str), Range<usize>>,
}

impl<'a> Locks<'a> {
    /// No locks.
    pub(super) const fn none() -> Self {
        Self {
            defined: Vec::new(),
            names: Names::new("lock"),
            counts: Vec::new(),
            per: Vec::new(),
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
        if let Some(per) = table.take("per") {
            let others = ["type", "max_count_for_slave"];
            if let Some((other, place)) = others.iter().find_map(|k| Some((*k, table.place(k)?))) {
                table.sink.clash(
                    (place, per.key_span.clone()),
                    format!("`{other}` and `per` of {} exclude each other", table.label),
                    "here is `per`",
                    "remove one of the two; `per = \"slave.name\"` is `type = \"slave\"`",
                );
                return;
            }
            lock.kind = per.read_per().unwrap_or_default();
            table.set("max_count", &mut lock.max_count, read_count);
            table.finish();
            self.per.push((self.defined.len(), per));
        } else if let Some(kind) = table.kind(&KINDS, |kind| kind.shape, None) {
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

    /// Works out which slaves share locks, now that the slaves are known.
    pub(super) fn work_out<'s>(
        &mut self,
        slaves: impl Iterator<Item = (&'s SlaveName, Json)> + Clone,
    ) {
        for (lock, value) in std::mem::take(&mut self.per) {
            let kind = self.defined.get_mut(lock).map(|lock| &mut lock.kind);
            let Some(LockKind::Per { per, groups }) = kind else {
                continue;
            };
            for (slave, facts) in slaves.clone() {
                let scope = Scope::new().with("slave", facts);
                match per.evaluate(&scope) {
                    Ok(Some(Json::Null) | None) => {}
                    Ok(Some(result)) => {
                        groups.insert(slave.clone(), LockGroup::of(&result));
                    }
                    Err(mistake) => {
                        let what = format!("fails for slave `{slave}`: {}", mistake.message);
                        value.error(&what, mistake.help);
                        break;
                    }
                }
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
        if entry.among([Wanted::Text, Wanted::Table]).is_str() {
            return Some((self.names.refer(entry)?, LockMode::Counting));
        }
        if !entry.data().is_table() {
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

    /// Warns of locks that nothing holds.
    pub(super) fn warn_unused(&self, sink: &Sink<'_>) {
        let used = self.places.keys().map(|(_, lock)| *lock).collect();
        self.names.warn_unused(sink, &used, |name| {
            format!("no slave, builder or step holds the lock `{name}`")
        });
    }

    /// Where `user` names `lock`.
    pub(super) fn place(&self, user: &User<'_>, lock: &LockName) -> Range<usize> {
        let place = self.places.get(&(user.clone(), lock.as_str()));
        place.cloned().unwrap_or_default()
    }
}

impl Value<'_> {
    /// The expression by which slaves share a lock (CFL-135). What is known of a slave only when it
    /// has connected is not seen.
    fn read_per(&self) -> Option<LockKind> {
        let per = self.expression_that(Sees::only(&["slave"]))?;
        for used in per.uses() {
            let path: Vec<&str> = used.path.iter().map(String::as_str).collect();
            let unknown = match path.as_slice() {
                ["kw", ..] => "`kw`",
                ["slave", "version", ..] => "`slave.version`",
                _ => continue,
            };
            let message = format!("{}: {unknown} is not known here", of(self.key, &self.label));
            let help = "it is worked out when the configuration is read, from `slave.name`, \
                        `slave.properties` and `slave.type`";
            self.sink.error(self.part(used.at.clone()), message, help);
        }
        if per.text().trim() == "slave.name" {
            return Some(LockKind::Slave {
                max_count_for_slave: BTreeMap::new(),
            });
        }
        Some(LockKind::Per {
            per,
            groups: BTreeMap::new(),
        })
    }
}

fn read_count(value: &Value<'_>) -> Option<u32> {
    value.integer(1..=u32::MAX)
}
