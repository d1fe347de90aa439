//! `buildmaster verify`: whether the state and the logs of a master are whole.

use std::process::ExitCode;

use clap::Args;

use super::base_dir::BaseDir;
use super::{complain, say};
use crate::logs::LogReader;
use crate::store::State;
use crate::store::verify::KnownLog;

/// Check the state and the logs of a master, running or not, for damage.
///
/// Reads all of the state file and looks whether each log that it knows is there and whole. Exits
/// with 0 if all is well, and with 1 if not; what is wrong is listed on standard error.
#[derive(Clone, Debug, Args)]
pub(super) struct Verify {
    /// Say nothing if all is well
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    dir: BaseDir,
}

impl Verify {
    /// Checks and reports.
    ///
    /// # Errors
    /// The state cannot be opened.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(self.dir.path())?;
        let path = self.dir.path().join(crate::store::Store::FILE);
        let mut wrong = 0_u64;
        let mut tell = |text: &str| {
            complain(text);
            wrong += 1;
        };
        for text in state.verify()? {
            tell(&format!("{}: {text}", path.display()));
        }
        let mut logs = 0_u64;
        let looked = state.each_log(|log| {
            logs += 1;
            if let Err(why) = self.check_log(&state, &log) {
                tell(&format!(
                    "build {}/{}: the log {} {why}",
                    log.builder, log.number, log.path
                ));
            }
        });
        looked?;
        if wrong > 0 {
            complain(&format!(
                "{}: {wrong} of what was checked is damaged",
                self.dir.path().display()
            ));
            return Ok(ExitCode::FAILURE);
        }
        if !self.quiet {
            let logs = match logs {
                1 => "1 log is".to_owned(),
                n => format!("{n} logs are"),
            };
            say(&format!(
                "{}: the state and {logs} whole",
                self.dir.path().display()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn check_log(&self, state: &State, log: &KnownLog) -> Result<(), String> {
        let there = LogReader::open(state.basedir(), &log.path).and_then(|log| log.check());
        match there {
            Ok(there) if there >= log.size => Ok(()),
            Ok(there) => Err(format!("has {there} bytes instead of {}", log.size)),
            // It may have been pruned meanwhile.
            Err(_) if is_pruned(state, log) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err("is not there".to_owned())
            }
            Err(error) => Err(format!("cannot be read: {error}")),
        }
    }
}

/// Whether the state has forgotten the log since it was asked for it.
fn is_pruned(state: &State, log: &KnownLog) -> bool {
    state.is_log_kept(&log.path).is_ok_and(|kept| !kept)
}
