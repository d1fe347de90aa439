//! Try schedulers, which build what they are handed: `Try_Jobdir` (section 9).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::config::needs::Needed;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::{SchedulerKind, TryJobdirConfig};

/// The longest job file that may be allowed: with its escapes it has to fit into one cell of the state.
const LARGEST_JOB_SIZE: u64 = 128 << 20;

/// As the original looks when it is told nothing (TJD-02).
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(10);

/// The job directories, each of which belongs to one scheduler.
#[derive(Debug, Default)]
pub(super) struct Jobdirs(BTreeMap<PathBuf, Range<usize>>);

pub(super) fn read_jobdir(table: &mut Table<'_>, jobdirs: &mut Jobdirs) -> Option<SchedulerKind> {
    let jobdir = table.require("jobdir", "\"jobdir\"");
    let jobdir = jobdir.and_then(|value| jobdirs.declare(&value));
    let size = table.take("max_job_size");
    let size = size.map_or(Some(TryJobdirConfig::DEFAULT_JOB_SIZE), |value| {
        read_size(&value)
    });
    let interval = table.take("poll_interval");
    let interval = interval.map_or(Some(DEFAULT_POLL_INTERVAL), |value| {
        value.duration(SHORTEST..=LONGEST)
    });
    Some(SchedulerKind::TryJobdir(TryJobdirConfig {
        jobdir: jobdir?,
        max_job_size: size?,
        poll_interval: interval?,
    }))
}

impl Jobdirs {
    /// The directory that `value` names, which must be a new one.
    fn declare(&mut self, value: &Value<'_>) -> Option<PathBuf> {
        let name = value.name()?;
        // `./jobs/` is `jobs`.
        let path: PathBuf = Path::new(name)
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        let Some(first) = self.0.get(&path) else {
            self.0.insert(path.clone(), value.span());
            value.needs(Needed::Jobdir(path.clone()));
            return Some(path);
        };
        let message = format!("the job directory {name:?} belongs to another scheduler");
        let help = "give each its own: a job runs once, for whoever comes first";
        let places = (value.span(), first.clone());
        value.sink.clash(places, message, "first used here", help);
        None
    }
}

fn read_size(value: &Value<'_>) -> Option<u64> {
    let size = value.size()?;
    if size == 0 || size > LARGEST_JOB_SIZE {
        value.error("is out of range", "a size from 1 to 128MiB");
        return None;
    }
    Some(size)
}
