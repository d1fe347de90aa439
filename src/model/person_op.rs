//! How the register of people changes.

use serde::{Deserialize, Serialize};

use super::{Duty, PasswordHash, Person, SessionRecord, Timestamp, TokenId, TokenRecord};

/// A change of the register of people, their tokens and their sessions.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonOp {
    /// A person was added, or has other attributes and roles.
    Saved {
        /// The person.
        person: Person,
        /// Time of the event.
        at: Timestamp,
    },
    /// A person was removed, with all attributes, tokens and sessions (WHO-09).
    Removed {
        /// Name of the person.
        person: String,
    },
    /// A person has another password, or none; all sessions of the person end.
    PasswordSet {
        /// Name of the person.
        person: String,
        /// The hash of the password.
        hash: Option<PasswordHash>,
        /// Time of the event.
        at: Timestamp,
    },
    /// The command of the configuration lists these people, and nobody else (WHO-05).
    Listed {
        /// The people.
        people: Vec<Person>,
    },
    /// A person is on duty for a while, whoever's turn it is (ESC-10).
    DutyTaken(Duty),
    /// A file of a repository says who owns its files (WHO-08).
    OwnersRead {
        /// Name of the repository.
        repository: String,
        /// The file; empty: there is none.
        text: String,
    },
    /// A token was made.
    TokenMade(Box<TokenRecord>),
    /// A token was ended.
    TokenEnded {
        /// Number of the token.
        token: TokenId,
        /// Time of the event.
        at: Timestamp,
    },
    /// A token was used.
    TokenUsed {
        /// Number of the token.
        token: TokenId,
        /// Time of the event.
        at: Timestamp,
    },
    /// A person has logged in.
    SessionBegun(SessionRecord),
    /// A session was used.
    SessionUsed {
        /// Hash of the session.
        session: String,
        /// Time of the event.
        at: Timestamp,
    },
    /// A person has logged out.
    SessionEnded {
        /// Hash of the session.
        session: String,
    },
}
