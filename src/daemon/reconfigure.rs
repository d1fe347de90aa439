//! Another configuration while the master runs: read, checked, prepared, and then taken whole (MAS-03).
//!
//! One task owns what is not the core's: the doors, the slaves inside the master, the job directories. Whatever can fail, fails
//! before the core hears of it: the file is read and checked, passwords are read, new ports and job directories are
//! opened. From the core's answer on, which waits for nothing, nothing can fail, so that a configuration is in force as a
//! whole or not at all. A dry run goes the same way up to there and asks the core only. Requests are served one after the
//! other.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::doors::Doors;
use super::jobdirs::{self, Jobdirs};
use super::local::Locals;
use crate::config::{Config, Difference, Horizons};
use crate::control::{Ask, Control, Reconfigure, Reconfigured};
use crate::daemonize::{LogFile, Rotation};
use crate::net::Tasks;

/// Reads and checks the configuration: with its warnings as text, or all that is wrong with it as text.
pub type Load = Arc<dyn Fn() -> Result<(Config, String), String> + Send + Sync>;

/// Requests that may wait.
pub(super) const REQUESTS: usize = 16;

/// The owner of what a configuration means outside the core.
pub(super) struct Reconfigurer {
    config: Arc<Config>,
    load: Load,
    doors: Doors,
    locals: Locals,
    jobdirs: Jobdirs,
    /// The program's own log, if it is a file.
    log: Option<LogFile>,
    horizons: watch::Sender<Horizons>,
    control: Control,
}

/// When the program's own log is set aside.
#[must_use]
pub fn rotation(config: &Config) -> Rotation {
    let (size_bytes, keep) = config.log_rotation;
    Rotation {
        size_bytes: Some(size_bytes),
        keep: Some(keep),
    }
}

impl Reconfigurer {
    /// Begins with the first configuration; its doors and job directories are open.
    pub(super) fn new(
        config: Arc<Config>,
        load: Load,
        doors: Doors,
        jobdirs: jobdirs::Opened,
        log: Option<LogFile>,
        control: Control,
        tasks: &Tasks,
    ) -> Self {
        let mut locals = Locals::new(tasks.clone(), control.newsroom().graceful());
        locals.set(&doors);
        let jobdirs = Jobdirs::start(jobdirs, control.clone(), tasks.clone());
        Self {
            horizons: watch::Sender::new(config.horizons),
            config,
            load,
            doors,
            locals,
            jobdirs,
            log,
            control,
        }
    }

    /// How much of the past is kept, as it is configured.
    pub(super) fn horizons(&self) -> watch::Receiver<Horizons> {
        self.horizons.subscribe()
    }

    /// Serves requests until nobody can make any, or the master stops.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Reconfigure>, tasks: Tasks) {
        loop {
            let request = tokio::select! {
                request = requests.recv() => request,
                () = tasks.stopping() => return,
            };
            let Some(Reconfigure { dry_run, answer }) = request else {
                return;
            };
            let done = self.reconfigure(dry_run).await;
            match &done {
                Err(why) => error!("the configuration stays as it was: {why}"),
                Ok(done) if !dry_run => {
                    for item in &done.difference.0 {
                        info!("reconfigured: {item}");
                    }
                }
                Ok(_) => {}
            }
            // Who asked may have gone away.
            drop(answer.send(done));
        }
    }

    async fn reconfigure(&mut self, dry_run: bool) -> Result<Reconfigured, String> {
        let load = Arc::clone(&self.load);
        let loaded = tokio::task::spawn_blocking(move || load()).await;
        let (config, warnings) = loaded.map_err(|error| error.to_string())??;
        let config = Arc::new(config);
        let text = |error: anyhow::Error| format!("{error:#}");
        let doors = self.doors.prepare(&config).map_err(text)?;
        let jobdirs = self.jobdirs.prepare(&config).await.map_err(text)?;
        let mut difference = Difference::between(&self.config, &config);
        for (what, name) in self.doors.other_passwords(&doors) {
            difference.add_password(what, name);
        }
        let ask = Ask::Reconfigure {
            config: Arc::clone(&config),
            dry_run,
        };
        self.control.ask(ask).await?;
        if !dry_run {
            self.doors.commit(doors);
            self.locals.set(&self.doors);
            self.jobdirs.commit(&config, jobdirs);
            if let Some(log) = &self.log {
                log.rotate_by(rotation(&config));
            }
            self.horizons.send_replace(config.horizons);
            self.config = config;
        }
        Ok(Reconfigured {
            difference,
            warnings,
        })
    }
}
