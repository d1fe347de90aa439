//! `addChange`, both ends (PROTOCOL section 12).
//!
//! Clients from 0.7 to 4.3 are accepted: keys and values as bytes or unicode, files as a list or a
//! tuple, keys of later or other masters ignored. Nothing of a change that is accepted is dropped
//! silently but files outside the prefix; of files whose names are too much to keep there is the
//! number ([`NewChange::files_left_out`]).

use crate::model::{Delivery, NewChange, Properties, Timestamp};
use crate::pb::Value;

use super::{Malformed, TextStyle};

/// Most bytes of the names of a change's files together: some hundred thousand files.
pub const MAX_FILES_BYTES: usize = 4 * 1024 * 1024;
/// Longest path, name, branch and the like.
pub const MAX_NAME_BYTES: usize = 16 * 1024;
/// Longest commit message: what one string of the protocol holds.
pub const MAX_COMMENTS_BYTES: usize = 640 * 1024;
/// Maximum number of files of a change whose names are kept (INT-09).
pub const MOST_FILES: usize = 10_000;
/// Most bytes of the properties together, names and values.
pub const MAX_PROPERTIES_BYTES: usize = 2 * 1024 * 1024;
/// Deepest nesting of a property's value.
const MAX_DEPTH: usize = 16;

/// The key of the time of the commit, which Buildbot's masters refuse.
pub const MADE_AT: &str = "made_at";

/// The key that says that a change which is known already is sent again on purpose (INT-06);
/// Buildbot's masters refuse it.
pub const AGAIN: &str = "again";

/// The key by which the sender numbers what it sends, so that the master takes it once (INT-03): a
/// SHA-256 sum in hexadecimal digits. Buildbot's masters refuse it.
pub const DELIVERY: &str = "delivery";

/// Where properties of a change come from (PRP-02).
const SOURCE: &str = "Change";

/// Reads the dictionary of `addChange`. With a `prefix`, files that begin with it lose it and
/// others are dropped.
///
/// # Errors
/// A key has a value of another type or beyond its limit; the text names the key.
pub fn decode_change(dict: &Value, prefix: Option<&str>) -> Result<NewChange, Malformed> {
    if dict.as_dict().is_none() {
        return Err(Malformed::wrong("addChange", "a dictionary"));
    }
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    let (files, files_left_out) = files(dict, prefix)?;
    let who = match text(dict, "who", MAX_NAME_BYTES)? {
        Some(who) => Some(who),
        None => text(dict, "author", MAX_NAME_BYTES)?,
    };
    Ok(NewChange {
        who: or_empty(who),
        files,
        files_left_out,
        comments: or_empty(text(dict, "comments", MAX_COMMENTS_BYTES)?),
        revision: text(dict, "revision", MAX_NAME_BYTES)?,
        branch: text(dict, "branch", MAX_NAME_BYTES)?,
        when: match when(dict, "when")? {
            Some(when) => Some(when),
            None => when(dict, "when_timestamp")?,
        },
        made_at: when(dict, MADE_AT)?,
        project: or_empty(text(dict, "project", MAX_NAME_BYTES)?),
        repository: or_empty(text(dict, "repository", MAX_NAME_BYTES)?),
        codebase: or_empty(text(dict, "codebase", MAX_NAME_BYTES)?),
        category: text(dict, "category", MAX_NAME_BYTES)?,
        revlink: or_empty(text(dict, "revlink", MAX_NAME_BYTES)?),
        src: text(dict, "src", MAX_NAME_BYTES)?,
        properties: properties(dict)?,
        notes: Vec::new(),
        is_skipped: false,
    })
}

/// Whether the dictionary of `addChange` says that the change is sent again on purpose (INT-06).
#[must_use]
pub fn is_again(dict: &Value) -> bool {
    let again = given(dict, AGAIN).map(Value::unshared);
    matches!(again, Some(Value::Bool(true) | Value::Int(1)))
}

