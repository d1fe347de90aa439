//! `type = "Try_Jobdir"`: builds what is dropped into a directory (section 9).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::branches::read_branches;
use super::codebases::Codebases;
use super::kind::SchedulerSettings;
use crate::config::needs::Needed;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};

/// Settings of `Try_Jobdir` (TJD-01, TJD-02, TJD-10).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TryJobdirConfig {
    /// The maildir, relative to the base directory or absolute.
    pub jobdir: PathBuf,
    /// Longest file that is read, in bytes: 16 MiB.
    pub max_job_size: u64,
    /// How often the directory is looked at even if nothing is told of it: 10 s.
    pub poll_interval: Duration,
    /// The branches that it may be handed, among which `None` is the default branch; absent: every
    /// branch.
    pub branches: Option<Vec<Option<String>>>,
    /// The codebases that have a stamp each in its sets; empty: the one that the job names.
    #[serde(flatten)]
    pub codebases: Codebases,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &[
    "jobdir",
    "max_job_size",
    "poll_interval",
    "branches",
    "codebases",
];

/// The longest job file that may be allowed: with its escapes it has to fit into one cell of the
/// state.
const LARGEST_JOB_SIZE: u64 = 128 << 20;

/// The job directories, each of which belongs to one scheduler.
#[derive(Debug, Default)]
pub(super) struct Jobdirs(BTreeMap<PathBuf, Range<usize>>);

impl Default for TryJobdirConfig {
    fn default() -> Self {
        Self {
            jobdir: PathBuf::new(),
            max_job_size: Self::DEFAULT_JOB_SIZE,
            poll_interval: Duration::from_secs(10),
            branches: None,
            codebases: Codebases::default(),
        }
    }
}

impl SchedulerSettings for TryJobdirConfig {
    fn takes_try_jobs(&self) -> bool {
        true
    }

    fn try_branches(&self) -> Option<&[Option<String>]> {
        self.branches.as_deref()
    }

    fn try_codebases(&self) -> Option<&Codebases> {
        Some(&self.codebases)
    }
}

impl TryJobdirConfig {
    /// Longest job file by default, in bytes (TJD-10).
    pub const DEFAULT_JOB_SIZE: u64 = 16 << 20;

    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, jobdirs: &mut Jobdirs) {
        let jobdir = table.require("jobdir", "\"jobdir\"");
        if let Some(jobdir) = jobdir.and_then(|value| jobdirs.declare(&value)) {
            self.jobdir = jobdir;
        }
        table.set("max_job_size", &mut self.max_job_size, read_size);
        table.set("poll_interval", &mut self.poll_interval, |v| {
            v.duration(SHORTEST..=LONGEST)
        });
        table.set_some("branches", &mut self.branches, read_branches);
        self.codebases.read(table, None);
    }
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
        let name = name.escape_debug();
        let message = format!("the job directory `{name}` belongs to another scheduler");
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
