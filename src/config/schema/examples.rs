//! What the example configurations say of each setting: they have all of them, with comments.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use crate::config::lines::Lines;
use crate::config::shapes::shapes;

/// The example that users are given.
pub(in crate::config) const EXAMPLE: &str = include_str!("../../../master.toml.example");
/// The kinds of step and factory that [`EXAMPLE`] leaves out, with all their settings.
pub(in crate::config) const STEPS: &str = include_str!("../../../examples/steps.toml");

/// An example with its settings that are commented out: a `#` right before a key, a bracket or a
/// brace.
pub(in crate::config) fn with_all_settings(example: &str) -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#']) => setting.to_owned(),
        _ => line.to_owned(),
    };
    example
        .lines()
        .map(uncomment)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What the comments of a setting say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) description: String,
    /// Its value where the setting is not there, if it has one.
    pub(super) default: Option<Json>,
}

/// What the examples say: by the path of the table, as in [`shapes`], its `type` and the key.
#[derive(Debug, Default)]
pub(super) struct Comments(BTreeMap<(String, String, String), Said>);

impl Comments {
    /// Those of the examples.
    pub(super) fn read() -> Self {
        let mut comments = Self::default();
        for example in [EXAMPLE, STEPS] {
            let text = with_all_settings(example);
            let lines = Lines::of(&text);
            let (tree, _) = DeTable::parse_recoverable(&text);
            let page = Page {
                commented: example.lines().collect(),
                lines,
            };
            comments.of_table("", tree.get_ref(), &page);
        }
        comments
    }

    /// Of the setting `key` of tables at `path` of the type `kind`; else of tables of any type.
    pub(super) fn of(&self, path: &str, kind: Option<&str>, key: &str) -> Option<&Said> {
        let named = |kind: &str| {
            let at = (path.to_owned(), kind.to_owned(), key.to_owned());
            self.0.get(&at)
        };
        match kind {
            Some(kind) => named(kind),
            None => named("").or_else(|| {
                let mut all = self.0.iter();
                let found = all.find(|((its, _, name), _)| its == path && name == key);
                found.map(|(_, said)| said)
            }),
        }
    }

    fn of_table(&mut self, path: &str, table: &DeTable<'_>, page: &Page<'_>) {
        let kind = table.get("type").and_then(|kind| kind.get_ref().as_str());
        let kind = kind.unwrap_or_default();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if let Some(said) = page.said_of(key.span().start) {
                let at = (path.to_owned(), kind.to_owned(), name.to_owned());
                self.0.entry(at).or_insert(said);
            }
            self.of_value(&below(path, name), value.get_ref(), page);
        }
    }

    fn of_value(&mut self, path: &str, value: &DeValue<'_>, page: &Page<'_>) {
        if let Some(table) = value.as_table() {
            self.of_table(path, table, page);
        }
        for entry in value.as_array().into_iter().flat_map(|list| list.iter()) {
            self.of_value(path, entry.get_ref(), page);
        }
    }
}

/// The path of `key` below `path`, with `*` where the key is the user's.
fn below(path: &str, key: &str) -> String {
    let with = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    let is_free = shapes().iter().any(|(at, _)| *at == with("*"));
    if is_free { with("*") } else { with(key) }
}

/// An example and its lines.
struct Page<'a> {
    /// As it is, with comments.
    commented: Vec<&'a str>,
    /// With all settings.
    lines: Lines,
}

impl Page<'_> {
    /// What the comments above the line of `offset` and behind it say, if the setting there is the
    /// first of its line.
    fn said_of(&self, offset: usize) -> Option<Said> {
        let number = self.lines.number(offset) - 1;
        let line = self.commented.get(number)?;
        let is_first = self.lines.column(offset) <= 3;
        if !is_first {
            return None;
        }
        // The comment of a table may be that of its section, with a line between.
        let is_header = line.trim_start_matches('#').starts_with('[');
        let above = self.commented.get(..number)?.iter().rev();
        let above = above.skip_while(|line| is_header && line.is_empty());
        let above = above.map_while(|line| line.strip_prefix("# "));
        let mut words: Vec<&str> = above.collect();
        words.reverse();
        words.extend(line.split_once("  # ").map(|(_, behind)| behind));
        let text = words.join(" ");
        (!text.is_empty()).then(|| said(&text))
    }
}

/// The text of a comment, and the default that it states.
fn said(text: &str) -> Said {
    let stated = text.rsplit_once("(default: ");
    let default = stated.and_then(|(before, default)| {
        let value = default.trim_end().strip_suffix(')')?;
        let table: toml::Table = toml::from_str(&format!("value = {value}")).ok()?;
        let json = serde_json::to_value(table.get("value")?).ok()?;
        Some((before.trim_end().to_owned(), json))
    });
    match default {
        Some((description, json)) => Said {
            description,
            default: Some(json),
        },
        None => Said {
            description: text.to_owned(),
            default: None,
        },
    }
}
