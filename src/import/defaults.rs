//! What the steps of one type have in common goes into `[defaults.TYPE]` (IMP-35).

use std::collections::BTreeMap;

use super::item::{Item, Table};

/// What says which step it is, and stays with it.
const OWN: [&str; 6] = ["extends", "let", "type", "name", "command", "description"];

/// A factory as it is written: name, work directory, steps.
type Factory = (String, Option<Item>, Vec<Table>);

/// The bundles that steps extend, by their names.
type Bundles<'b> = BTreeMap<&'b str, &'b Table>;

/// A step, and the bundle that it extends.
type Extended<'s> = (&'s mut Table, Option<&'s Table>);

/// Takes the settings that all steps of a type have out of the steps that have the most frequent
/// value; these settings, by type.
pub(super) fn take_out(factories: &mut [Factory], bundles: &Bundles<'_>) -> Vec<(String, Table)> {
    let mut by_type: BTreeMap<String, Vec<Extended<'_>>> = BTreeMap::new();
    for step in factories.iter_mut().flat_map(|(_, _, steps)| steps) {
        let bundle = step.get("extends").and_then(Item::as_text);
        let bundle = bundle.and_then(|name| bundles.get(name).copied());
        let kind = step.get("type").or_else(|| bundle?.get("type"));
        if let Some(kind) = kind.and_then(Item::as_text) {
            let kind = kind.to_owned();
            by_type.entry(kind).or_default().push((step, bundle));
        }
    }
    let mut defaults = Vec::new();
    for (kind, mut steps) in by_type {
        let first = steps.first().map(|(step, _)| step.0.clone());
        let keys = first.unwrap_or_default();
        let mut table = Table::default();
        for (key, _) in keys.iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
            let Some(value) = shared(&steps, key) else {
                continue;
            };
            for (step, bundle) in &mut steps {
                // What the bundle says goes over the default.
                let is_said = bundle.is_some_and(|bundle| bundle.get(key).is_some());
                if step.get(key) == Some(&value) && !is_said {
                    step.remove(key);
                }
            }
            table.set(key, value);
        }
        if !table.0.is_empty() {
            defaults.push((kind, table));
        }
    }
    defaults
}

/// The most frequent value of a setting that all of several steps have. A table must be that of
/// all: defaults are laid under the others key by key (CFL-36).
fn shared(steps: &[Extended<'_>], key: &str) -> Option<Item> {
    let mut counts: Vec<(&Item, usize)> = Vec::new();
    for (step, bundle) in steps {
        let of_bundle = bundle.and_then(|bundle| bundle.get(key));
        let own = step.get(key);
        if own.and(of_bundle).and_then(Item::as_table).is_some() {
            return None;
        }
        let value = own.or(of_bundle)?;
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    // The first of the most frequent ones.
    let (value, count) = counts.iter().rev().max_by_key(|(_, count)| *count)?;
    let is_safe = match value {
        Item::Text(_) | Item::Number(_) | Item::Mode(_) | Item::Flag(_) => true,
        Item::List(_) | Item::Table(_) => counts.len() == 1 && !has_forms(value),
        Item::Form(_) | Item::Slot(_) => false,
    };
    (is_safe && *count > 1).then(|| (*value).clone())
}

/// Whether an argument of a factory stands in it.
fn has_forms(item: &Item) -> bool {
    match item {
        Item::Form(_) | Item::Slot(_) => true,
        Item::List(list) => list.iter().any(has_forms),
        Item::Table(table) => table.0.iter().any(|(_, value)| has_forms(value)),
        Item::Text(_) | Item::Number(_) | Item::Mode(_) | Item::Flag(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &str, settings: &[(&str, Item)]) -> Table {
        let mut table = Table(vec![("type".to_owned(), Item::text(kind))]);
        for (key, value) in settings {
            table.set(key, value.clone());
        }
        table
    }

    fn taken(steps: Vec<Table>) -> (Vec<(String, Table)>, Vec<Table>) {
        let mut factories = [("build".to_owned(), None, steps)];
        let defaults = take_out(&mut factories, &BTreeMap::new());
        let [(_, _, steps)] = factories;
        (defaults, steps)
    }

    fn timeout(seconds: u64) -> (&'static str, Item) {
        ("timeout", Item::Number(seconds.into()))
    }

    /// IMP-35: the most frequent value; who has another one keeps it.
    #[test]
    fn the_most_frequent_value_becomes_the_default() {
        let steps = [9, 5, 5].map(|seconds| step("Test", &[timeout(seconds)]));
        let (defaults, steps) = taken(steps.into());
        assert_eq!(
            defaults,
            [(
                "Test".to_owned(),
                Table(vec![("timeout".to_owned(), Item::Number(5.into()))])
            )]
        );
        let own: Vec<bool> = steps
            .iter()
            .map(|step| step.get("timeout").is_some())
            .collect();
        assert_eq!(own, [true, false, false]);
    }

    /// IMP-35: only what all steps of the type have, and nothing that a factory is told.
    #[test]
    fn what_one_step_lacks_stays_where_it_is() {
        let form = ("timeout", Item::Form("{{ timeout }}".to_owned()));
        for steps in [
            vec![step("Test", &[timeout(5)]), step("Test", &[])],
            vec![
                step("Test", std::slice::from_ref(&form)),
                step("Test", &[form]),
            ],
            vec![step("Test", &[timeout(5)]), step("Compile", &[timeout(5)])],
        ] {
            assert_eq!(taken(steps.clone()), (Vec::new(), steps));
        }
    }

    /// CFL-36: a table that is not that of all would get the keys of the default.
    #[test]
    fn tables_must_be_the_same_in_all_steps() {
        let env = |name: &str| {
            let table = Table(vec![(name.to_owned(), Item::text("1"))]);
            step("Test", &[("env", Item::Table(table))])
        };
        let (defaults, _) = taken(vec![env("A"), env("A"), env("B")]);
        assert_eq!(defaults, []);
        let (defaults, _) = taken(vec![env("A"), env("A")]);
        assert_eq!(defaults.len(), 1);
    }
}
