//! Finds what tables have in common: their values where they agree, and arguments where they differ
//! (IMP-30 to IMP-34).

use std::collections::{BTreeMap, BTreeSet};

use super::desk::unused;
use super::item::{Item, Table, braced, is_expression};

/// What cannot be the name of an argument (CFL-10).
const TAKEN: [&str; 26] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None",
    "range", "prop", "src", "kw", "slave", "build", "step", "request", "change", "result", "rc",
    "stdout", "count",
];

/// Tables as one with arguments.
#[derive(Debug)]
pub(super) struct Folded {
    /// What they have in common; `{{ argument }}` where they differ.
    pub(super) common: Vec<Table>,
    /// The arguments: name, and the value of each of the tables.
    pub(super) arguments: Vec<(String, Vec<Item>)>,
}

/// Where the values of tables differ.
#[derive(Debug)]
struct Place {
    /// The keys on the way.
    keys: Vec<String>,
    /// The name of the step.
    step: String,
    /// The values.
    values: Vec<Item>,
    /// The pieces of the texts, if they fall into equally many at the same separators.
    pieces: Option<Vec<Piece>>,
}

/// A piece of a text.
#[derive(Clone, Debug)]
enum Piece {
    /// It is the same in all.
    Same(String),
    /// It differs.
    Differs(Vec<Item>),
}

/// Folds lists of tables: those of one index have the same keys. `prefix` stands before the names
/// of arguments. With `words`, texts may differ in words only.
pub(super) fn fold(lists: &[&[Table]], prefix: &str, words: bool) -> Folded {
    let mut places = Vec::new();
    let count = lists.iter().map(|list| list.len()).min().unwrap_or(0);
    let mut common = Vec::new();
    for at in 0..count {
        let tables: Vec<Item> = lists
            .iter()
            .filter_map(|list| list.get(at).cloned().map(Item::Table))
            .collect();
        let first = tables.first().and_then(Item::as_table);
        let step = first
            .and_then(|table| table.get("name"))
            .and_then(Item::as_text);
        let step = step.unwrap_or_default().to_owned();
        let tables: Vec<&Item> = tables.iter().collect();
        common.push(walk(&tables, &mut Vec::new(), &step, &mut places));
    }
    if !words {
        for place in &mut places {
            place.pieces = None;
        }
    }
    choose(&mut places);
    let tables = lists.iter().copied().flatten();
    let mut names = Names::new(prefix, tables.flat_map(names_of_own).collect());
    let forms: Vec<Item> = places.iter().map(|place| names.form(place)).collect();
    let common = common.into_iter().map(|item| match resolved(item, &forms) {
        Item::Table(table) => table,
        Item::Text(_)
        | Item::Number(_)
        | Item::Mode(_)
        | Item::Flag(_)
        | Item::List(_)
        | Item::Form(_)
        | Item::Slot(_) => Table::default(),
    });
    Folded {
        common: common.collect(),
        arguments: names.arguments,
    }
}

/// What `values` have in common; a slot where they differ.
fn walk(values: &[&Item], keys: &mut Vec<String>, step: &str, places: &mut Vec<Place>) -> Item {
    let Some(first) = values.first() else {
        return Item::Slot(usize::MAX);
    };
    if values.iter().all(|value| value == first) {
        return (*first).clone();
    }
    if let Item::Table(table) = first
        && values.iter().all(|value| has_keys_of(value, table))
    {
        let entries = table.0.iter().map(|(key, _)| {
            let inner: Vec<&Item> = values
                .iter()
                .filter_map(|value| value.as_table()?.get(key))
                .collect();
            keys.push(key.clone());
            let item = walk(&inner, keys, step, places);
            keys.pop();
            (key.clone(), item)
        });
        return Item::Table(Table(entries.collect()));
    }
    if let Item::List(list) = first
        && values
            .iter()
            .all(|value| matches!(value, Item::List(l) if l.len() == list.len()))
    {
        let entries = (0..list.len()).map(|at| {
            let inner: Vec<&Item> = values
                .iter()
                .filter_map(|value| value.as_list()?.get(at))
                .collect();
            walk(&inner, keys, step, places)
        });
        return Item::List(entries.collect());
    }
    let values: Vec<Item> = values.iter().map(|value| (*value).clone()).collect();
    let pieces = match is_expression(keys) {
        true => None,
        false => pieces(&values),
    };
    places.push(Place {
        keys: keys.clone(),
        step: step.to_owned(),
        values,
        pieces,
    });
    Item::Slot(places.len() - 1)
}

