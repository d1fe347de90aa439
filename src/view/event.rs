//! What has happened.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::model::{Facts, Happening, HappeningName, Timestamp};

/// Something that has happened (STA-01). Members that do not apply to it are missing.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Event {
    /// Its number: greater by one than that of the event before it.
    pub number: u64,
    /// When it happened.
    #[serde(serialize_with = "json::time")]
    pub at: Timestamp,
    /// What happened.
    pub event: HappeningName,
    /// What it is about.
    #[serde(flatten)]
    pub facts: Facts,
}

impl From<&Happening> for Event {
    fn from(happening: &Happening) -> Self {
        Self {
            number: happening.number,
            at: happening.at,
            event: happening.name,
            facts: happening.facts.clone(),
        }
    }
}
