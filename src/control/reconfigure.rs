//! Asking for another configuration (MAS-03).

use serde::Serialize;
use tokio::sync::oneshot;

use crate::config::Difference;

/// Somebody wants the configuration file to be read again.
#[derive(Debug)]
pub struct Reconfigure {
    /// Only say what would change.
    pub dry_run: bool,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Reconfigured, String>>,
}

/// What came of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Reconfigured {
    /// What has changed, or would.
    #[serde(rename = "changes")]
    pub difference: Difference,
    /// What is allowed but strange about the new configuration, as text for people; empty if nothing is.
    pub warnings: String,
    /// What keeps the new configuration from being taken, as text for people; empty if it is taken, or would be.
    pub problems: String,
}
