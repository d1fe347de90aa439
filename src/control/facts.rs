//! What a running master says of its own process.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// A running master, as `buildmaster status` shows it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Facts {
    /// Its process.
    pub pid: u32,
    /// The version of the program that runs, which need not be the one that asks.
    pub version: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it has read the configuration that is in force.
    pub configured_at: Timestamp,
    /// The addresses it listens on, for people.
    pub addresses: Vec<String>,
    /// Whether it is to stop, or waits for builds to do so.
    pub stopping: bool,
}
