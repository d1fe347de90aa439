//! The configuration as a person would be glad to own it: equal shapes as factories with arguments,
//! lists of slaves and builders as selectors, rows instead of entries (IMPORT section 7).

use std::collections::{BTreeMap, BTreeSet};

use super::desk::{Desk, unused};
use super::farm::{Factory, Plain};
use super::fold::{fold, names_of_own};
use super::item::{Item, Table};

/// What stands in the place of the plain lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// `[vars]`.
    pub(super) vars: Vec<(String, Item)>,
    /// `[vars]` of the slaves.
    pub(super) slave_vars: Vec<(String, Item)>,
    /// `[defaults]`: type, settings.
    pub(super) defaults: Vec<(String, Table)>,
    /// `[[slaves]]`.
    pub(super) slaves: Vec<Table>,
    /// `[factories]`: name, work directory, steps.
    pub(super) factories: Vec<(String, Option<Item>, Vec<Table>)>,
    /// `[[builders]]`.
    pub(super) builders: Vec<Table>,
    /// `[[schedulers]]`.
    pub(super) schedulers: Vec<Table>,
    /// `[[change_sources]]`.
    pub(super) change_sources: Vec<Table>,
}

/// The number of arguments that a factory has at most (IMP-34).
const MOST_ARGUMENTS: usize = 12;
/// The number of entries from which on they become one with rows (IMP-37).
const FEWEST_ROWS: usize = 3;

/// Folds a plain configuration.
pub(super) fn layout(plain: &Plain, desk: &Desk) -> Layout {
    // What steps call by these names cannot be variables (CFL-23).
    let taken: BTreeSet<&str> = plain.steps().flat_map(names_of_own).collect();
    let mut layout = Layout {
        slaves: plain.slaves.clone(),
        schedulers: plain.schedulers.clone(),
        change_sources: plain.change_sources.clone(),
        ..Layout::default()
    };
    factories(plain, &mut layout);
    select_slaves(&mut layout);
    select_builders(&mut layout);
    let slaves = std::mem::take(&mut layout.slaves);
    layout.slaves = rows(slaves, "s", "slave_rows", &taken, &mut layout.slave_vars);
    let builders = std::mem::take(&mut layout.builders);
    layout.builders = rows(builders, "b", "builder_rows", &taken, &mut layout.vars);
    let schedulers = std::mem::take(&mut layout.schedulers);
    layout.schedulers = rows(schedulers, "s", "scheduler_rows", &taken, &mut layout.vars);
    let sources = std::mem::take(&mut layout.change_sources);
    layout.change_sources = rows(sources, "c", "change_source_rows", &taken, &mut layout.vars);
    let bundles = desk.bundles.values();
    let bundles = bundles.map(|bundle| (bundle.name.as_str(), &bundle.table));
    layout.defaults = super::defaults::take_out(&mut layout.factories, &bundles.collect());
    layout
}

/// A plain configuration as it is.
pub(super) fn unfolded(plain: &Plain) -> Layout {
    let factory = |(at, factory): (usize, &Factory)| {
        let steps = tables(plain, at);
        (factory.name.clone(), factory.workdir.clone(), steps)
    };
    let builder = |(table, factory): &(Table, usize)| {
        let mut table = table.clone();
        let name = plain.factories.get(*factory);
        let name = name.map_or_else(String::new, |factory| factory.name.clone());
        table.set("factory", Item::Text(name));
        table
    };
    Layout {
        slaves: plain.slaves.clone(),
        factories: plain.factories.iter().enumerate().map(factory).collect(),
        builders: plain.builders.iter().map(builder).collect(),
        schedulers: plain.schedulers.clone(),
        change_sources: plain.change_sources.clone(),
        ..Layout::default()
    }
}

