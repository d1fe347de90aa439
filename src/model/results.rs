//! Results of steps, builds and build sets.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A result. The numbers are Buildbot's numbers on the wire (PROTOCOL section 13.2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Results {
    /// Success.
    Success = 0,
    /// Success with warnings.
    Warnings = 1,
    /// Failure.
    Failure = 2,
    /// The step did not run.
    Skipped = 3,
    /// An error of the master or the slave, or a stopped build.
    Exception = 4,
    /// Interrupted by a lost slave or a stop of the master; to be built again.
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