/// The number of the delivery in the dictionary of `addChange`, if there is one.
#[must_use]
pub fn delivery(dict: &Value) -> Option<Delivery> {
    let text = given(dict, DELIVERY)?.as_text()?.into_owned();
    serde_json::from_value(text.into()).ok()
}

/// Spells `change` for a master as the client of 4.3 does, which masters from 0.8 on accept:
/// everything unicode, the codebase only if there is one. Only ours know of [`MADE_AT`], which is
/// there only if it is known.
#[must_use]
pub fn encode_change(change: &NewChange) -> Value {
    let maybe = |text: &Option<String>| text.as_deref().map_or(Value::None, Value::text);
    let mut dict = vec![
        ("project", Value::text(&change.project)),
        ("repository", Value::text(&change.repository)),
        ("who", Value::text(&change.who)),
        (
            "files",
            Value::List(change.files.iter().map(|f| Value::text(f)).collect()),
        ),
        ("comments", Value::text(&change.comments)),
        ("branch", maybe(&change.branch)),
        ("revision", maybe(&change.revision)),
        ("category", maybe(&change.category)),
        (
            "when",
            change
                .when
                .map_or(Value::None, |w| Value::Float(w.as_secs_f64())),
        ),
        ("properties", properties_value(&change.properties)),
        ("revlink", Value::text(&change.revlink)),
        ("src", maybe(&change.src)),
    ];
    if !change.codebase.is_empty() {
        dict.push(("codebase", Value::text(&change.codebase)));
    }
    if let Some(made_at) = change.made_at {
        dict.push((MADE_AT, Value::Float(made_at.as_secs_f64())));
    }
    let pairs = dict.into_iter().map(|(k, v)| (Value::text(k), v));
    Value::Dict(pairs.collect())
}

fn given<'v>(dict: &'v Value, key: &str) -> Option<&'v Value> {
    dict.get(key)
        .filter(|v| !matches!(v.unshared(), Value::None))
}

/// A text or, as old version-control hooks send revisions, an integer.
fn text(dict: &Value, key: &str, limit: usize) -> Result<Option<String>, Malformed> {
    let Some(value) = given(dict, key) else {
        return Ok(None);
    };
    if let Some(text) = value.as_text() {
        if text.len() > limit {
            return Err(Malformed::too_many(key, limit, "bytes"));
        }
        return Ok(Some(text.into_owned()));
    }
    if let Value::Int(number) = value.unshared() {
        return Ok(Some(number.to_string()));
    }
    Err(Malformed::wrong(key, "a string or None"))
}

/// A number that is not a time is kept: the master says so where it shows the change (TIM-02).
fn when(dict: &Value, key: &str) -> Result<Option<Timestamp>, Malformed> {
    let Some(value) = given(dict, key) else {
        return Ok(None);
    };
    value
        .as_float()
        .map(|seconds| Some(Timestamp::from_secs_f64(seconds)))
        .ok_or_else(|| Malformed::wrong(key, "seconds or None"))
}

/// The files, and how many more there are whose names are too much to keep.
fn files(dict: &Value, prefix: Option<&str>) -> Result<(Vec<String>, u64), Malformed> {
    let Some(value) = given(dict, "files") else {
        return Ok((Vec::new(), 0));
    };
    let wrong = || Malformed::wrong("files", "a list of strings");
    let items = value.as_items().ok_or_else(wrong)?;
    let mut files = Vec::new();
    let mut left_out = 0;
    let mut budget = MAX_FILES_BYTES;
    for item in items {
        let file = item.as_text().ok_or_else(wrong)?;
        let name = match prefix {
            None => file.as_ref(),
            Some(prefix) => match file.strip_prefix(prefix) {
                Some(name) => name,
                None => continue,
            },
        };
        if name.len() > MAX_NAME_BYTES || name.len() > budget {
            left_out += 1;
        } else {
            budget -= name.len();
            files.push(name.to_owned());
        }
    }
    Ok((files, left_out))
}

