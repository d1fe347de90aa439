//! Acts over the API that are done once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Timestamp;

/// An act over the API that is done once for the key of its request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DoneAct {
    /// The user who sent the request.
    pub caller: String,
    /// The key of the request.
    pub key: String,
    /// Equal for equal requests.
    pub fingerprint: String,
    /// When it was done.
    pub at: Timestamp,
    /// What was answered.
    pub result: Value,
}
