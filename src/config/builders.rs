//! `[[builders]]` (BLD-01).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::choosing::{Merging, QueueRules, SlaveChoice, SlaveRules, read_tags};
use super::env::Environment;
use super::factories::FactoryConfig;
use super::hold::Hold;
use super::locks::{LockAccess, Locks, User};
use super::names::Names;
use super::programs::{self, AskedProgram};
use super::properties;
use super::reader::{Table, Value};
use super::shape::Shape;
use super::steps::{StepConfig, StepKind};
use super::template::SecretSource;
use super::zones::MachineZone;
use crate::model::{BuilderName, Properties, SlaveName, unique_names};

/// A builder (BLD-01).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BuilderConfig {
    /// Its name.
    pub name: BuilderName,
    /// Its slaves.
    pub slaves: Vec<SlaveName>,
    /// Its name before, whose history it takes over (PRB-25).
    pub was: Option<BuilderName>,
    /// Directory of its logs below `builders/` in the base directory, made from the name by
    /// default.
    pub builddir: String,
    /// Directory on the slave; the builddir by default.
    pub slavebuilddir: String,
    /// Its steps.
    #[serde(skip)]
    pub factory: Arc<FactoryConfig>,
    /// Locks that each of its builds holds (LCK-05).
    pub locks: Vec<LockAccess>,
    /// Environment of its commands.
    pub env: Environment,
    /// The secrets in it.
    #[serde(skip)]
    pub secrets: Vec<SecretSource>,
    /// Labels.
    pub tags: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Properties of its builds, with source "Builder".
    #[serde(serialize_with = "properties::plain")]
    pub properties: Properties,
    /// Which requests share a build; the builder's own settings or else the global ones.
    #[serde(flatten)]
    pub merging: Merging,
    /// Where its requests stand in its queue; the builder's own settings or else the global ones.
    #[serde(flatten)]
    pub queue: QueueRules,
    /// Which slaves take which of its requests.
    #[serde(flatten)]
    pub slave_rules: SlaveRules,
    /// Builds of it at once, on all slaves; absent is unlimited.
    pub max_builds: Option<u32>,
    /// What says whether a slave may take a build of it now.
    pub slave_check: Option<AskedProgram>,
    /// Times in which no build of it starts (CFL-133).
    pub hold: Hold,
    /// Which idle slave gets a build, if not as for all builders (BLD-05).
    pub next_slave: Option<SlaveChoice>,
    /// Of builders whose requests have equal priorities, one with a higher number goes first: 0.
    pub priority: i32,
    /// Whether a build whose steps do not apply the patch of its try job goes on without it.
    pub ignore_patch: bool,
    /// Whether the master may search for culprits by itself; absent: if no step has effects outside
    /// the build (SRH-03).
    pub search: Option<bool>,
    /// Whether searches leave it its last free slave (SRH-11).
    pub reserve: bool,
}

impl BuilderConfig {
    /// A builder of this name, with the directories that belong to it and all else as it is by
    /// default.
    #[must_use]
    pub fn named(name: impl Into<BuilderName>) -> Self {
        let name = name.into();
        let dir = directory_name(name.as_str());
        Self {
            name,
            slavebuilddir: dir.clone(),
            builddir: dir,
            ..Self::default()
        }
    }

    /// The names of its steps, each once; absent if its builds add steps.
    #[must_use]
    pub fn step_names(&self) -> Option<Vec<String>> {
        let steps = &self.factory.steps;
        let adds = |step: &StepConfig| matches!(step.kind, StepKind::StepsFrom(_));
        let names = || unique_names(steps.iter().map(|step| step.name.as_str()));
        (!steps.iter().any(adds)).then(names)
    }
}

pub(super) static SHAPE: Shape = Shape {
    place: "builders",
    noun: "builder",
    keys: &[
        "name",
        "was",
        "slaves",
        "builddir",
        "slavebuilddir",
        "factory",
        "env",
        "locks",
        "tags",
        "description",
        "properties",
        "merge_requests",
        "merge_compare_properties",
        "merge_by",
        "merge_limit",
        "request_order",
        "max_builds",
        "slave_if",
        "slave_property",
        "slave_order",
        "slave_check",
        "hold",
        "next_slave",
        "priority",
        "ignore_patch",
        "search",
        "reserve",
    ],
    kinds: Vec::new,
};

