//! What all steps of a build share.

use super::desk::Desk;
use super::journal::Journal;
use crate::botmaster::BuildPlan;
use crate::logs::{LogStore, LogSyncs};
use crate::model::Timestamp;
use crate::transfer::MasterFiles;

/// What all steps of a build share.
pub(super) struct Surroundings {
    pub(super) plan: Box<BuildPlan>,
    pub(super) logs: LogStore,
    /// Finished before the outcome is known.
    pub(super) syncs: LogSyncs,
    pub(super) journal: Journal,
    pub(super) desk: Desk,
    pub(super) files: MasterFiles,
    pub(super) clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}
