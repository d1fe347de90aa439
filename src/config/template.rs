//! Renderable strings (PRP-07 to PRP-09).
//!
//! `%(` begins a form and `%%` is one percent sign. Any other percent sign stands for itself in a
//! text without forms, so that `date +%s` needs no care; beside forms it is an error, because such
//! a string was written for interpolation and half of it would not be what was meant.

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

use super::reader::Value;
use super::spelling;
use crate::model::{PATH_SEPARATOR, Properties};

/// A text with `%(property)s` forms (PRP-07, PRP-08), parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template(pub Vec<TemplatePart>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplatePart {
    /// Literal text.
    Text(String),
    /// A property.
    Property {
        /// Its name.
        name: String,
        /// What to put when it is, or is not, there.
        otherwise: Otherwise,
    },
    /// An attribute of the source stamp, whatever the property of that name is.
    Source {
        /// The codebase of the source stamp.
        codebase: String,
        /// Which attribute.
        attribute: SourceAttribute,
        /// What to put when it is, or is not, there.
        otherwise: Otherwise,
    },
}

/// What can be told of a source stamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceAttribute {
    /// Its branch.
    Branch,
    /// The revision to build: its own, else that of its newest change.
    Revision,
    /// Its repository.
    Repository,
    /// Its project.
    Project,
    /// Its codebase.
    Codebase,
    /// Whether it has a patch.
    HasPatch,
    /// How many leading path components the patch strips.
    PatchLevel,
    /// The directory in which the patch is applied.
    PatchSubdir,
    /// Who made the patch.
    PatchAuthor,
    /// What is said of the patch.
    PatchComment,
}

/// What a property form does when the property is not set (PRP-07).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Otherwise {
    /// `%(name)s`: an unset property is an error of the step.
    Fail,
    /// `%(name:-text)s`: the text if it is unset.
    IfUnset(String),
    /// `%(name:~text)s`: the text if it is unset or false.
    IfFalse(String),
    /// `%(name:+text)s`: the text if it is set, else nothing.
    IfSet(String),
}

impl Value<'_> {
    /// Its text, with its forms.
    pub(super) fn template(&self) -> Option<Template> {
        let text = self.text()?;
        match Template::parse(text) {
            Ok(template) => {
                if let Some(at) = lost_sign(text) {
                    let what = format!("`%%` in this `{}` becomes one `%`", self.key);
                    let help =
                        "write `%%%%` for two; one `%` is enough in a string without `%(…)s`";
                    self.sink.warning(self.part(at), what, help);
                }
                Some(template)
            }
            Err(wrong) => {
                let message = format!("`{}`: {}", self.key, wrong.message);
                self.sink.error(self.part(wrong.at), message, wrong.help);
                None
            }
        }
    }
}

impl Value<'_> {
    /// Its text, or the texts of a list of paths with [`PATH_SEPARATOR`] between them.
    pub(super) fn path_template(&self) -> Option<Template> {
        let entries = self.one_or_list()?;
        let mut parts = Vec::new();
        for (count, entry) in entries.iter().enumerate() {
            if count > 0 {
                parts.push(TemplatePart::Text(PATH_SEPARATOR.to_owned()));
            }
            parts.extend(entry.template()?.0);
        }
        Some(Template(parts))
    }
}

impl fmt::Display for Template {
    /// The text from which it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => !text.contains("%(") && !text.contains("%%"),
            TemplatePart::Property { .. } | TemplatePart::Source { .. } => false,
        };
        let all_are_plain = self.0.iter().all(is_plain);
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) if all_are_plain => f.write_str(text)?,
                TemplatePart::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                TemplatePart::Property { name, otherwise } => {
                    let selector = match otherwise {
                        Otherwise::Fail => "",
                        Otherwise::IfUnset(_) | Otherwise::IfFalse(_) | Otherwise::IfSet(_) => {
                            "prop:"
                        }
                    };
                    write!(f, "%({selector}{name}{otherwise})s")?;
                }
                TemplatePart::Source {
                    codebase,
                    attribute,
                    otherwise,
                } => {
                    let known = SOURCE_ATTRIBUTES
                        .iter()
                        .find(|(_, known)| known == attribute);
                    let name = known.map_or("", |(name, _)| *name);
                    write!(f, "%(src:{codebase}:{name}{otherwise})s")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => Ok(()),
            Self::IfUnset(text) => write!(f, ":-{text}"),
            Self::IfFalse(text) => write!(f, ":~{text}"),
            Self::IfSet(text) => write!(f, ":+{text}"),
        }
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Template {
    /// A text without forms.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![TemplatePart::Text(text.into())])
    }

    /// Reads `text`.
    fn parse(text: &str) -> Result<Self, Wrong> {
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
                parts.push(parse_form(inside).map_err(|e| e.at(place))?);
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
        Ok(Self(parts))
    }
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

