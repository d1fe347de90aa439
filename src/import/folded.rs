//! Writes a folded configuration, and proves that it means the same as the plain one (IMP-38).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::desk::Desk;
use super::emit::{Emitted, Part, lists, shared};
use super::farm::Plain;
use super::item::{Item, Table, write_key};
use super::layout::{Layout, layout, unfolded};
use crate::config::{BuilderConfig, Config, MachineZone, SchedulerConfig, SlaveConfig, read};

/// The file with all but the slaves.
const MASTER: &str = "master.toml";
/// The file with the slaves (IMP-10).
const SLAVES: &str = "slaves.toml";

/// The folded configuration: its files, factories and entries of steps.
///
/// # Errors
/// Where it does not mean the same as the plain one.
pub(super) fn folded(plain: &Plain, desk: &Desk, zone: &MachineZone) -> Result<Written, String> {
    let folded = written(&layout(plain, desk), plain, desk);
    let flat = written(&unfolded(plain), plain, desk);
    match difference(&folded.config(zone)?, &flat.config(zone)?) {
        Some(what) => Err(what),
        None => Ok(folded),
    }
}

/// The configuration as it is: its files, factories and entries of steps.
pub(super) fn plainly(plain: &Plain, desk: &Desk) -> Written {
    written(&unfolded(plain), plain, desk)
}

/// A configuration as it is written.
#[derive(Debug)]
pub(super) struct Written {
    /// Its files, by name.
    pub(super) files: BTreeMap<String, String>,
    /// The number of factories.
    pub(super) factories: usize,
    /// The number of entries of steps.
    pub(super) steps: usize,
}

impl Written {
    fn config(&self, zone: &MachineZone) -> Result<Config, String> {
        let text = self.files.get(MASTER).map_or("", String::as_str);
        let read = read(text, MASTER, &self.files, zone).into_result();
        let (config, _) = read.map_err(|errors| errors.to_string())?;
        Ok(config)
    }
}

/// What differs between two configurations, but for names of factories and the order of lists.
fn difference(one: &Config, other: &Config) -> Option<String> {
    let slaves = by_name(&one.slaves, |slave| slave.name.to_string());
    let theirs = by_name(&other.slaves, |slave| slave.name.to_string());
    if let Some(name) = unlike(&slaves, &theirs, |a, b| is_same_slave(a, b)) {
        return Some(format!("the slave `{name}`"));
    }
    let builders = by_name(&one.builders, |builder| builder.name.to_string());
    let theirs = by_name(&other.builders, |builder| builder.name.to_string());
    if let Some(name) = unlike(&builders, &theirs, |a, b| is_same_builder(a, b)) {
        return Some(format!("the builder `{name}`"));
    }
    let schedulers = by_name(&one.schedulers, |scheduler| scheduler.name.to_string());
    let theirs = by_name(&other.schedulers, |scheduler| scheduler.name.to_string());
    if let Some(name) = unlike(&schedulers, &theirs, |a, b| is_same_scheduler(a, b)) {
        return Some(format!("the scheduler `{name}`"));
    }
    let sources = by_name(&one.change_sources, |source| source.name.to_string());
    let theirs = by_name(&other.change_sources, |source| source.name.to_string());
    let name = unlike(&sources, &theirs, |a, b| a == b)?;
    Some(format!("the change source `{name}`"))
}

fn by_name<T>(list: &[T], name: impl Fn(&T) -> String) -> BTreeMap<String, &T> {
    list.iter().map(|entry| (name(entry), entry)).collect()
}

/// The first name under which the two have not the same.
fn unlike<'l, T>(
    one: &'l BTreeMap<String, &T>,
    other: &'l BTreeMap<String, &T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Option<&'l String> {
    let mut names = one.keys().chain(other.keys());
    names.find(|name| match (one.get(*name), other.get(*name)) {
        (Some(a), Some(b)) => !is_same(a, b),
        (Some(_) | None, _) => true,
    })
}

fn is_same_scheduler(one: &SchedulerConfig, other: &SchedulerConfig) -> bool {
    let names = |scheduler: &SchedulerConfig| -> BTreeSet<String> {
        scheduler.builders.iter().map(ToString::to_string).collect()
    };
    let rest = |scheduler: &SchedulerConfig| SchedulerConfig {
        builders: Vec::new(),
        ..scheduler.clone()
    };
    rest(one) == rest(other) && names(one) == names(other)
}

