//! Results of steps, builds and build sets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A result. The numbers are those Buildbot's peers know (PROTOCOL section 13.2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Results {
    /// All went well.
    Success = 0,
    /// Went well, with warnings.
    Warnings = 1,
    /// Failed.
    Failure = 2,
    /// A step that did not run.
    Skipped = 3,
    /// The master's or the slave's own fault, or stopped.
    Exception = 4,
    /// Interrupted by a lost slave or a stop of the master: it is built again.
    Retry = 5,
}

impl Results {
    /// All results, by their number.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Warnings,
        Self::Failure,
        Self::Skipped,
        Self::Exception,
        Self::Retry,
    ];

    /// The name in lower case, as `--json` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warnings => "warnings",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
            Self::Exception => "exception",
            Self::Retry => "retry",
        }
    }

    /// The number on the wire and in the state.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The result with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The result with this lower-case name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == name)
    }

    /// SUCCESS or WARNINGS (BST-03).
    #[must_use]
    pub const fn is_success_like(self) -> bool {
        matches!(self, Self::Success | Self::Warnings)
    }

    /// The worse of two: RETRY > EXCEPTION > FAILURE > WARNINGS > SUCCESS > SKIPPED (BUI-07).
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.badness() > self.badness() {
            other
        } else {
            self
        }
    }

    const fn badness(self) -> u8 {
        match self {
            Self::Skipped => 0,
            Self::Success => 1,
            Self::Warnings => 2,
            Self::Failure => 3,
            Self::Exception => 4,
            Self::Retry => 5,
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