fn has_keys_of(value: &Item, table: &Table) -> bool {
    value.as_table().is_some_and(|other| {
        other.0.len() == table.0.len() && table.0.iter().all(|(key, _)| other.get(key).is_some())
    })
}

/// The texts in pieces, if they fall into equally many words at the same separators.
fn pieces(values: &[Item]) -> Option<Vec<Piece>> {
    let texts: Option<Vec<Vec<String>>> = values
        .iter()
        .map(|value| value.as_text().map(tokens))
        .collect();
    let texts = texts?;
    let first = texts.first()?;
    if texts.iter().any(|text| text.len() != first.len()) {
        return None;
    }
    let mut pieces = Vec::new();
    for (at, token) in first.iter().enumerate() {
        let all: Vec<&String> = texts.iter().filter_map(|text| text.get(at)).collect();
        if all.iter().all(|other| *other == token) {
            pieces.push(Piece::Same(token.clone()));
        } else if all.iter().all(|token| token.chars().all(is_of_word)) {
            let items = all.iter().map(|token| Item::text(token.as_str()));
            pieces.push(Piece::Differs(items.collect()));
        } else {
            return None;
        }
    }
    (pieces.len() > 1).then_some(pieces)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_.+-".contains(c)
}

/// Words and separators in turn; it begins with a word, which may be empty.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut in_word = true;
    for c in text.chars() {
        if is_of_word(c) != in_word {
            in_word = !in_word;
            tokens.push(String::new());
        }
        if let Some(token) = tokens.last_mut() {
            token.push(c);
        }
    }
    tokens
}

/// A list of values as one text, to compare it.
fn key_of(values: &[Item]) -> String {
    let mut key = String::new();
    for value in values {
        value.write(&mut key);
        key.push('\0');
    }
    key
}

/// Leaves pieces to those places alone where that needs fewer arguments.
fn choose(places: &mut [Place]) {
    let wholes: Vec<String> = places.iter().map(|place| key_of(&place.values)).collect();
    let words: Vec<Vec<String>> = places
        .iter()
        .map(|place| {
            let pieces = place.pieces.iter().flatten();
            let differing = pieces.filter_map(|piece| match piece {
                Piece::Same(_) => None,
                Piece::Differs(values) => Some(key_of(values)),
            });
            differing.collect()
        })
        .collect();
    let is_split = |split: &[bool], at: usize| split.get(at).copied().unwrap_or(false);
    let count = |split: &[bool]| {
        let mut distinct = BTreeSet::new();
        for (at, (whole, words)) in wholes.iter().zip(&words).enumerate() {
            match is_split(split, at) {
                true => distinct.extend(words.iter().map(String::as_str)),
                false => drop(distinct.insert(whole.as_str())),
            }
        }
        distinct.len()
    };
    let none = vec![false; places.len()];
    let mut split: Vec<bool> = places.iter().map(|place| place.pieces.is_some()).collect();
    let mut best = count(&split);
    for at in 0..split.len() {
        if !is_split(&split, at) {
            continue;
        }
        let mut other = split.clone();
        if let Some(flag) = other.get_mut(at) {
            *flag = false;
        }
        let needed = count(&other);
        if needed <= best {
            best = needed;
            split = other;
        }
    }
    if best >= count(&none) {
        split = none;
    }
    for (place, split) in places.iter_mut().zip(split) {
        if !split {
            place.pieces = None;
        }
    }
}

/// The names that a table gives to values itself, which arguments must not have (CFL-23).
pub(super) fn names_of_own(table: &Table) -> impl Iterator<Item = &str> {
    let names = table.get("let").and_then(Item::as_table);
    let entries = names.into_iter().flat_map(|names| &names.0);
    entries.map(|(name, _)| name.as_str())
}

/// The names of arguments.
#[derive(Debug)]
struct Names<'p> {
    prefix: &'p str,
    /// Names that mean something already.
    taken: BTreeSet<&'p str>,
    arguments: Vec<(String, Vec<Item>)>,
    known: BTreeMap<String, String>,
}

impl<'p> Names<'p> {
    fn new(prefix: &'p str, taken: BTreeSet<&'p str>) -> Self {
        Self {
            prefix,
            taken,
            arguments: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// What stands in the place.
    fn form(&mut self, place: &Place) -> Item {
        match &place.pieces {
            None => {
                let name = self.argument(place, &place.values);
                let star = if is_expression(&place.keys) { "*" } else { "" };
                Item::Form(format!("{{{{{star} {name} }}}}"))
            }
            Some(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Same(same) => text.push_str(&braced(same)),
                        Piece::Differs(values) => {
                            let name = self.argument(place, values);
                            text.push_str(&format!("{{{{ {name} }}}}"));
                        }
                    }
                }
                Item::Form(text)
            }
        }
    }

