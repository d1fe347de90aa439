//! Expressions (CFL-80 to CFL-88): text in, compiled; compiled and names in, a value out.
//!
//! This module is the only one that names the engine, and nothing else is built on the engine's
//! syntax (CFL-160). It adds what the engine leaves open: closed lists of filters, tests and
//! functions that are checked on the tokens, so that branches never taken are checked too; which
//! names an expression uses; patterns compiled when the text is read; limits.
//!
//! Start reading at [`Expression::compile`], then `check`, then `engine`.

mod check;
mod engine;
mod filters;
pub mod fuzz;
mod json;
mod literal;
mod outcomes;
mod page;
mod patterns;
mod scope;
mod tokens;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use self::patterns::Patterns;

pub use self::json::alike;
pub use self::literal::literal;
pub use self::outcomes::Outcome;
pub use self::page::Page;
pub use self::scope::{Given, Named, Scope};

/// When an expression is worked out, which decides what is a mistake and how much it may cost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mode {
    /// When the file is read: what is not there is a mistake (CFL-85).
    Reading,
    /// In a build: what is not there is undefined (CFL-86).
    Running,
    /// In the core: as in a build, with less fuel (CFL-70).
    Core,
}

/// What kind of mistake it is (CONFIG section 11).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Not an expression.
    ExpressionSyntax,
    /// This cannot stand here.
    NotAllowed,
    /// No such filter.
    UnknownFilter,
    /// No such test.
    UnknownTest,
    /// No such function.
    UnknownFunction,
    /// Not a pattern, or not a text in quotes where it must be one.
    Pattern,
    /// Something missing is used.
    Undefined,
    /// It cannot be worked out.
    Evaluation,
    /// Another kind of value is wanted.
    WrongType,
    /// A limit.
    TooMuch,
}

/// What is wrong with an expression, or with its values.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// What kind of mistake it is.
    pub class: Class,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub help: String,
    /// Where: bytes of the expression.
    pub at: Range<usize>,
}

/// A name with the parts after it that an expression uses: `prop.level` is `["prop", "level"]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Use {
    /// The name and its parts.
    pub path: Vec<String>,
    /// Whether a part follows that is known only when the expression is worked out: `prop[x]`.
    pub is_computed: bool,
    /// Where: bytes of the expression.
    pub at: Range<usize>,
}

/// An expression, ready to be worked out. Two are equal if they are written alike, and copies share
/// what was compiled.
#[derive(Clone)]
pub struct Expression {
    compiled: Arc<Compiled>,
    place: Arc<str>,
}

struct Compiled {
    text: String,
    mode: Mode,
    uses: Vec<Use>,
    patterns: Arc<Patterns>,
    code: engine::Code,
}

impl Mistake {
    fn new(class: Class, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            help: help.into(),
            at: 0..0,
        }
    }

    fn at(self, at: Range<usize>) -> Self {
        Self { at, ..self }
    }
}

impl Expression {
    /// Reads `text`; `place` says for messages where in the configuration it stands.
    ///
    /// # Errors
    /// It is not an expression, or it uses what is not in the language (CFL-82, CFL-83), or it is
    /// too long.
    pub fn compile(text: &str, mode: Mode, place: &str) -> Result<Self, Mistake> {
        if text.chars().count() > LONGEST {
            let message = format!("the expression is longer than {LONGEST} characters");
            let help = "put parts of it into [values]";
            return Err(Mistake::new(Class::TooMuch, message, help).at(0..text.len()));
        }
        let tokens = tokens::read(text)?;
        check::depth(&tokens)?;
        let code = engine::compile(text, mode, &tokens)?;
        let found = check::words(&tokens, mode)?;
        Ok(Self {
            compiled: Arc::new(Compiled {
                text: text.to_owned(),
                mode,
                uses: found.uses,
                patterns: Arc::new(found.patterns),
                code,
            }),
            place: Arc::from(place),
        })
    }