/// What builders refer to.
#[derive(Debug)]
pub(super) struct Known<'a, 'n> {
    /// Names of slaves.
    pub(super) slaves: &'n Names<'a>,
    /// Names of factories.
    pub(super) factory_names: Names<'a>,
    /// The factories.
    pub(super) factories: BTreeMap<&'a str, Arc<FactoryConfig>>,
    /// The global settings.
    pub(super) merging: Merging,
    pub(super) queue: QueueRules,
    pub(super) zone: &'n MachineZone,
}

/// The directories that builders have, each with where it is given.
#[derive(Debug, Default)]
struct Directories<'a> {
    dirs: BTreeMap<String, Value<'a>>,
    /// Whether several builders may have the same one.
    may_be_shared: bool,
}

impl<'a> Directories<'a> {
    /// The first directory that `dir` cannot stand beside, and why.
    fn clash(&self, dir: &str) -> Option<(String, &Value<'a>)> {
        let parts = dir.match_indices('/');
        let mut outer = parts.filter_map(|(end, _)| dir.get(..end));
        let outer = outer.find_map(|outer| self.dirs.get_key_value(outer));
        let inner = || {
            let below = format!("{dir}/");
            let mut inner = self.dirs.range(below.clone()..);
            inner.next().filter(|(inner, _)| inner.starts_with(&below))
        };
        let same = self.dirs.get(dir).filter(|_| !self.may_be_shared);
        match (outer, same) {
            (None, Some(same)) => Some((format!("two builders have the directory `{dir}`"), same)),
            (outer, _) => {
                let (other, first) = outer.or_else(inner)?;
                let message = format!("`{dir}` and `{other}` are inside one another");
                Some((message, first))
            }
        }
    }
}

/// What the builders that were read have.
#[derive(Debug, Default)]
struct Seen<'a> {
    /// Directories on the master.
    here: Directories<'a>,
    on_slaves: Directories<'a>,
    former_names: Vec<Value<'a>>,
}

/// Reads all builders; their names go to `names`.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    known: &Known<'a, '_>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
) -> Vec<Arc<BuilderConfig>> {
    let tables = root.take("builders").map(|v| v.tables(&SHAPE));
    let mut seen = Seen::default();
    seen.on_slaves.may_be_shared = true;
    let builders = tables.into_iter().flatten();
    let builders = builders.filter_map(|table| read_one(table, known, names, locks, &mut seen));
    let builders = builders.map(Arc::new).collect();
    check_former_names(&seen.former_names, names);
    builders
}

