//! Letters: what the master tells people and programs outside (OUT-01).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{LetterId, SlaveName, Timestamp};

/// A letter as it is written, in the transaction of its cause (OUT-02).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Letter {
    /// The target: who takes it.
    pub target: String,
    /// Letters of a target with the same order leave one after the other (OUT-07).
    pub order: String,
    /// What was true when it was written.
    pub facts: LetterFacts,
    /// Time of the event.
    pub at: Timestamp,
}

/// What a letter says. The wording is made when it is sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LetterFacts {
    /// A slave is missing (SLV-07, LAT-04).
    SlaveMissing {
        /// Name of the slave.
        slave: SlaveName,
        /// Since when.
        since: Timestamp,
        /// Why its instance could not be had, if it is a latent slave.
        why: Option<String>,
        /// Its administrator, as the slave itself said; empty if it said none.
        admin: String,
    },
}

impl Letter {
    /// The target that takes mail.
    pub const MAIL: &str = "mail";

    /// A mail that a slave is missing.
    #[must_use]
    pub fn of_missing(facts: LetterFacts, slave: &SlaveName, at: Timestamp) -> Self {
        Self {
            target: Self::MAIL.to_owned(),
            order: format!("slave {slave}"),
            facts,
            at,
        }
    }
}

/// For people: `slave bot is missing`.
impl fmt::Display for LetterFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlaveMissing { slave, .. } => write!(f, "slave {slave} is missing"),
        }
    }
}

/// What an attempt to send a letter came to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The target has taken it (OUT-03).
    Delivered,
    /// It is tried again.
    Later {
        /// Why it was not taken.
        why: String,
        /// When.
        next_at: Timestamp,
    },
    /// It is not tried again unless somebody asks for it (OUT-06).
    Dead {
        /// Why.
        why: String,
    },
}

/// A change of the outbox.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterOp {
    /// A letter was written.
    Written(Letter),
    /// The master has tried to send a letter.
    Tried {
        /// Number of the letter.
        letter: LetterId,
        /// What it came to.
        fate: Fate,
        /// Time of the event.
        at: Timestamp,
    },
    /// Letters are tried again at once, as if for the first time (OUT-12).
    Retried {
        /// Numbers of the letters.
        letters: Vec<LetterId>,
        /// Time of the event.
        at: Timestamp,
    },
    /// Letters are not sent (OUT-12).
    Dropped {
        /// Numbers of the letters.
        letters: Vec<LetterId>,
        /// Time of the event.
        at: Timestamp,
    },
}

/// How far a letter is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It waits to be sent.
    Waiting,
    /// The target has taken it.
    Delivered,
    /// It could not be sent, and is not tried again by itself.
    Dead,
    /// Somebody has dropped it.
    Dropped,
}

impl LetterState {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Dead, Self::Dropped];

    /// The number by which it is stored.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}
