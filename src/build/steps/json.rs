//! JSON for files on the slave, spelled as Python spells it.

use std::io::{self, Write};

use bytes::Bytes;
use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value, json};

use super::shell::{Unrenderable, put_in};
use crate::build::render::Values;
use crate::config::JsonTemplate;
use crate::model::{Change, Properties, SourceStamp, SourceStamps, Timestamp};

/// A value with the properties put in.
pub(super) fn put_in_all(
    template: &JsonTemplate,
    values: Values<'_>,
) -> Result<Value, Unrenderable> {
    Ok(match template {
        JsonTemplate::Text(text) => Value::String(put_in(text, values, "o")?),
        JsonTemplate::Plain(value) => value.clone(),
        JsonTemplate::List(items) => {
            let items = items.iter().map(|item| put_in_all(item, values));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        JsonTemplate::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), put_in_all(value, values)?)));
            Value::Object(entries.collect::<Result<_, _>>()?)
        }
    })
}

/// The properties and the source of a build, with the keys of Buildbot 0.8.14. Of several
/// codebases, `sourcestamp` is the first, and `sourcestamps` has all.
pub(super) fn of_build(
    properties: &Properties,
    stamps: &SourceStamps,
    diff: Option<&[u8]>,
) -> Value {
    let values = properties.iter();
    let values = values.map(|(name, property)| (name.to_owned(), property.value.clone()));
    let values = Value::Object(values.collect::<Map<_, _>>());
    let source = of_stamp(stamps.first(), diff);
    if stamps.single().is_some() {
        return json!({ "properties": values, "sourcestamp": source });
    }
    let all: Vec<_> = stamps.iter().map(|stamp| of_stamp(stamp, diff)).collect();
    json!({ "properties": values, "sourcestamp": source, "sourcestamps": all })
}

fn of_stamp(stamp: &SourceStamp, diff: Option<&[u8]>) -> Value {
    let mut source = json!({
        "revision": stamp.revision,
        "hasPatch": stamp.patch.is_some(),
        "branch": stamp.branch,
        "changes": stamp.changes.iter().map(|change| of_change(change)).collect::<Vec<_>>(),
        "project": stamp.project,
        "repository": stamp.repository,
        "codebase": stamp.codebase,
    });
    if let (Some(patch), Some(source)) = (&stamp.patch, source.as_object_mut()) {
        let body = diff.map(String::from_utf8_lossy);
        let mut put = |key: &str, value| drop(source.insert(key.to_owned(), value));
        put("patch_level", json!(patch.level));
        put("patch_body", json!(body));
        put("patch_subdir", json!(patch.subdir));
        put("patch_author", json!(patch.who));
        put("patch_comment", json!(patch.comment));
    }
    source
}

fn of_change(change: &Change) -> Value {
    let mut files: Vec<_> = change.files.iter().collect();
    files.sort();
    let files: Vec<_> = files
        .into_iter()
        .map(|name| json!({ "name": name }))
        .collect();
    let properties = change.properties.iter();
    let properties =
        properties.map(|(name, property)| json!([name, property.value, property.source]));
    json!({
        "number": change.number.0,
        "branch": change.branch,
        "category": change.category,
        "who": change.who,
        "comments": change.comments,
        "revision": change.revision,
        "rev": change.revision,
        "when": seconds(change.when),
        "files": files,
        "revlink": change.revlink,
        "properties": properties.collect::<Vec<_>>(),
        "repository": change.repository,
        "codebase": change.codebase,
        "project": change.project,
    })
}

fn seconds(time: Timestamp) -> f64 {
    let begin = Timestamp::from_secs(0);
    match time >= begin {
        true => time.since(begin).as_secs_f64(),
        false => -begin.since(time).as_secs_f64(),
    }
}

/// The text of a value: with spaces after commas and colons, and ASCII only.
pub(super) fn dump(value: &Value) -> Bytes {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Python);
    let written = value.serialize(&mut serializer);
    written.expect("a value with keys of text goes into memory");
    text.into()
}

/// The spelling of Python's `json.dumps`.
struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(separator(first))
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(separator(first))
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            if c.is_ascii() {
                write!(out, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

const fn separator(first: bool) -> &'static [u8] {
    if first { b"" } else { b", " }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn dumped(value: &Value) -> String {
        String::from_utf8(dump(value).to_vec()).unwrap()
    }

    #[test]
    fn values_are_spelled_as_python_does() {
        let value = json!({"a": [1, 2.5, true, null], "b": {}, "c": "é\n\"\\\u{1f600}\x7f"});
        assert_eq!(
            dumped(&value),
            "{\"a\": [1, 2.5, true, null], \"b\": {}, \"c\": \"\\u00e9\\n\\\"\\\\\\ud83d\\ude00\x7f\"}"
        );
        assert_eq!(
            serde_json::from_str::<Value>(&dumped(&value)).unwrap(),
            value
        );
    }

    #[test]
    fn a_build_is_told_with_the_keys_of_buildbot() {
        let mut properties = Properties::new();
        properties.set("n", 1, "test");
        let told = of_build(&properties, &SourceStamps::default(), None);
        assert_eq!(
            told,
            json!({
                "properties": {"n": 1},
                "sourcestamp": {
                    "revision": null, "hasPatch": false, "branch": null, "changes": [],
                    "project": "", "repository": "", "codebase": "",
                },
            })
        );
    }
}