    /// The name of the argument that has these values.
    fn argument(&mut self, place: &Place, values: &[Item]) -> String {
        let key = key_of(values);
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        let short = identifier(&place.keys.join("_"));
        let long = identifier(&format!("{}_{}", place.step, place.keys.join("_")));
        let is_taken = |name: &str| {
            TAKEN.contains(&name)
                || self.taken.contains(name)
                || self.arguments.iter().any(|(known, _)| known == name)
        };
        let name = match is_taken(&short) {
            false => short,
            true => unused(&long, |name| is_taken(&name.replace('-', "_"))).replace('-', "_"),
        };
        self.arguments.push((name.clone(), values.to_vec()));
        let full = format!("{}{name}", self.prefix);
        self.known.insert(key, full.clone());
        full
    }
}

/// A name of letters, digits and `_`, in small letters.
fn identifier(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.join("_");
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("n{name}"),
        Some(_) => name,
        None => "value".to_owned(),
    }
}

/// `item` with forms in the place of its slots.
fn resolved(item: Item, forms: &[Item]) -> Item {
    match item {
        Item::Slot(at) => forms.get(at).cloned().unwrap_or(Item::Slot(at)),
        Item::List(list) => Item::List(list.into_iter().map(|i| resolved(i, forms)).collect()),
        Item::Table(table) => {
            let entries = table.0.into_iter();
            let entries = entries.map(|(key, value)| (key, resolved(value, forms)));
            Item::Table(Table(entries.collect()))
        }
        Item::Text(_) | Item::Number(_) | Item::Mode(_) | Item::Flag(_) | Item::Form(_) => item,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(command: &[&str], env: &str) -> Vec<Table> {
        let env = Table(vec![("CC".to_owned(), Item::text(env))]);
        vec![Table(vec![
            ("type".to_owned(), Item::text("ShellCommand")),
            ("command".to_owned(), Item::texts(command.iter().copied())),
            ("env".to_owned(), Item::Table(env)),
        ])]
    }

    fn folded(factories: &[Vec<Table>]) -> (String, Vec<String>) {
        let lists: Vec<&[Table]> = factories.iter().map(Vec::as_slice).collect();
        let folded = fold(&lists, "", true);
        let mut text = String::new();
        for table in folded.common {
            Item::Table(table).write(&mut text);
        }
        let names = folded.arguments.into_iter().map(|(name, _)| name);
        (text, names.collect())
    }

    /// IMP-31, IMP-33: places whose values are equal share an argument.
    #[test]
    fn equal_values_share_an_argument() {
        let factories = [
            step(&["make", "gcc"], "gcc"),
            step(&["make", "clang"], "clang"),
        ];
        let (text, names) = folded(&factories);
        assert_eq!(
            text,
            "{ type = \"ShellCommand\", command = [\"make\", \"{{ command }}\"], \
             env = { CC = \"{{ command }}\" } }"
        );
        assert_eq!(names, ["command"]);
    }

    /// IMP-32: words are the places if that needs fewer arguments.
    #[test]
    fn texts_fall_into_words_where_that_saves_arguments() {
        let factories = [
            step(&["make", "out/gcc/all"], "gcc"),
            step(&["make", "out/clang/all"], "clang"),
        ];
        let (text, names) = folded(&factories);
        assert!(text.contains("\"out/{{ command }}/all\""), "{text}");
        assert_eq!(names, ["command"]);
        let other = [
            step(&["make", "a/b"], "gcc"),
            step(&["make", "c/d"], "clang"),
        ];
        let (text, names) = folded(&other);
        assert!(text.contains("[\"make\", \"{{ command }}\"]"), "{text}");
        assert_eq!(names, ["command", "env_cc"]);
    }

    /// CFL-31: in an expression a text stands as it is.
    #[test]
    fn expressions_are_put_in_as_they_are() {
        let condition = |text: &str| vec![Table(vec![("do_step_if".to_owned(), Item::text(text))])];
        let (text, _) = folded(&[condition("prop.a"), condition("prop.b")]);
        assert_eq!(text, "{ do_step_if = \"{{* do_step_if }}\" }");
    }
}
