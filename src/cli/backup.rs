//! `buildmaster backup`: a copy of the state, also while the master runs.

use std::path::PathBuf;

use clap::Args;

use super::base_dir::Master;
use super::say;
use crate::store::State;

/// Copy the state of a master, running or not, into a file.
///
/// To restore it, stop the master, remove `state.sqlite-wal` and `state.sqlite-shm` if they exist,
/// and put the file in the place of `state.sqlite`. Logs, secrets and the configuration are plain
/// files, which any program can copy.
#[derive(Clone, Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    master: Master,
    /// The file to make
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    /// Makes the copy.
    ///
    /// # Errors
    /// The file exists or cannot be written, or there is no state.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let state = State::open_readonly(&self.master.basedir)?;
        state.copy_to(&self.file)?;
        let (dir, file) = (self.master.basedir.display(), self.file.display());
        say(&format!("the state of {dir} is in {file}"));
        Ok(())
    }
}
