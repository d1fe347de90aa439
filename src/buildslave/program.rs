//! The program `buildslave`: the life of its process.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tracing::info;
use tracing_subscriber::EnvFilter;

use super::base_dir::AllowShutdown;
use super::{BaseDir, Controls, Ended, Event, Settings, run};
use crate::daemonize::{Format, LogFile, LogOutput, PidFile, Readiness};
use crate::platform::{HAS_SIGNALS, Signals, Told, set_umask};

/// Runs the slave of a base directory until a signal or its master stops it.
///
/// SIGTERM and SIGINT stop the slave and kill its commands. SIGHUP asks the master for a graceful
/// shutdown if `allow_shutdown` is `signal`, and otherwise reopens the log file.
///
/// # Errors
/// The slave is already running, or its files cannot be used.
pub fn serve(base: &BaseDir, readiness: Readiness) -> anyhow::Result<Ended> {
    // The waiting `buildslave start` gets the error too.
    match prepare(base) {
        Ok((log, settings, _pid_file)) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .enable_all()
                .build()
                .context("cannot start")?;
            runtime.block_on(serve_until_end(base, settings, &log, readiness))
        }
        Err(error) => {
            readiness.failed(&format!("{error:#}"));
            Err(error)
        }
    }
}

fn prepare(base: &BaseDir) -> anyhow::Result<(LogFile, Settings, PidFile)> {
    let settings = base.settings()?;
    if let Some(mask) = base.umask() {
        set_umask(mask);
    }
    let pid_file = PidFile::acquire(&base.pid_file())?;
    let path = base.log_file();
    let log = LogFile::open(&path, base.rotation())
        .with_context(|| format!("cannot write the log file {}", path.display()))?;
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let format = Format {
        colours: false,
        target: false,
    };
    LogOutput::new(log.clone()).install(filter, format);
    Ok((log, settings, pid_file))
}

async fn serve_until_end(
    base: &BaseDir,
    settings: Settings,
    log: &LogFile,
    readiness: Readiness,
) -> anyhow::Result<Ended> {
    let connector = base.connector();
    info!(version = super::info::VERSION, slave = ?settings.name, master = %connector, "started");
    let controls = Controls::default();
    let mut readiness = Some(readiness);
    let name = settings.name.clone();
    let master = connector.to_string();
    let on_event = move |event| {
        let Some(readiness) = readiness.take() else {
            return;
        };
        match event {
            Event::Attached => readiness.ready(&format!("{name} is attached to {master}")),
            Event::Detached { why, .. } => {
                let text = format!("{name} is not attached to {master} yet ({why}); still trying");
                readiness.ready(&text);
            }
        }
    };
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let slave = run(settings, connector, controls.clone(), &mut rng, on_event);
    tokio::pin!(slave);
    let mut signals = Signals::new()?;
    let mut look = tokio::time::interval(STAMP_INTERVAL);
    let is_looking = !HAS_SIGNALS || base.allow_shutdown() == Some(AllowShutdown::File);
    let stamp = base.shutdown_stamp();
    let mut stamped = modified(&stamp);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut slave => break ended,
            told = signals.next() => match told {
                Told::End => controls.stop.cancel(),
                Told::HangUp if base.allow_shutdown() == Some(AllowShutdown::Signal) => {
                    controls.graceful.notify_one();
                }
                Told::HangUp => {
                    if let Err(error) = log.reopen() {
                        info!(%error, "cannot reopen the log file");
                    }
                }
            },
            _ = look.tick(), if is_looking => {
                if !HAS_SIGNALS && std::fs::remove_file(base.stop_request()).is_ok() {
                    controls.stop.cancel();
                }
                let now = modified(&stamp);
                let is_asked = now.is_some() && now != stamped;
                if is_asked && base.allow_shutdown() == Some(AllowShutdown::File) {
                    controls.graceful.notify_one();
                }
                stamped = now;
            }
        }
    };
    info!(?ended, "ended");
    Ok(ended)
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|meta| meta.modified())
        .ok()
}

/// Number of threads that serve the master and the commands.
const WORKERS: usize = 2;
/// Interval at which the file that requests a graceful shutdown is checked.
const STAMP_INTERVAL: Duration = Duration::from_secs(1);
