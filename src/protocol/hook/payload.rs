//! The payload of a request: JSON, in the body or in a field of a form.

use percent_encoding::percent_decode;
use serde_json::Value;

use super::{DEEPEST, Misread, Post};
use crate::model::Timestamp;
use crate::text::Encoding;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The JSON of the body, or that of its form field `payload`. Without a content type it is JSON.
pub(super) fn json_or_form(post: &Post) -> Result<Value, Misread> {
    match post.content_type().as_deref() {
        None => json(&post.body),
        Some(JSON) => json(&post.body),
        Some(FORM) => json(field(post, "payload")?.as_bytes()),
        Some(other) => Err(Misread::ContentType(
            other.to_owned(),
            "application/json and application/x-www-form-urlencoded",
        )),
    }
}

/// The request with a body in UTF-8; absent if it has one already (INT-08).
pub(super) fn in_utf8(post: &Post, encoding: Encoding) -> Option<Post> {
    let body = match post.content_type().as_deref() {
        Some(FORM) => form_in_utf8(&post.body, encoding)?,
        _ if std::str::from_utf8(&post.body).is_ok() => return None,
        _ => encoding.decode(&post.body).into_owned(),
    };
    Some(Post {
        body: body.into_bytes(),
        ..post.clone()
    })
}

/// A form whose names and values are in UTF-8; absent if they are already.
fn form_in_utf8(body: &[u8], encoding: Encoding) -> Option<String> {
    let decoded = |text: &[u8]| -> Vec<u8> {
        let blank = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
        let text: Vec<u8> = text.iter().map(blank).collect();
        percent_decode(&text).collect()
    };
    let fields = body.split(|byte| *byte == b'&');
    let fields = fields.filter(|field| !field.is_empty()).map(|field| {
        let mut parts = field.splitn(2, |byte| *byte == b'=');
        let mut next = || decoded(parts.next().unwrap_or_default());
        (next(), next())
    });
    let fields: Vec<_> = fields.collect();
    let is_utf8 = |text: &[u8]| std::str::from_utf8(text).is_ok();
    if fields
        .iter()
        .all(|(name, value)| is_utf8(name) && is_utf8(value))
    {
        return None;
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        form.append_pair(&encoding.decode(name), &encoding.decode(value));
    }
    Some(form.finish())
}

/// The JSON of the form field `payload`.
pub(super) fn in_form(post: &Post) -> Result<Value, Misread> {
    json(field(post, "payload")?.as_bytes())
}

/// Parses JSON that is not nested too deeply.
pub(in crate::protocol) fn json(text: &[u8]) -> Result<Value, Misread> {
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| Misread::Malformed(format!("the payload is not JSON: {error}")))?;
    if is_deeper(&value, DEEPEST) {
        let why = format!("the payload is nested more than {DEEPEST} levels deep");
        return Err(Misread::Malformed(why));
    }
    Ok(value)
}

/// The fields of a form.
pub(super) fn form(post: &Post) -> Vec<(String, String)> {
    form_urlencoded::parse(&post.body).into_owned().collect()
}

fn field(post: &Post, name: &str) -> Result<String, Misread> {
    let field = form(post).into_iter().find(|(its, _)| its == name);
    let missing = || Misread::Malformed(format!("the form has no field {name}"));
    field.map(|(_, value)| value).ok_or_else(missing)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|v| is_deeper(v, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The text at a path such as `/repository/url`; empty if it is missing.
pub(in crate::protocol) fn text(value: &Value, path: &str) -> String {
    let text = value.pointer(path).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The first of the texts at these paths that is not empty.
pub(in crate::protocol) fn first_text(value: &Value, paths: &[&str]) -> String {
    let mut texts = paths.iter().map(|path| text(value, path));
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

/// The list at a path; empty if it is missing.
pub(in crate::protocol) fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    let list = value.pointer(path).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// The flag at a path; false if it is missing.
pub(in crate::protocol) fn flag(value: &Value, path: &str) -> bool {
    let flag = value.pointer(path).and_then(Value::as_bool);
    flag.unwrap_or_default()
}

/// The number at a path.
pub(in crate::protocol) fn number(value: &Value, path: &str) -> Option<u64> {
    value.pointer(path).and_then(Value::as_u64)
}

/// The time at a path, in RFC 3339 with a `T` or a blank.
pub(in crate::protocol) fn time(value: &Value, path: &str) -> Option<Timestamp> {
    let text = text(value, path).replacen(' ', "T", 1);
    let time = chrono::DateTime::parse_from_rfc3339(&text).ok()?;
    Some(Timestamp(time.timestamp_micros()))
}

/// `Name <address>`, or what there is of it, of the object at a path.
pub(super) fn person(value: &Value, path: &str, fields: (&str, &str)) -> String {
    let name = text(value, &format!("{path}/{}", fields.0));
    let address = text(value, &format!("{path}/{}", fields.1));
    match (name.is_empty(), address.is_empty()) {
        (false, false) => format!("{name} <{address}>"),
        (true, false) => address,
        (_, true) => name,
    }
}

/// Whether a hash says that there is nothing: it has zeros alone.
pub(in crate::protocol) fn is_nothing(hash: &str) -> bool {
    !hash.is_empty() && hash.bytes().all(|byte| byte == b'0')
}
