//! `[[builders]]` (BLD-01).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Merging;
use super::checked::{BuilderConfig, FactoryConfig};
use super::locks::{Locks, User};
use super::names::Names;
use super::reader::{Shape, Table, Value};
use crate::model::{BuilderName, SlaveName};

pub(super) static SHAPE: Shape = Shape {
    place: "builders",
    noun: "builder",
    keys: &[
        "name",
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
        "next_slave",
        "priority",
        "ignore_patch",
    ],
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
}

/// The directories that builders have, each with where it is given.
#[derive(Debug, Default)]
struct Directories<'a> {
    dirs: BTreeMap<String, Value<'a>>,
    /// Whether several builders may have the same one.
    may_be_shared: bool,
}

/// Reads all builders; their names go to `names`.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    known: &Known<'a, '_>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
) -> Vec<Arc<BuilderConfig>> {
    let tables = root.take("builders").map(|v| v.tables(&SHAPE));
    let mut here = Directories::default();
    let mut on_slaves = Directories {
        may_be_shared: true,
        ..Directories::default()
    };
    let builders = tables.into_iter().flatten();
    builders
        .filter_map(|t| read_one(t, known, names, locks, (&mut here, &mut on_slaves)))
        .map(Arc::new)
        .collect()
}

fn read_one<'a>(
    mut table: Table<'a>,
    known: &Known<'a, '_>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
    (here, on_slaves): (&mut Directories<'a>, &mut Directories<'a>),
) -> Option<BuilderConfig> {
    let name = names.declare(&mut table);
    if let Some((_, value)) = name.as_ref().filter(|(n, _)| n.starts_with('_')) {
        value.error("begins with `_`", "such names are reserved; choose another");
    }
    let slaves = read_slaves(&mut table, known);
    let factory = table.require("factory", "\"NAME\"").and_then(|value| {
        let name = known.factory_names.refer(&value)?;
        known.factories.get(name).cloned()
    });
    let builddir = match (table.take("builddir"), &name) {
        (Some(value), _) => read_builddir(&value).map(|dir| (dir, value)),
        (None, Some((name, value))) => Some((directory_name(name), value.clone())),
        (None, None) => None,
    };
    let slavebuilddir = table.take("slavebuilddir");
    let slavebuilddir = slavebuilddir.and_then(|v| read_builddir(&v).map(|dir| (dir, v)));
    if let Some((dir, value)) = &builddir {
        check_builddir(dir, value, here);
    }
    if let Some((dir, value)) = &slavebuilddir {
        check_builddir(dir, value, on_slaves);
    }
    let user = User::Builder(name.as_ref().map_or("", |(name, _)| name));
    let locks = locks.read_uses(&mut table, &user);
    let env = table.env();
    let tags = table
        .take("tags")
        .and_then(|v| v.list())
        .unwrap_or_default();
    let tags = tags
        .iter()
        .filter_map(Value::name)
        .map(str::to_owned)
        .collect();
    let description = table.take("description").and_then(|v| v.text());
    let properties = table.properties("Builder");
    let merging = table.merging(known.merging);
    let next_slave = table.take("next_slave").and_then(|v| v.slave_choice());
    let priority = table.priority();
    let ignore_patch = table.flag("ignore_patch");
    table.finish();
    let (builddir, _) = builddir?;
    Some(BuilderConfig {
        name: BuilderName::from(name?.0),
        slaves,
        slavebuilddir: slavebuilddir.map_or_else(|| builddir.clone(), |(dir, _)| dir),
        builddir,
        factory: factory?,
        locks,
        env,
        tags,
        description: description.unwrap_or_default().to_owned(),
        properties,
        merging,
        next_slave,
        priority,
        ignore_patch,
    })
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
    let is_inside = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let clash = known.dirs.iter().find_map(|(other, first)| {
        let message = if other == dir {
            (!known.may_be_shared).then(|| format!("two builders have the directory `{dir}`"))
        } else if is_inside(dir, other) || is_inside(other, dir) {
            Some(format!("`{dir}` and `{other}` are inside one another"))
        } else {
            None
        };
        Some((message?, first))
    });
    if let Some((message, first)) = clash {
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