fn parse_form(inside: &str) -> Result<TemplatePart, Wrong> {
    if inside.contains("%(") {
        return Err(Wrong::new(
            "forms inside forms are not available yet",
            "put a plain string there",
        ));
    }
    let (selector, argument) = inside.split_once(':').unwrap_or((inside, ""));
    let (name, otherwise) = match selector {
        "prop" => select(argument)?,
        "src" => return source(argument),
        "kw" | "slave" | "worker" | "secret" if !argument.is_empty() => {
            return Err(Wrong::new(
                format!("`%({selector}:…)s` is not available yet"),
                "properties are: `%(prop:NAME)s`",
            ));
        }
        _ => with_properties(inside)?,
    };
    if !Properties::is_valid_name(name) {
        return Err(Wrong::new(
            format!("`{name}` is not a valid name of a property"),
            "letters, digits and `_ . - / ~ :`; write `%%` for a percent sign",
        ));
    }
    Ok(TemplatePart::Property {
        name: name.to_owned(),
        otherwise,
    })
}

/// `CODEBASE:ATTRIBUTE` of a source stamp, and what `Interpolate` may have after it; the codebase
/// is mostly empty.
fn source(argument: &str) -> Result<TemplatePart, Wrong> {
    let Some((codebase, argument)) = argument.split_once(':') else {
        return Err(Wrong::new(
            format!("`%(src:{argument})s` does not say what is wanted of the source"),
            format!("write `%(src::{argument})s`; a codebase stands between the two colons"),
        ));
    };
    let is_identifier = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !codebase.chars().all(is_identifier) {
        return Err(Wrong::new(
            format!("`{codebase}` is not the name of a codebase"),
            "letters, digits, `_` and `-`",
        ));
    }
    let (name, otherwise) = select(argument)?;
    let known = SOURCE_ATTRIBUTES.iter().find(|(known, _)| *known == name);
    let Some((_, attribute)) = known else {
        let names = SOURCE_ATTRIBUTES.iter().map(|(name, _)| *name);
        let help = match spelling::nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
                format!("it has {}", names.join(", "))
            }
        };
        return Err(Wrong::new(format!("a source has no `{name}`"), help));
    };
    Ok(TemplatePart::Source {
        codebase: codebase.to_owned(),
        attribute: *attribute,
        otherwise,
    })
}

/// The forms of `WithProperties`; of several operators the last counts (PRP-07, observed).
fn with_properties(inside: &str) -> Result<(&str, Otherwise), Wrong> {
    for (operator, otherwise) in OPERATORS {
        if let Some((name, text)) = inside.rsplit_once(operator) {
            return Ok((name, otherwise(text.to_owned())));
        }
    }
    match inside.split_once(':') {
        None => Ok((inside, Otherwise::Fail)),
        Some((selector, _)) => Err(Wrong::new(
            format!("unknown selector `{selector}:`"),
            "`prop:NAME`, `src::NAME`, or `NAME` with `:-text`, `:~text`, `:+text` after it",
        )),
    }
}

/// The forms of `Interpolate`: unset is empty, and the first operator counts (PRP-08).
fn select(argument: &str) -> Result<(&str, Otherwise), Wrong> {
    let Some((name, _)) = argument.split_once(':') else {
        return Ok((argument, Otherwise::IfUnset(String::new())));
    };
    let operator_and_text = argument.strip_prefix(name).unwrap_or_default();
    for (operator, otherwise) in OPERATORS {
        if let Some(text) = operator_and_text.strip_prefix(operator) {
            return Ok((name, otherwise(text.to_owned())));
        }
    }
    let message =
        if operator_and_text.starts_with([':', '?', '#']) && operator_and_text.contains('?') {
            "`?` and `#?` forms are not available yet"
        } else {
            "unknown operator"
        };
    let help = "`:-text` if it is unset, `:~text` if it is unset or false, `:+text` if it is set";
    Err(Wrong::new(message, help))
}

/// Where a string has two signs that become one and were hardly meant to: any in a string without
/// forms, where one sign would do; in others those of a shell's `${name%%pattern}`.
fn lost_sign(text: &str) -> Option<Range<usize>> {
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
struct Wrong {
    message: String,
    help: String,
    at: Range<usize>,
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

/// What an operator makes of the text after it.
type MakeOtherwise = fn(String) -> Otherwise;

/// In the order in which Buildbot looks for them.
const OPERATORS: [(&str, MakeOtherwise); 3] = [
    (":-", Otherwise::IfUnset),
    (":~", Otherwise::IfFalse),
    (":+", Otherwise::IfSet),
];

/// What can be told of a source stamp, by Buildbot's names.
const SOURCE_ATTRIBUTES: [(&str, SourceAttribute); 10] = [
    ("branch", SourceAttribute::Branch),
    ("revision", SourceAttribute::Revision),
    ("repository", SourceAttribute::Repository),
    ("project", SourceAttribute::Project),
    ("codebase", SourceAttribute::Codebase),
    ("hasPatch", SourceAttribute::HasPatch),
    ("patch_level", SourceAttribute::PatchLevel),
    ("patch_subdir", SourceAttribute::PatchSubdir),
    ("patch_author", SourceAttribute::PatchAuthor),
    ("patch_comment", SourceAttribute::PatchComment),
];

#[cfg(test)]
mod tests;
