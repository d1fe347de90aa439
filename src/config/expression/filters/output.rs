//! Filters for what programs print: JSON, `KEY=VALUE` lines, versions.

use std::io;

use minijinja::{Error, State, Value};
use serde::Serialize as _;
use serde_json::Value as Json;
use serde_json::ser::{Formatter, Serializer};

use super::{failed, text};
use crate::config::expression::json;

/// As Python's `json.dumps` writes it, but with the characters as they are.
pub(super) fn to_json(value: &Value) -> Result<String, Error> {
    let json = json::from_value(value)?;
    let mut out = Vec::new();
    let written = json.serialize(&mut Serializer::with_formatter(&mut out, Spaced));
    written.map_err(|error| failed(error.to_string(), ""))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A space after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

pub(super) fn from_json(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let Some(text) = text(state, value, "from_json")? else {
        return Ok(Value::from(()));
    };
    let read = serde_json::from_str::<Json>(text);
    let value = read.map_err(|error| failed(format!("this is not JSON: {error}"), ""))?;
    Ok(json::to_value(&value))
}

/// `KEY=VALUE` lines as a table; other lines are passed over.
pub(super) fn key_values(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let Some(text) = text(state, value, "key_values")? else {
        return Ok(Value::from(()));
    };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs = pairs.filter(|(name, _)| !name.is_empty());
    Ok(Value::from_pairs(pairs))
}

/// The numbers and words of a text, in order.
pub(super) fn version(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let Some(text) = text(state, value, "version")? else {
        return Ok(Value::from(()));
    };
    let mut parts: Vec<Value> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_number = c.is_ascii_digit();
        let is_word = c.is_alphabetic();
        let is_same = |other: char| match is_number {
            true => other.is_ascii_digit(),
            false => other.is_alphabetic() == is_word && !other.is_ascii_digit(),
        };
        let end = rest.find(|other| !is_same(other)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if is_number {
            parts.push(Value::from(part.parse().unwrap_or(i64::MAX)));
        } else if is_word {
            parts.push(Value::from(part));
        }
        rest = after;
    }
    Ok(Value::from(parts))
}
