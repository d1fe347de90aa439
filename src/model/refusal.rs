//! Connections that were refused.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Connections that were refused for one reason, of one name and from one address.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// The name that was given; absent if the peer did not come that far.
    pub name: Option<String>,
    /// The address without its port; `unix` for a Unix socket.
    pub address: String,
    /// Why.
    pub why: String,
    /// When this happened first.
    pub first_at: Timestamp,
    /// When this happened last.
    pub last_at: Timestamp,
    /// How often this happened.
    pub times: u64,
}
