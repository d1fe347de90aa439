//! A JSON schema of `master.toml`, with which editors complete and check it while it is written.
//!
//! It is made of what the program has anyway: the keys and types of the shapes of tables, the forms
//! that the reader takes (it is watched while it reads the examples), and the comments of the
//! examples. It allows a little more than the reader does, never less.

pub(super) mod examples;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use self::examples::{Comments, EXAMPLE, STEPS, Said, with_all_settings};

use super::reading::read_watched;
use super::shape::Shape;
use super::shapes::shapes;
use super::trace::{Trace, Wanted};

/// The schema, of draft 7, which the editors know.
#[must_use]
pub fn schema() -> Json {
    let trace = Trace::default();
    for example in [EXAMPLE, STEPS] {
        read_watched(&with_all_settings(example), &trace);
    }
    let maker = Maker {
        trace,
        comments: Comments::read(),
        shapes: shapes(),
        tables: RefCell::default(),
    };
    let mut schema = maker.object("", maker.shape(""));
    schema.insert("allOf".to_owned(), json!([maker.needs_of_a_whole_file()]));
    schema.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    schema.insert(
        "title".to_owned(),
        json!("Configuration of buildmaster: master.toml"),
    );
    schema.insert("definitions".to_owned(), Json::Object(maker.tables.take()));
    Json::Object(schema)
}

/// What the schema is made of.
struct Maker {
    trace: Trace,
    comments: Comments,
    shapes: Vec<(&'static str, &'static Shape)>,
    /// The kinds of tables, each once, by a name that others refer to.
    tables: RefCell<Map<String, Json>>,
}

/// The words of the language in tables of the lists at the top, and in steps (CFL-24, CFL-35).
const WORDS: &[(&str, &str)] = &[
    (
        "for",
        "One entry for each combination of these values, by name: `{ n = [1, 2] }`.",
    ),
    ("let", "Names for values, for the `{{ }}` of this entry."),
    ("if", "An expression: the entry is there if it is true."),
    (
        "extends",
        "One name or several of `[defaults]`, whose settings this entry takes over.",
    ),
];

/// The words of further places.
const FURTHER_WORDS: &[(&str, &str, &str)] = &[
    (
        "",
        "include",
        "Further files of the configuration, read first: paths and patterns.",
    ),
    ("", "vars", "Names for values, for `{{ }}` anywhere."),
    (
        "",
        "defaults",
        "Settings by the name of a type, of a kind of table, or of your own for `extends`.",
    ),
    ("builders", "with", "Arguments of the factory, by name."),
    (
        "factories.*",
        "with",
        "Arguments that may be left out, with their values.",
    ),
    (
        "factories.*.steps",
        "use",
        "The factory whose steps stand here.",
    ),
    (
        "factories.*.steps",
        "with",
        "Arguments of the factory that is used, by name.",
    ),
];

/// The tables whose entries may have the words.
const WITH_WORDS: [&str; 5] = [
    "slaves",
    "builders",
    "schedulers",
    "change_sources",
    "factories.*.steps",
];

/// The keys that have to be there only if another one is not.
const MAY_BE_LEFT_OUT: &[(&str, &str)] = &[
    ("change_sources", "cvsmodule"),
    ("change_sources", "cvsroot"),
    ("change_sources", "repourl"),
    ("schedulers.parameters", "choices"),
    ("steps", "base_url"),
    ("steps", "distribution"),
    ("steps", "p4base"),
    ("steps", "property"),
    ("steps", "repourl"),
    ("steps", "tests"),
    ("steps", "value"),
];

/// The lists in which a table selects slaves or builders (CFL-50).
const SELECTABLE: [&str; 2] = ["slaves", "builders"];

