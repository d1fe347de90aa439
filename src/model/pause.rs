//! The pause of a slave (SLV-09) or of a builder (MAY-03).

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A paused slave gets no new builds, and a paused builder starts none; running builds continue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pause {
    /// Start of the pause.
    pub since: Timestamp,
    /// User who paused it, as given; empty if not given.
    pub by: String,
    /// Reason; empty if not given.
    pub reason: String,
}
