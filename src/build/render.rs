//! Putting properties and attributes of the source into texts (PRP-07, PRP-08). Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::{Number, Value};

use super::secrets::Secrets;
use crate::config::RepositoryConfig;
use crate::config::{
    Environment, Otherwise, SecretSource, SourceAttribute, Subject, Template, TemplatePart,
};
use crate::model::{PATH_SEPARATOR, Properties, SourceStamp, SourceStamps};

/// A text cannot be rendered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Unrendered {
    /// It needs a property that is not set.
    #[error("property '{0}' is not set")]
    Unset(String),
    /// A value of `[values]` cannot be worked out.
    #[error("{0}")]
    Value(String),
    /// A list form names something that is not a list.
    #[error("'{0}' is a table, and not a list of words")]
    NotAList(String),
    /// A list form stands for the variables of a command, and names something else.
    #[error("'{0}' is not a table of variables")]
    NotATable(String),
    /// A table of variables has a name that no variable can have.
    #[error("'{0}' is not a valid name of an environment variable")]
    BadVariable(String),
    /// A variable has a value that cannot be its text.
    #[error("the variable '{0}' must be a string, a number, a list of them, or false")]
    BadValue(String),
    /// A command has no words.
    #[error("no words are left")]
    NoWords,
    /// A secret of another step.
    #[error("the {0} is not known")]
    Secret(SecretSource),
}

/// Where the values of `[values]` come from.
pub(super) trait Lookup: fmt::Debug + Sync {
    /// The value of `name`; nothing if it is undefined.
    ///
    /// # Errors
    /// It cannot be worked out; the text says why.
    fn value(&self, name: &str) -> Result<Option<Value>, String>;
}

/// No names.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct NoValues;

#[cfg(test)]
impl Lookup for NoValues {
    fn value(&self, _name: &str) -> Result<Option<Value>, String> {
        Ok(None)
    }
}

/// What the forms of a text can refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    /// The properties of the build as they are now.
    pub(super) properties: &'a Properties,
    /// What is built.
    pub(super) stamps: &'a SourceStamps,
    /// What the slave told of itself.
    pub(super) slave: &'a BTreeMap<String, String>,
    /// The register of repositories.
    pub(super) repositories: &'a [RepositoryConfig],
    /// The values of `[values]`.
    pub(super) kw: &'a dyn Lookup,
    /// Whether empty words of commands are left out (CFL-103).
    pub(super) drop_empty: bool,
    /// The secrets of the step.
    pub(super) secrets: &'a Secrets,
}

impl<'a> Values<'a> {
    /// These properties, and nothing else.
    #[cfg(test)]
    pub(super) fn of(properties: &'a Properties) -> Self {
        use std::sync::LazyLock;

        static NOTHING: LazyLock<(SourceStamps, BTreeMap<String, String>, Secrets)> =
            LazyLock::new(Default::default);
        let (stamps, slave, secrets) = &*NOTHING;
        Self {
            properties,
            stamps,
            slave,
            repositories: &[],
            kw: &NoValues,
            drop_empty: false,
            secrets,
        }
    }

    /// The value of what a form is about; nothing if it is not there.
    fn get(self, subject: &Subject) -> Result<Option<Cow<'a, Value>>, Unrendered> {
        Ok(match subject {
            Subject::Property(name) => self.properties.get(name).map(Cow::Borrowed),
            Subject::Source {
                codebase,
                attribute,
            } => {
                let stamp = self.stamps.of(codebase);
                let value = stamp.and_then(|stamp| attribute_of(stamp, *attribute));
                value.map(Cow::Owned)
            }
            Subject::Value(name) => {
                let value = self.kw.value(name).map_err(Unrendered::Value)?;
                value.map(Cow::Owned)
            }
            Subject::Slave(name) => {
                let value = self.slave.get(name);
                value.map(|text| Cow::Owned(Value::from(text.as_str())))
            }
        })
    }
}

/// The text of `template` with `values`.
///
/// # Errors
/// Something that it needs is not there.
pub(super) fn render(template: &Template, values: Values<'_>) -> Result<String, Unrendered> {
    let mut out = String::new();
    put_all(&mut out, template, values)?;
    Ok(out)
}

/// The words that `template` stands for with `values`: one, or those of a list (CFL-102).
///
/// # Errors
/// As for [`render`]; or a list form names a table.
pub(super) fn render_words(
    template: &Template,
    values: Values<'_>,
) -> Result<Vec<String>, Unrendered> {
    let [TemplatePart::List(subject)] = template.0.as_slice() else {
        return Ok(vec![render(template, values)?]);
    };
    let mut words = Vec::new();
    if let Some(value) = values.get(subject)? {
        push_words(&mut words, &value).ok_or_else(|| Unrendered::NotAList(subject.to_string()))?;
    }
    Ok(words)
}

