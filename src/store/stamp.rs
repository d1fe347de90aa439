//! Source stamps as they are stored.

use std::borrow::Cow;

use crate::model::{ChangeNumber, SourceStamp};

/// The source stamp of a set as it is stored, without its patch.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct StoredStamp<'a> {
    pub(super) branch: Option<Cow<'a, str>>,
    pub(super) revision: Option<Cow<'a, str>>,
    pub(super) project: Cow<'a, str>,
    pub(super) repository: Cow<'a, str>,
    pub(super) codebase: Cow<'a, str>,
    pub(super) changes: Vec<ChangeNumber>,
}

impl<'a> StoredStamp<'a> {
    /// What is stored of `stamp`.
    pub(super) fn of(stamp: &'a SourceStamp) -> Self {
        Self {
            branch: stamp.branch.as_deref().map(Into::into),
            revision: stamp.revision.as_deref().map(Into::into),
            project: stamp.project.as_str().into(),
            repository: stamp.repository.as_str().into(),
            codebase: stamp.codebase.as_str().into(),
            changes: stamp.changes.iter().map(|c| c.number).collect(),
        }
    }
}
