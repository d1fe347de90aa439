//! `buildmaster backup`: copies the state, also while the master is running.

use std::path::PathBuf;

use clap::Args;

use super::base_dir::Master;
use super::say;
use crate::store::State;

/// Copy the state of a master to a file, also while the master is running
///
/// To restore the copy, stop the master, remove `state.sqlite-wal` and `state.sqlite-shm` if they
/// exist, and replace `state.sqlite` by the copy. Logs, secrets and the configuration are plain
/// files; copy them with any program.
#[derive(Clone, Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    master: Master,
    /// File to create
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    /// Copies the state.
    ///
    /// # Errors
    /// The file exists or cannot be written, or the base directory has no state.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let state = State::open_readonly(&self.master.basedir)?;
        state.copy_to(&self.file)?;
        let (dir, file) = (self.master.basedir.display(), self.file.display());
        say(&format!("copied the state of {dir} to {file}"));
        Ok(())
    }
}
