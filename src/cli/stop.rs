//! `buildmaster stop` and `restart`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;

use super::say;
use super::start::{PID_FILE, Start};
use crate::daemonize::{self, Stopped};

/// How long a stop may take; the master itself gives up on everything within five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a clean stop is waited for: running builds may take hours.
const CLEAN_PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Stops a running master.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Stop {
    /// Say nothing when all goes well.
    #[arg(long, short)]
    quiet: bool,
    /// Start no more builds, and wait until the running ones have ended.
    #[arg(long)]
    clean: bool,
    /// The base directory.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Stops a running master and starts it again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Restart {
    #[command(flatten)]
    stop: Stop,
    /// Stay in the foreground and log to standard error.
    #[arg(long)]
    nodaemon: bool,
}

impl Stop {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.stop()? {
            return Ok(ExitCode::SUCCESS);
        }
        bail!("no master runs in {}", self.dir.display())
    }

    /// Stops the master; says whether one ran.
    fn stop(&self) -> anyhow::Result<bool> {
        let (signal, patience) = if self.clean {
            (Signal::USR1, CLEAN_PATIENCE)
        } else {
            (Signal::TERM, PATIENCE)
        };
        let pid_file: &Path = &self.dir.join(PID_FILE);
        match daemonize::stop(pid_file, signal, patience)
            .with_context(|| format!("cannot stop the master of {}", self.dir.display()))?
        {
            Stopped::Ended(_) => {
                if !self.quiet {
                    say("buildmaster has stopped");
                }
                Ok(true)
            }
            Stopped::StillRunning(pid) => bail!(
                "the master (process {pid}) still runs {} s after it was told to stop",
                patience.as_secs()
            ),
            Stopped::NotRunning => Ok(false),
        }
    }
}

impl Restart {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if !self.stop.stop()? && !self.stop.quiet {
            say("no master was running; starting one");
        }
        Start::of(self.stop.dir.clone(), self.stop.quiet, self.nodaemon).run()
    }
}
