//! Records of instances of latent slaves, so that no instance is ever lost (LAT-07).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instance that was started or is about to be started.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InstanceRecord {
    /// The output of `start` that identifies the instance; empty until then.
    pub identity: String,
    /// How to stop the instance, independent of later configurations.
    pub stop: InstanceStop,
}

/// How to stop an instance.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InstanceStop {
    /// The means to stop the instance.
    #[serde(flatten)]
    pub means: StopMeans,
    /// Time limit for the stop.
    pub limit: Duration,
}

/// The means to stop an instance, one for each type of latent slave (LAT-11).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum StopMeans {
    /// A command stops the instance.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
    },
    /// The native slave stops the process of its base directory.
    Process,
    /// Docker removes the container.
    Docker {
        /// The program `docker`.
        program: String,
    },
}

impl StopMeans {
    /// Whether both stop instances of the same type.
    #[must_use]
    pub fn is_type_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
