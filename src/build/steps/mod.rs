//! The kinds of step, a file each, and the table of what each does.

mod git;
mod master_shell;
mod patch;
mod related;
mod shell;
mod source;
mod steps_from;
mod trigger;

use super::step::{Performed, StepRun};
use crate::config::StepKind;

/// Does the work of a step, whose locks are held and whose texts are not known yet.
pub(super) async fn perform(step: &mut StepRun<'_>) -> Performed {
    match &step.config.kind {
        StepKind::Shell(config) => shell::perform(step, config).await,
        StepKind::Git(config) => git::perform(step, config).await,
        StepKind::MasterShell(config) => master_shell::perform(step, config).await,
        StepKind::Patch(config) => patch::perform(step, config).await,
        StepKind::Related(config) => related::perform(step, config).await,
        StepKind::StepsFrom(config) => steps_from::perform(step, config).await,
        StepKind::Trigger(config) => trigger::perform(step, config).await,
    }
}
