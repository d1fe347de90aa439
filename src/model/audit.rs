//! The audit log: who did what, and what was refused (MAY-05).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Timestamp, TokenId};

/// An act of a user, or one that was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuditRecord {
    /// When it happened.
    pub at: Timestamp,
    /// The user; empty for somebody who has not logged in.
    pub who: String,
    /// The way by which the request came.
    pub door: Door,
    /// The address of the user; empty if the door has none.
    #[serde(default)]
    pub address: String,
    /// The token that was used.
    #[serde(default)]
    pub token: Option<TokenId>,
    /// The permission that the act needs.
    pub action: Action,
    /// What the act concerns: `builder full`, `request 7`; empty for the master as a whole.
    #[serde(default)]
    pub object: String,
    /// The act in words: `asked for a build on full`.
    pub what: String,
    /// The reason that the user has given.
    #[serde(default)]
    pub reason: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What allowed or forbade the act, in words.
    pub ground: String,
}

/// The ways by which requests come.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The control socket, with the commands of this program.
    Command,
    /// The web pages.
    Web,
    /// The JSON API.
    Api,
    /// IRC.
    Irc,
    /// A program of a developer, over Perspective Broker.
    Pb,
}

impl Door {
    /// The name of the door.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Web => "web",
            Self::Api => "api",
            Self::Irc => "irc",
            Self::Pb => "pb",
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// The user may not do it.
    Refused,
    /// The user may, but it could not be done; why.
    Failed(String),
}
