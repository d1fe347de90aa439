//! Values of the engine as JSON, and JSON as values of the engine.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};
use serde_json::{Map, Number, Value as Json};

/// `value` as JSON. Undefined entries are none.
pub(super) fn from_value(value: &Value) -> Result<Json, Error> {
    from_nested(value, 0)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may get more kinds"
)]
fn from_nested(value: &Value, depth: usize) -> Result<Json, Error> {
    if depth > DEEPEST {
        return Err(wrong("the value is nested too deep"));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Json::from(value.as_str().unwrap_or_default())),
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter()?.checked() {
                let key = key?;
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None if key.is_number() => key.to_string(),
                    None => return Err(wrong("the names in a table must be strings")),
                };
                map.insert(name, from_nested(&value.get_item(&key)?, depth + 1)?);
            }
            Ok(Json::Object(map))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let entries = value.try_iter()?.checked();
            let entries = entries.map(|entry| from_nested(&entry?, depth + 1));
            entries.collect()
        }
        _ => Err(wrong("the value is of a kind that cannot be used")),
    }
}

/// `value` with numbers that are equal, and true and 1, written alike, so that values are equal if
/// their texts are (CFL-88).
#[must_use]
pub fn alike(value: &Json) -> Json {
    match value {
        Json::Bool(flag) => Json::from(u8::from(*flag)),
        Json::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| number.is_f64() && float.fract() == 0.0);
            let integer = float.and_then(|float| format!("{float:.0}").parse::<i64>().ok());
            integer.map_or_else(|| value.clone(), Json::from)
        }
        Json::Array(entries) => entries.iter().map(alike).collect(),
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.clone(), alike(value)));
            entries.collect()
        }
        Json::Null | Json::String(_) => value.clone(),
    }
}

/// A whole number of 64 bits, or a finite fraction (CFL-84).
fn number(value: &Value) -> Result<Json, Error> {
    if value.is_integer() {
        let number = i64::try_from(value.clone());
        return number
            .map(Json::from)
            .map_err(|_| wrong("the number has more than 64 bits"));
    }
    let number = f64::try_from(value.clone()).ok().and_then(Number::from_f64);
    number
        .map(Json::Number)
        .ok_or_else(|| wrong("the number is infinite, or not a number"))
}

/// `json` as a value of the engine.
pub(super) fn to_value(json: &Json) -> Value {
    to_nested(json, 0)
}

fn to_nested(json: &Json, depth: usize) -> Value {
    if depth > DEEPEST {
        return wrong("a value is nested too deep").into();
    }
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(entries) => {
            let entries = entries.iter().map(|entry| to_nested(entry, depth + 1));
            Value::from(entries.collect::<Vec<_>>())
        }
        Json::Object(map) => {
            let pairs = map.iter();
            let pairs = pairs.map(|(name, value)| (name.as_str(), to_nested(value, depth + 1)));
            Value::from_pairs(pairs)
        }
    }
}

fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// So deep may values be nested.
const DEEPEST: usize = 128;
