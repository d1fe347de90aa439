//! What the answer to the question of a step class says: `[defaults.CLASS]` (IMP-22).

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::item::{Item, Table};
use crate::config::known::{is_of_defaults, names_in_braces};

/// The settings that stand for the code of a step class.
#[derive(Clone, Debug)]
pub(super) struct Bundle {
    /// Its name in `[defaults]`.
    pub(super) name: String,
    /// The name of its class.
    pub(super) class: String,
    /// The settings, with `{{ }}` as a person wrote them.
    pub(super) table: Table,
    /// The arguments that `{{ }}` in the settings name.
    pub(super) named: BTreeSet<String>,
    /// The arguments that need no mention.
    dropped: BTreeSet<String>,
    /// The arguments that steps of the class have.
    known: BTreeSet<String>,
}

impl Bundle {
    /// The bundle `name` for `class` with what `answer` says.
    pub(super) fn new(name: String, class: &str, answer: &Json) -> Self {
        let settings = answer.as_object().into_iter().flatten();
        let settings = settings.filter(|(key, _)| *key != "drop");
        let settings = settings.filter_map(|(key, value)| Some((key.clone(), as_written(value)?)));
        let dropped = answer.get("drop").and_then(Json::as_array);
        let dropped = dropped.into_iter().flatten().filter_map(Json::as_str);
        let mut named = BTreeSet::new();
        names_in(answer, &mut named);
        Self {
            name,
            class: class.to_owned(),
            table: Table(settings.collect()).in_order(),
            named,
            dropped: dropped.map(str::to_owned).collect(),
            known: BTreeSet::new(),
        }
    }

    /// The `type` that it gives its steps.
    pub(super) fn kind(&self) -> Option<&str> {
        self.table.get("type").and_then(Item::as_text)
    }

    /// Whether steps do not have the argument as a setting of their own.
    pub(super) fn takes(&self, argument: &str) -> bool {
        self.named.contains(argument) || self.dropped.contains(argument)
    }

    /// Notes the arguments of one of its steps.
    pub(super) fn meets<'a>(&mut self, arguments: impl Iterator<Item = &'a String>) {
        self.known.extend(arguments.cloned());
    }

    /// What is wrong with the names in it, now that all of its steps are known.
    pub(super) fn mistake(&self) -> Option<String> {
        let Self { class, known, .. } = self;
        let name = self.named.iter().find(|name| !known.contains(*name))?;
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Some(format!(
            "no step of the class `{class}` has an argument `{name}`; they have {}",
            known.join(", ")
        ))
    }
}

/// The name of a bundle for the question `id`. One that is named like a type or a kind would lie
/// under all steps of the type, or all entries of the kind (CFL-37).
pub(super) fn name_for(id: &str) -> String {
    match is_of_defaults(id) {
        true => format!("{id}-class"),
        false => id.to_owned(),
    }
}

/// The value with texts in which `{{ }}` means something.
fn as_written(value: &Json) -> Option<Item> {
    Some(match value {
        Json::String(text) if text.contains("{{") => Item::Form(text.clone()),
        Json::Array(entries) => Item::List(entries.iter().filter_map(as_written).collect()),
        Json::Object(entries) => {
            let entries = entries.iter();
            let entries = entries.filter_map(|(k, v)| Some((k.clone(), as_written(v)?)));
            Item::Table(Table(entries.collect()))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Item::plain(value)?,
    })
}

/// Adds the names that the texts in `value` have in `{{ }}`.
fn names_in(value: &Json, found: &mut BTreeSet<String>) {
    match value {
        Json::String(text) => found.extend(names_in_braces(text)),
        Json::Array(entries) => entries.iter().for_each(|v| names_in(v, found)),
        Json::Object(entries) => entries.values().for_each(|v| names_in(v, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
