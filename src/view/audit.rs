//! An entry of the audit log.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::model::{Action, Door, Outcome, Timestamp, TokenId};
use crate::store::read::AuditRow;

/// An entry of the audit log (MAY-05).
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Audit {
    /// The number of the entry.
    pub number: u64,
    /// When it happened.
    #[serde(serialize_with = "json::time")]
    pub at: Timestamp,
    /// The user; empty for somebody who has not logged in.
    pub who: String,
    /// The way by which the request came.
    pub door: Door,
    /// The address of the user; empty if the way has none.
    pub address: String,
    /// The token that was used.
    pub token: Option<TokenId>,
    /// The permission that the act needs.
    pub action: Action,
    /// What the act concerns; empty for the master as a whole.
    pub object: String,
    /// The act in words.
    pub what: String,
    /// The reason that the user has given.
    pub reason: String,
    /// `done`, `refused` or `failed`.
    pub outcome: &'static str,
    /// Why it failed.
    pub error: Option<String>,
    /// What allowed or forbade the act, in words.
    pub ground: String,
}

impl From<AuditRow> for Audit {
    fn from(AuditRow { number, record }: AuditRow) -> Self {
        let (outcome, error) = match record.outcome {
            Outcome::Done => ("done", None),
            Outcome::Refused => ("refused", None),
            Outcome::Failed(why) => ("failed", Some(why)),
        };
        Self {
            number,
            at: record.at,
            who: record.who,
            door: record.door,
            address: record.address,
            token: record.token,
            action: record.action,
            object: record.object,
            what: record.what,
            reason: record.reason,
            outcome,
            error,
            ground: record.ground,
        }
    }
}

impl Audit {
    /// The user and the way, for people: `ann (web, 10.0.0.1)`.
    #[must_use]
    pub fn by(&self) -> String {
        let who = match self.who.as_str() {
            "" => "somebody",
            who => who,
        };
        let door = self.door.name();
        let token = self.token.map(|token| format!(", token {token}"));
        let token = token.unwrap_or_default();
        match self.address.as_str() {
            "" => format!("{who} ({door}{token})"),
            address => format!("{who} ({door}, {address}{token})"),
        }
    }

    /// What came of the act, for people; empty if it was done.
    #[must_use]
    pub fn came_of(&self) -> String {
        match &self.error {
            Some(why) => format!("failed: {why}"),
            None if self.outcome == "done" => String::new(),
            None => format!("{}: {}", self.outcome, self.ground),
        }
    }
}
