//! What the schedulers of every kind say of themselves.

use super::codebases::Codebases;
use super::timed::TimedBuild;
use crate::model::{SchedulerName, Zone};

/// The settings that only schedulers of one kind have.
pub(super) trait SchedulerSettings {
    /// The scheduler whose successes it waits for.
    fn upstream(&self) -> Option<&SchedulerName> {
        None
    }

    /// What it builds when its time has come, if it looks at the clock.
    fn timed(&self) -> Option<&TimedBuild> {
        None
    }

    /// Whose local time counts, if it looks at a local clock.
    fn zone(&self) -> Option<Zone> {
        None
    }

    /// For how many calendar years it looks for a next run, if there may be none.
    fn search_years(&self) -> Option<u16> {
        None
    }

    /// Whether it builds what steps of builds ask for, and only that.
    fn takes_triggers(&self) -> bool {
        false
    }

    /// Whether it builds what people hand it, and only that.
    fn takes_try_jobs(&self) -> bool {
        false
    }

    /// The branches that it may be handed, among which `None` is the default branch; absent: every
    /// branch.
    fn try_branches(&self) -> Option<&[Option<String>]> {
        None
    }

    /// The codebases of the jobs that it is handed.
    fn try_codebases(&self) -> Option<&Codebases> {
        None
    }
}
