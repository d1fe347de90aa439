//! How deep values are nested.

use serde_json::Value as Json;

/// How deep a value is nested.
pub(super) fn depth(value: &Json) -> usize {
    match value {
        Json::Array(entries) => 1 + entries.iter().map(depth).max().unwrap_or(0),
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

/// How deep values may be nested, and the number of variables that may use each other in a row
/// (CFL-70).
pub(super) const DEEPEST: usize = 32;
