//! Requests to read the configuration file again (MAS-03).

use serde::Serialize;
use tokio::sync::oneshot;

use crate::config::Difference;

/// A request to read the configuration file again.
#[derive(Debug)]
pub struct Reconfigure {
    /// Only answer what would change.
    pub dry_run: bool,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Reconfigured, String>>,
}

/// The result of a reconfiguration.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Reconfigured {
    /// What has changed, or would change.
    #[serde(rename = "changes")]
    pub difference: Difference,
    /// Which files were read, for people: `master.toml and 4 more files`.
    pub files: String,
    /// Warnings about the new configuration, as text for people; empty if there are none.
    pub warnings: String,
    /// Why the new configuration cannot be in force, as text for people; empty if it is, or could
    /// be.
    pub problems: String,
}
