//! A change to the source tree, as a version-control hook or `sendchange` reports it (section 1).

use serde::{Deserialize, Serialize};

use super::{ChangeNumber, Properties, Timestamp};

/// A change that the master has accepted (CHG-01). Default branch and empty branch differ (CHG-02).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Its number, in order of arrival.
    pub number: ChangeNumber,
    /// When the master took it.
    pub arrived_at: Timestamp,
    /// When it was made, by the sender's clock; the arrival time if the sender did not say (CHG-06).
    pub when: Timestamp,
    /// What the sender said.
    #[serde(flatten)]
    pub said: NewChange,
}

impl std::ops::Deref for Change {
    type Target = NewChange;

    fn deref(&self) -> &NewChange {
        &self.said
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A change as it arrives, before it has a number.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NewChange {
    /// Author.
    pub who: String,
    /// Files it touches, relative to the tree's root.
    #[serde(default)]
    pub files: Vec<String>,
    /// How many more files it touches, whose names were too much to keep. A change with some is important whatever
    /// the rules for files say, since one of these could be meant.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files_left_out: u64,
    /// Commit message.
    #[serde(default)]
    pub comments: String,
    /// Revision; absent if the sender gave none.
    pub revision: Option<String>,
    /// Branch; absent is the default branch, which is not the same as an empty name.
    pub branch: Option<String>,
    /// Time stamp given by the sender.
    #[serde(rename = "said_when")]
    pub when: Option<Timestamp>,
    /// Project, empty by default.
    #[serde(default)]
    pub project: String,
    /// Repository, empty by default.
    #[serde(default)]
    pub repository: String,
    /// Codebase, empty by default.
    #[serde(default)]
    pub codebase: String,
    /// Category.
    pub category: Option<String>,
    /// Link to the revision, empty by default.
    #[serde(default)]
    pub revlink: String,
    /// Kind of version control, such as `git`.
    pub src: Option<String>,
    /// Properties, with source "Change".
    #[serde(default)]
    pub properties: Properties,
}
