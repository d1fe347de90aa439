//! Filters for paths.

use minijinja::value::Rest;
use minijinja::{Error, State, Value};

use super::{failed, is_there, kind, text};
use crate::config::expression::scope::{carrying, patterns};

/// What follows the last slash or backslash.
pub(super) fn basename(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let path = text(state, value, "basename")?;
    let name = path.map(|path| path.rsplit(SEPARATORS).next().unwrap_or(path));
    Ok(Value::from(name))
}

/// What is before the last slash or backslash.
pub(super) fn dirname(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let path = text(state, value, "dirname")?;
    let directory = path.map(|path| {
        let end = path.rfind(SEPARATORS).unwrap_or_default();
        path.get(..end).unwrap_or_default()
    });
    Ok(Value::from(directory))
}

const SEPARATORS: [char; 2] = ['/', '\\'];

/// The paths that match one of `globs`.
pub(super) fn inside(
    state: &State<'_, '_>,
    value: &Value,
    globs: Rest<String>,
) -> Result<Value, Error> {
    matching(state, value, &globs, ("inside", true))
}

/// The paths that match none of `globs`.
pub(super) fn outside(
    state: &State<'_, '_>,
    value: &Value,
    globs: Rest<String>,
) -> Result<Value, Error> {
    matching(state, value, &globs, ("outside", false))
}

fn matching(
    state: &State<'_, '_>,
    value: &Value,
    globs: &[String],
    (name, wanted): (&str, bool),
) -> Result<Value, Error> {
    if !is_there(state, value, name)? {
        return Ok(Value::from(Vec::<Value>::new()));
    }
    if value.as_str().is_some() || value.kind() == minijinja::value::ValueKind::Map {
        let message = format!("`{name}` is for lists of paths, not for {}", kind(value));
        return Err(failed(message, ""));
    }
    let held = patterns(state);
    let globs = globs.iter().map(|glob| held.path(glob));
    let globs = globs.collect::<Result<Vec<_>, _>>().map_err(carrying)?;
    let mut left = Vec::new();
    for path in value.try_iter()?.checked() {
        let path = path?;
        let Some(text) = path.as_str() else {
            let message = format!(
                "`{name}` is for lists of paths; one of them is {}",
                kind(&path)
            );
            return Err(failed(message, ""));
        };
        if globs.iter().any(|glob| glob.is_match(text)) == wanted {
            left.push(path);
        }
    }
    Ok(Value::from(left))
}