/// What factories that can be folded have in common.
fn shape(factory: &Factory) -> String {
    let mut shape = format!("{:?}", factory.workdir);
    for step in &factory.steps {
        let mut keys: Vec<String> = step
            .table
            .0
            .iter()
            .map(|(key, value)| match value {
                Item::Mode(mode) => format!("{key}={mode:o}"),
                Item::Flag(_) if key == "do_step_if" => format!("{key}?"),
                Item::Text(_)
                | Item::Number(_)
                | Item::Flag(_)
                | Item::List(_)
                | Item::Table(_)
                | Item::Form(_)
                | Item::Slot(_) => key.clone(),
            })
            .collect();
        keys.sort();
        // Names of bundles cannot be worked out, and what is not there cannot be an argument.
        let extended = step.table.get("extends").and_then(Item::as_text);
        keys.extend(extended.map(str::to_owned));
        keys.extend(without_value(&step.table));
        let kind = step
            .table
            .get("type")
            .and_then(Item::as_text)
            .unwrap_or_default();
        shape.push_str(&format!("\n{kind} {}", keys.join(" ")));
    }
    shape
}

/// The named values of a step that are none.
fn without_value(step: &Table) -> impl Iterator<Item = String> {
    let names = step.get("let").and_then(Item::as_table);
    let names = names.into_iter().flat_map(|names| &names.0);
    let names = names.filter(|(_, value)| matches!(value, Item::Form(_)));
    names.map(|(name, _)| format!("no {name}"))
}

/// Writes factories of one shape as one, and gives builders their arguments.
fn factories(plain: &Plain, layout: &mut Layout) {
    let used: BTreeSet<usize> = plain.builders.iter().map(|(_, factory)| *factory).collect();
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    for (at, factory) in plain.factories.iter().enumerate() {
        if !used.contains(&at) {
            continue;
        }
        let shape = shape(factory);
        match shapes.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, members)) => members.push(at),
            None => shapes.push((shape, vec![at])),
        }
    }
    let mut calls: BTreeMap<usize, (String, Table)> = BTreeMap::new();
    for (_, members) in shapes {
        let steps: Vec<Vec<Table>> = members.iter().map(|at| tables(plain, *at)).collect();
        let lists: Vec<&[Table]> = steps.iter().map(Vec::as_slice).collect();
        let folded = fold(&lists, "", true);
        if folded.arguments.len() > MOST_ARGUMENTS {
            for at in &members {
                let name = name_for(plain, &[*at], layout);
                calls.insert(*at, (name.clone(), Table::default()));
                add(plain, layout, name, *at, tables(plain, *at));
            }
            continue;
        }
        let name = name_for(plain, &members, layout);
        for (row, at) in members.iter().enumerate() {
            let arguments = folded.arguments.iter().filter_map(|(argument, values)| {
                Some((argument.clone(), values.get(row)?.clone()))
            });
            calls.insert(*at, (name.clone(), Table(arguments.collect())));
        }
        if let Some(first) = members.first() {
            add(plain, layout, name, *first, folded.common);
        }
    }
    for (table, factory) in &plain.builders {
        let mut table = table.clone();
        if let Some((name, arguments)) = calls.get(factory) {
            table.set("factory", Item::text(name));
            if !arguments.0.is_empty() {
                table.set("with", Item::Table(arguments.clone()));
            }
        }
        layout.builders.push(table);
    }
}

fn tables(plain: &Plain, at: usize) -> Vec<Table> {
    let steps = plain
        .factories
        .get(at)
        .map(|factory| factory.steps.as_slice());
    steps
        .unwrap_or_default()
        .iter()
        .map(|step| step.table.clone())
        .collect()
}

fn add(plain: &Plain, layout: &mut Layout, name: String, at: usize, steps: Vec<Table>) {
    let workdir = plain
        .factories
        .get(at)
        .and_then(|factory| factory.workdir.clone());
    layout.factories.push((name, workdir, steps));
}

