//! Comparing settings of any shape by their serialized form, whose names are those of the file.

use serde::Serialize;
use serde_json::{Map, Value};

/// The paths of the settings in which `a` and `b` differ, each once: `filter.branch`,
/// `steps[2].command`.
pub(super) fn differing<T: Serialize>(a: &T, b: &T) -> Vec<String> {
    let tree = |settings| serde_json::to_value(settings).expect("settings have a JSON form");
    let mut paths = Vec::new();
    compare("", &tree(a), &tree(b), &mut paths);
    paths
}

fn compare(path: &str, a: &Value, b: &Value, paths: &mut Vec<String>) {
    match (a, b) {
        _ if a == b => {}
        (Value::Object(a), Value::Object(b)) if !is_time(a) && !is_time(b) => {
            compare_tables(path, (a, b), paths);
        }
        (Value::Array(a), Value::Array(b))
            if a.len() == b.len() && a.iter().chain(b).all(Value::is_object) =>
        {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{at}]"), a, b, paths);
            }
        }
        (_, _) => paths.push(path.to_owned()),
    }
}

/// Of tables of two types, only the settings that both have are compared: the others follow from
/// the type.
fn compare_tables(
    path: &str,
    (a, b): (&Map<String, Value>, &Map<String, Value>),
    paths: &mut Vec<String>,
) {
    let of_one_type = a.get("type") == b.get("type");
    let only_in_b = b.keys().filter(|key| !a.contains_key(*key));
    for key in a.keys().chain(only_in_b) {
        let path = match path {
            "" => key.clone(),
            _ => format!("{path}.{key}"),
        };
        match (a.get(key), b.get(key)) {
            (Some(a), Some(b)) => compare(&path, a, b, paths),
            (Some(_), None) | (None, _) if of_one_type => paths.push(path),
            (Some(_), None) | (None, _) => {}
        }
    }
}

/// A time is one value, although its serialized form is a table.
fn is_time(table: &Map<String, Value>) -> bool {
    table.len() == 2 && table.contains_key("secs") && table.contains_key("nanos")
}
