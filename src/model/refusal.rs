//! Rejected connections.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Rejected connections with one name, address and reason.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// Name in the login; absent if the peer sent no login.
    pub name: Option<String>,
    /// Address without the port; `unix` for a Unix socket.
    pub address: String,
    /// Reason of the rejection.
    pub why: String,
    /// Time of the first rejection.
    pub first_at: Timestamp,
    /// Time of the last rejection.
    pub last_at: Timestamp,
    /// Number of rejections.
    pub times: u64,
}