/// The same, but for the tags by which builders choose slaves (IMP-36).
fn is_same_slave(one: &SlaveConfig, other: &SlaveConfig) -> bool {
    let mut one = one.clone();
    one.tags.clone_from(&other.tags);
    one == *other
}

fn is_same_builder(one: &BuilderConfig, other: &BuilderConfig) -> bool {
    let slaves = |builder: &BuilderConfig| -> BTreeSet<String> {
        builder.slaves.iter().map(ToString::to_string).collect()
    };
    // The names of factories differ, and with them where their steps come from.
    let mut same = one.clone();
    same.slaves.clone_from(&other.slaves);
    same.factory = Arc::clone(&other.factory);
    same == *other && slaves(one) == slaves(other) && one.factory.steps == other.factory.steps
}

fn written(layout: &Layout, plain: &Plain, desk: &Desk) -> Written {
    let mut files = BTreeMap::new();
    let mut out = Emitted::default();
    out.text.extend([super::emit::HEAD, "\n\n"]);
    if !layout.slaves.is_empty() {
        out.text.push_str(&format!("include = [\"{SLAVES}\"]\n"));
        files.insert(SLAVES.to_owned(), slaves(layout));
    }
    out.table("", Part::Top, &plain.top);
    vars(&mut out, &layout.vars);
    for (name, table) in &plain.tables {
        out.table(&format!("[{name}]"), Part::Top, table);
    }
    shared(&mut out, plain, desk);
    for (name, table) in &layout.defaults {
        out.table(&format!("[defaults.{name}]"), Part::Top, table);
    }
    for (name, workdir, steps) in &layout.factories {
        factory(&mut out, name, workdir.as_ref(), steps);
    }
    for table in &layout.builders {
        out.table("[[builders]]", Part::Top, table);
    }
    lists(&mut out, &layout.schedulers, &layout.change_sources, plain);
    files.insert(MASTER.to_owned(), out.text);
    let steps = layout.factories.iter().map(|(_, _, steps)| steps.len());
    Written {
        files,
        factories: layout.factories.len(),
        steps: steps.sum(),
    }
}

/// The file of the slaves.
fn slaves(layout: &Layout) -> String {
    let mut out = Emitted::default();
    out.text.extend([super::emit::HEAD, "\n\n"]);
    vars(&mut out, &layout.slave_vars);
    for table in &layout.slaves {
        out.table("[[slaves]]", Part::Top, table);
    }
    out.text
}

fn vars(out: &mut Emitted, vars: &[(String, Item)]) {
    if vars.is_empty() {
        return;
    }
    out.text.push_str("[vars]\n");
    for (name, value) in vars {
        rows(&mut out.text, name, value);
    }
    out.text.push('\n');
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    const FARM: &str = r#"
slave_port = 9989
[[slaves]]
name = "bot"
password_file = "secrets/bot"
[factories.build]
steps = [{ type = "ShellCommand", command = ["make"] }]
[[builders]]
name = "full"
slaves = ["bot"]
factory = "build"
[[schedulers]]
type = "AnyBranch"
name = "all"
builders = ["full"]
"#;

    fn config(text: &str) -> Config {
        let files = BTreeMap::from([(MASTER.to_owned(), text.to_owned())]);
        let written = Written {
            files,
            factories: 0,
            steps: 0,
        };
        written
            .config(&Ok(Zone::UTC))
            .expect("a good configuration")
    }

    /// IMP-38: whatever a fold gets wrong is found.
    #[test]
    fn each_difference_is_found() {
        let cases = [
            ("\"secrets/bot\"", "\"secrets/other\"", "the slave `bot`"),
            ("\"make\"", "\"cmake\"", "the builder `full`"),
            (
                "name = \"full\"\n",
                "name = \"full\"\nmerge_requests = false\n",
                "the builder `full`",
            ),
            ("\"AnyBranch\"", "\"Triggerable\"", "the scheduler `all`"),
            (
                "name = \"all\"\n",
                "name = \"all\"\ntree_stable_timer = 5\n",
                "the scheduler `all`",
            ),
        ];
        let farm = config(FARM);
        assert_eq!(difference(&farm, &config(FARM)), None);
        for (old, new, expected) in cases {
            let other = config(&FARM.replacen(old, new, 1));
            assert_eq!(
                difference(&farm, &other).as_deref(),
                Some(expected),
                "{new}"
            );
        }
        let tags = FARM.replace("secrets/bot\"", "secrets/bot\"\ntags = [\"x\"]");
        assert_eq!(difference(&farm, &config(&tags)), None);
    }
}
