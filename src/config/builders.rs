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

/// Reads all builders; their names go to `names`.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    known: &Known<'a, '_>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
) -> Vec<Arc<BuilderConfig>> {
    let tables = root.take("builders").map(|v| v.tables(&SHAPE));
    let mut builddirs = BTreeMap::new();
    let builders = tables.into_iter().flatten();
    builders
        .filter_map(|t| read_one(t, known, names, locks, &mut builddirs))
        .map(Arc::new)
        .collect()
}

fn read_one<'a>(
    mut table: Table<'a>,
    known: &Known<'a, '_>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
    builddirs: &mut BTreeMap<String, Value<'a>>,
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
    if let Some((dir, value)) = &builddir {
        check_builddir(dir, value, builddirs);
    }
    let slavebuilddir = table.take("slavebuilddir").and_then(|v| v.name());
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
        slavebuilddir: slavebuilddir.map_or_else(|| builddir.clone(), str::to_owned),
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

fn read_builddir(value: &Value<'_>) -> Option<String> {
    let dir = value.name()?;
    if dir.contains(['/', '\\']) || dir == "." || dir == ".." {
        let help = "one name, without slashes; `slavebuilddir` may be a path";
        value.error("must be the name of one directory", help);
        return None;
    }
    Some(dir.to_owned())
}

fn check_builddir<'a>(dir: &str, value: &Value<'a>, builddirs: &mut BTreeMap<String, Value<'a>>) {
    let Some(first) = builddirs.get(dir) else {
        builddirs.insert(dir.to_owned(), value.clone());
        return;
    };
    value.sink.clash(
        (value.span(), first.span()),
        format!("two builders have the directory `{dir}`"),
        "the other one",
        "give one of them another `builddir`",
    );
}

/// A directory for a builder of this name, as Buildbot makes it.
fn directory_name(name: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '"' || !c.is_ascii();
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}
