//! What a builder is doing, in a word (BLD-13).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The big state of a builder.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BigState {
    /// No slave is attached to it, and none can be started for it.
    Offline,
    /// It has a slave and no build.
    Idle,
    /// A build of it starts or runs.
    Building,
}

impl BigState {
    /// The name in lower case, as `show` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Building => "building",
        }
    }
}

impl fmt::Display for BigState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
