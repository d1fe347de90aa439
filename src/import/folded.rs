//! Writes a folded configuration, and proves that it means the same as the plain one (IMP-38).

use std::collections::BTreeSet;

use super::desk::Desk;
use super::emit::{Emitted, Part, flat, lists, values_and_locks};
use super::farm::Plain;
use super::item::{Item, Table, write_key};
use super::layout::{Layout, layout};
use crate::config::{BuilderConfig, Config, MachineZone, parse};

/// The folded configuration: its text, factories and entries of steps. The reason if it does not
/// mean the same as the plain one.
///
/// # Errors
/// Where they differ.
pub(super) fn folded(
    plain: &Plain,
    desk: &Desk,
    zone: &MachineZone,
) -> Result<(String, (usize, usize)), String> {
    let layout = layout(plain);
    let text = write(&layout, plain, desk);
    let flat = flat(plain, &desk.values, &desk.locks).text;
    let (ours, _) = parse(&text, "master.toml", zone).map_err(|errors| errors.to_string())?;
    let (theirs, _) = parse(&flat, "master.toml", zone).map_err(|errors| errors.to_string())?;
    match difference(&ours, &theirs) {
        Some(what) => Err(what),
        None => {
            let steps = layout
                .factories
                .iter()
                .map(|(_, _, steps)| steps.len())
                .sum();
            Ok((text, (layout.factories.len(), steps)))
        }
    }
}

/// What differs between two configurations, but for names of factories and the order of lists.
fn difference(one: &Config, other: &Config) -> Option<String> {
    if one.slaves.len() != other.slaves.len() || one.builders.len() != other.builders.len() {
        return Some("the number of slaves or builders".to_owned());
    }
    let slaves = one.slaves.iter().zip(&other.slaves);
    if let Some((slave, _)) = slaves.clone().find(|(a, b)| a.name != b.name) {
        return Some(format!("the slave `{}`", slave.name));
    }
    let builders = one.builders.iter().zip(&other.builders);
    if let Some((builder, _)) = builders.clone().find(|(a, b)| !is_same_builder(a, b)) {
        return Some(format!("the builder `{}`", builder.name));
    }
    let schedulers = one.schedulers.iter().zip(&other.schedulers);
    for (a, b) in schedulers {
        let names = |builders: &[crate::model::BuilderName]| -> BTreeSet<String> {
            builders.iter().map(ToString::to_string).collect()
        };
        if a.name != b.name || a.kind != b.kind || names(&a.builders) != names(&b.builders) {
            return Some(format!("the scheduler `{}`", a.name));
        }
    }
    None
}

fn is_same_builder(one: &BuilderConfig, other: &BuilderConfig) -> bool {
    let slaves = |builder: &BuilderConfig| -> BTreeSet<String> {
        builder.slaves.iter().map(ToString::to_string).collect()
    };
    one.name == other.name
        && slaves(one) == slaves(other)
        && one.factory.steps == other.factory.steps
        && one.builddir == other.builddir
        && one.slavebuilddir == other.slavebuilddir
        && one.tags == other.tags
        && one.env == other.env
        && one.properties == other.properties
        && one.locks == other.locks
}

fn write(layout: &Layout, plain: &Plain, desk: &Desk) -> String {
    let mut out = Emitted::default();
    out.text.extend([super::emit::HEAD, "\n\n"]);
    out.table("", Part::Top, &plain.top);
    if !layout.vars.is_empty() {
        out.text.push_str("[vars]\n");
        for (name, value) in &layout.vars {
            rows(&mut out.text, name, value);
        }
        out.text.push('\n');
    }
    for (name, table) in &plain.tables {
        out.table(&format!("[{name}]"), Part::Top, table);
    }
    values_and_locks(&mut out, &desk.values, &desk.locks);
    for table in &layout.slaves {
        out.table("[[slaves]]", Part::Top, table);
    }
    for (name, workdir, steps) in &layout.factories {
        factory(&mut out, name, workdir.as_ref(), steps);
    }
    for table in &layout.builders {
        out.table("[[builders]]", Part::Top, table);
    }
    lists(&mut out, &layout.schedulers, plain);
    out.text
}

/// A list of rows, a line each.
fn rows(text: &mut String, name: &str, value: &Item) {
    write_key(text, name);
    let Item::List(rows) = value else {
        text.push_str(" = ");
        value.write(text);
        text.push('\n');
        return;
    };
    text.push_str(" = [\n");
    for row in rows {
        text.push_str("  ");
        row.write(text);
        text.push_str(",\n");
    }
    text.push_str("]\n");
}

fn factory(out: &mut Emitted, name: &str, workdir: Option<&Item>, steps: &[Table]) {
    out.text.push_str("[factories.");
    write_key(&mut out.text, name);
    out.text.push_str("]\n");
    if let Some(workdir) = workdir {
        out.text.push_str("workdir = ");
        workdir.write(&mut out.text);
        out.text.push('\n');
    }
    out.text.push_str("steps = [\n");
    for step in steps {
        out.step(Part::Top, step);
    }
    out.text.push_str("]\n\n");
}
