//! `[vars]` (CFL-10 to CFL-13).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::class::Class;
use super::super::expression::{Given, Scope};
use super::super::places::AS_WRITTEN;
use super::super::tree::{Data, Field, Fields, Node};
use super::depth::{DEEPEST, depth};
use super::files::{Files, MOST_DATA, path_below};
use super::filling::Env;
use super::{Farm, names};

impl<'t> Farm<'t> {
    /// Works out all variables.
    pub(super) fn work_out_variables(&mut self, root: &'t Fields, files: &dyn Files) {
        let fields = root.get("vars").and_then(|vars| vars.data.as_table());
        let all: BTreeMap<&str, &Field> = fields
            .into_iter()
            .flat_map(Fields::iter)
            .map(|field| (&*field.key, field))
            .collect();
        let mut work = Work {
            all,
            files,
            done: BTreeMap::new(),
        };
        for field in fields.into_iter().flat_map(Fields::iter) {
            self.variable(&mut work, &field.key, &mut Vec::new());
        }
        self.variables = Arc::new(work.done);
    }

    /// Works out the variable `name`, and first those that it uses; `chain` is how it was reached.
    fn variable<'n>(&mut self, work: &mut Work<'n, '_>, name: &str, chain: &mut Vec<&'n str>) {
        let Some(field) = work.all.get(name).copied() else {
            return;
        };
        if work.done.contains_key(name) || self.broken.contains(name) {
            return;
        }
        if let Some(first) = chain.iter().position(|other| *other == name) {
            let circle = chain.get(first..).unwrap_or_default();
            let shown: Vec<&str> = circle.iter().copied().chain([name]).collect();
            let message = format!("the variable `{name}` needs itself: {}", shown.join(" → "));
            let place = field.key_place.clone();
            self.told
                .error(Class::Circle, place, message, "take one of them apart");
            self.broken
                .extend(circle.iter().map(|name| (*name).to_owned()));
            return;
        }
        if chain.len() > DEEPEST {
            let message = format!("variables use each other over more than {DEEPEST} steps");
            let place = field.key_place.clone();
            self.told
                .error(Class::TooMuch, place, message, "put some of them together");
            self.broken.insert(name.to_owned());
            return;
        }
        let mut used = Vec::new();
        self.names_in(&field.value, &mut used);
        chain.push(&field.key);
        for used in used {
            self.variable(work, &used.name, chain);
        }
        chain.pop();
        if self.broken.contains(name) {
            return;
        }
        let value = match data_file(&field.value) {
            Some((kind, path)) => self.data(work.files, kind, path),
            None => {
                let env = Env {
                    scope: Scope::sharing(Arc::new(work.done.clone())),
                    context: AS_WRITTEN,
                };
                self.json(&field.value, &env)
            }
        };
        let is_name = self.can_name(field, AS_WRITTEN);
        match value.filter(|_| is_name) {
            Some(value) => {
                work.done.insert(name.into(), Given::new(value));
            }
            None => {
                self.broken.insert(name.to_owned());
            }
        }
    }

    /// What the file says that `node` names.
    fn data(&mut self, files: &dyn Files, kind: &str, node: &Node) -> Option<Json> {
        let path = node.data.as_str().unwrap_or_default();
        if let Err((class, message, help)) = path_below(path) {
            self.told.error(class, node.place.clone(), message, help);
            return None;
        }
        self.told.places.add_data_file(path);
        let mut refuse = |class, message: String, help: &str| {
            self.told.error(class, node.place.clone(), message, help);
            None
        };
        let bytes = match files.read(path, MOST_DATA) {
            Ok(Some(bytes)) if bytes.len() > MOST_DATA => {
                let message = format!("`{path}` has more than {} MiB", MOST_DATA >> 20);
                return refuse(Class::TooMuch, message, "");
            }
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let message = format!("there is no file `{path}`");
                return refuse(
                    Class::MissingFile,
                    message,
                    "paths begin in the base directory",
                );
            }
            Err(why) => return refuse(Class::Data, format!("cannot read `{path}`: {why}"), ""),
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let message = format!("`{path}` is not UTF-8: line {line}");
                return refuse(Class::Data, message, "");
            }
        };
        if kind == "lines" {
            let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            return Some(lines.map(Json::from).collect());
        }
        match serde_json::from_str::<Json>(text) {
            Ok(value) if depth(&value) <= DEEPEST => Some(value),
            Ok(_) => {
                let message = format!("`{path}` is nested deeper than {DEEPEST}");
                refuse(Class::TooMuch, message, "")
            }
            Err(error) => {
                let line = error.line();
                let message = format!("`{path}` is not JSON: line {line}: {error}");
                refuse(Class::Data, message, "")
            }
        }
    }

    /// Warns of variables, bundles, factories and arguments that nothing uses (CFL-13).
    pub(super) fn tell_unused(&mut self, root: &'t Fields) {
        let vars = root.get("vars").and_then(|vars| vars.data.as_table());
        let unused: Vec<&Field> = vars
            .into_iter()
            .flat_map(Fields::iter)
            .filter(|field| !self.named.contains(&*field.key) && !names::is_of_run_time(&field.key))
            .collect();
        for field in unused {
            let message = format!("nothing uses the variable `{}`", field.key);
            let place = field.key_place.clone();
            self.told
                .warning(Class::Unused, place, message, "remove it");
        }
        self.tell_unused_bundles();
        self.tell_unused_factories();
    }
}

/// Variables that are being worked out.
struct Work<'n, 'f> {
    all: BTreeMap<&'n str, &'n Field>,
    files: &'f dyn Files,
    done: BTreeMap<Arc<str>, Given>,
}

/// The path in `{ lines = "FILE" }` or `{ json = "FILE" }`.
fn data_file(node: &Node) -> Option<(&str, &Node)> {
    let Data::Table(fields) = &node.data else {
        return None;
    };
    match fields.0.as_slice() {
        [field] if matches!(&*field.key, "lines" | "json") && field.value.data.is_str() => {
            Some((&field.key, &field.value))
        }
        _ => None,
    }
}
