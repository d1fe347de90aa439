//! Reconfigures a running master: reads, checks, prepares and then applies a configuration
//! (MAS-03).
//!
//! One task owns what the core does not own: the doors, the local slaves and the job directories.
//! Everything that can fail fails before the core is involved: reading and checking the file,
//! reading passwords, opening new ports and job directories. The core answers at once, and after
//! its answer nothing can fail. So a configuration is applied completely or not at all. A dry run
//! takes the same path and only asks the core for the differences. Requests are served one after
//! the other.

use std::path::Path;
use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::bots::Channels;
use super::doors::Doors;
use super::jobdirs::{self, Jobdirs};
use super::local::Locals;
use super::preflight::{self, Holds, Site};
use super::sources::Sources;
use super::web_ports::WebPorts;
use crate::config::{Config, Difference, LogRotation, Reading};
use crate::control::{Control, Reconfigure, Reconfigured};
use crate::daemonize::{LogFile, Rotation};
use crate::net::Tasks;
use crate::status::irc::Bots;

/// Reads and checks the configuration file, or returns why the file cannot be read.
pub type Load = Arc<dyn Fn() -> Result<Reading, String> + Send + Sync>;

/// Maximum number of requests in the queue.
pub(super) const REQUESTS: usize = 16;

/// Owns everything outside the core that depends on the configuration.
pub(super) struct Reconfigurer {
    /// The current configuration.
    config: watch::Sender<Arc<Config>>,
    load: Load,
    doors: Doors,
    web: WebPorts,
    locals: Locals,
    jobdirs: Jobdirs,
    sources: Sources,
    channels: Channels,
    /// The master's own log, if it is a file.
    log: Option<LogFile>,
    control: Control,
}

/// The rotation of the master's own log.
#[must_use]
pub fn rotation(config: &Config) -> Rotation {
    let LogRotation {
        size: size_bytes,
        count: keep,
    } = config.log_rotation;
    Rotation {
        size_bytes: Some(size_bytes),
        keep: Some(keep),
    }
}

impl Reconfigurer {
    /// Starts with the configuration that is in force, whose doors and job directories are open.
    #[expect(clippy::too_many_arguments, reason = "the parts that it owns")]
    pub(super) fn new(
        config: watch::Sender<Arc<Config>>,
        load: Load,
        doors: Doors,
        web: WebPorts,
        jobdirs: jobdirs::Opened,
        log: Option<LogFile>,
        control: Control,
        rng: StdRng,
        bots: Bots,
        tasks: &Tasks,
    ) -> Self {
        let mut locals = Locals::new(tasks.clone(), control.newsroom().graceful(), rng);
        locals.set(&doors);
        let jobdirs = Jobdirs::start(jobdirs, control.clone(), tasks.clone());
        let sources = Sources::start(&config.borrow(), control.clone(), tasks.clone());
        let channels = Channels::start(&config.borrow(), bots, control.clone(), tasks.clone());
        Self {
            config,
            load,
            doors,
            web,
            locals,
            jobdirs,
            sources,
            channels,
            log,
            control,
        }
    }

    /// The current configuration.
    pub(super) fn config(&self) -> watch::Receiver<Arc<Config>> {
        self.config.subscribe()
    }

    /// Serves requests until all senders are gone or the master stops.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Reconfigure>, tasks: Tasks) {
        loop {
            let request = tokio::select! {
                biased;
                request = requests.recv() => request,
                () = tasks.stopping() => return,
            };
            let Some(Reconfigure { dry_run, answer }) = request else {
                return;
            };
            let done = self.reconfigure(dry_run).await;
            match &done {
                Err(why) => error!("reconfigure failed, nothing has changed: {why}"),
                Ok(done) if !done.problems.is_empty() => {
                    error!("reconfigure failed, nothing has changed: {}", done.problems);
                }
                Ok(done) if !dry_run => {
                    info!("reconfigured from {}", done.files);
                    for line in done.difference.lines() {
                        info!("reconfigured: {line}");
                    }
                }
                Ok(_) => {}
            }
            // The requester may be gone.
            drop(answer.send(done));
        }
    }

    async fn reconfigure(&mut self, dry_run: bool) -> Result<Reconfigured, String> {
        let load = Arc::clone(&self.load);
        let mut held = self.doors.addresses();
        held.extend(self.web.addresses().cloned());
        let holds = Holds::Ports(held);
        let read = crate::blocking::run(move || {
            let mut reading = load()?;
            let basedir = Path::new(".");
            preflight::check(&mut reading, &Site { basedir, holds });
            Ok::<_, String>(reading.into_result())
        });
        let (config, warnings) = match read.await.map_err(|error| error.to_string())?? {
            Ok(read) => read,
            Err(problems) => {
                return Ok(Reconfigured {
                    problems: problems.render(false),
                    ..Reconfigured::default()
                });
            }
        };
        let config = Arc::new(config);
        let doors = match self.doors.prepare(&config) {
            Ok(doors) => doors,
            Err(error) => return Ok(refused(&error)),
        };
        let web = match self.web.prepare(&config) {
            Ok(web) => web,
            Err(error) => return Ok(refused(&error)),
        };
        let jobdirs = match self.jobdirs.prepare(&config).await {
            Ok(jobdirs) => jobdirs,
            Err(error) => return Ok(refused(&error)),
        };
        let mut difference = Difference::between(&self.config.borrow(), &config);
        for (what, name) in self.doors.other_passwords(&doors) {
            difference.add_password(what, name);
        }
        let proposed = Arc::clone(&config);
        self.control.put_in_force(proposed, dry_run).await?;
        if !dry_run {
            let mut ports = self.doors.commit(doors);
            ports.extend(self.web.commit(web));
            let newsroom = self.control.newsroom();
            newsroom.change_facts(|facts| {
                facts.ports = ports;
                facts.configure(&config, self.control.clock().wall());
            });
            self.locals.set(&self.doors);
            self.jobdirs.commit(&config, jobdirs);
            if let Some(log) = &self.log {
                log.rotate_by(rotation(&config));
            }
            self.config.send_replace(Arc::clone(&config));
            // Drivers look at the configuration that is in force.
            self.sources.set(&config);
            self.channels.set(&config);
        }
        Ok(Reconfigured {
            difference,
            files: warnings.places.files_in_words(),
            warnings: warnings.render(false),
            problems: String::new(),
        })
    }
}

/// The answer if something cannot be opened although its check passed.
fn refused(error: &anyhow::Error) -> Reconfigured {
    Reconfigured {
        problems: format!("error: {error:#}"),
        ..Reconfigured::default()
    }
}
