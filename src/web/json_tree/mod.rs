//! The `/json` tree of Buildbot 0.8, for programs that read it.
//!
//! An address names a node, which is found first and shown then. Names and shapes are those of
//! Buildbot 0.8.14; the differences are on purpose: an unknown node is 404 with JSON, `callback` is
//! refused, and `select` keeps what an earlier `select` has put into the answer.

mod help;
mod node;
mod of_tests;
mod things;
mod tree;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use self::tree::Tree;
use super::args::Arg;
use super::outlet::{Document, Outlet, Readers, TARGET};
use super::page::Scene;
use super::refusal::Refusal;
use crate::store::State;
use crate::view::old_json;

pub(super) const ROOT: Outlet = Outlet {
    path: "/json",
    args: ARGS,
    readers: Readers::OfPages,
    show,
    refuse,
};

pub(super) const BELOW: Outlet = Outlet {
    path: "/json/{*node}",
    ..ROOT
};

const ARGS: &[Arg] = &[
    Arg::text("select"),
    Arg::flag("filter"),
    Arg::flag("compact"),
    Arg::flag("as_text"),
    Arg::number("numbuilds", 1, MOST),
    Arg::number("max", 1, MOST),
    Arg::number("before", 0, u64::MAX),
    Arg::text("callback"),
];

/// Maximum number of builds in an answer.
const MOST: u64 = 1000;

/// Maximum number of nodes that are selected at once.
const MOST_SELECTED: usize = 100;

const JSON: &str = "application/json";

fn show(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let args = &scene.args;
    if args.text("callback").is_some() {
        let sentence = "The argument callback is not served: use CORS instead of JSONP.".to_owned();
        return Err(Refusal::Argument { sentence });
    }
    let path = args.part(TARGET).trim_start_matches("/json");
    let tree = Tree { state, scene };
    let node = tree.find(path)?;
    let value = match args.all("select") {
        [] => node.show(tree)?,
        selected => select(tree, path, selected)?,
    };
    let flag = |name, default| match args.all(name) {
        [] => default,
        _ => args.flag(name),
    };
    let as_text = args.flag("as_text");
    let value = match flag("filter", as_text) {
        true => old_json::without_empty(value),
        false => value,
    };
    let text = match flag("compact", !as_text) {
        true => serde_json::to_string(&value),
        false => serde_json::to_string_pretty(&value),
    };
    let text = text.map_err(|error| Refusal::Internal {
        why: error.to_string(),
    })?;
    let mut document = Document::new(JSON, text);
    document.next = node.next(tree)?;
    Ok(document)
}

fn refuse(status: StatusCode, sentence: &str) -> Document {
    let body = json!({"error": sentence}).to_string();
    Document::new(JSON, body).with_status(status)
}

/// The tree of what was selected below `path`, under the paths as they were asked for. Longer paths
/// come first, so that a node which is selected itself adds to what was selected below it.
fn select(tree: Tree<'_>, path: &str, selected: &[String]) -> Result<Value, Refusal> {
    let mut all: Vec<_> = selected.iter().map(|one| one.trim_matches('/')).collect();
    all.truncate(MOST_SELECTED);
    all.sort_by_key(|one| std::cmp::Reverse(one.matches('/').count()));
    let mut answer = Value::Object(Map::new());
    for one in all {
        let found = match tree.find(&format!("{path}/{one}")) {
            Ok(node) => node.show(tree)?,
            Err(Refusal::NotFound { .. }) => json!({"error": "Not available"}),
            Err(other) => return Err(other),
        };
        let segments = one.split('/').filter(|segment| !segment.is_empty());
        let segments: Vec<_> = segments.map(node::decoded).collect();
        match (place(&mut answer, &segments), found) {
            (Value::Object(known), Value::Object(found)) => {
                for (name, value) in found {
                    known.entry(name).or_insert(value);
                }
            }
            (place, found) => *place = found,
        }
    }
    Ok(answer)
}

/// The place of a path in a tree of objects, which grows where it has to.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "anything else was replaced by an object"
)]
fn place<'a>(tree: &'a mut Value, segments: &[String]) -> &'a mut Value {
    let [first, rest @ ..] = segments else {
        return tree;
    };
    if !tree.is_object() {
        *tree = Value::Object(Map::new());
    }
    match tree {
        Value::Object(fields) => {
            let below = fields.entry(first.clone()).or_insert(Value::Null);
            place(below, rest)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
