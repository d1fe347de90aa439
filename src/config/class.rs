//! The classes of mistakes (CONFIG section 11).

use super::expression;

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// Not TOML.
    Syntax,
    /// Not an expression.
    ExpressionSyntax,
    /// A name, or a part of a thing, that is not there.
    UnknownName,
    /// A name that exists, but not here or not yet.
    NotVisible,
    /// A name that already means something.
    Hides,
    /// Not a name, or a word of the language.
    BadName,
    /// Something missing is used.
    Undefined,
    /// The expression fails.
    Evaluation,
    /// A value of another kind is wanted.
    WrongType,
    /// This cannot stand here.
    NotAllowed,
    /// No such filter.
    UnknownFilter,
    /// No such test.
    UnknownTest,
    /// No such function.
    UnknownFunction,
    /// Not a pattern.
    Pattern,
    /// No such slave, builder, factory and so on.
    UnknownReference,
    /// No such argument.
    Argument,
    /// No such key.
    UnknownKey,
    /// A key that is needed.
    MissingKey,
    /// A key or name twice.
    Duplicate,
    /// Something needs itself.
    Circle,
    /// No such file, or something else outside of the configuration that is not there or cannot be
    /// used: a password, a program, a directory.
    MissingFile,
    /// A path that leads out of the base directory.
    BadPath,
    /// A data file that cannot be read.
    Data,
    /// A selector selects nothing.
    NoMatch,
    /// A limit.
    TooMuch,
    /// Nothing uses it.
    Unused,
    /// An entry without rows.
    MakesNothing,
}

impl Class {
    /// As people and programs see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::ExpressionSyntax => "expression-syntax",
            Self::UnknownName => "unknown-name",
            Self::NotVisible => "not-visible",
            Self::Hides => "hides",
            Self::BadName => "bad-name",
            Self::Undefined => "undefined",
            Self::Evaluation => "evaluation",
            Self::WrongType => "wrong-type",
            Self::NotAllowed => "not-allowed",
            Self::UnknownFilter => "unknown-filter",
            Self::UnknownTest => "unknown-test",
            Self::UnknownFunction => "unknown-function",
            Self::Pattern => "pattern",
            Self::UnknownReference => "unknown-reference",
            Self::Argument => "argument",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::Duplicate => "duplicate",
            Self::Circle => "circle",
            Self::MissingFile => "missing-file",
            Self::BadPath => "bad-path",
            Self::Data => "data",
            Self::NoMatch => "no-match",
            Self::TooMuch => "too-much",
            Self::Unused => "unused",
            Self::MakesNothing => "makes-nothing",
        }
    }
}

impl From<expression::Class> for Class {
    fn from(class: expression::Class) -> Self {
        match class {
            expression::Class::ExpressionSyntax => Self::ExpressionSyntax,
            expression::Class::NotAllowed => Self::NotAllowed,
            expression::Class::UnknownFilter => Self::UnknownFilter,
            expression::Class::UnknownTest => Self::UnknownTest,
            expression::Class::UnknownFunction => Self::UnknownFunction,
            expression::Class::Pattern => Self::Pattern,
            expression::Class::Undefined => Self::Undefined,
            expression::Class::Evaluation => Self::Evaluation,
            expression::Class::WrongType => Self::WrongType,
            expression::Class::TooMuch => Self::TooMuch,
        }
    }
}
