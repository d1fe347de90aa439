//! The job directories of the try schedulers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use crate::changes::try_jobdir::{JobdirWatcher, Lock};
use crate::config::{Config, TryJobdirConfig};
use crate::control::Control;
use crate::model::SchedulerName;
use crate::net::Tasks;

/// The job directories of `config`, with their schedulers.
pub(super) fn paths(config: &Config) -> impl Iterator<Item = (&SchedulerName, PathBuf)> {
    configured(config).map(|(name, jobdir)| (name, jobdir.jobdir.clone()))
}

/// The watched job directories. The base directory is the current directory.
#[derive(Debug)]
pub(super) struct Jobdirs {
    watched: BTreeMap<SchedulerName, Watched>,
    control: Control,
    tasks: Tasks,
}

#[derive(Debug)]
struct Watched {
    config: TryJobdirConfig,
    lock: Lock,
    stop: CancellationToken,
    /// Ends when the directory is no longer watched.
    ended: oneshot::Receiver<()>,
}

/// Job directories that have been opened.
pub(super) type Opened = Vec<(TryJobdirConfig, SchedulerName, JobdirWatcher)>;

/// Opens the job directories before the master touches anything else.
///
/// # Errors
/// A job directory is missing or unusable.
pub(super) fn open(config: &Config) -> anyhow::Result<Opened> {
    open_all(owned(configured(config)), Vec::new())
}

fn open_all(
    wanted: Vec<(SchedulerName, TryJobdirConfig)>,
    mut leaving: Vec<Lock>,
) -> anyhow::Result<Opened> {
    let mut opened = Vec::with_capacity(wanted.len());
    for (name, jobdir) in wanted {
        let watcher = JobdirWatcher::open(&name, &jobdir, Path::new("."), &mut leaving);
        let watcher = watcher.with_context(|| format!("scheduler \"{name}\""))?;
        opened.push((jobdir, name, watcher));
    }
    Ok(opened)
}

impl Jobdirs {
    /// Starts to watch the job directories.
    pub(super) fn start(opened: Opened, control: Control, tasks: Tasks) -> Self {
        let mut jobdirs = Self {
            watched: BTreeMap::new(),
            control,
            tasks,
        };
        let (_, is_free) = watch::channel(());
        for opened in opened {
            jobdirs.watch(opened, is_free.clone());
        }
        jobdirs
    }

    /// Opens the job directories of `config` that are new or have new settings.
    ///
    /// # Errors
    /// A job directory is missing or unusable. Nothing has changed.
    pub(super) async fn prepare(&self, config: &Config) -> anyhow::Result<Opened> {
        let wanted: BTreeMap<_, _> = configured(config).collect();
        let stays = |name: &SchedulerName| self.stays(name, wanted.get(name).copied());
        let new = wanted.iter().filter(|(name, _)| !stays(name));
        let new = owned(new.map(|(&name, &jobdir)| (name, jobdir)));
        // A scheduler may take over the directory of another scheduler.
        let leaving = self.watched.iter().filter(|(name, _)| !stays(name));
        let leaving = leaving.map(|(_, watched)| watched.lock.clone()).collect();
        crate::blocking::run(move || open_all(new, leaving)).await?
    }

    /// Watches the opened directories once the directories that `config` removes have been
    /// released. Directories with unchanged settings are not disturbed.
    pub(super) fn commit(&mut self, config: &Config, opened: Opened) {
        let wanted: BTreeMap<_, _> = configured(config).collect();
        let (all_gone, is_free) = watch::channel(());
        let is_gone = |name: &SchedulerName, watched: &mut Watched| {
            wanted.get(name).is_none_or(|w| **w != watched.config)
        };
        for (_, watched) in self.watched.extract_if(.., is_gone) {
            watched.stop.cancel();
            let all_gone = all_gone.clone();
            self.tasks.spawn(info_span!("jobdirs"), async move {
                // Dropping this value ends the watcher.
                drop(watched.ended.await);
                drop(all_gone);
            });
        }
        drop(all_gone);
        for opened in opened {
            self.watch(opened, is_free.clone());
        }
    }

    fn stays(&self, name: &SchedulerName, wanted: Option<&TryJobdirConfig>) -> bool {
        let watched = self.watched.get(name);
        watched.is_some_and(|watched| Some(&watched.config) == wanted)
    }

    /// Watches a directory once the other end of `is_free` is dropped.
    fn watch(
        &mut self,
        (config, name, watcher): (TryJobdirConfig, SchedulerName, JobdirWatcher),
        mut is_free: watch::Receiver<()>,
    ) {
        let stop = CancellationToken::new();
        let (ends, ended) = oneshot::channel();
        let (leaving, stopping) = (stop.clone(), self.tasks.stopping());
        let control = self.control.clone();
        let lock = watcher.lock();
        self.tasks.spawn(info_span!("jobdir"), async move {
            while is_free.changed().await.is_ok() {}
            watcher.run(control, stopping, leaving).await;
            drop(ends);
        });
        let watched = Watched {
            config,
            lock,
            stop,
            ended,
        };
        self.watched.insert(name, watched);
    }
}

fn owned<'a>(
    configured: impl Iterator<Item = (&'a SchedulerName, &'a TryJobdirConfig)>,
) -> Vec<(SchedulerName, TryJobdirConfig)> {
    let owned = configured.map(|(name, jobdir)| (name.clone(), jobdir.clone()));
    owned.collect()
}

fn configured(config: &Config) -> impl Iterator<Item = (&SchedulerName, &TryJobdirConfig)> {
    let schedulers = config.schedulers.iter();
    schedulers.filter_map(|scheduler| Some((&scheduler.name, scheduler.kind.try_jobdir()?)))
}
