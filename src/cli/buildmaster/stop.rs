//! `buildmaster stop` and `restart`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;

use super::asking::await_end;
use super::base_dir::{BaseDir, PID_FILE};
use super::configuration::Tell;
use super::start::Start;
use super::{USAGE, complain, say};
use crate::botmaster::Ask;
use crate::daemonize::{self, Stopped};

/// Time limit for a stop. The master itself abandons all work within five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Stop a running master
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Stop {
    /// Print nothing on success
    #[arg(long, short)]
    quiet: bool,
    /// Start no more builds, and wait until all running builds have finished or `cancel-stop`
    /// cancels the stop
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    dir: BaseDir,
}

/// Stop a running master and start it again, unless its configuration has errors
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Restart {
    #[command(flatten)]
    stop: Stop,
    /// Stay in the foreground and log to standard error
    #[arg(long)]
    nodaemon: bool,
}

impl Stop {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.stop()? {
            return Ok(ExitCode::SUCCESS);
        }
        bail!("no master is running in {}", self.dir.path().display())
    }

    /// Stops the master; says whether one ran.
    fn stop(&self) -> anyhow::Result<bool> {
        let dir = self.dir.path();
        let pid_file: &Path = &dir.join(PID_FILE);
        let stopped = if self.clean {
            drain(dir, pid_file)?
        } else {
            daemonize::stop(pid_file, Signal::TERM, PATIENCE)
                .with_context(|| format!("cannot stop the master of {}", dir.display()))?
        };
        match stopped {
            Stopped::Ended(_) => {
                if !self.quiet {
                    say("buildmaster has stopped");
                }
                Ok(true)
            }
            Stopped::StillRunning(pid) => bail!(
                "the master (process {pid}) is still running {} s after the stop request",
                PATIENCE.as_secs()
            ),
            Stopped::NotRunning => Ok(false),
        }
    }
}

/// Asks the master to stop once all builds have finished, and waits for any length of time.
///
/// # Errors
/// The master cannot be reached, or somebody has cancelled the stop.
fn drain(dir: &Path, pid_file: &Path) -> anyhow::Result<Stopped> {
    let Some(pid) = daemonize::running(pid_file)? else {
        return Ok(Stopped::NotRunning);
    };
    await_end(dir, Ask::CleanShutdown)?;
    Ok(daemonize::await_end(pid_file, pid, PATIENCE)?)
}

impl Restart {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { stop, nodaemon } = self;
        let start = Start::of(stop.dir.clone(), stop.quiet, *nodaemon);
        let errors = start.check(Tell::Errors);
        if !matches!(errors, Ok(true)) {
            complain(
                "buildmaster: note: nothing was stopped, because the master could not start again",
            );
        }
        if !errors? {
            return Ok(ExitCode::from(USAGE));
        }
        if !stop.stop()? && !stop.quiet {
            say("no master was running; starting a new master");
        }
        start.run()
    }
}
