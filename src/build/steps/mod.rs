//! The kinds of step, a file each, and the table of what each does.

mod arch;
mod bk;
mod bzr;
mod cvs;
mod darcs;
mod download;
mod files;
mod git;
mod http;
mod json;
mod master_path;
mod master_shell;
mod matching;
mod mercurial;
mod monotone;
mod p4;
mod patch;
#[cfg(test)]
mod recorded;
mod related;
mod repo;
mod set_property;
mod shell;
mod slave_env;
mod source;
mod steps_from;
mod svn;
mod trigger;
mod upload;

use super::step::{Performed, StepRun};
use crate::config::StepKind;

/// Does the work of a step, whose locks are held and whose texts are not known yet.
pub(super) async fn perform(step: &mut StepRun<'_>) -> Performed {
    match &step.config.kind {
        StepKind::Shell(config) => shell::perform(step, config).await,
        StepKind::Git(config) => git::perform(step, config).await,
        StepKind::Upload(config) => upload::perform(step, config).await,
        StepKind::Download(config) => download::perform(step, config).await,
        StepKind::Files(config) => files::perform(step, config).await,
        StepKind::MasterShell(config) => master_shell::perform(step, config).await,
        StepKind::Patch(config) => patch::perform(step, config).await,
        StepKind::Http(config) => http::perform(step, config).await,
        StepKind::SetProperty(config) => set_property::perform(step, config).await,
        StepKind::LogRenderable(config) => set_property::log(step, config).await,
        StepKind::SlaveEnv(config) => slave_env::perform(step, config).await,
        StepKind::Related(config) => related::perform(step, config).await,
        StepKind::StepsFrom(config) => steps_from::perform(step, config).await,
        StepKind::Trigger(config) => trigger::perform(step, config).await,
        StepKind::Svn(config) => svn::perform(step, config).await,
        StepKind::Mercurial(config) => mercurial::perform(step, config).await,
        StepKind::Bk(config) => bk::perform(step, config).await,
        StepKind::Bzr(config) => bzr::perform(step, config).await,
        StepKind::Darcs(config) => darcs::perform(step, config).await,
        StepKind::Cvs(config) => cvs::perform(step, config).await,
        StepKind::Repo(config) => repo::perform(step, config).await,
        StepKind::Arch(config) => arch::perform(step, config).await,
        StepKind::Monotone(config) => monotone::perform(step, config).await,
        StepKind::P4(config) => p4::perform(step, config).await,
    }
}
