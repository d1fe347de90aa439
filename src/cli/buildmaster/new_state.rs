//! `buildmaster new-state`: creates an empty state in a base directory that has lost its state.

use clap::Args;

use super::base_dir::BaseDir;
use super::say;
use crate::store;

/// Create an empty state in a base directory that has lost its state, and keep the logs
///
/// The new state knows no changes, requests or builds. New builds get higher numbers than the
/// builds that have logs, so no log is overwritten. If a state file exists, even a damaged one,
/// move it away first.
#[derive(Clone, Debug, Args)]
pub(super) struct NewState {
    #[command(flatten)]
    dir: BaseDir,
}

impl NewState {
    /// Creates the state.
    ///
    /// # Errors
    /// A state exists, or the state cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let next = store::begin_anew(self.dir.path())?;
        say(&format!(
            "created an empty state in {}",
            self.dir.path().display()
        ));
        for (dir, next) in next {
            say(&format!(
                "builders/{dir}: the next build gets number {next}"
            ));
        }
        Ok(())
    }
}