fn properties(dict: &Value) -> Result<Properties, Malformed> {
    let mut properties = Properties::new();
    if let Some(value) = given(dict, "properties") {
        for (name, value) in decode_properties(value)? {
            properties.set(name, value, SOURCE);
        }
    }
    Ok(properties)
}

/// Reads a dictionary of properties: their names and values, in the order of the wire.
///
/// # Errors
/// It is none, or is beyond the limits of properties.
pub(super) fn decode_properties(
    dict: &Value,
) -> Result<Vec<(String, serde_json::Value)>, Malformed> {
    let mut properties = Vec::new();
    let pairs = dict
        .as_dict()
        .ok_or_else(|| Malformed::wrong("properties", "a dictionary"))?;
    let mut budget = MAX_PROPERTIES_BYTES;
    for (name, value) in pairs {
        let name = name
            .as_text()
            .filter(|name| name.len() <= MAX_NAME_BYTES && Properties::is_valid_name(name))
            .ok_or_else(|| {
                Malformed::wrong(
                    "properties",
                    "names of letters, digits and the signs _ . - / ~ :",
                )
            })?;
        let too_large = || Malformed::too_many("properties", MAX_PROPERTIES_BYTES, "bytes");
        budget = budget.checked_sub(name.len()).ok_or_else(too_large)?;
        // Some senders give the source as well; it is always the change.
        let value = if let Value::Tuple(pair) = value.unshared()
            && let [value, _source] = pair.as_slice()
        {
            value
        } else {
            value
        };
        let place = || format!("properties[{name:?}]");
        let value = json(value, MAX_DEPTH, &mut budget).map_err(|problem| match problem {
            Unfit::Type => {
                Malformed::wrong(&place(), "strings, numbers, flags, lists or dictionaries")
            }
            Unfit::Depth => Malformed::too_many(&place(), MAX_DEPTH, "levels"),
            Unfit::Size => too_large(),
        })?;
        properties.push((name.into_owned(), value));
    }
    Ok(properties)
}

/// Why a value is not a property.
enum Unfit {
    Type,
    Depth,
    Size,
}

/// `value` as JSON; each value costs its text and a fixed part of the `budget`, so that one that is
/// shared a million times in the message does not become large here.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what JSON does not have is not a property"
)]
fn json(value: &Value, depth: usize, budget: &mut usize) -> Result<serde_json::Value, Unfit> {
    use serde_json::Value as Json;

    let cost = 16 + value.as_raw().map_or(0, bytes::Bytes::len);
    *budget = budget.checked_sub(cost).ok_or(Unfit::Size)?;
    let depth_below = depth.checked_sub(1).ok_or(Unfit::Depth);
    if let Some(text) = value.as_text() {
        return Ok(Json::from(text));
    }
    if let Some(items) = value.as_items() {
        let depth = depth_below?;
        return items.iter().map(|item| json(item, depth, budget)).collect();
    }
    if let Some(pairs) = value.as_dict() {
        let depth = depth_below?;
        let pair = |(key, value): &(Value, Value)| {
            let key = key.as_text().ok_or(Unfit::Type)?.into_owned();
            Ok((key, json(value, depth, budget)?))
        };
        return pairs
            .iter()
            .map(pair)
            .collect::<Result<_, Unfit>>()
            .map(Json::Object);
    }
    match value.unshared() {
        Value::None => Ok(Json::Null),
        Value::Bool(flag) => Ok(Json::from(*flag)),
        Value::Int(number) => Ok(Json::from(*number)),
        Value::Float(number) if number.is_finite() => Ok(Json::from(*number)),
        _ => Err(Unfit::Type),
    }
}

fn properties_value(properties: &Properties) -> Value {
    let pairs = properties.iter().map(|(name, property)| {
        (
            Value::text(name),
            json_value(&property.value, TextStyle::Unicode),
        )
    });
    Value::Dict(pairs.collect())
}

