//! Source stamps: which version of the tree to build (section 2).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Change, SetId, base64_text};

/// A patch to apply after checkout (SST-01).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Patch {
    /// How many leading path components `patch -p` strips.
    pub level: u32,
    /// The diff, or where it is.
    pub body: PatchBody,
    /// Directory below the work directory to apply it in.
    pub subdir: Option<String>,
    /// Who made it, as the sender says.
    pub who: Option<String>,
    /// What the sender says about it.
    pub comment: Option<String>,
}

/// A diff; bytes, not text (TJD-10). Diffs are large and queues long: only one that is on its way
/// into the state is in memory.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchBody {
    /// Of a build set that is being submitted.
    Given(#[serde(with = "base64_text")] Bytes),
    /// In the state, with this build set. Whoever needs the diff reads it there.
    Kept(SetId),
}

impl fmt::Debug for PatchBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(diff) => write!(f, "Given({} bytes)", diff.len()),
            Self::Kept(set) => write!(f, "Kept({set})"),
        }
    }
}

/// What to build. See SST-02 for what the combinations of fields mean.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceStamp {
    /// Branch; absent is the default branch.
    pub branch: Option<String>,
    /// Revision; absent is computed from the changes, or latest.
    pub revision: Option<String>,
    /// Patch of a try job.
    pub patch: Option<Patch>,
    /// The changes it is made of, in ascending number (SST-04).
    pub changes: Vec<Arc<Change>>,
    /// Project.
    pub project: String,
    /// Repository.
    pub repository: String,
    /// Codebase.
    pub codebase: String,
}

impl SourceStamp {
    /// The stamp of `changes`, which all have the same branch (SST-03); puts them in arrival order
    /// (SST-04, SB-03). Where changes of several projects, repositories or codebases are mixed, the
    /// stamp names none.
    #[must_use]
    pub fn from_changes(mut changes: Vec<Arc<Change>>) -> Self {
        changes.sort_by_key(|c| c.number);
        changes.dedup_by_key(|c| c.number);
        let Some(last) = changes.last() else {
            return Self::default();
        };
        let common = |text: fn(&Change) -> &String| {
            let of_last = text(last);
            let is_common = changes.iter().all(|change| text(change) == of_last);
            if is_common {
                of_last.clone()
            } else {
                String::new()
            }
        };
        Self {
            branch: last.branch.clone(),
            revision: None,
            patch: None,
            project: common(|change| &change.project),
            repository: common(|change| &change.repository),
            codebase: common(|change| &change.codebase),
            changes,
        }
    }

    /// Whether requests for the two may share a build (SST-05).
    #[must_use]
    pub fn can_merge_with(&self, other: &Self) -> bool {
        let same_tree = self.branch == other.branch
            && self.project == other.project
            && self.repository == other.repository
            && self.codebase == other.codebase;
        if !same_tree || self.patch.is_some() || other.patch.is_some() {
            return false;
        }
        // Only a rebuild has changes and a revision, and is to build that revision.
        self.changes.is_empty() == other.changes.is_empty() && self.revision == other.revision
    }

    /// The stamp for a build that serves all of `members`, which are of one branch without patches
    /// (SST-06): all their changes, without duplicates, in number order. `members` are in the order
    /// of their age, the oldest first.
    ///
    /// Where the rule for merging lets stamps through that SST-05 keeps apart, what is built is the
    /// newest of what is asked for: with changes, the newest of these, also for those who asked for
    /// a revision or the latest; without, what the youngest member asks for.
    #[must_use]
    pub fn merged(members: &[Arc<Self>]) -> Arc<Self> {
        let [.., last] = members else {
            return Arc::default();
        };
        if members.len() == 1 || members.iter().all(|member| member.changes.is_empty()) {
            return Arc::clone(last);
        }
        let changes = members
            .iter()
            .flat_map(|m| m.changes.iter().cloned())
            .collect();
        let mut stamp = Self::from_changes(changes);
        if members
            .iter()
            .all(|member| member.revision == last.revision)
        {
            stamp.revision.clone_from(&last.revision);
        }
        stamp.branch.clone_from(&last.branch);
        stamp.project.clone_from(&last.project);
        stamp.repository.clone_from(&last.repository);
        stamp.codebase.clone_from(&last.codebase);
        Arc::new(stamp)
    }

    /// Who is to blame for what is built: who made its changes and its patch; sorted, each once
    /// (BUI-09).
    #[must_use]
    pub fn blamelist(&self) -> Vec<String> {
        let authors = self.patch.iter().filter_map(|patch| patch.who.as_deref());
        let who = self.changes.iter().map(|change| change.who.as_str());
        let all: BTreeSet<_> = who.chain(authors).filter(|who| !who.is_empty()).collect();
        all.into_iter().map(str::to_owned).collect()
    }

    /// The revision to build as the stamp tells it: its own, else that of the newest change
    /// (SRC-02).
    #[must_use]
    pub fn revision_to_build(&self) -> Option<&str> {
        self.revision
            .as_deref()
            .or_else(|| self.changes.last()?.revision.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeNumber, NewChange, Timestamp};

    fn by(who: &str) -> Arc<Change> {
        let said = NewChange {
            who: who.to_owned(),
            ..NewChange::default()
        };
        Arc::new(Change {
            number: ChangeNumber(1),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            said,
        })
    }

    #[test]
    fn bui_09_the_blamelist_is_who_made_the_changes_and_the_patch() {
        let mut stamp = SourceStamp {
            changes: ["bob", "ann", "bob", ""].map(by).into(),
            ..SourceStamp::default()
        };
        assert_eq!(stamp.blamelist(), ["ann", "bob"]);
        stamp.patch = Some(Patch {
            level: 0,
            body: PatchBody::Kept(SetId(1)),
            subdir: None,
            who: Some("cid".to_owned()),
            comment: None,
        });
        assert_eq!(stamp.blamelist(), ["ann", "bob", "cid"]);
        assert!(SourceStamp::default().blamelist().is_empty());
    }
}
