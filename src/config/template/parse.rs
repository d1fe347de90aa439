//! Reading texts with forms. Pure: a mistake has a place in the text.

use std::ops::Range;

use super::{Otherwise, SourceAttribute, Subject, Template, TemplatePart};
use crate::config::spelling;
use crate::model::Properties;

/// Forms may be within forms to this depth.
const DEEPEST: u32 = 16;

impl Template {
    /// Reads `text`.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, Wrong> {
        parse_at(text, 0)
    }

    /// Reads `text`, which may be a list form as a whole (CFL-102).
    pub(in crate::config) fn parse_word(text: &str) -> Result<Self, Wrong> {
        let inside = text.strip_prefix("%(*").and_then(|t| t.strip_suffix(")s"));
        let Some(inside) = inside.filter(|inside| !inside.contains(['(', ')'])) else {
            return Self::parse(text);
        };
        let at = 0..text.len();
        if !inside.contains(':') {
            let help = format!("write `%(*prop:{inside})s`");
            return Err(Wrong::new("a list form needs a selector", help).at(at));
        }
        let (subject, rest) = subject(inside).map_err(|e| e.at(at.clone()))?;
        if rest.is_some() {
            let help = "write `%(*prop:NAME)s`, with nothing after the name";
            return Err(Wrong::new("a list form has no operators", help).at(at));
        }
        Ok(Self(vec![TemplatePart::List(subject)]))
    }

    /// Reads a text with `%s` for each of `names`, which are as in `%(name)s` (PRP-07).
    pub(in crate::config) fn parse_positional(text: &str, names: &[&str]) -> Result<Self, Wrong> {
        let mut named = String::with_capacity(text.len());
        let mut left = names.iter();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            named.push_str(&before.replace('%', "%%"));
            let at = text.len() - after.len() - 1;
            if let Some(after) = after.strip_prefix('%') {
                named.push_str("%%");
                rest = after;
            } else if let Some(after) = after.strip_prefix(['s', 'd']) {
                let Some(name) = left.next() else {
                    let message = format!("more than {} `%s` in the string", names.len());
                    let help = "there must be as many `%s` as `names`";
                    return Err(Wrong::new(message, help).at(at..at + 2));
                };
                named.push_str(&format!("%({name})s"));
                rest = after;
            } else {
                let help = "write `%s` for a property, and `%%` for a percent sign";
                let wrong = Wrong::new("a `%` that is neither `%s` nor `%%`", help);
                return Err(wrong.at(at..at + 1));
            }
        }
        named.push_str(rest);
        if left.next().is_some() {
            let message = format!("fewer than {} `%s` in the string", names.len());
            let help = "there must be as many `%s` as `names`";
            return Err(Wrong::new(message, help).at(0..text.len()));
        }
        Self::parse(&named).map_err(|e| e.at(0..text.len()))
    }
}

fn parse_at(text: &str, depth: u32) -> Result<Template, Wrong> {
    let has_forms = text.contains("%(");
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        let at = text.len() - after.len() - 1;
        rest = if let Some(after) = after.strip_prefix('%') {
            literal.push('%');
            after
        } else if let Some(after) = after.strip_prefix('(') {
            let (inside, after) = split_form(after).map_err(|e| e.at(at..text.len()))?;
            let place = at..text.len() - after.len();
            if !literal.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
            }
            parts.push(parse_form(inside, depth).map_err(|e| e.at(place))?);
            after
        } else if has_forms {
            let wrong = Wrong::new(
                "a `%` that does not begin a form",
                "write `%%` for a percent sign",
            );
            return Err(wrong.at(at..at + 1));
        } else {
            literal.push('%');
            after
        };
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(TemplatePart::Text(literal));
    }
    Ok(Template(parts))
}

/// The inside of a form whose `%(` has been read, and what follows it. Parentheses inside are
/// counted, as Python does.
fn split_form(text: &str) -> Result<(&str, &str), Wrong> {
    let mut depth = 1_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (inside, after) = text.split_at(at);
            let after = after.strip_prefix(')').unwrap_or(after);
            // `d` is taken like `s`: integers look the same in both.
            return match after.strip_prefix(['s', 'd']) {
                Some(after) => Ok((inside, after)),
                None => Err(Wrong::new(
                    "a form must end in `)s`",
                    format!("write `%({inside})s`, and `%%` for a percent sign"),
                )),
            };
        }
    }
    Err(Wrong::new(
        "a form that does not end",
        "write `%(property)s`, and `%%(` for a percent sign before a parenthesis",
    ))
}

