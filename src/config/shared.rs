//! What equal texts of one configuration share: each expression and each pattern is compiled once,
//! however many rows and factories it stands in (CFL-71).

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use regex::Regex;

use super::expression::{Expression, Mistake, Mode};
use super::pattern::{LinePattern, PatternError};

/// What was compiled so far, by its text.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) expressions: Known<(Mode, String), Result<Expression, Mistake>>,
    /// Patterns of lines, and whether they match only from the beginning of a line on.
    pub(super) lines: Known<(bool, String), Result<LinePattern, PatternError>>,
    /// Patterns within the limits of expressions, which match anywhere.
    pub(super) limited: Known<String, Result<Arc<Regex>, PatternError>>,
}

/// What was made of the keys that were asked for.
#[derive(Debug)]
pub(super) struct Known<K, V>(RefCell<HashMap<K, V>>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    /// What was made of `key` before, or what `make` makes of it now.
    pub(super) fn get(&self, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some(known) = self.0.borrow().get(&key) {
            return known.clone();
        }
        let made = make(&key);
        self.0.borrow_mut().insert(key, made.clone());
        made
    }
}
