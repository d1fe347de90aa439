//! What a running master measures of its own work.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::tally::Tally;
use crate::measure::{Counter, Histogram};

/// Counts and times since the start of the master.
#[derive(Debug)]
pub struct Measures {
    /// What has happened.
    pub news: Tally,
    /// How long the task that owns the core worked without a look at what comes next.
    pub turns: Histogram,
    /// What letters of the outbox came to.
    pub letters: LetterCounts,
    /// Peers of the slave port and of other PB ports that have logged in.
    pub logins: Counter,
}

/// How often sending a letter came to what, by target and outcome. A leaf: the lock is held for a
/// count or a look.
#[derive(Debug, Default)]
pub struct LetterCounts(Mutex<BTreeMap<(String, &'static str), u64>>);

impl LetterCounts {
    /// Counts an attempt.
    pub fn count(&self, target: &str, outcome: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((target.to_owned(), outcome)).or_default() += 1;
    }

    /// The counts so far.
    #[must_use]
    pub fn get(&self) -> BTreeMap<(String, &'static str), u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}

/// Bounds of the times of turns, in seconds.
const TURN_BOUNDS: &[f64] = &[0.0001, 0.001, 0.01, 0.1, 1.0];

impl Default for Measures {
    fn default() -> Self {
        Self {
            news: Tally::default(),
            turns: Histogram::new(TURN_BOUNDS),
            logins: Counter::default(),
            letters: LetterCounts::default(),
        }
    }
}
