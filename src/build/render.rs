//! Putting properties and attributes of the source into texts (PRP-07, PRP-08). Pure.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use crate::config::Template;
use crate::config::{Otherwise, SourceAttribute, TemplatePart};
use crate::model::{Properties, SourceStamp};

/// A text needs a property that is not set.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("property '{0}' is not set")]
pub struct Unset(pub String);

/// What the forms of a text can refer to.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The properties of the build as they are now.
    pub properties: &'a Properties,
    /// What is built.
    pub stamp: &'a SourceStamp,
}

/// The text of `template` with `values`.
///
/// # Errors
/// A property is not set and the form in which it is used does not say what to put then.
pub fn render(template: &Template, values: Values<'_>) -> Result<String, Unset> {
    let mut out = String::new();
    for part in &template.0 {
        match part {
            TemplatePart::Text(text) => out.push_str(text),
            TemplatePart::Property { name, otherwise } => {
                let value = values.properties.get(name);
                put(&mut out, value, otherwise).ok_or_else(|| Unset(name.clone()))?;
            }
            TemplatePart::Source {
                codebase,
                attribute,
                otherwise,
            } => {
                let stamp = Some(values.stamp).filter(|stamp| stamp.codebase == *codebase);
                let value = stamp.and_then(|stamp| attribute_of(stamp, *attribute));
                let name = || Unset(format!("src:{codebase}"));
                put(&mut out, value.as_ref(), otherwise).ok_or_else(name)?;
            }
        }
    }
    Ok(out)
}

/// Appends what a form makes of a value; nothing if the value is missing and must not.
fn put(out: &mut String, value: Option<&Value>, otherwise: &Otherwise) -> Option<()> {
    match (otherwise, value) {
        (Otherwise::Fail, None) => return None,
        (Otherwise::Fail | Otherwise::IfUnset(_), Some(value)) => push(out, value),
        (Otherwise::IfFalse(_), Some(value)) if is_true(value) => push(out, value),
        (Otherwise::IfUnset(text) | Otherwise::IfFalse(text), _)
        | (Otherwise::IfSet(text), Some(_)) => out.push_str(text),
        (Otherwise::IfSet(_), None) => {}
    }
    Some(())
}

/// An attribute of a source stamp. A branch or revision that it does not say is there and is
/// nothing, and what concerns a patch is there only with one, as in Buildbot 0.8.14.
fn attribute_of(stamp: &SourceStamp, attribute: SourceAttribute) -> Option<Value> {
    let patch = stamp.patch.as_ref();
    Some(match attribute {
        SourceAttribute::Branch => stamp.branch.clone().into(),
        SourceAttribute::Revision => stamp.revision_to_build().into(),
        SourceAttribute::Repository => stamp.repository.as_str().into(),
        SourceAttribute::Project => stamp.project.as_str().into(),
        SourceAttribute::Codebase => stamp.codebase.as_str().into(),
        SourceAttribute::HasPatch => patch.is_some().into(),
        SourceAttribute::PatchLevel => patch?.level.into(),
        SourceAttribute::PatchSubdir => patch?.subdir.clone()?.into(),
        SourceAttribute::PatchAuthor => patch?.who.clone()?.into(),
        SourceAttribute::PatchComment => patch?.comment.clone()?.into(),
    })
}

/// Appends `value` as Python's `str` shows it, but `None` as nothing, as Buildbot does in
/// `%(name)s`.
fn push(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            push_repr(out, value);
        }
    }
}

/// Appends `value` as Python's `repr` shows it. Values come from JSON, whose parser bounds their
/// depth.
fn push_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                push_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(pairs) => {
            out.push('{');
            for (i, (key, item)) in pairs.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                push_quoted(out, key);
                out.push_str(": ");
                push_repr(out, item);
            }
            out.push('}');
        }
    }
}

/// Integers as they are; floats with a fraction, and from 1e16 up or below 1e-4 with an exponent of
/// two digits.
fn push_number(out: &mut String, number: &Number) {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        out.push_str(&number.to_string());
        return;
    };
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        write!(out, "{digits}e{sign}{exponent:0>2}").expect("writing to a string cannot fail");
        return;
    }
    write!(out, "{float:?}").expect("writing to a string cannot fail");
}

