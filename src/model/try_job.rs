//! A try job: what a developer wants built before it is committed (section 9).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BuilderName, base64_text};

/// What a job file or a try call carries, whatever its version.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct TryJob {
    /// The sender's id of it, by which it finds its set again (TJD-11); empty if it gave none.
    pub id: String,
    /// Branch; absent is the default branch (TRY-04).
    pub branch: Option<String>,
    /// Base revision; absent is the latest.
    pub base_revision: Option<String>,
    /// How many leading path components `patch -p` strips.
    pub patch_level: u32,
    /// The diff; empty is no patch to apply.
    #[serde(with = "base64_text")]
    pub patch: Vec<u8>,
    /// Repository; empty if unknown.
    pub repository: String,
    /// Project; empty if unknown.
    pub project: String,
    /// Who wants it, as the sender says; empty if it does not say.
    pub who: String,
    /// What the sender says about it; may be empty.
    pub comment: String,
    /// Builders; none is every builder of the scheduler (TRY-03).
    pub builders: Vec<BuilderName>,
    /// Properties of the set, which get the source "try build" (TRY-06).
    pub properties: BTreeMap<String, Value>,
}
