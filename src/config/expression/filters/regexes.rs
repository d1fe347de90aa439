//! Filters and tests by regular expressions.

use minijinja::{Error, State, Value};
use regex::{Captures, Regex};

use super::text;
use crate::config::expression::patterns::Kind;
use crate::config::expression::scope::{carrying, patterns};

/// Whether a text matches from its beginning; false for what is not a text.
pub(super) fn is_match(state: &State<'_, '_>, value: &Value, pattern: &str) -> Result<bool, Error> {
    let regex = regex(state, Kind::Match, pattern)?;
    Ok(value.as_str().is_some_and(|text| regex.is_match(text)))
}

/// Whether a text matches anywhere; false for what is not a text.
pub(super) fn is_found(state: &State<'_, '_>, value: &Value, pattern: &str) -> Result<bool, Error> {
    let regex = regex(state, Kind::Search, pattern)?;
    Ok(value.as_str().is_some_and(|text| regex.is_match(text)))
}

/// Group 1 of the first match, or the whole match if there are no groups.
pub(super) fn search(state: &State<'_, '_>, value: &Value, pattern: &str) -> Result<Value, Error> {
    let Some(text) = text(state, value, "regex_search")? else {
        return Ok(Value::from(()));
    };
    let regex = regex(state, Kind::Search, pattern)?;
    let group = usize::from(regex.captures_len() > 1);
    let found = regex.captures(text).and_then(|groups| groups.get(group));
    Ok(Value::from(found.map(|found| found.as_str())))
}

/// All matches: of each, the text, or its group, or a list of its groups.
pub(super) fn find_all(
    state: &State<'_, '_>,
    value: &Value,
    pattern: &str,
) -> Result<Value, Error> {
    let Some(text) = text(state, value, "regex_findall")? else {
        return Ok(Value::from(()));
    };
    let regex = regex(state, Kind::Search, pattern)?;
    let count = regex.captures_len();
    let group = |groups: &Captures<'_>, at: usize| {
        Value::from(groups.get(at).map_or("", |group| group.as_str()))
    };
    let found = regex.captures_iter(text).map(|groups| match count {
        1 => group(&groups, 0),
        2 => group(&groups, 1),
        _ => Value::from((1..count).map(|at| group(&groups, at)).collect::<Vec<_>>()),
    });
    Ok(Value::from(found.collect::<Vec<_>>()))
}

/// The text with each match replaced by `to`, in which `\1` is group 1.
pub(super) fn replace(
    state: &State<'_, '_>,
    value: &Value,
    pattern: &str,
    to: &str,
) -> Result<Value, Error> {
    let Some(text) = text(state, value, "regex_replace")? else {
        return Ok(Value::from(()));
    };
    let regex = regex(state, Kind::Search, pattern)?;
    let replaced = regex.replace_all(text, |groups: &Captures<'_>| put_in(to, groups));
    Ok(Value::from(replaced.as_ref()))
}

fn put_in(to: &str, groups: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut chars = to.chars().peekable();
    while let Some(c) = chars.next() {
        let digit = chars.peek().and_then(|next| next.to_digit(10));
        match (c, digit) {
            ('\\', Some(digit)) => {
                chars.next();
                let group = usize::try_from(digit).ok().and_then(|at| groups.get(at));
                out.push_str(group.map_or("", |group| group.as_str()));
            }
            ('\\', None) if chars.peek() == Some(&'\\') => {
                chars.next();
                out.push('\\');
            }
            (c, _) => out.push(c),
        }
    }
    out
}

fn regex(state: &State<'_, '_>, kind: Kind, pattern: &str) -> Result<Regex, Error> {
    patterns(state).regex(kind, pattern).map_err(carrying)
}