fn push_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_control() => {
                write!(out, "\\x{:02x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// Python's notion of a true value.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(pairs) => !pairs.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn rendered(value: Value) -> String {
        let mut properties = Properties::new();
        properties.set("p", value, "test");
        let template = Template(vec![TemplatePart::Property {
            name: "p".to_owned(),
            otherwise: Otherwise::Fail,
        }]);
        render(&template, values(&properties)).unwrap()
    }

    fn values(properties: &Properties) -> Values<'_> {
        static STAMP: std::sync::LazyLock<SourceStamp> =
            std::sync::LazyLock::new(SourceStamp::default);
        Values {
            properties,
            stamp: &STAMP,
        }
    }

    /// Reads the forms of the case file the way they were observed: the last `:-`, then `:~`, then
    /// `:+` divides.
    fn template_of(text: &str) -> Template {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            parts.push(TemplatePart::Text(before.to_owned()));
            if let Some(after) = after.strip_prefix('%') {
                parts.push(TemplatePart::Text("%".to_owned()));
                rest = after;
                continue;
            }
            let (form, after) = after.strip_prefix('(').unwrap().split_once(')').unwrap();
            rest = after.split_at(1).1;
            let (name, otherwise) = if let Some((name, text)) = form.rsplit_once(":-") {
                (name, Otherwise::IfUnset(text.to_owned()))
            } else if let Some((name, text)) = form.rsplit_once(":~") {
                (name, Otherwise::IfFalse(text.to_owned()))
            } else if let Some((name, text)) = form.rsplit_once(":+") {
                (name, Otherwise::IfSet(text.to_owned()))
            } else {
                (form, Otherwise::Fail)
            };
            parts.push(TemplatePart::Property {
                name: name.to_owned(),
                otherwise,
            });
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        Template(parts)
    }

    #[test]
    fn with_properties_renders_as_it_was_observed() {
        let cases = include_str!("../../tests/data/interpolation-cases.json");
        let cases: Value = serde_json::from_str(cases).unwrap();
        let mut properties = Properties::new();
        for (name, value) in cases["meta"]["properties"].as_object().unwrap() {
            properties.set(name, value.clone(), "test");
        }
        let cases = cases["with_properties"].as_array().unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let text = case[0].as_str().unwrap();
            let got = render(&template_of(text), values(&properties));
            match case[1].as_str() {
                Some(expected) => assert_eq!(got.as_deref(), Ok(expected), "{text}"),
                None => assert!(got.is_err(), "{text}"),
            }
        }
    }

    #[test]
    fn values_show_as_python_shows_them() {
        assert_eq!(rendered(json!(true)), "True");
        assert_eq!(rendered(json!(false)), "False");
        assert_eq!(rendered(json!(null)), "");
        assert_eq!(rendered(json!(-7)), "-7");
        assert_eq!(rendered(json!(1.0)), "1.0");
        assert_eq!(rendered(json!(0.1)), "0.1");
        assert_eq!(rendered(json!(1e16)), "1e+16");
        assert_eq!(rendered(json!(1.5e300)), "1.5e+300");
        assert_eq!(rendered(json!(0.00001)), "1e-05");
        assert_eq!(rendered(json!(0.0001)), "0.0001");
        assert_eq!(rendered(json!(u64::MAX)), "18446744073709551615");
        assert_eq!(
            rendered(json!(["a", 1, null, true, {"k": [2.5]}])),
            "['a', 1, None, True, {'k': [2.5]}]"
        );
        assert_eq!(
            rendered(json!(["it's", "a\"'b", "\n\u{1}é"])),
            r#"["it's", 'a"\'b', '\n\x01é']"#
        );
    }

    #[test]
    fn false_means_what_python_calls_false() {
        for value in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(!is_true(&value), "{value}");
        }
        for value in [
            json!(true),
            json!(-1),
            json!("0"),
            json!([0]),
            json!({"": 0}),
        ] {
            assert!(is_true(&value), "{value}");
        }
    }

    #[test]
    fn the_source_is_asked_and_not_the_property_of_the_same_name() {
        let mut properties = Properties::new();
        for name in ["branch", "revision", "repository", "project", "codebase"] {
            properties.set(name, "wrong", "Builder");
        }
        let stamp = SourceStamp {
            branch: Some("trunk".to_owned()),
            revision: None,
            repository: "http://r/".to_owned(),
            codebase: "lib".to_owned(),
            ..SourceStamp::default()
        };
        let shown = |codebase: &str, attribute, otherwise| {
            let template = Template(vec![TemplatePart::Source {
                codebase: codebase.to_owned(),
                attribute,
                otherwise,
            }]);
            let values = Values {
                properties: &properties,
                stamp: &stamp,
            };
            render(&template, values).unwrap()
        };
        let unset = || Otherwise::IfUnset("none".to_owned());
        let false_ = || Otherwise::IfFalse("HEAD".to_owned());
        let set = || Otherwise::IfSet("yes".to_owned());
        assert_eq!(shown("lib", SourceAttribute::Branch, unset()), "trunk");
        assert_eq!(shown("lib", SourceAttribute::Revision, unset()), "");
        assert_eq!(shown("lib", SourceAttribute::Revision, false_()), "HEAD");
        assert_eq!(shown("lib", SourceAttribute::Revision, set()), "yes");
        assert_eq!(
            shown("lib", SourceAttribute::Repository, unset()),
            "http://r/"
        );
        assert_eq!(shown("lib", SourceAttribute::Project, unset()), "");
        assert_eq!(shown("lib", SourceAttribute::Codebase, unset()), "lib");
        assert_eq!(shown("lib", SourceAttribute::HasPatch, unset()), "False");
        assert_eq!(shown("lib", SourceAttribute::PatchLevel, unset()), "none");
        assert_eq!(shown("", SourceAttribute::Branch, unset()), "none");
        assert_eq!(shown("", SourceAttribute::Branch, set()), "");
    }

    #[test]
    fn an_unset_property_is_named() {
        let template = template_of("a %(nosuch)s b");
        let error = render(&template, values(&Properties::new())).unwrap_err();
        assert_eq!(error.to_string(), "property 'nosuch' is not set");
    }
}
