//! Try jobs: uncommitted changes that a developer wants built (section 9).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BuilderName, base64_text};

/// The content of a job file or a try call, in any version of the format.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct TryJob {
    /// The sender's id, by which the sender finds the build set (TJD-11); empty if there is none.
    pub id: String,
    /// Branch; absent: the default branch (TRY-04).
    pub branch: Option<String>,
    /// Base revision; absent: the latest.
    pub base_revision: Option<String>,
    /// Number of leading path components that `patch -p` strips.
    pub patch_level: u32,
    /// The diff; empty if there is no patch.
    #[serde(with = "base64_text")]
    pub patch: Vec<u8>,
    /// Repository; empty if unknown.
    pub repository: String,
    /// The codebase that the patch is for; empty if the sender names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub codebase: String,
    /// Project; empty if unknown.
    pub project: String,
    /// User, according to the sender; empty if not given.
    pub who: String,
    /// Comment of the sender; may be empty.
    pub comment: String,
    /// Builders; empty: all builders of the scheduler (TRY-03).
    pub builders: Vec<BuilderName>,
    /// Properties of the set, which get the source "try build" (TRY-06).
    pub properties: BTreeMap<String, Value>,
}
