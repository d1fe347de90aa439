//! The plain configuration as text, in a form that is always the same (CFL-55, CFL-56).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;

use super::super::tree::{Data, Field, Fields, Node};
use super::rules::Rule;

/// Lists that are printed in this order, before the others.
const LISTS: [&str; 4] = ["slaves", "builders", "schedulers", "change_sources"];

/// `root` as TOML, without the factories `left_out`.
pub(in super::super) fn print(root: &Fields, left_out: &BTreeSet<Rc<str>>) -> String {
    let mut printer = Printer::default();
    let mut fields: Vec<&Field> = root.iter().collect();
    fields.sort_by(|a, b| a.key.cmp(&b.key));
    let is_list = |field: &&Field| is_list_of_tables(&field.value);
    let is_table = |field: &&Field| field.value.data.is_table();
    let singles = fields.iter().filter(|f| !is_list(f) && !is_table(f));
    for field in singles {
        printer.setting(field, Rule::Root);
    }
    let tables = fields
        .iter()
        .filter(|f| is_table(f) && &*f.key != "factories");
    let mut tables: Vec<&&Field> = tables.collect();
    let first = |field: &Field| match &*field.key {
        "properties" => 0,
        "values" => 1,
        _ => 2,
    };
    tables.sort_by_key(|field| first(field));
    for field in tables {
        printer.table(field);
    }
    for name in LISTS {
        if name == "builders"
            && let Some(factories) = root.get("factories")
        {
            printer.factories(factories, left_out);
        }
        if let Some(list) = fields.iter().find(|f| &*f.key == name && is_list(f)) {
            printer.list(list);
        }
    }
    for field in &fields {
        if is_list(field) && !LISTS.contains(&&*field.key) {
            printer.list(field);
        }
    }
    printer.out
}

/// Whether `node` is a list of tables, or one of the lists that are that.
fn is_list_of_tables(node: &Node) -> bool {
    let entries = node.data.as_array();
    entries.is_some_and(|list| !list.is_empty() && list.iter().all(|e| e.data.is_table()))
}

#[derive(Default)]
struct Printer {
    out: String,
}

impl Printer {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// A blank line before a header.
    fn header(&mut self, header: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.line(header);
    }

    fn setting(&mut self, field: &Field, rule: Rule) {
        let value = inline(&field.value, rule.below(&field.key), &field.key);
        let line = format!("{} = {value}", key(&field.key));
        self.line(&line);
    }

    fn table(&mut self, field: &Field) {
        self.header(&format!("[{}]", key(&field.key)));
        let rule = Rule::Root.below(&field.key);
        for inner in sorted(&field.value) {
            self.setting(inner, rule);
        }
    }

    fn list(&mut self, field: &Field) {
        let rule = Rule::of_kind(&field.key);
        for entry in field.value.data.as_array().into_iter().flatten() {
            self.header(&format!("[[{}]]", key(&field.key)));
            for inner in sorted(entry) {
                self.setting(inner, rule);
            }
        }
    }

    fn factories(&mut self, factories: &Node, left_out: &BTreeSet<Rc<str>>) {
        let fields = factories.data.as_table().into_iter().flat_map(Fields::iter);
        for factory in fields.filter(|field| !left_out.contains(&field.key)) {
            self.header(&format!("[factories.{}]", key(&factory.key)));
            for inner in sorted(&factory.value) {
                match (&*inner.key, &inner.value.data) {
                    ("steps", Data::Array(steps)) => self.steps(steps),
                    _ => self.setting(inner, Rule::Factory),
                }
            }
        }
    }

    fn steps(&mut self, steps: &[Node]) {
        self.line("steps = [");
        for step in steps {
            let line = format!("  {},", inline(step, Rule::Step, ""));
            self.line(&line);
        }
        self.line("]");
    }
}

/// The fields of a table: its type, its name, and the rest by name.
fn sorted(node: &Node) -> Vec<&Field> {
    let mut fields: Vec<&Field> = node
        .data
        .as_table()
        .into_iter()
        .flat_map(Fields::iter)
        .collect();
    let first = |field: &Field| match &*field.key {
        "type" => 0,
        "name" => 1,
        _ => 2,
    };
    fields.sort_by(|a, b| first(a).cmp(&first(b)).then_with(|| a.key.cmp(&b.key)));
    fields
}

/// A value on one line. `name` is its key.
fn inline(node: &Node, rule: Rule, name: &str) -> String {
    match &node.data {
        Data::Text(value) => text(&value.value, rule),
        Data::Integer(number) => match (number.written_radix(), number.value()) {
            // Modes of files are octal wherever they come from.
            (None, Some(mode)) if name == "mode" && mode >= 0 => format!("0o{mode:o}"),
            _ => number.to_string(),
        },
        Data::Float(number) => float(number.as_str()),
        Data::Boolean(flag) => flag.to_string(),
        Data::Datetime(date) => date.to_string(),
        Data::Array(entries) => {
            let entries = entries.iter().map(|entry| inline(entry, rule, ""));
            format!("[{}]", entries.collect::<Vec<_>>().join(", "))
        }
        Data::Table(_) => {
            let fields = sorted(node);
            if fields.is_empty() {
                return "{}".to_owned();
            }
            let fields = fields.into_iter().map(|field| {
                let value = inline(&field.value, rule.below(&field.key), &field.key);
                format!("{} = {value}", key(&field.key))
            });
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A fraction so that TOML reads it as one.
fn float(written: &str) -> String {
    match written.contains(['.', 'e', 'E', 'n', 'i']) {
        true => written.to_owned(),
        false => format!("{written}.0"),
    }
}

/// A key, in quotes if it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A text in quotes, in which braces mean nothing.
fn text(value: &str, rule: Rule) -> String {
    if !value.contains("{{") || rule == Rule::Templates {
        return quoted(value);
    }
    let braces = if matches!(rule, Rule::Expressions) {
        "{{* '{{' }}"
    } else {
        "{{ '{{' }}"
    };
    quoted(&value.replace("{{", braces))
}

fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
