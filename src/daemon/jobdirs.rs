//! The job directories of the try schedulers.

use std::path::Path;

use anyhow::Context;
use tracing::info_span;

use crate::changes::try_jobdir::{JobdirError, JobdirWatcher};
use crate::config::{Config, SchedulerKind, TryJobdirConfig};
use crate::control::Control;
use crate::model::SchedulerName;
use crate::net::Tasks;

/// Whether the job directories of `config` are there (TJD-01).
///
/// # Errors
/// One is missing.
pub fn check(config: &Config, basedir: &Path) -> anyhow::Result<()> {
    for_each(config, |_, jobdir| JobdirWatcher::check(jobdir, basedir)).map(drop)
}

/// Opens the job directories, before anything else is touched.
pub(super) fn open(config: &Config, basedir: &Path) -> anyhow::Result<Vec<JobdirWatcher>> {
    for_each(config, |name, jobdir| {
        JobdirWatcher::open(name, jobdir, basedir)
    })
}

/// Begins to take jobs.
pub(super) fn start(jobdirs: Vec<JobdirWatcher>, control: &Control, tasks: &Tasks) {
    for jobdir in jobdirs {
        tasks.spawn(
            info_span!("jobdir"),
            jobdir.run(control.clone(), tasks.clone()),
        );
    }
}

fn for_each<T>(
    config: &Config,
    work: impl Fn(&SchedulerName, &TryJobdirConfig) -> Result<T, JobdirError>,
) -> anyhow::Result<Vec<T>> {
    let mut done = Vec::new();
    for scheduler in &config.schedulers {
        if let SchedulerKind::TryJobdir(jobdir) = &scheduler.kind {
            let name = &scheduler.name;
            done.push(work(name, jobdir).with_context(|| format!("scheduler \"{name}\""))?);
        }
    }
    Ok(done)
}