/// A name for a factory, after what its builders share.
fn name_for(plain: &Plain, members: &[usize], layout: &Layout) -> String {
    let builders: Vec<&Table> = plain
        .builders
        .iter()
        .filter(|(_, factory)| members.contains(factory))
        .map(|(table, _)| table)
        .collect();
    let tags = |table: &Table| texts(table.get("tags"));
    let mut shared = builders
        .first()
        .map(|table| tags(table))
        .unwrap_or_default();
    shared.retain(|tag| builders.iter().all(|table| tags(table).contains(tag)));
    let names: Vec<&str> = builders
        .iter()
        .filter_map(|table| table.get("name")?.as_text())
        .collect();
    let wanted = match (shared.first(), beginning(&names)) {
        (_, Some(beginning)) => beginning,
        (Some(tag), None) => tag.clone(),
        (None, None) => "build".to_owned(),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let wanted: String = wanted
        .chars()
        .map(|c| if is_word(c) { c } else { '-' })
        .collect();
    unused(&wanted, |name| {
        layout.factories.iter().any(|(known, ..)| known == name)
    })
}

/// What names begin with, if that is a word.
fn beginning(names: &[&str]) -> Option<String> {
    let (first, rest) = names.split_first()?;
    let shared = rest.iter().fold((*first).to_owned(), |shared, name| {
        let both = shared.chars().zip(name.chars());
        both.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    });
    let shared = match rest.is_empty() {
        true => shared.as_str(),
        false => shared.trim_end_matches(|c: char| c.is_ascii_digit() || "-_./ ".contains(c)),
    };
    (shared.chars().count() > 2).then(|| shared.to_owned())
}

/// The texts of a list.
fn texts(item: Option<&Item>) -> Vec<String> {
    match item {
        Some(Item::List(list)) => {
            let texts = list.iter().filter_map(Item::as_text);
            texts.map(str::to_owned).collect()
        }
        Some(
            Item::Text(_)
            | Item::Number(_)
            | Item::Mode(_)
            | Item::Flag(_)
            | Item::Table(_)
            | Item::Form(_)
            | Item::Slot(_),
        )
        | None => Vec::new(),
    }
}

/// Lists of several slaves that several builders have become tags (IMP-36).
fn select_slaves(layout: &mut Layout) {
    let all: BTreeSet<String> = layout.slaves.iter().filter_map(name).collect();
    let mut lists: Vec<(BTreeSet<String>, usize)> = Vec::new();
    for builder in &layout.builders {
        let list: BTreeSet<String> = texts(builder.get("slaves")).into_iter().collect();
        match lists.iter_mut().find(|(known, _)| *known == list) {
            Some((_, count)) => *count += 1,
            None => lists.push((list, 1)),
        }
    }
    let mut groups: Vec<(BTreeSet<String>, Option<String>)> = Vec::new();
    for (list, count) in lists {
        if list.len() < 2 || count < 2 {
            continue;
        }
        if list == all {
            groups.push((list, None));
            continue;
        }
        let names: Vec<&str> = list.iter().map(String::as_str).collect();
        let wanted = beginning(&names).unwrap_or_else(|| "group-1".to_owned());
        let known: Vec<&Option<String>> = groups.iter().map(|(_, tag)| tag).collect();
        let is_taken = |tag: &str| known.iter().any(|k| k.as_deref() == Some(tag));
        let tag = match wanted.strip_suffix("-1") {
            Some(base) => {
                let numbered = (1..).map(|n| format!("{base}-{n}"));
                let mut free = numbered.filter(|tag| !is_taken(tag));
                free.next().unwrap_or_default()
            }
            None => unused(&wanted, is_taken),
        };
        groups.push((list, Some(tag)));
    }
    for slave in &mut layout.slaves {
        let name = name(slave).unwrap_or_default();
        let tags = groups.iter().filter(|(list, _)| list.contains(&name));
        let tags: Vec<String> = tags.filter_map(|(_, tag)| tag.clone()).collect();
        if !tags.is_empty() {
            slave.set("tags", Item::texts(tags));
        }
    }
    for builder in &mut layout.builders {
        let list: BTreeSet<String> = texts(builder.get("slaves")).into_iter().collect();
        if let Some((_, tag)) = groups.iter().find(|(known, _)| *known == list) {
            builder.set("slaves", selector(tag.as_deref().map(|tag| ("tags", tag))));
        }
    }
}

fn selector(by: Option<(&str, &str)>) -> Item {
    let mut table = Table::default();
    match by {
        Some(("tags", tag)) => table.set("tags", Item::texts([tag])),
        Some((key, value)) => table.set(key, Item::text(value)),
        None => {}
    }
    Item::Table(table)
}

fn name(table: &Table) -> Option<String> {
    table.get("name")?.as_text().map(str::to_owned)
}

/// Lists of builders that a tag or a factory tells (IMP-36).
fn select_builders(layout: &mut Layout) {
    let all: BTreeSet<String> = layout.builders.iter().filter_map(name).collect();
    let mut by_tag: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by_factory: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for builder in &layout.builders {
        let Some(name) = name(builder) else { continue };
        for tag in texts(builder.get("tags")) {
            by_tag.entry(tag).or_default().insert(name.clone());
        }
        if let Some(factory) = builder.get("factory").and_then(Item::as_text) {
            by_factory
                .entry(factory.to_owned())
                .or_default()
                .insert(name);
        }
    }
    for scheduler in &mut layout.schedulers {
        let names = texts(scheduler.get("builders"));
        let list: BTreeSet<String> = names.iter().cloned().collect();
        if list.len() < 2 || list.len() != names.len() {
            continue;
        }
        let of = |known: &BTreeMap<String, BTreeSet<String>>| {
            let found = known.iter().find(|(_, members)| **members == list);
            found.map(|(name, _)| name.clone())
        };
        if list == all {
            scheduler.set("builders", selector(None));
        } else if let Some(tag) = of(&by_tag) {
            scheduler.set("builders", selector(Some(("tags", &tag))));
        } else if let Some(factory) = of(&by_factory) {
            scheduler.set("builders", selector(Some(("factory", &factory))));
        }
    }
}

/// Entries with the same keys as one entry with a row for each, in the place of the first (IMP-37).
fn rows(
    entries: Vec<Table>,
    row: &str,
    noun: &str,
    taken: &BTreeSet<&str>,
    vars: &mut Vec<(String, Item)>,
) -> Vec<Table> {
    let mut runs: Vec<(String, Vec<Table>)> = Vec::new();
    for entry in entries {
        let form = form_of(&entry);
        match runs.iter_mut().find(|(known, _)| *known == form) {
            Some((_, run)) => run.push(entry),
            None => runs.push((form, vec![entry])),
        }
    }
    let mut out = Vec::new();
    for (_, run) in runs {
        if run.len() < FEWEST_ROWS {
            out.extend(run);
            continue;
        }
        let lists: Vec<&[Table]> = run.iter().map(std::slice::from_ref).collect();
        let folded = fold(&lists, &format!("{row}."), false);
        let mut lines = Vec::new();
        for at in 0..run.len() {
            let values = folded
                .arguments
                .iter()
                .filter_map(|(name, values)| Some((name.clone(), values.get(at)?.clone())));
            lines.push(Item::Table(Table(values.collect())));
        }
        let var = unused(noun, |name| {
            let name = name.replace('-', "_");
            taken.contains(name.as_str()) || vars.iter().any(|(known, _)| *known == name)
        });
        let var = var.replace('-', "_");
        vars.push((var.clone(), Item::List(lines)));
        let mut table = Table::default();
        let list = Item::Form(format!("{{{{ {var} }}}}"));
        table.set("for", Item::Table(Table(vec![(row.to_owned(), list)])));
        for common in folded.common {
            table.0.extend(common.0);
        }
        out.push(table);
    }
    out
}

/// What entries that can be rows of one have in common: the keys, the type, and the factory with
/// the names of its arguments.
fn form_of(table: &Table) -> String {
    let keys = |table: &Table| -> String {
        let mut keys: Vec<&str> = table.0.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.join(" ")
    };
    let text = |key: &str| table.get(key).and_then(Item::as_text).unwrap_or_default();
    let with = table.get("with").and_then(Item::as_table);
    let with = with.map(keys).unwrap_or_default();
    let (kind, factory) = (text("type"), text("factory"));
    format!("{}\n{kind}\n{factory}\n{with}", keys(table))
}