fn read_one<'a>(
    mut table: Table<'a>,
    known: &Known<'a, '_>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
    seen: &mut Seen<'a>,
) -> Option<BuilderConfig> {
    let name = names.declare(&mut table);
    if let Some((_, value)) = name.as_ref().filter(|(n, _)| n.starts_with('_')) {
        value.error("begins with `_`", "such names are reserved; choose another");
    }
    let slaves = read_slaves(&mut table, known);
    let factory = table.require("factory", "\"NAME\"").and_then(|value| {
        if value.data().is_table() {
            let help =
                "write `factory = \"NAME\"`, and what it is given as `with = { … }` beside it";
            return value.expected("a string", help);
        }
        let name = known.factory_names.refer(&value)?;
        known.factories.get(name).cloned()
    });
    let (dir, place) = match (table.take("builddir"), &name) {
        (Some(value), _) => (read_builddir(&value), Some(value)),
        (None, Some((name, value))) => (Some(directory_name(name)), Some(value.clone())),
        (None, None) => (None, None),
    };
    let slavebuilddir = table.take("slavebuilddir");
    let slave_dir = slavebuilddir.as_ref().and_then(read_builddir);
    if let (Some(dir), Some(place)) = (&dir, &place) {
        check_builddir(dir, place, &mut seen.here);
    }
    if let (Some(dir), Some(place)) = (&slave_dir, &slavebuilddir) {
        check_builddir(dir, place, &mut seen.on_slaves);
    }
    let user = User::Builder(name.as_ref().map_or("", |(name, _)| name));
    let builddir = dir.unwrap_or_default();
    let mut builder = BuilderConfig {
        slaves,
        slavebuilddir: slave_dir.unwrap_or_else(|| builddir.clone()),
        builddir,
        locks: locks.read_uses(&mut table, &user),
        properties: table.properties("Builder"),
        merging: table.merging(known.merging),
        queue: table.queue_rules(&known.queue),
        slave_rules: table.slave_rules(),
        priority: table.priority(),
        ..BuilderConfig::default()
    };
    if let Some(value) = table.take("was") {
        builder.was = value.name().map(BuilderName::from);
        seen.former_names.push(value);
    }
    table.set("env", &mut builder.env, Value::environment);
    builder.secrets = table.sink.take_secrets();
    table.set("tags", &mut builder.tags, read_tags);
    table.set("hold", &mut builder.hold, |v| Hold::read(v, known.zone));
    table.set_some("max_builds", &mut builder.max_builds, |v| {
        v.integer(1..=u32::MAX)
    });
    table.set_some(
        "slave_check",
        &mut builder.slave_check,
        programs::slave_check,
    );
    table.set("description", &mut builder.description, |v| {
        v.text().map(str::to_owned)
    });
    table.set_some("next_slave", &mut builder.next_slave, Value::slave_choice);
    table.set("ignore_patch", &mut builder.ignore_patch, Value::flag);
    table.set_some("search", &mut builder.search, Value::flag);
    table.set("reserve", &mut builder.reserve, Value::flag);
    table.finish();
    builder.name = BuilderName::from(name?.0);
    builder.factory = factory?;
    Some(builder)
}

/// The history of a builder goes to one other, and only if no builder has it still.
fn check_former_names(values: &[Value<'_>], names: &Names<'_>) {
    let mut taken = BTreeSet::new();
    for value in values {
        let Some(name) = value.name() else { continue };
        if names.place(name).is_some() {
            value.error(
                &format!("is the name of a builder, `{name}`"),
                "`was` is a name that no builder has any more; remove it",
            );
        } else if !taken.insert(name) {
            value.error(
                "is given by two builders",
                "the history goes to one builder; remove one of the two",
            );
        }
    }
}

fn read_slaves<'a>(table: &mut Table<'a>, known: &Known<'a, '_>) -> Vec<SlaveName> {
    let value = table.require("slaves", "[\"NAME\"]");
    let Some((value, entries)) = value.and_then(|v| Some((v.clone(), v.list()?))) else {
        return Vec::new();
    };
    if entries.is_empty() {
        value.error("is empty", "a builder needs at least one slave");
    }
    let mut slaves: Vec<SlaveName> = Vec::new();
    for entry in &entries {
        let Some(name) = known.slaves.refer(entry) else {
            continue;
        };
        if slaves.iter().any(|s| s.as_str() == name) {
            entry.error(&format!("names `{name}` twice"), "remove one of the two");
        }
        slaves.push(SlaveName::from(name));
    }
    slaves
}

/// A directory inside the base directory, without detours.
fn read_builddir(value: &Value<'_>) -> Option<String> {
    let dir = value.name()?;
    let parts: Vec<&str> = dir.trim_end_matches('/').split('/').collect();
    let is_odd = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', ':']);
    if parts.iter().any(|part| is_odd(part)) {
        let help = "for example \"full\" or \"project/full\", without `..`, `\\` and `:`";
        value.error("must be a path inside the base directory", help);
        return None;
    }
    Some(parts.join("/"))
}

/// Tells of two builders of which one would find its files in the directory of the other.
fn check_builddir<'a>(dir: &str, value: &Value<'a>, known: &mut Directories<'a>) {
    if let Some((message, first)) = known.clash(dir) {
        value.sink.clash(
            (value.span(), first.span()),
            message,
            "the other one",
            "give one of them another `builddir`",
        );
    }
    known
        .dirs
        .entry(dir.to_owned())
        .or_insert_with(|| value.clone());
}

/// A directory for a builder of this name, as Buildbot makes it.
fn directory_name(name: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '"' || !c.is_ascii();
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}
