//! Values as they are written in an expression (CFL-30).

use std::fmt::Write as _;

use serde_json::Value as Json;

/// `value` as a piece of an expression that gives it back: texts in quotes with escapes. Two braces
/// in a row never come out of a text.
#[must_use]
pub fn literal(value: &Json) -> String {
    let mut out = String::new();
    push(&mut out, value);
    out
}

fn push(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("none"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => {
            let text = match number.as_f64().filter(|_| number.is_f64()) {
                Some(fraction) => format!("{fraction:?}"),
                None => number.to_string(),
            };
            match text.starts_with('-') {
                true => out.extend(["(", &text, ")"]),
                false => out.push_str(&text),
            }
        }
        Json::String(text) => push_text(out, text),
        Json::Array(entries) => {
            out.push('[');
            for (at, entry) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                push(out, entry);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (at, (name, entry)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                push_text(out, name);
                out.push_str(": ");
                push(out, entry);
            }
            out.push('}');
        }
    }
}

fn push_text(out: &mut String, text: &str) {
    out.push('\'');
    let mut before = None;
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '{' if before == Some('{') => out.push_str("\\u007b"),
            c if c.is_control() => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
        before = Some(c);
    }
    out.push('\'');
}
