//! Why a page is not shown.

use crate::store::StoreError;

/// Why a page is not shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// An argument has a wrong value: 400.
    Argument {
        /// A sentence that names the argument and says what it may be.
        sentence: String,
    },
    /// What the address names does not exist: 404.
    NotFound {
        /// The kind of thing: `builder`.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// Pages that may have been meant, the nearest first: name and address.
        near: Vec<(String, String)>,
    },
    /// What the address names was removed: 410.
    Gone {
        /// A sentence that says what was removed and why.
        sentence: String,
    },
    /// It is elsewhere: 302, or 308 if that is for ever.
    Elsewhere {
        /// The address.
        to: String,
        /// Whether it is there for ever.
        for_ever: bool,
    },
    /// The master cannot answer now: 503.
    Busy {
        /// A sentence that says why.
        sentence: &'static str,
    },
    /// The fault is ours: 500.
    Internal {
        /// Why, for the log.
        why: String,
    },
}

impl From<StoreError> for Refusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the reader can do nothing about the others"
    )]
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLong { .. } => Self::Busy {
                sentence: "The page needs too much of the history; ask for less.",
            },
            other => Self::Internal {
                why: other.to_string(),
            },
        }
    }
}