/// Appends the words of a value, also those of lists in lists (PRP-21); nothing if there is a
/// table.
fn push_words(words: &mut Vec<String>, value: &Value) -> Option<()> {
    match value {
        Value::Null => {}
        Value::Object(_) => return None,
        Value::Array(items) => {
            for item in items {
                push_words(words, item)?;
            }
        }
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            let mut word = String::new();
            push(&mut word, value);
            words.push(word);
        }
    }
    Some(())
}

/// The variables that `template`, a list form, stands for with `values`: a table of texts, in which
/// false and none remove a variable and a list is one of paths. What is undefined or none has no
/// variables (CFL-102).
///
/// # Errors
/// As for [`render`]; or there is no such table.
pub(super) fn render_variables(
    template: &Template,
    values: Values<'_>,
) -> Result<BTreeMap<String, Option<String>>, Unrendered> {
    let [TemplatePart::List(subject)] = template.0.as_slice() else {
        return Err(Unrendered::NotATable(template.to_string()));
    };
    let Some(table) = values.get(subject)? else {
        return Ok(BTreeMap::new());
    };
    let pairs = match &*table {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(pairs) => pairs,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(Unrendered::NotATable(subject.to_string()));
        }
    };
    let variables = pairs.iter().map(|(name, value)| {
        if !Environment::is_valid_name(name) {
            return Err(Unrendered::BadVariable(name.clone()));
        }
        let text = match value {
            Value::Null | Value::Bool(false) => None,
            Value::Bool(true) | Value::Object(_) => return Err(Unrendered::BadValue(name.clone())),
            Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let mut words = Vec::new();
                push_words(&mut words, value).ok_or_else(|| Unrendered::BadValue(name.clone()))?;
                // The sign between paths is never in a text, so that it cannot come from outside.
                if words.iter().any(|word| word.contains(PATH_SEPARATOR)) {
                    return Err(Unrendered::BadValue(name.clone()));
                }
                Some(words.join(PATH_SEPARATOR))
            }
        };
        Ok((name.clone(), text))
    });
    variables.collect()
}

fn put_all(out: &mut String, template: &Template, values: Values<'_>) -> Result<(), Unrendered> {
    for part in &template.0 {
        match part {
            TemplatePart::Text(text) => out.push_str(text),
            TemplatePart::Form { subject, otherwise } => put(out, subject, otherwise, values)?,
            TemplatePart::List(_) => {
                let words = render_words(template, values)?;
                out.push_str(&words.join(" "));
            }
            TemplatePart::Secret(source) => {
                let secret = values.secrets.get(source);
                out.push_str(secret.ok_or_else(|| Unrendered::Secret(source.clone()))?);
            }
        }
    }
    Ok(())
}

/// Appends what a form makes of its subject.
fn put(
    out: &mut String,
    subject: &Subject,
    otherwise: &Otherwise,
    values: Values<'_>,
) -> Result<(), Unrendered> {
    let value = values.get(subject)?;
    let is_true = value.as_deref().is_some_and(is_true);
    let text = match (otherwise, &value) {
        (Otherwise::Fail, None) => return Err(Unrendered::Unset(name_of(subject))),
        (Otherwise::IfFalse(text), _) if !is_true => text,
        (Otherwise::IfUnset(text), None) | (Otherwise::IfSet(text), Some(_)) => text,
        (Otherwise::IfSet(_), None) => return Ok(()),
        (
            Otherwise::Choice {
                by_truth, yes, no, ..
            },
            value,
        ) => {
            let is_so = if *by_truth { is_true } else { value.is_some() };
            if is_so { yes } else { no }
        }
        (Otherwise::Fail | Otherwise::IfUnset(_) | Otherwise::IfFalse(_), Some(value)) => {
            push(out, value);
            return Ok(());
        }
        (Otherwise::IfFalse(_), None) => return Ok(()),
    };
    put_all(out, text, values)
}

fn name_of(subject: &Subject) -> String {
    match subject {
        Subject::Property(name) => name.clone(),
        Subject::Source { .. } | Subject::Value(_) | Subject::Slave(_) => subject.to_string(),
    }
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
        SourceAttribute::Files => stamp.files().into(),
        SourceAttribute::Who => stamp.blamelist().into(),
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
mod tests;
