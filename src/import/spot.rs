//! Where a translation is, and why it cannot go on.

use super::dump::Place;

/// Why a value cannot be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gap {
    /// A question is open: its index.
    Open(usize),
    /// This program does not have it; it has been noted.
    Missing,
}

/// Where the translation is.
#[derive(Clone, Debug, Default)]
pub(super) struct Spot {
    /// What is translated, for people.
    pub(super) what: String,
    /// Where it was made.
    pub(super) at: Option<Place>,
    /// The builders that it concerns.
    pub(super) builders: Vec<usize>,
}
