//! Renderable strings (PRP-07 to PRP-09, CFL-95, CFL-100 to CFL-102).
//!
//! `%(` begins a form and `%%` is one percent sign. Any other percent sign stands for itself in a
//! string without forms, so that `date +%s` needs no care; beside forms it is an error, because
//! such a string was written for interpolation and half of it would not be what was meant.
//!
//! This file has the types, `parse` reads texts, and `build::render` puts the values in.

mod parse;

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::secret::fingerprint;

pub(super) use self::parse::{Wrong, lost_sign};

/// A text with `%(property)s` forms (PRP-07, PRP-08), parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template(pub Vec<TemplatePart>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplatePart {
    /// Literal text.
    Text(String),
    /// The value of something.
    Form {
        /// Of what.
        subject: Subject,
        /// What to put when it is, or is not, there.
        otherwise: Otherwise,
    },
    /// `%(*…)s`: the entries of a list as words of their own. It is the only part of its text
    /// (CFL-102).
    List(Subject),
    /// A secret. It is the only part of its text (CFL-95).
    Secret(SecretSource),
}

/// What a form is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A property.
    Property(String),
    /// An attribute of the source stamp, whatever the property of that name is.
    Source {
        /// The codebase of the source stamp.
        codebase: String,
        /// Which attribute.
        attribute: SourceAttribute,
    },
    /// A name of `[values]`.
    Value(String),
    /// What the slave says of itself: `admin`, `host`, `version` and so on.
    Slave(String),
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
    /// A list of the files that its changes touch.
    Files,
    /// A list of the authors of its changes and its patch.
    Who,
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

/// What a form becomes when its subject is, or is not, there (PRP-07, PRP-08).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Otherwise {
    /// `%(name)s`: a missing subject is an error of the step.
    Fail,
    /// `:-text`: the text if it is not there.
    IfUnset(Template),
    /// `:~text`: the text if it is not there or false.
    IfFalse(Template),
    /// `:+text`: the text if it is there, else nothing.
    IfSet(Template),
    /// `:?|yes|no` and `:#?|yes|no`: one of two texts.
    Choice {
        /// What stands between the texts.
        delimiter: char,
        /// `#`: whether it has to be true, and not only there.
        by_truth: bool,
        /// The text if so.
        yes: Template,
        /// The text if not.
        no: Template,
    },
}

/// Where a secret text is.
#[derive(Clone, Eq, PartialEq)]
pub enum SecretSource {
    /// In the configuration.
    Inline(Template),
    /// In a file, relative to the base directory; a final newline does not count.
    File(PathBuf),
    /// In an environment variable of the master.
    Env(String),
    /// It is what a program on the master's machine writes; a final newline does not count.
    Command(Vec<String>),
}

impl Template {
    /// A text without forms.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![TemplatePart::Text(text.into())])
    }

    /// Reads a text of the program's own.
    pub(super) fn written(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self::literal(text))
    }

    /// Reads a text that is right.
    #[cfg(test)]
    #[expect(clippy::unwrap_used, reason = "tests")]
    pub(crate) fn of(text: &str) -> Self {
        Self::parse_word(text).unwrap()
    }

    /// Reads a text with `%s` for each of `names` that is right.
    #[cfg(test)]
    #[expect(clippy::unwrap_used, reason = "tests")]
    pub(crate) fn of_positional(text: &str, names: &[&str]) -> Self {
        Self::parse_positional(text, names).unwrap()
    }

    /// Whether it is a list form.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.0.as_slice(), [TemplatePart::List(_)])
    }

    /// The names of `[values]` that it uses, in the order of the text.
    pub(super) fn named_values(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.visit(&mut |subject| {
            if let Subject::Value(name) = subject {
                names.push(name.as_str());
            }
        });
        names
    }

    /// The names of properties that it uses, in the order of the text.
    pub(super) fn named_properties(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.visit(&mut |subject| {
            if let Subject::Property(name) = subject {
                names.push(name.as_str());
            }
        });
        names
    }

    fn visit<'t>(&'t self, see: &mut impl FnMut(&'t Subject)) {
        for part in &self.0 {
            match part {
                TemplatePart::Text(_) => {}
                TemplatePart::List(subject) => see(subject),
                TemplatePart::Form { subject, otherwise } => {
                    see(subject);
                    match otherwise {
                        Otherwise::Fail => {}
                        Otherwise::IfUnset(text)
                        | Otherwise::IfFalse(text)
                        | Otherwise::IfSet(text) => text.visit(see),
                        Otherwise::Choice { yes, no, .. } => {
                            yes.visit(see);
                            no.visit(see);
                        }
                    }
                }
                TemplatePart::Secret(SecretSource::Inline(text)) => text.visit(see),
                TemplatePart::Secret(_) => {}
            }
        }
    }
}

impl fmt::Display for Template {
    /// The text from which it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => !text.contains("%(") && !text.contains("%%"),
            TemplatePart::Form { .. } | TemplatePart::List(_) | TemplatePart::Secret(_) => false,
        };
        let all_are_plain = self.0.iter().all(is_plain);
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) if all_are_plain => f.write_str(text)?,
                TemplatePart::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                TemplatePart::Form {
                    subject: Subject::Property(name),
                    otherwise: Otherwise::Fail,
                } => write!(f, "%({name})s")?,
                TemplatePart::Form { subject, otherwise } => write!(f, "%({subject}{otherwise})s")?,
                TemplatePart::List(subject) => write!(f, "%(*{subject})s")?,
                TemplatePart::Secret(source) => source.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(name) => write!(f, "prop:{name}"),
            Self::Source {
                codebase,
                attribute,
            } => write!(f, "src:{codebase}:{}", attribute.as_str()),
            Self::Value(name) => write!(f, "kw:{name}"),
            Self::Slave(name) => write!(f, "slave:{name}"),
        }
    }
}

impl fmt::Display for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => Ok(()),
            Self::IfUnset(text) => write!(f, ":-{text}"),
            Self::IfFalse(text) => write!(f, ":~{text}"),
            Self::IfSet(text) => write!(f, ":+{text}"),
            Self::Choice {
                delimiter,
                by_truth,
                yes,
                no,
            } => {
                let sign = if *by_truth { "#?" } else { "?" };
                write!(f, ":{sign}{delimiter}{yes}{delimiter}{no}")
            }
        }
    }
}

impl fmt::Display for SecretSource {
    /// What may be seen of it. Equal secrets look equal, as long as this program runs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(text) => f.write_str(&fingerprint(&text.to_string())),
            Self::File(path) => write!(f, "secret in {}", path.display()),
            Self::Env(name) => write!(f, "secret in ${name}"),
            Self::Command(words) => write!(f, "secret of {words:?}"),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SecretSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl SourceAttribute {
    /// Buildbot's name for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Revision => "revision",
            Self::Repository => "repository",
            Self::Project => "project",
            Self::Codebase => "codebase",
            Self::Files => "files",
            Self::Who => "who",
            Self::HasPatch => "hasPatch",
            Self::PatchLevel => "patch_level",
            Self::PatchSubdir => "patch_subdir",
            Self::PatchAuthor => "patch_author",
            Self::PatchComment => "patch_comment",
        }
    }

    /// All of them.
    pub(super) const ALL: [Self; 12] = [
        Self::Branch,
        Self::Revision,
        Self::Repository,
        Self::Project,
        Self::Codebase,
        Self::Files,
        Self::Who,
        Self::HasPatch,
        Self::PatchLevel,
        Self::PatchSubdir,
        Self::PatchAuthor,
        Self::PatchComment,
    ];
}

#[cfg(test)]
mod tests;
