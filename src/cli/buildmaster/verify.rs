//! `buildmaster verify`: checks the state and the logs of a master for damage.

use std::process::ExitCode;

use clap::Args;

use super::base_dir::BaseDir;
use super::{complain, say};
use crate::logs::LogReader;
use crate::store::State;
use crate::store::verify::KnownLog;

/// Check the state and the logs of a master for damage, also while the master is running
///
/// Verify reads the whole state and checks that every log in it exists and is complete. It lists
/// damage on standard error. Exit code: 0 if nothing is damaged, 1 otherwise.
#[derive(Clone, Debug, Args)]
pub(super) struct Verify {
    /// Print nothing if nothing is damaged
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    dir: BaseDir,
}

impl Verify {
    /// Checks the state and the logs, and reports damage.
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
                "buildmaster: error: {}: {wrong} problems found",
                self.dir.path().display()
            ));
            return Ok(ExitCode::FAILURE);
        }
        if !self.quiet {
            let logs = match logs {
                1 => "1 log".to_owned(),
                n => format!("{n} logs"),
            };
            say(&format!(
                "{}: no damage in the state and {logs}",
                self.dir.path().display()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn check_log(&self, state: &State, log: &KnownLog) -> Result<(), String> {
        let there = LogReader::open(state.basedir(), &log.path).and_then(|mut log| log.check());
        match there {
            Ok(there) if there >= log.size => Ok(()),
            Ok(there) => Err(format!("has {there} bytes instead of {}", log.size)),
            // The log may have been pruned in the meantime.
            Err(_) if is_pruned(state, log) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err("is missing".to_owned())
            }
            Err(error) => Err(format!("cannot be read: {error}")),
        }
    }
}

/// Whether the log was pruned after the check began.
fn is_pruned(state: &State, log: &KnownLog) -> bool {
    state.is_log_kept(&log.path).is_ok_and(|kept| !kept)
}
