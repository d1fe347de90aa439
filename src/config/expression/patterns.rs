//! The patterns of an expression: compiled when it is read (CFL-87).

use std::collections::BTreeMap;

use regex::Regex;

use super::{Class, Mistake};
use crate::config::pattern::{self, FilePatterns};

/// What a pattern is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// A regular expression that must match from the beginning.
    Match,
    /// A regular expression that may match anywhere.
    Search,
    /// A pattern for paths.
    Path,
}

/// The patterns that stand in one expression.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    regexes: BTreeMap<(Kind, String), Regex>,
    paths: BTreeMap<String, FilePatterns>,
}

impl Kind {
    /// What the first argument of a filter or test is, if it is a pattern.
    pub(super) fn of(word: &str, is_test: bool) -> Option<Self> {
        match (word, is_test) {
            ("match", true) => Some(Self::Match),
            ("search", true) | ("regex_search" | "regex_findall" | "regex_replace", false) => {
                Some(Self::Search)
            }
            ("inside" | "outside", false) => Some(Self::Path),
            _ => None,
        }
    }

    /// Whether all arguments are patterns.
    pub(super) fn takes_many(self) -> bool {
        self == Self::Path
    }
}

impl Patterns {
    /// Compiles `text`.
    pub(super) fn add(&mut self, kind: Kind, text: &str) -> Result<(), Mistake> {
        match kind {
            Kind::Match | Kind::Search => {
                let regex = compile(kind, text)?;
                self.regexes.insert((kind, text.to_owned()), regex);
            }
            Kind::Path => {
                self.paths.insert(text.to_owned(), path(text)?);
            }
        }
        Ok(())
    }

    /// The regular expression `text`; it is compiled now if it was not known when the expression
    /// was read.
    pub(super) fn regex(&self, kind: Kind, text: &str) -> Result<Regex, Mistake> {
        match self.regexes.get(&(kind, text.to_owned())) {
            Some(regex) => Ok(regex.clone()),
            None => compile(kind, text),
        }
    }

    /// The pattern `text` for paths.
    pub(super) fn path(&self, text: &str) -> Result<FilePatterns, Mistake> {
        match self.paths.get(text) {
            Some(patterns) => Ok(patterns.clone()),
            None => path(text),
        }
    }
}

fn compile(kind: Kind, text: &str) -> Result<Regex, Mistake> {
    pattern::limited(text, kind == Kind::Match).map_err(|wrong| {
        if wrong.is_too_large() {
            let message = format!("a regular expression is too large: {wrong}");
            let help = "it may have 1000 characters, and 1 MiB when it is compiled";
            return Mistake::new(Class::TooMuch, message, help);
        }
        let message = format!("`{text}` is not a regular expression: {wrong}");
        let help = pattern::help(&wrong.to_string());
        Mistake::new(Class::Pattern, message, help)
    })
}

fn path(text: &str) -> Result<FilePatterns, Mistake> {
    FilePatterns::from_globs(&[text], &[]).map_err(|wrong| {
        let message = format!("`{text}` is not a pattern for paths: {wrong}");
        Mistake::new(Class::Pattern, message, "")
    })
}
