//! The kinds of step, a file each, and the table of what each does.

mod git;
mod master_shell;
mod patch;
mod shell;
mod source;

use super::step::{Performed, StepRun};
use crate::config::StepKind;

/// Does the work of a step, whose locks are held and whose texts are not known yet.
pub(super) async fn perform(step: &mut StepRun<'_>) -> Performed {
    match &step.config.kind {
        StepKind::Shell(config) => shell::perform(step, config).await,
        StepKind::Git(config) => git::perform(step, config).await,
        StepKind::MasterShell(config) => master_shell::perform(step, config).await,
        StepKind::Patch(config) => patch::perform(step, config).await,
    }
}
