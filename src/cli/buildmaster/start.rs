//! `buildmaster start`: the daemon, in the background or the foreground.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;

use super::base_dir::{BaseDir, PID_FILE};
use super::configuration::{self, CONFIG_FILE, Scope, Source, Tell};
use super::{USAGE, complain, say};
use crate::config::Config;
use crate::daemon;
use crate::daemonize::{self, Format, LogFile, LogOutput, PidFile, Readiness, Started, Stderr};

/// Name of the program's log in the base directory.
const LOG_FILE: &str = "buildmaster.log";

/// How long `start` waits until the master is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a master in the background or the foreground.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Start {
    /// Print nothing on success
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Stay in the foreground and log to standard error
    #[arg(long)]
    pub(super) nodaemon: bool,
    /// Set by `start` for the process in the background.
    #[arg(long, hide = true)]
    in_background: bool,
    #[command(flatten)]
    pub(super) dir: BaseDir,
}

impl Start {
    /// The start that `restart` performs.
    pub(super) fn of(dir: BaseDir, quiet: bool, nodaemon: bool) -> Self {
        Self {
            quiet,
            nodaemon,
            in_background: false,
            dir,
        }
    }

    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        check_dir(self.dir.path())?;
        if self.in_background || self.nodaemon {
            self.serve()
        } else {
            self.to_background()
        }
    }

    /// Shows everything that would keep the master from starting. Returns true if there is nothing.
    pub(super) fn check(&self, tell: Tell) -> anyhow::Result<bool> {
        let dir = self.dir.path();
        check_dir(dir)?;
        let source = Source::of(dir);
        Ok(source.load(Scope::Site, tell)?.is_some())
    }

    fn check_not_running(&self) -> anyhow::Result<()> {
        let dir = self.dir.path();
        if let Some(pid) = daemonize::running(&dir.join(PID_FILE))? {
            bail!(
                "a master is already running in {} (process {pid})",
                dir.display()
            );
        }
        Ok(())
    }

    /// Starts the daemon in a separate process and waits until it is ready.
    fn to_background(&self) -> anyhow::Result<ExitCode> {
        self.check_not_running()?;
        // Checked here, so that the errors are shown here, with colours.
        if !self.check(Tell::unless(self.quiet))? {
            return Ok(ExitCode::from(USAGE));
        }
        let dir = self.dir.path();
        let args: [OsString; 3] = ["start".into(), "--in-background".into(), ".".into()];
        match daemonize::spawn("buildmaster", &args, dir, PATIENCE, complain)? {
            Started::Ready(text) if self.quiet => drop(text),
            Started::Ready(text) => say(&text),
            Started::StillStarting => bail!(
                "the master was not ready after {} s; see {}",
                PATIENCE.as_secs(),
                dir.join(LOG_FILE).display()
            ),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Runs the daemon in this process.
    fn serve(&self) -> anyhow::Result<ExitCode> {
        let readiness = if self.in_background {
            Readiness::in_background()
        } else {
            Readiness::in_foreground()
        };
        match self.prepare() {
            Ok(None) => {
                readiness.failed("the configuration has errors");
                Ok(ExitCode::from(USAGE))
            }
            Ok(Some((config, pid_file))) => {
                let done = self.serve_until_stopped(config, readiness);
                drop(pid_file);
                done
            }
            Err(error) if self.in_background => {
                readiness.failed(&format!("{error:#}"));
                Ok(ExitCode::FAILURE)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the configuration, changes to the base directory and locks the pid file.
    fn prepare(&self) -> anyhow::Result<Option<(Config, PidFile)>> {
        // The process that started this one has checked the site and printed the warnings.
        let (scope, tell) = if self.in_background {
            (Scope::File, Tell::Errors)
        } else {
            self.check_not_running()?;
            (Scope::Site, Tell::unless(self.quiet))
        };
        let dir = self.dir.path();
        let Some(config) = Source::of(dir).load(scope, tell)? else {
            return Ok(None);
        };
        std::env::set_current_dir(dir)
            .with_context(|| format!("cannot change to the directory {}", dir.display()))?;
        let pid_file = PidFile::acquire(Path::new(PID_FILE))?;
        Ok(Some((config, pid_file)))
    }

    fn serve_until_stopped(
        &self,
        config: Config,
        readiness: Readiness,
    ) -> anyhow::Result<ExitCode> {
        let log = if self.in_background {
            let log = LogFile::open(Path::new(LOG_FILE), daemon::rotation(&config))
                .with_context(|| format!("cannot write {LOG_FILE}"))?;
            log_to(log.clone(), false);
            Some(log)
        } else {
            log_to(Stderr::default(), std::io::stderr().is_terminal());
            None
        };
        if let Ok(meta) = std::fs::metadata(".")
            && meta.permissions().mode() & 0o055 != 0
        {
            tracing::warn!(
                "other users can read this base directory, which has passwords and logs: run `chmod 700` on it"
            );
        }
        for exposed in daemon::exposed(&config) {
            tracing::warn!("{exposed}");
        }
        // One thread: what handing work over to others costs is more than what they would do.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut readiness = Some(readiness);
        let background = self.in_background;
        let up = |addresses: &[String]| {
            let text = if addresses.is_empty() {
                "buildmaster is running: local slaves only".to_owned()
            } else {
                format!(
                    "buildmaster is running: slaves and changes on {}",
                    addresses.join(", ")
                )
            };
            if !background {
                say(&text);
            }
            if let Some(readiness) = readiness.take() {
                readiness.ready(&text);
            }
        };
        let done = {
            let load: daemon::Load = Arc::new(|| configuration::read(Path::new(CONFIG_FILE)));
            runtime.block_on(daemon::run(config, load, log, up))
        };
        let deadline = done.as_ref().map_or_else(|_| Instant::now(), |by| *by);
        runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
        match done {
            Ok(_) => Ok(ExitCode::SUCCESS),
            Err(error) => {
                tracing::error!("cannot start: {error:#}");
                match readiness.take() {
                    Some(readiness) if background => {
                        readiness.failed(&format!("{error:#}"));
                        Ok(ExitCode::FAILURE)
                    }
                    _ => Err(error),
                }
            }
        }
    }
}

/// Fails if there is no directory `dir`.
pub(super) fn check_dir(dir: &Path) -> anyhow::Result<()> {
    if !dir.is_dir() {
        let dir = dir.display();
        bail!(
            "the base directory {dir} does not exist; create it with `buildmaster create-master {dir}`"
        );
    }
    Ok(())
}

fn log_to(writer: impl std::io::Write + Send + 'static, colours: bool) {
    let filter =
        EnvFilter::try_from_env("BUILDMASTER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let target = true;
    LogOutput::new(writer).install(filter, Format { colours, target });
}
