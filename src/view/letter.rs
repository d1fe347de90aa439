//! A letter of the outbox.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::model::{LetterId, LetterState, Timestamp};
use crate::store::read::LetterRow;

/// A letter of the outbox (OUT-01).
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Letter {
    /// Its number.
    pub number: LetterId,
    /// Who takes it.
    pub target: String,
    /// What it says, in a few words.
    pub about: String,
    /// `waiting`, `delivered`, `dead` or `dropped`.
    pub state: &'static str,
    /// When it was written.
    #[serde(serialize_with = "json::time")]
    pub made_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; null unless it waits.
    #[serde(serialize_with = "json::time_if_any")]
    pub next_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was delivered, died or was dropped.
    #[serde(serialize_with = "json::time_if_any")]
    pub ended_at: Option<Timestamp>,
}

impl From<LetterRow> for Letter {
    fn from(row: LetterRow) -> Self {
        Self {
            number: row.id,
            about: match &row.recipient {
                Some(recipient) => format!("{}, to {recipient}", row.facts),
                None => row.facts.to_string(),
            },
            state: row.state.as_str(),
            made_at: row.made_at,
            tries: row.tries,
            next_at: Some(row.next_at).filter(|_| row.state == LetterState::Waiting),
            error: row.error,
            ended_at: row.ended_at,
            target: row.target,
        }
    }
}
