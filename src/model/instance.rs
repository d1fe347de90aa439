//! What is remembered of the instance of a latent slave, so that none is ever lost (LAT-07).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instance that was started, or is about to be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InstanceRecord {
    /// What its start said of it; empty before that.
    pub identity: String,
    /// How it is stopped, whatever the configuration says of its slave by then.
    pub stop: InstanceStop,
}

/// How an instance is stopped.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InstanceStop {
    /// By what.
    #[serde(flatten)]
    pub means: StopMeans,
    /// How long that may take.
    pub limit: Duration,
}

/// What stops an instance: one for each type of latent slave (LAT-11).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum StopMeans {
    /// A command.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
    },
    /// The native slave knows the process of its base directory.
    Process,
    /// Docker removes the container.
    Docker {
        /// The program `docker`.
        program: String,
    },
}

impl StopMeans {
    /// Whether instances that these stop are of the same type.
    #[must_use]
    pub fn is_type_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