/// A property's value for a peer.
#[must_use]
pub fn json_value(json: &serde_json::Value, style: TextStyle) -> Value {
    use serde_json::Value as Json;

    match json {
        Json::Null => Value::None,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => number.as_i64().map_or_else(
            || Value::Float(number.as_f64().unwrap_or_default()),
            Value::Int,
        ),
        Json::String(text) => style.value(text),
        Json::Array(items) => {
            Value::List(items.iter().map(|item| json_value(item, style)).collect())
        }
        Json::Object(pairs) => Value::Dict(
            pairs
                .iter()
                .map(|(key, value)| (style.value(key), json_value(value, style)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn dict(pairs: Vec<(&str, Value)>) -> Value {
        Value::Dict(
            pairs
                .into_iter()
                .map(|(k, v)| (Value::bytes(k), v))
                .collect(),
        )
    }

    fn refusal(pairs: Vec<(&str, Value)>) -> String {
        decode_change(&dict(pairs), None).unwrap_err().to_string()
    }

    #[test]
    fn chg_01_what_is_not_said_is_absent_or_empty() {
        let change = decode_change(
            &dict(vec![
                ("who", Value::bytes("dev")),
                ("files", Value::Tuple(vec![Value::bytes("a")])),
                ("comments", Value::bytes("c")),
            ]),
            None,
        )
        .unwrap();
        let want = NewChange {
            who: "dev".into(),
            files: vec!["a".into()],
            comments: "c".into(),
            ..NewChange::default()
        };
        assert_eq!(change, want);
    }

    #[test]
    fn chg_02_an_empty_branch_is_not_the_default_branch() {
        let branch = |value| {
            decode_change(&dict(vec![("branch", value)]), None)
                .unwrap()
                .branch
        };
        assert_eq!(branch(Value::None), None);
        assert_eq!(branch(Value::text("")), Some(String::new()));
    }

    #[test]
    fn what_goes_out_comes_back() {
        let mut change = NewChange {
            who: "Zoë".into(),
            files: vec!["a".into(), "b/ö".into()],
            revision: Some("12".into()),
            branch: Some(String::new()),
            when: Some(Timestamp::from_secs(1_600_000_000)),
            codebase: "cb".into(),
            ..NewChange::default()
        };
        change
            .properties
            .set("n", json!({"a": [1, 2.5, null, true]}), "Change");
        assert_eq!(
            decode_change(&encode_change(&change), None).unwrap(),
            change
        );
    }

    #[test]
    fn other_names_and_integers_are_understood() {
        let change = decode_change(
            &dict(vec![
                ("author", Value::text("me")),
                ("when_timestamp", Value::Int(5)),
                ("revision", Value::Int(1234)),
                ("isdir", Value::Int(0)),
                ("comments", Value::bytes(b"caf\xe9")),
            ]),
            None,
        )
        .unwrap();
        assert_eq!(change.who, "me");
        assert_eq!(change.when, Some(Timestamp::from_secs(5)));
        assert_eq!(change.revision.as_deref(), Some("1234"));
        assert_eq!(change.comments, "caf\u{fffd}");
    }

    #[test]
    fn files_outside_the_prefix_are_dropped() {
        let files = Value::List(vec![Value::text("trunk/a"), Value::text("tags/b")]);
        let change = decode_change(&dict(vec![("files", files)]), Some("trunk/")).unwrap();
        assert_eq!(change.files, ["a"]);
    }

    #[test]
    fn properties_come_from_the_change_whatever_is_said() {
        let said = Value::Dict(vec![
            (
                Value::text("a"),
                Value::Tuple(vec![Value::text("x"), Value::text("Elsewhere")]),
            ),
            (Value::bytes("b"), Value::bytes("5")),
        ]);
        let change = decode_change(&dict(vec![("properties", said)]), None).unwrap();
        let mut want = Properties::new();
        want.set("a", "x", "Change");
        want.set("b", "5", "Change");
        assert_eq!(change.properties, want);
    }

    #[test]
    fn tim_02_a_number_that_is_not_a_time_is_kept() {
        let when = |number: f64| {
            let said = dict(vec![("when", Value::Float(number))]);
            decode_change(&said, None).unwrap().when
        };
        assert_eq!(when(1.5), Some(Timestamp(1_500_000)));
        assert_eq!(when(f64::INFINITY), Some(Timestamp(i64::MAX)));
        assert_eq!(when(f64::NAN), Some(Timestamp(i64::MIN)));
    }

    #[test]
    fn the_wrong_key_is_named() {
        assert_eq!(
            refusal(vec![("branch", Value::Bool(true))]),
            "branch: expected a string or None"
        );
        assert_eq!(
            refusal(vec![("when", Value::text("yesterday"))]),
            "when: expected seconds or None"
        );
        assert_eq!(
            refusal(vec![("files", Value::text("a"))]),
            "files: expected a list of strings"
        );
        let bad_name = Value::Dict(vec![(Value::text("a b"), Value::None)]);
        assert!(refusal(vec![("properties", bad_name)]).starts_with("properties: "));
        let bad_value = Value::Dict(vec![(Value::text("a"), Value::Float(f64::INFINITY))]);
        assert!(refusal(vec![("properties", bad_value)]).starts_with("properties[\"a\"]: "));
        assert!(decode_change(&Value::None, None).is_err());
    }

    #[test]
    fn sizes_are_limited() {
        let ok = |key, value| decode_change(&dict(vec![(key, value)]), None).is_ok();
        let long = |n: usize| Value::text(&"x".repeat(n));
        assert!(ok("branch", long(MAX_NAME_BYTES)));
        assert!(!ok("branch", long(MAX_NAME_BYTES + 1)));
        assert!(ok("comments", long(MAX_COMMENTS_BYTES)));
        assert!(!ok("comments", long(MAX_COMMENTS_BYTES + 1)));
        // Each value costs 16 bytes.
        let properties = |n: usize| {
            let rest = "x".repeat(1_000);
            let pair = |i: usize| (Value::text(&format!("{i:08}{rest}")), Value::None);
            Value::Dict((0..n).map(pair).collect())
        };
        assert!(ok("properties", properties(MAX_PROPERTIES_BYTES / 1_024)));
        assert!(!ok(
            "properties",
            properties(MAX_PROPERTIES_BYTES / 1_024 + 1)
        ));
        let nested = |levels| {
            let value = (0..levels).fold(Value::None, |inner, _| Value::List(vec![inner]));
            Value::Dict(vec![(Value::text("p"), value)])
        };
        assert!(ok("properties", nested(MAX_DEPTH)));
        assert!(!ok("properties", nested(MAX_DEPTH + 1)));
    }

    #[test]
    fn files_beyond_the_limit_are_counted() {
        let decoded = |files: Vec<Value>, prefix| {
            let change = decode_change(&dict(vec![("files", Value::List(files))]), prefix).unwrap();
            (change.files.len(), change.files_left_out)
        };
        let long = |n: usize| Value::text(&"x".repeat(n));
        assert_eq!(decoded(vec![Value::text("f"); 200_000], None), (200_000, 0));
        assert_eq!(decoded(vec![long(MAX_NAME_BYTES)], None), (1, 0));
        assert_eq!(decoded(vec![long(MAX_NAME_BYTES + 1); 2], None), (0, 2));
        let most = MAX_FILES_BYTES / MAX_NAME_BYTES;
        assert_eq!(decoded(vec![long(MAX_NAME_BYTES); most], None), (most, 0));
        let more = vec![long(MAX_NAME_BYTES); most + 3];
        assert_eq!(decoded(more.clone(), None), (most, 3));
        assert_eq!(decoded(more, Some("y")), (0, 0));
    }
}
