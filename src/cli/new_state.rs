//! `buildmaster new-state`: begins anew in a base directory whose state is lost.

use clap::Args;

use super::base_dir::BaseDir;
use super::say;
use crate::store;

/// Make an empty state in a base directory whose state is lost, and keep the logs of its builds.
///
/// Nothing is known any more of changes, requests and builds. New builds get numbers above those of
/// which there are logs, so that no log is overwritten. A state that is there, damaged or not, must
/// be moved away first.
#[derive(Clone, Debug, Args)]
pub(super) struct NewState {
    #[command(flatten)]
    dir: BaseDir,
}

impl NewState {
    /// Makes the state.
    ///
    /// # Errors
    /// There is a state, or it cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let next = store::begin_anew(self.dir.path())?;
        say(&format!("{}: a new state", self.dir.path().display()));
        for (dir, next) in next {
            say(&format!("builders/{dir}: the next build is {next}"));
        }
        Ok(())
    }
}