impl Maker {
    fn shape(&self, path: &str) -> &'static Shape {
        let found = self.shapes.iter().find(|(at, _)| *at == path);
        found.expect("a path of the list").1
    }

    /// Shapes of the tables at `path`.
    fn at(&self, path: &str) -> Vec<&'static Shape> {
        let here = self.shapes.iter().filter(|(at, _)| *at == path);
        here.map(|(_, shape)| *shape).collect()
    }

    /// A table of this shape.
    fn object(&self, path: &str, shape: &'static Shape) -> Map<String, Json> {
        let words = words(path);
        let mut properties = Map::new();
        for key in shape.all_keys() {
            properties.insert(key.to_owned(), self.setting(path, shape, key));
        }
        for (word, description) in &words {
            let word = properties.entry(*word);
            word.or_insert_with(|| json!({ "description": description }));
        }
        let mut object = Map::new();
        object.insert("type".to_owned(), json!("object"));
        object.insert("properties".to_owned(), Json::Object(properties));
        object.insert("additionalProperties".to_owned(), json!(false));
        let kinds = (shape.kinds)();
        if !kinds.is_empty() {
            let kinds = kinds.iter().map(|kind| {
                let own = kind.keys().filter_map(|key| {
                    let said = self.comments.of(path, Some(kind.name), key)?;
                    Some((key.to_owned(), Json::Object(told(said))))
                });
                let own: Map<String, Json> = own.collect();
                let mut names: BTreeSet<&str> = shape.keys.iter().copied().chain(kind.keys()).collect();
                names.extend(words.iter().map(|(word, _)| *word));
                json!({
                    "if": { "properties": { "type": { "const": kind.name } }, "required": ["type"] },
                    "then": { "properties": own, "propertyNames": { "enum": names } },
                })
            });
            object.insert("allOf".to_owned(), kinds.collect());
        }
        object
    }

    /// The setting `key` of tables of this shape.
    fn setting(&self, path: &str, shape: &'static Shape, key: &str) -> Json {
        let said = self.comments.of(path, None, key);
        let mut setting = said.map(told).unwrap_or_default();
        let below = match path {
            "" => key.to_owned(),
            _ => format!("{path}.{key}"),
        };
        if let Some(forms) = self.trace.forms(shape.place, key) {
            let forms = self.forms(&below, key, &forms);
            setting.insert("anyOf".to_owned(), Json::Array(forms));
        }
        Json::Object(setting)
    }

    /// The forms of the value at `path`.
    fn forms(&self, path: &str, key: &str, forms: &BTreeSet<Wanted>) -> Vec<Json> {
        let words: Vec<&str> = forms
            .iter()
            .filter_map(|form| match form {
                Wanted::Word(word) => Some(*word),
                Wanted::Any
                | Wanted::Text
                | Wanted::Flag
                | Wanted::False
                | Wanted::Integer
                | Wanted::Number
                | Wanted::List
                | Wanted::Table
                | Wanted::AnyTable => None,
            })
            .collect();
        let mut all: Vec<Json> = Vec::new();
        if !words.is_empty() {
            all.push(json!({ "enum": words }));
        }
        all.extend(forms.iter().filter_map(|form| match form {
            Wanted::Any | Wanted::Word(_) => None,
            Wanted::Text => Some(json!({ "type": "string" })),
            Wanted::Flag => Some(json!({ "type": "boolean" })),
            Wanted::False => Some(json!({ "const": false })),
            Wanted::Integer => Some(json!({ "type": "integer" })),
            Wanted::Number => Some(json!({ "type": "number" })),
            Wanted::List if forms.contains(&Wanted::AnyTable) => Some(json!({ "type": "array" })),
            Wanted::List => Some(json!({ "type": "array", "items": self.entries(path) })),
            Wanted::Table => Some(self.table(path)),
            Wanted::AnyTable => Some(json!({ "type": "object" })),
        }));
        if SELECTABLE.contains(&key) && forms.contains(&Wanted::List) {
            all.push(self.named("selector", selector));
        }
        if !forms.contains(&Wanted::Text) {
            all.push(json!({ "type": "string", "pattern": r"\{\{" }));
        }
        all
    }

    /// A table at `path`: one with fixed keys, or one with keys of the user's choice.
    fn table(&self, path: &str) -> Json {
        let shapes = self.at(path);
        if shapes.is_empty() {
            let entries = self.entries(&format!("{path}.*"));
            return json!({ "type": "object", "additionalProperties": entries });
        }
        json!({ "type": "object", "anyOf": self.objects(path, &shapes) })
    }

    /// Values at `path` of which those that are tables have one of the shapes there.
    fn entries(&self, path: &str) -> Json {
        let shapes = self.at(path);
        if shapes.is_empty() {
            return json!({});
        }
        let mut forms = self.objects(path, &shapes);
        forms.push(json!({ "not": { "type": "object" } }));
        json!({ "anyOf": forms })
    }

    fn objects(&self, path: &str, shapes: &[&'static Shape]) -> Vec<Json> {
        let objects = shapes.iter().zip(1..).map(|(shape, number)| {
            let name = match number {
                1 => path.to_owned(),
                _ => format!("{path}-{number}"),
            };
            self.named(&name, || Json::Object(self.object(path, shape)))
        });
        objects.collect()
    }

    /// What has to be there in a file that is a configuration by itself. Elsewhere, bundles of
    /// defaults may give it, which can stand in other files.
    fn needs_of_a_whole_file(&self) -> Json {
        let other_files = [
            json!({ "required": ["defaults"] }),
            json!({ "required": ["include"] }),
        ];
        let whole = json!({
            "required": ["slaves", "factories", "builders"],
            "not": { "anyOf": other_files },
        });
        json!({ "if": whole, "then": self.needs("") })
    }

    /// What has to be in the table at `path` and in those below it.
    fn needs(&self, path: &str) -> Json {
        let mut needs = Map::new();
        if let [shape] = self.at(path)[..] {
            let here = |kind: &str| {
                let mut keys = self.trace.required(shape.place, kind);
                keys.retain(|key| !MAY_BE_LEFT_OUT.contains(&(shape.place, *key)));
                keys
            };
            let of_kinds = (shape.kinds)().into_iter().filter_map(|kind| {
                let keys = here(kind.name);
                let is_kind = json!({
                    "properties": { "type": { "const": kind.name } },
                    "required": ["type"],
                });
                (!keys.is_empty()).then(|| json!({ "if": is_kind, "then": { "required": keys } }))
            });
            let mut all: Vec<Json> = of_kinds.collect();
            if !here("").is_empty() {
                // A step that uses another factory has nothing else.
                let is_use = json!({ "required": ["use"] });
                all.push(json!({ "if": { "not": is_use }, "then": { "required": here("") } }));
            }
            if !all.is_empty() {
                needs.insert("allOf".to_owned(), Json::Array(all));
            }
        }
        let mut properties = Map::new();
        for key in self.below(path) {
            let below = match path {
                "" => key.to_owned(),
                _ => format!("{path}.{key}"),
            };
            let table = self.named(&format!("needs.{below}"), || self.needs(&below));
            let value = json!({ "allOf": [table, { "items": table }] });
            match key {
                "*" => drop(needs.insert("additionalProperties".to_owned(), value)),
                _ => drop(properties.insert(key.to_owned(), value)),
            }
        }
        if !properties.is_empty() {
            needs.insert("properties".to_owned(), Json::Object(properties));
        }
        Json::Object(needs)
    }

    /// The keys below `path` with tables, or tables below them.
    fn below<'p>(&'p self, path: &'p str) -> BTreeSet<&'static str> {
        let shapes = self.shapes.iter().filter(|(at, _)| !at.is_empty());
        let rests = shapes.filter_map(|(at, _)| match path {
            "" => Some(*at),
            _ => at.strip_prefix(path)?.strip_prefix('.'),
        });
        rests.filter_map(|rest| rest.split('.').next()).collect()
    }

    /// A reference to the table of this name, which is made when it is first wanted.
    fn named(&self, name: &str, make: impl FnOnce() -> Json) -> Json {
        let name = name.replace('*', "NAME");
        let is_new = !self.tables.borrow().contains_key(&name);
        if is_new {
            let table = make();
            self.tables.borrow_mut().insert(name.clone(), table);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }
}

/// What the comments say, as parts of the schema of a setting.
fn told(said: &Said) -> Map<String, Json> {
    let mut told = Map::new();
    told.insert("description".to_owned(), json!(said.description));
    if let Some(default) = &said.default {
        told.insert("default".to_owned(), default.clone());
    }
    told
}

/// A table that selects slaves or builders (CFL-50).
fn selector() -> Json {
    let described = |description: &str| json!({ "description": description });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "tags": described("Has all of these tags."),
            "not_tags": described("Has none of these tags."),
            "name": described("A pattern on the name."),
            "not_name": described("A pattern that the name does not match."),
            "properties": described("Is configured with exactly these values."),
            "factory": described("Of builders: the factory, as it is written in the entry."),
        },
    })
}

/// The words of the language that tables at `path` may have, with what they mean.
fn words(path: &str) -> Vec<(&'static str, &'static str)> {
    let common = WORDS.iter().copied().filter(|_| WITH_WORDS.contains(&path));
    let further = FURTHER_WORDS.iter().filter(|(at, _, _)| *at == path);
    common
        .chain(further.map(|(_, word, description)| (*word, *description)))
        .collect()
}
