//! Writes a plain configuration as TOML, and remembers which text stands for what.

use std::ops::Range;

use super::desk::Desk;
use super::farm::Plain;
use super::item::{Item, Table, write_entry, write_key};

/// The first line of every file that the import writes.
pub(super) const HEAD: &str = "# Written by `buildmaster import-config`.";

/// A thing of the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// The top level.
    Top,
    /// A table of the top level.
    Table(usize),
    /// A slave.
    Slave(usize),
    /// What the answer to a step class says, by its place among all of them.
    Bundle(usize),
    /// A step: factory, place.
    Step(usize, usize),
    /// A builder.
    Builder(usize),
    /// A scheduler.
    Scheduler(usize),
    /// A change source.
    ChangeSource(usize),
    /// A status target.
    Status(usize),
}

/// A piece of the text.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Bytes of the text.
    pub(super) range: Range<usize>,
    /// The thing that it belongs to.
    pub(super) part: Part,
    /// The key, if it is that of one setting.
    pub(super) key: Option<String>,
}

/// Text with marks.
#[derive(Debug, Default)]
pub(super) struct Emitted {
    /// The text.
    pub(super) text: String,
    /// Pieces of it.
    pub(super) marks: Vec<Mark>,
}

impl Emitted {
    /// The smallest piece around a place: line and column, from 1, in characters.
    pub(super) fn mark(&self, line: usize, column: usize) -> Option<&Mark> {
        let mut lines = self.text.split_inclusive('\n');
        let before: usize = lines
            .by_ref()
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let columns = lines.next()?.chars().take(column.saturating_sub(1));
        let at = before + columns.map(char::len_utf8).sum::<usize>();
        let around = self.marks.iter().filter(|mark| mark.range.contains(&at));
        around.min_by_key(|mark| mark.range.len())
    }

    /// Writes the settings of a table, a line each, below `head`.
    pub(super) fn table(&mut self, head: &str, part: Part, table: &Table) {
        let start = self.text.len();
        if !head.is_empty() {
            self.text.extend([head, "\n"]);
        }
        for (key, value) in &table.0 {
            let at = self.text.len();
            write_entry(&mut self.text, key, value);
            self.mark_from(at, part, Some(key.clone()));
            self.text.push('\n');
        }
        self.mark_from(start, part, None);
        self.text.push('\n');
    }

    fn mark_from(&mut self, start: usize, part: Part, key: Option<String>) {
        let range = start..self.text.len();
        self.marks.push(Mark { range, part, key });
    }

    /// Writes a step, in a line of its own.
    pub(super) fn step(&mut self, part: Part, table: &Table) {
        self.text.push_str("  ");
        let start = self.text.len();
        self.text.push_str("{ ");
        for (at, (key, value)) in table.0.iter().enumerate() {
            self.text.push_str(if at == 0 { "" } else { ", " });
            let from = self.text.len();
            write_entry(&mut self.text, key, value);
            self.mark_from(from, part, Some(key.clone()));
        }
        self.text.push_str(" }");
        self.mark_from(start, part, None);
        self.text.push_str(",\n");
    }
}

/// The configuration as one file.
pub(super) fn flat(plain: &Plain, desk: &Desk) -> Emitted {
    let mut out = Emitted::default();
    out.text.extend([HEAD, "\n\n"]);
    out.table("", Part::Top, &plain.top);
    for (at, (name, table)) in plain.tables.iter().enumerate() {
        out.table(&format!("[{name}]"), Part::Table(at), table);
    }
    shared(&mut out, plain, desk);
    for (at, slave) in plain.slaves.iter().enumerate() {
        out.table("[[slaves]]", Part::Slave(at), slave);
    }
    for (at, factory) in plain.factories.iter().enumerate() {
        out.text.push_str("[factories.");
        write_key(&mut out.text, &factory.name);
        out.text.push_str("]\n");
        if let Some(workdir) = &factory.workdir {
            out.text.push_str("workdir = ");
            workdir.write(&mut out.text);
            out.text.push('\n');
        }
        out.text.push_str("steps = [\n");
        for (number, step) in factory.steps.iter().enumerate() {
            out.step(Part::Step(at, number), &step.table);
        }
        out.text.push_str("]\n\n");
    }
    for (at, (builder, factory)) in plain.builders.iter().enumerate() {
        let mut table = builder.clone();
        let name = plain.factories.get(*factory);
        let name = name.map_or_else(String::new, |factory| factory.name.clone());
        table.set("factory", Item::Text(name));
        out.table("[[builders]]", Part::Builder(at), &table);
    }
    lists(&mut out, &plain.schedulers, &plain.change_sources, plain);
    out
}

/// `[values]`, the locks that something takes, and the bundles that steps extend.
pub(super) fn shared(out: &mut Emitted, plain: &Plain, desk: &Desk) {
    if !desk.values.is_empty() {
        let values = desk.values.iter();
        let values = values.map(|(name, text)| (name.clone(), Item::text(text).as_expressions()));
        out.table("[values]", Part::Top, &Table(values.collect()));
    }
    let taken = desk.locks_in_use(plain);
    for (name, lock) in desk.locks.iter().filter(|(name, _)| taken.contains(*name)) {
        out.table(&head("locks", name), Part::Top, lock);
    }
    for (at, bundle) in desk.bundles.values().enumerate() {
        if plain.extends(&bundle.name) {
            let head = head("defaults", &bundle.name);
            out.table(&head, Part::Bundle(at), &bundle.table);
        }
    }
}

/// `[KIND.NAME]`.
fn head(kind: &str, name: &str) -> String {
    let mut head = format!("[{kind}.");
    write_key(&mut head, name);
    head.push(']');
    head
}

/// Schedulers, change sources and status targets.
pub(super) fn lists(
    out: &mut Emitted,
    schedulers: &[Table],
    change_sources: &[Table],
    plain: &Plain,
) {
    for (at, table) in schedulers.iter().enumerate() {
        out.table("[[schedulers]]", Part::Scheduler(at), table);
    }
    for (at, table) in change_sources.iter().enumerate() {
        out.table("[[change_sources]]", Part::ChangeSource(at), table);
    }
    for (at, table) in plain.status.iter().enumerate() {
        out.table("[[status]]", Part::Status(at), table);
    }
}
