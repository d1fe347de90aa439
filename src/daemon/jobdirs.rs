//! The job directories of the try schedulers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{error, info_span};

use crate::changes::try_jobdir::JobdirWatcher;
use crate::config::{Config, SchedulerKind, TryJobdirConfig};
use crate::control::Control;
use crate::model::SchedulerName;
use crate::net::Tasks;

/// Whether the job directories of `config` are there (TJD-01).
///
/// # Errors
/// One is missing.
pub fn check(config: &Config, basedir: &Path) -> anyhow::Result<()> {
    for (name, jobdir) in configured(config) {
        JobdirWatcher::check(jobdir, basedir).with_context(|| format!("scheduler \"{name}\""))?;
    }
    Ok(())
}

/// The directories that are watched. The base directory is the current one.
#[derive(Debug)]
pub(super) struct Jobdirs {
    watched: BTreeMap<SchedulerName, Watched>,
    control: Control,
    tasks: Tasks,
}

#[derive(Debug)]
struct Watched {
    config: TryJobdirConfig,
    stop: CancellationToken,
    /// Ends when the directory is not watched any more.
    ended: oneshot::Receiver<()>,
}

/// Directories that have been opened.
pub(super) type Opened = Vec<(TryJobdirConfig, SchedulerName, JobdirWatcher)>;

/// Opens the job directories, before anything else is touched.
///
/// # Errors
/// One is missing, or cannot be used.
pub(super) fn open(config: &Config) -> anyhow::Result<Opened> {
    let mut opened = Vec::new();
    for (name, jobdir) in configured(config) {
        let watcher = JobdirWatcher::open(name, jobdir, Path::new("."));
        let watcher = watcher.with_context(|| format!("scheduler \"{name}\""))?;
        opened.push((jobdir.clone(), name.clone(), watcher));
    }
    Ok(opened)
}

impl Jobdirs {
    /// Begins to take jobs.
    pub(super) fn start(opened: Opened, control: Control, tasks: Tasks) -> Self {
        let mut jobdirs = Self {
            watched: BTreeMap::new(),
            control,
            tasks,
        };
        for (config, name, watcher) in opened {
            jobdirs.watch(name, config, async { Some(watcher) });
        }
        jobdirs
    }

    /// Watches what `config` has; a directory whose settings are the same does not notice. One that is lost between the
    /// check and this is told of in the log.
    pub(super) fn set(&mut self, config: &Config) {
        let wanted: BTreeMap<_, _> = configured(config).collect();
        let mut gone = Vec::new();
        let watched = std::mem::take(&mut self.watched);
        for (name, watched) in watched {
            if wanted.get(&name).is_some_and(|w| **w == watched.config) {
                self.watched.insert(name, watched);
            } else {
                watched.stop.cancel();
                gone.push(watched.ended);
            }
        }
        // One scheduler may take over the directory of another, which is locked until that has let go of it.
        let (all_gone, is_free) = tokio::sync::watch::channel(());
        self.tasks.spawn(info_span!("jobdirs"), async move {
            for ended in gone {
                // It ends by being dropped.
                drop(ended.await);
            }
            drop(all_gone);
        });
        for (name, jobdir) in wanted {
            if self.watched.contains_key(name) {
                continue;
            }
            let (scheduler, settings, mut is_free) =
                (name.clone(), jobdir.clone(), is_free.clone());
            self.watch(name.clone(), jobdir.clone(), async move {
                while is_free.changed().await.is_ok() {}
                let opened = tokio::task::spawn_blocking(move || {
                    JobdirWatcher::open(&scheduler, &settings, Path::new("."))
                });
                match opened.await {
                    Ok(Ok(watcher)) => return Some(watcher),
                    Ok(Err(why)) => error!("a job directory is not watched: {why}"),
                    Err(why) => error!("a job directory is not watched: {why}"),
                }
                None
            });
        }
    }

    fn watch(
        &mut self,
        name: SchedulerName,
        config: TryJobdirConfig,
        watcher: impl Future<Output = Option<JobdirWatcher>> + Send + 'static,
    ) {
        let stop = CancellationToken::new();
        let (ends, ended) = oneshot::channel();
        let (asked, stopping) = (stop.clone(), self.tasks.stopping());
        let control = self.control.clone();
        self.tasks.spawn(info_span!("jobdir"), async move {
            let stopping = async {
                tokio::select! {
                    () = asked.cancelled() => {}
                    () = stopping => {}
                }
            };
            if let Some(watcher) = watcher.await {
                watcher.run(control, stopping).await;
            }
            drop(ends);
        });
        let watched = Watched {
            config,
            stop,
            ended,
        };
        self.watched.insert(name, watched);
    }
}

fn configured(config: &Config) -> impl Iterator<Item = (&SchedulerName, &TryJobdirConfig)> {
    config
        .schedulers
        .iter()
        .filter_map(|scheduler| match &scheduler.kind {
            SchedulerKind::TryJobdir(jobdir) => Some((&scheduler.name, jobdir)),
            SchedulerKind::Scheduler { .. }
            | SchedulerKind::AnyBranch { .. }
            | SchedulerKind::Dependent { .. }
            | SchedulerKind::Periodic { .. }
            | SchedulerKind::Nightly(_)
            | SchedulerKind::Triggerable
            | SchedulerKind::TryUserpass(_) => None,
        })
}