fn parse_form(inside: &str, depth: u32) -> Result<TemplatePart, Wrong> {
    if depth == DEEPEST {
        let message = format!("forms within forms more than {DEEPEST} deep");
        return Err(Wrong::new(message, "simplify the string"));
    }
    if inside.starts_with('*') {
        return Err(Wrong::new(
            "a list form can only be a whole word of a command, or a whole `env`",
            "make it an entry of its own: `command = [\"make\", \"%(*prop:NAME)s\"]`",
        ));
    }
    let selector = inside.split_once(':').map(|(selector, _)| selector);
    if selector.is_none_or(|selector| !SELECTORS.contains(&selector)) {
        return with_properties(inside, depth);
    }
    let (subject, rest) = subject(inside)?;
    let otherwise = match rest {
        None => Otherwise::IfUnset(Template(Vec::new())),
        Some(rest) => operator(rest, depth)?,
    };
    Ok(TemplatePart::Form { subject, otherwise })
}

/// What a form with a selector is about, and what follows the next colon.
fn subject(inside: &str) -> Result<(Subject, Option<&str>), Wrong> {
    let (selector, argument) = inside.split_once(':').unwrap_or((inside, ""));
    if selector == "src" {
        return source(argument);
    }
    let (name, rest) = match argument.split_once(':') {
        Some((name, rest)) => (name, Some(rest)),
        None => (argument, None),
    };
    let subject = match selector {
        "prop" => property(name)?,
        "kw" if is_identifier(name) => Subject::Value(name.to_owned()),
        "kw" => {
            return Err(Wrong::new(
                format!("`{name}` is not a valid name in `[values]`"),
                "letters, digits, `_`, `-` and `.`",
            ));
        }
        "slave" if is_identifier(name) => Subject::Slave(name.to_owned()),
        "slave" => {
            return Err(Wrong::new(
                format!("`{name}` is nothing that a slave tells of itself"),
                "for example `%(slave:host)s`, `%(slave:version)s`",
            ));
        }
        "worker" => {
            let help = format!("write `%(slave:{argument})s`");
            return Err(Wrong::new("the selector is called `slave:` here", help));
        }
        "secret" => {
            return Err(Wrong::new(
                "a secret cannot be a part of a string",
                "put `{ secret_file = \"secrets/NAME\" }` in place of the whole word",
            ));
        }
        _ => {
            return Err(Wrong::new(
                format!("unknown selector `{selector}:`"),
                "`prop:NAME`, `src::NAME`, `kw:NAME` or `slave:NAME`",
            ));
        }
    };
    Ok((subject, rest))
}

fn property(name: &str) -> Result<Subject, Wrong> {
    if !Properties::is_valid_name(name) {
        return Err(Wrong::new(
            format!("`{name}` is not a valid name of a property"),
            "letters, digits and `_ . - / ~ :`; write `%%` for a percent sign",
        ));
    }
    Ok(Subject::Property(name.to_owned()))
}

/// `CODEBASE:ATTRIBUTE` of a source stamp, and what follows; the codebase is mostly empty.
fn source(argument: &str) -> Result<(Subject, Option<&str>), Wrong> {
    let Some((codebase, argument)) = argument.split_once(':') else {
        return Err(Wrong::new(
            format!("`%(src:{argument})s` does not say what is wanted of the source"),
            format!("write `%(src::{argument})s`; a codebase stands between the two colons"),
        ));
    };
    if !codebase.is_empty() && !is_identifier(codebase) {
        return Err(Wrong::new(
            format!("`{codebase}` is not the name of a codebase"),
            "letters, digits, `_`, `-` and `.`",
        ));
    }
    let (name, rest) = match argument.split_once(':') {
        Some((name, rest)) => (name, Some(rest)),
        None => (argument, None),
    };
    let all = SourceAttribute::ALL;
    let Some(attribute) = all.into_iter().find(|known| known.as_str() == name) else {
        let names = all.iter().map(|known| known.as_str());
        let help = match spelling::nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
                format!("it has {}", names.join(", "))
            }
        };
        return Err(Wrong::new(format!("a source has no `{name}`"), help));
    };
    let subject = Subject::Source {
        codebase: codebase.to_owned(),
        attribute,
    };
    Ok((subject, rest))
}

fn is_identifier(name: &str) -> bool {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().all(is_of_names) && !name.starts_with(['-', '.']) && !name.is_empty()
}

