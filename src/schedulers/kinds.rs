//! The table of the kinds, each of which has a file.

mod any_branch;
mod dependent;
mod forcing;
mod nightly;
mod nightly_triggerable;
mod periodic;
mod single_branch;
mod triggerable;
pub(super) mod trying;

use self::any_branch::AnyBranch;
use self::dependent::Dependent;
use self::forcing::Forcing;
use self::nightly::Nightly;
use self::nightly_triggerable::NightlyTriggerable;
use self::periodic::Periodic;
use self::single_branch::SingleBranch;
use self::triggerable::Triggerable;
use self::trying::Trying;
use super::kind::Scheduler;
use super::search::Run;
use super::trees::Trees;
use crate::config::SchedulerKind;
use crate::model::{Moment, Timestamp};

/// A scheduler with these settings that starts now and has no past.
pub(super) fn start(settings: &SchedulerKind, now: Moment) -> Box<dyn Scheduler> {
    match settings {
        SchedulerKind::Scheduler(config) => Box::new(Trees::<SingleBranch>::new(config)),
        SchedulerKind::AnyBranch(config) => Box::new(Trees::<AnyBranch>::new(config)),
        SchedulerKind::Dependent(config) => Box::new(Dependent(config.codebases.clone())),
        SchedulerKind::Periodic(config) => Box::new(Periodic::new(config.clone(), now.steady)),
        SchedulerKind::Nightly(config) => Box::new(Nightly::new((**config).clone(), now.wall)),
        SchedulerKind::Triggerable(config) => Box::new(Triggerable(config.codebases.clone())),
        SchedulerKind::NightlyTriggerable(config) => {
            Box::new(NightlyTriggerable::new(config.0.clone(), now.wall))
        }
        SchedulerKind::TryJobdir(_) | SchedulerKind::TryUserpass(_) => Box::new(Trying),
        SchedulerKind::ForceScheduler(_) => Box::new(Forcing),
    }
}

/// The runs by the clock of a scheduler that starts at `from`: a Periodic runs then, a Nightly
/// later than that. None if it is of a kind that does not look at the clock.
#[must_use]
pub fn runs(settings: &SchedulerKind, from: Timestamp) -> Option<Box<dyn Iterator<Item = Run>>> {
    start(settings, from.into()).runs(from)
}

/// When a scheduler runs next by the clock after `now`, if its last set was made at `last`, for
/// those who look at a master that does not run.
#[must_use]
pub fn next_run_of(
    settings: &SchedulerKind,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    start(settings, now.into()).next_run(last, now)
}