    /// The same expression as it stands in another place of the configuration.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self {
            place: Arc::from(place),
            ..self
        }
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.compiled.text
    }

    /// Where in the configuration it stands, for messages.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The names that it uses, also in branches that are never taken.
    #[must_use]
    pub fn uses(&self) -> &[Use] {
        &self.compiled.uses
    }

    /// Its value with the names of `scope`; nothing if it is undefined.
    ///
    /// # Errors
    /// It cannot be worked out, or costs too much.
    pub fn evaluate(&self, scope: &Scope) -> Result<Option<Json>, Mistake> {
        let result = self.compiled.code.run(scope, &self.compiled.patterns);
        result.map_err(|mistake| self.explain(mistake, scope))
    }

    /// As [`Expression::evaluate`], for one that is worked out when the file is read; adds to
    /// `work` how much it was, in steps of the engine. If it was too much, the mistake says which
    /// part of it.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn evaluate_counting(
        &self,
        scope: &Scope,
        work: &mut u64,
    ) -> Result<Option<Json>, Mistake> {
        let result = self.evaluate(scope);
        *work = work.saturating_add(engine::last_work());
        result.map_err(|mistake| {
            if mistake.class != Class::TooMuch || !mistake.at.is_empty() {
                return mistake;
            }
            *work = work.saturating_add(engine::FUEL);
            let compiled = &self.compiled;
            let names = (scope, &compiled.patterns);
            let at = engine::too_much(&compiled.text, compiled.mode, names);
            mistake.at(at)
        })
    }

    /// Whether its value counts as true: it is defined, and not none, false, 0 or empty (CFL-27).
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn holds(&self, scope: &Scope) -> Result<bool, Mistake> {
        self.evaluate(scope)
            .map(|value| value.is_some_and(|value| is_true(&value)))
    }

    /// The names that it uses, with their values for people: each once, in order, and each cut to
    /// 200 characters (CFL-145).
    #[must_use]
    pub fn values(&self, scope: &Scope) -> Vec<(String, String)> {
        let mut values: Vec<(String, String)> = Vec::new();
        for used in &self.compiled.uses {
            let name = used.path.join(".");
            if !values.iter().any(|(known, _)| *known == name) {
                let value = match scope.look_up(&used.path) {
                    Some(value) => cut(&value.to_string()),
                    None => "not set".to_owned(),
                };
                values.push((name, value));
            }
        }
        values
    }

    /// Names the properties that are not set, of which something was to be calculated.
    fn explain(&self, mistake: Mistake, scope: &Scope) -> Mistake {
        if mistake.class != Class::Evaluation || self.compiled.mode == Mode::Reading {
            return mistake;
        }
        let is_unset = |used: &&Use| {
            let path: Vec<&str> = used.path.iter().map(String::as_str).collect();
            let is_property = matches!(
                path[..],
                ["prop", _] | ["change" | "slave", "properties", _]
            );
            is_property && scope.look_up(&used.path).is_none()
        };
        let of_nothing = ["undefined", "none"]
            .iter()
            .any(|w| mistake.message.contains(w));
        match self.compiled.uses.iter().find(is_unset) {
            Some(used) if of_nothing => Mistake {
                message: format!("`{}` is not set", used.path.join(".")),
                ..mistake
            },
            Some(_) | None => mistake,
        }
    }
}

/// What counts as true where a condition is wanted (CFL-27).
#[must_use]
pub fn is_true(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(flag) => *flag,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(entries) => !entries.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
    }
}

/// Whether `name` is a word of the language, which cannot be a name.
#[must_use]
pub fn is_word(name: &str) -> bool {
    check::is_word_of_language(name)
}

/// Whether `name` can be a part of a name, as in `kw.NAME`: letters, digits and `_`, not first a
/// digit.
#[must_use]
pub fn can_be_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    starts && name.chars().all(is_part)
}

/// At most 200 characters of `text`.
fn cut(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.compiled.text == other.compiled.text && self.compiled.mode == other.compiled.mode
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression")
            .field(&self.compiled.text)
            .finish()
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.compiled.text)
    }
}

/// The longest expression, in characters (CFL-70).
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests;
