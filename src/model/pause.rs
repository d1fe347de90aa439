//! What is remembered of a slave that people keep from builds (SLV-09).

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A slave is paused: it gets no new builds, and those that run go on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Who paused it, as they say; empty if they do not.
    pub by: String,
    /// Why; empty if they do not say.
    pub reason: String,
}
