//! Source stamps: the version of the tree to build (section 2).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Change, SetId, base64_text};

/// A patch to apply after checkout (SST-01).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Patch {
    /// Number of leading path components that `patch -p` strips.
    pub level: u32,
    /// The diff, or its place.
    pub body: PatchBody,
    /// Directory to apply the diff in, below the work directory.
    pub subdir: Option<String>,
    /// Author, according to the sender.
    pub who: Option<String>,
    /// Comment of the sender.
    pub comment: Option<String>,
}

/// A diff, as bytes (TJD-10). Diffs are large and queues are long, so only diffs on their way into
/// the state are in memory.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchBody {
    /// The diff of a build set that is being submitted.
    Given(#[serde(with = "base64_text")] Bytes),
    /// The diff is in the state, with this build set.
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

/// The version to build. SST-02 explains the combinations of fields.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceStamp {
    /// Branch; absent is the default branch.
    pub branch: Option<String>,
    /// Revision; absent: derived from the changes, or the latest.
    pub revision: Option<String>,
    /// Patch of a try job.
    pub patch: Option<Patch>,
    /// Changes, in ascending order of number (SST-04).
    pub changes: Vec<Arc<Change>>,
    /// Project.
    pub project: String,
    /// Repository.
    pub repository: String,
    /// Codebase.
    pub codebase: String,
}

impl SourceStamp {
    /// So many files of its changes are told.
    pub const MOST_FILES: usize = 10_000;

    /// The stamp of `changes`, which all have the same branch (SST-03), sorted by arrival (SST-04,
    /// SB-03). If the changes have different projects, repositories or codebases, the stamp has
    /// none.
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
        // Only a rebuild has both changes and a revision, and must build that revision.
        self.changes.is_empty() == other.changes.is_empty() && self.revision == other.revision
    }

    /// The stamp of a build for all `members`, which have one branch and no patches (SST-06): all
    /// their changes, without duplicates, in order of number. `members` are sorted by age, oldest
    /// first.
    ///
    /// If the merge rule accepts stamps that SST-05 keeps apart, the newest sources win. If any
    /// member has changes, the newest change is built, even for members with a revision or without
    /// changes. Otherwise the stamp of the youngest member is built.
    #[must_use]
    pub fn merged(members: &[&Self]) -> Self {
        let [.., last] = members else {
            return Self::default();
        };
        if members.len() == 1 || members.iter().all(|member| member.changes.is_empty()) {
            return (*last).clone();
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
        stamp
    }

    /// The blame list: the authors of the changes and of the patch, sorted and without duplicates
    /// (BUI-09).
    #[must_use]
    pub fn blamelist(&self) -> Vec<String> {
        let authors = self.patch.iter().filter_map(|patch| patch.who.as_deref());
        let who = self.changes.iter().map(|change| change.who.as_str());
        let all: BTreeSet<_> = who.chain(authors).filter(|who| !who.is_empty()).collect();
        all.into_iter().map(str::to_owned).collect()
    }

    /// The files that the changes touch, sorted and without duplicates, at most
    /// [`SourceStamp::MOST_FILES`].
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let all: BTreeSet<&str> = self
            .changes
            .iter()
            .flat_map(|c| &c.files)
            .map(String::as_str)
            .collect();
        let first = all.into_iter().take(Self::MOST_FILES);
        first.map(str::to_owned).collect()
    }

    /// The names of what expressions see of a stamp.
    pub const FACTS: [&str; 7] = [
        "branch",
        "revision",
        "project",
        "repository",
        "codebase",
        "files",
        "who",
    ];

    /// What expressions see of it.
    pub(super) fn facts(&self) -> Value {
        let facts = Self::FACTS.into_iter();
        facts
            .filter_map(|name| Some((name.to_owned(), self.fact(name)?)))
            .collect()
    }

    /// One of [`SourceStamp::FACTS`].
    pub(super) fn fact(&self, name: &str) -> Option<Value> {
        Some(match name {
            "branch" => json!(self.branch),
            "revision" => json!(self.revision_to_build()),
            "project" => json!(self.project),
            "repository" => json!(self.repository),
            "codebase" => json!(self.codebase),
            "files" => json!(self.files()),
            "who" => json!(self.blamelist()),
            _ => return None,
        })
    }

    /// The revision to build: the stamp's own revision, or else the revision of the newest change
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
        let content = NewChange {
            who: who.to_owned(),
            ..NewChange::default()
        };
        Arc::new(Change {
            number: ChangeNumber(1),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            content,
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
