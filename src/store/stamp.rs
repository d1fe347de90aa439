//! Source stamps as they are stored.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Change, ChangeNumber, Line, Patch, SourceStamp, SourceStamps};

/// The source stamp of a set as it is stored, without its patch. A set has one column for all its
/// stamps: the first, with those of the further codebases in it.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct StoredStamp<'a> {
    pub(super) branch: Option<Cow<'a, str>>,
    pub(super) revision: Option<Cow<'a, str>>,
    pub(super) project: Cow<'a, str>,
    pub(super) repository: Cow<'a, str>,
    pub(super) codebase: Cow<'a, str>,
    pub(super) changes: Vec<ChangeNumber>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) more: Vec<Self>,
    /// Whether the patch of the set is for this stamp; not said of a single stamp.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    patched: bool,
}

impl<'a> StoredStamp<'a> {
    /// What is stored of `stamps`.
    pub(super) fn of(stamps: &'a SourceStamps) -> Self {
        let Some(single) = stamps.single() else {
            let more = stamps.more().iter().map(|stamp| Self {
                patched: stamp.patch.is_some(),
                ..Self::of_one(stamp)
            });
            return Self {
                more: more.collect(),
                patched: stamps.first().patch.is_some(),
                ..Self::of_one(stamps.first())
            };
        };
        Self::of_one(single)
    }

    fn of_one(stamp: &'a SourceStamp) -> Self {
        Self {
            branch: stamp.branch.as_deref().map(Into::into),
            revision: stamp.revision.as_deref().map(Into::into),
            project: stamp.project.as_str().into(),
            repository: stamp.repository.as_str().into(),
            codebase: stamp.codebase.as_str().into(),
            changes: stamp.changes.iter().map(|c| c.number).collect(),
            more: Vec::new(),
            patched: false,
        }
    }

    /// The numbers of the changes of all stamps.
    pub(super) fn changes(&self) -> impl Iterator<Item = ChangeNumber> {
        let all = [self].into_iter().chain(&self.more);
        all.flat_map(|stamp| stamp.changes.iter().copied())
    }

    /// The revisions of the further codebases, which are taken out.
    pub(super) fn more_revisions(&mut self) -> Vec<Option<String>> {
        let more = self.more.iter_mut();
        more.map(|stamp| stamp.revision.take().map(Into::into))
            .collect()
    }

    /// The tree of each codebase.
    pub(super) fn line(self) -> Line {
        Line {
            branch: self.branch.map(Into::into),
            repository: self.repository.into(),
            project: self.project.into(),
            codebase: self.codebase.into(),
            more: self.more.into_iter().map(StoredStamp::line).collect(),
        }
    }

    /// The stamps, with the patch of their set and the changes that `change` finds.
    pub(super) fn read(
        mut self,
        patch: Option<Patch>,
        mut change: impl FnMut(ChangeNumber) -> rusqlite::Result<Option<Arc<Change>>>,
    ) -> rusqlite::Result<SourceStamps> {
        let more = std::mem::take(&mut self.more);
        let is_single = more.is_empty();
        let mut patch = patch;
        let mut stamps = Vec::with_capacity(more.len() + 1);
        for stored in [self].into_iter().chain(more) {
            let mut changes = Vec::with_capacity(stored.changes.len());
            for number in stored.changes {
                changes.extend(change(number)?);
            }
            let has_patch = is_single || stored.patched;
            stamps.push(SourceStamp {
                branch: stored.branch.map(Into::into),
                revision: stored.revision.map(Into::into),
                patch: if has_patch { patch.take() } else { None },
                changes,
                project: stored.project.into(),
                repository: stored.repository.into(),
                codebase: stored.codebase.into(),
            });
        }
        Ok(stamps.into_iter().collect())
    }
}
