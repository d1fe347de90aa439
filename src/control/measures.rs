//! What a running master measures of its own work.

use super::tally::Tally;
use crate::measure::{Counter, Histogram};

/// Counts and times since the start of the master.
#[derive(Debug)]
pub struct Measures {
    /// What has happened.
    pub news: Tally,
    /// How long the task that owns the core worked without a look at what comes next.
    pub turns: Histogram,
    /// Peers of the slave port and of other PB ports that have logged in.
    pub logins: Counter,
}

/// Bounds of the times of turns, in seconds.
const TURN_BOUNDS: &[f64] = &[0.0001, 0.001, 0.01, 0.1, 1.0];

impl Default for Measures {
    fn default() -> Self {
        Self {
            news: Tally::default(),
            turns: Histogram::new(TURN_BOUNDS),
            logins: Counter::default(),
        }
    }
}