/// The forms of `WithProperties`; of several operators the last counts (PRP-07, observed). Texts
/// are taken as they are, unless there are forms in them.
fn with_properties(inside: &str, depth: u32) -> Result<TemplatePart, Wrong> {
    let outer = inside.find("%(").map_or(inside, |at| inside.split_at(at).0);
    for (operator, otherwise) in OPERATORS {
        let Some((name, _)) = outer.rsplit_once(operator) else {
            continue;
        };
        let text = inside.strip_prefix(name).unwrap_or_default();
        let text = text.strip_prefix(operator).unwrap_or_default();
        let text = if text.contains("%(") {
            parse_at(text, depth + 1)?
        } else {
            plain(text)
        };
        let (subject, otherwise) = (property(name)?, otherwise(text));
        return Ok(TemplatePart::Form { subject, otherwise });
    }
    if let Some((selector, _)) = inside.split_once(':') {
        return Err(Wrong::new(
            format!("unknown selector `{selector}:`"),
            "`prop:NAME`, `src::NAME`, `kw:NAME`, `slave:NAME`, or `NAME` with `:-text`, `:~text`, \
             `:+text` after it",
        ));
    }
    Ok(TemplatePart::Form {
        subject: property(inside)?,
        otherwise: Otherwise::Fail,
    })
}

fn plain(text: &str) -> Template {
    match text {
        "" => Template(Vec::new()),
        _ => Template::literal(text),
    }
}

/// The operators of `Interpolate`, after their colon: the first one counts (PRP-08).
fn operator(rest: &str, depth: u32) -> Result<Otherwise, Wrong> {
    for (operator, otherwise) in OPERATORS {
        let sign = operator.trim_start_matches(':');
        if let Some(text) = rest.strip_prefix(sign) {
            return Ok(otherwise(parse_at(text, depth + 1)?));
        }
    }
    let (by_truth, texts) = match rest.strip_prefix("#?") {
        Some(texts) => (true, Some(texts)),
        None => (false, rest.strip_prefix('?')),
    };
    let Some(texts) = texts else {
        let help = "`:-text` if it is unset, `:~text` if it is unset or false, `:+text` if it is \
                    set, `:?|yes|no` if it is set or not, `:#?|yes|no` if it is true or not";
        return Err(Wrong::new("unknown operator", help));
    };
    let Some((delimiter, yes, no)) = split_choice(texts) else {
        let help = "write `:?|yes|no`; the character after `?` stands between the two strings";
        return Err(Wrong::new("a choice that does not have two strings", help));
    };
    Ok(Otherwise::Choice {
        delimiter,
        by_truth,
        yes: parse_at(yes, depth + 1)?,
        no: parse_at(no, depth + 1)?,
    })
}

/// The first character, and the two strings between which it stands outside of parentheses.
fn split_choice(texts: &str) -> Option<(char, &str, &str)> {
    let delimiter = texts.chars().next().filter(|c| !matches!(c, '(' | ')'))?;
    let texts = texts.strip_prefix(delimiter)?;
    let mut depth = 0_u32;
    for (at, c) in texts.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ if depth == 0 && c == delimiter => {
                let (yes, no) = texts.split_at(at);
                return Some((delimiter, yes, no.strip_prefix(delimiter)?));
            }
            _ => {}
        }
    }
    None
}

/// Where a string has two signs that become one and were hardly meant to: any in a string without
/// forms, where one sign would do; in others those of a shell's `${name%%pattern}`.
pub(in crate::config) fn lost_sign(text: &str) -> Option<Range<usize>> {
    let (start, searched) = if text.contains("%(") {
        let start = text.find("${")?;
        (start, text.get(start..)?.split('}').next()?)
    } else {
        (0, text)
    };
    let at = start + searched.find("%%")?;
    (!searched.contains("%%%%")).then_some(at..at + 2)
}

/// What is wrong with a string, and where.
#[derive(Debug)]
pub(in crate::config) struct Wrong {
    pub(in crate::config) message: String,
    pub(in crate::config) help: String,
    pub(in crate::config) at: Range<usize>,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
            at: 0..0,
        }
    }

    fn at(self, at: Range<usize>) -> Self {
        Self { at, ..self }
    }
}

/// What stands before the first colon of a form of `Interpolate`.
const SELECTORS: [&str; 6] = ["prop", "src", "kw", "slave", "worker", "secret"];

/// What an operator makes of the text after it.
type MakeOtherwise = fn(Template) -> Otherwise;

/// In the order in which Buildbot looks for them.
const OPERATORS: [(&str, MakeOtherwise); 3] = [
    (":-", Otherwise::IfUnset),
    (":~", Otherwise::IfFalse),
    (":+", Otherwise::IfSet),
];
