//! The checked settings of schedulers.

use std::path::PathBuf;
use std::time::Duration;

use super::{Calendar, ChangeFilter, FilePatterns, Listen, Secret};
use crate::model::{BuilderName, Properties, SchedulerName, Zone};

/// A scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerConfig {
    /// Its name.
    pub name: SchedulerName,
    /// Its builders, in order, as they are listed; duplicates make one request (SCB-02).
    pub builders: Vec<BuilderName>,
    /// Properties of its sets, with source "Scheduler".
    pub properties: Properties,
    /// Text of its sets' reasons, with `%(name)s` for its name; absent: kind and name (SCB-12).
    pub reason: Option<String>,
    /// Of its requests: those with a higher number go before all others (BRQ-09); 0.
    pub priority: i32,
    /// What it is.
    pub kind: SchedulerKind,
}

/// Kinds of scheduler.
#[derive(Clone, Debug, PartialEq)]
pub enum SchedulerKind {
    /// `Scheduler`: one branch (section 4).
    Scheduler {
        /// Its branch; absent is the default branch.
        branch: Option<String>,
        /// How it waits and what for.
        settings: TreeStable,
    },
    /// `AnyBranch`: each branch for itself (section 5).
    AnyBranch {
        /// Its branches, among which `None` is the default branch; absent: every branch (ANY-02).
        branches: Option<Vec<Option<String>>>,
        /// How it waits and what for.
        settings: TreeStable,
    },
    /// `Dependent`: builds what another scheduler has built with success (section 6).
    Dependent {
        /// The other scheduler.
        upstream: SchedulerName,
    },
    /// `Periodic`: builds again and again (section 7).
    Periodic {
        /// The time from one build to the next.
        period: Duration,
        /// Whether a restart goes on with the last run instead of building at once (PER-06).
        resume: bool,
        /// What is built.
        what: TimedBuild,
    },
    /// `Nightly`: builds by the clock on the wall (section 8).
    Nightly(Box<NightlyConfig>),
    /// `Triggerable`: builds when a step of another build asks for it. No configuration can have one until there is
    /// such a step.
    Triggerable,
    /// `Try_Jobdir`: builds what is dropped into a directory (section 9).
    TryJobdir(TryJobdirConfig),
    /// `Try_Userpass`: builds what users hand in over the wire (section 9).
    TryUserpass(TryUserpassConfig),
}

impl SchedulerKind {
    /// The name of the kind, as the file has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Scheduler { .. } => "Scheduler",
            Self::AnyBranch { .. } => "AnyBranch",
            Self::Dependent { .. } => "Dependent",
            Self::Periodic { .. } => "Periodic",
            Self::Nightly(_) => "Nightly",
            Self::Triggerable => "Triggerable",
            Self::TryJobdir(_) => "Try_Jobdir",
            Self::TryUserpass(_) => "Try_Userpass",
        }
    }

    /// The scheduler whose successes it waits for, if it is a Dependent.
    #[must_use]
    pub const fn upstream(&self) -> Option<&SchedulerName> {
        match self {
            Self::Dependent { upstream } => Some(upstream),
            Self::Scheduler { .. }
            | Self::AnyBranch { .. }
            | Self::Periodic { .. }
            | Self::Nightly(_)
            | Self::Triggerable
            | Self::TryJobdir(_)
            | Self::TryUserpass(_) => None,
        }
    }
}

/// When a scheduler builds that waits until the tree has been still for a while (SCH-01, SCH-12).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeStable {
    /// How long the tree must be still; absent: a set for each important change at once.
    pub tree_stable_timer: Option<Duration>,
    /// Whether the timer counts from the arrival of a change instead of its own time (SCH-12).
    pub timer_from_arrival: bool,
    /// Whether unimportant changes restart a running timer (SCH-09).
    pub unimportant_resets_timer: bool,
    /// How long an important change waits at the most.
    pub longest_wait: LongestWait,
    /// Which changes it builds.
    pub rules: ChangeRules,
}

/// How long the first important change that waits is held back by those that follow it (TIM-05).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LongestWait {
    /// An hour or ten timers, whichever is longer.
    #[default]
    Usual,
    /// So long.
    AtMost(Duration),
    /// As long as changes keep coming.
    Unlimited,
}

impl LongestWait {
    const USUAL: Duration = Duration::from_secs(3600);

    /// The limit for a scheduler with this tree-stable timer.
    #[must_use]
    pub fn limit(self, timer: Duration) -> Option<Duration> {
        match self {
            Self::Usual => Some(timer.saturating_mul(10).max(Self::USUAL)),
            Self::AtMost(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

/// Which changes a scheduler looks at, and which of them matter.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRules {
    /// Whether changes of different repositories, projects and codebases wait apart, each with a set of its own (CBS-02):
    /// true.
    pub separate: bool,
    /// Whether unimportant changes stay out of the set (SCH-12).
    pub only_important: bool,
    /// Which changes are important; absent: all.
    pub importance: Option<Importance>,
    /// Which changes it looks at.
    pub filter: ChangeFilter,
}

impl Default for ChangeRules {
    fn default() -> Self {
        Self {
            separate: true,
            only_important: false,
            importance: None,
            filter: ChangeFilter::default(),
        }
    }
}

/// What a scheduler builds when its time has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimedBuild {
    /// Its branch; absent is the default branch.
    pub branch: Option<String>,
    /// It builds changes, and only if an important one has arrived since the last time (NIG-12, PER-06);
    /// absent: the latest there is, always.
    pub only_if_changed: Option<ChangeRules>,
}

/// Settings of `Nightly` (NIG-01, NIG-12).
#[derive(Clone, Debug, PartialEq)]
pub struct NightlyConfig {
    /// When it runs.
    pub calendar: Calendar,
    /// When it runs even if nothing has changed.
    pub force_at: Option<Calendar>,
    /// Whose local time counts (NIG-10).
    pub zone: Zone,
    /// For so many calendar years a next run is looked for (NIG-05): 2.
    pub search_years: u16,
    /// Whether a local time that clocks show twice counts the first time only (`dst_repeat = "once"`).
    pub repeated_once: bool,
    /// Whether a local time that clocks skip counts right after the gap (`dst_gap = "after"`).
    pub after_gap: bool,
    /// What is built.
    pub what: TimedBuild,
}

/// Which changes are important: those that touch a matching file.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The files that count.
    pub files: FilePatterns,
}

/// Settings of `Try_Jobdir` (TJD-01, TJD-02, TJD-10).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TryJobdirConfig {
    /// The maildir, relative to the base directory or absolute.
    pub jobdir: PathBuf,
    /// Longest file that is read, in bytes: 16 MiB.
    pub max_job_size: u64,
    /// How often the directory is looked at even if nothing is told of it: 10 s.
    pub poll_interval: Duration,
}

impl TryJobdirConfig {
    /// Longest job file by default, in bytes (TJD-10).
    pub const DEFAULT_JOB_SIZE: u64 = 16 << 20;
}

/// Settings of `Try_Userpass` (TUP-01, TUP-07).
#[derive(Clone, Debug, PartialEq)]
pub struct TryUserpassConfig {
    /// Where it listens; schedulers may share a port if their users differ.
    pub ports: Vec<Listen>,
    /// User names and passwords; a password may be an argon2 hash (`$argon2id$…`).
    pub users: Vec<(String, Secret)>,
}
