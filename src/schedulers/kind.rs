//! What differs between the kinds: each event, handed to the kind that it concerns with its settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::any_branch::{self, AnyBranch};
use super::nightly::Nightly;
use super::periodic::{self, Periodic};
use super::remembering::{Part, Parts};
use super::scheduler::Scheduler;
use super::{Outcome, Start, waiting};
use crate::config::SchedulerKind;
use crate::model::{Change, ChangeNumber, Decision, Instead, SourceStamp, Timestamp};

/// The state of a scheduler.
#[derive(Debug)]
pub(super) enum Kind {
    Scheduler(Scheduler),
    AnyBranch(AnyBranch),
    Periodic(Periodic),
    Nightly(Box<Nightly>),
    /// Dependent, Triggerable and those of try have none.
    Stateless,
}

impl Kind {
    /// The state of one that starts now and has no past.
    pub(super) fn new(settings: &SchedulerKind, now: Timestamp) -> Self {
        match settings {
            SchedulerKind::Scheduler { .. } => Self::Scheduler(Scheduler::default()),
            SchedulerKind::AnyBranch { .. } => Self::AnyBranch(AnyBranch::default()),
            SchedulerKind::Periodic { .. } => Self::Periodic(Periodic::new(now)),
            SchedulerKind::Nightly(config) => Self::Nightly(Box::new(Nightly::new(config, now))),
            SchedulerKind::Dependent { .. }
            | SchedulerKind::Triggerable
            | SchedulerKind::TryJobdir(_)
            | SchedulerKind::TryUserpass(_) => Self::Stateless,
        }
    }

    /// Takes over what is remembered.
    pub(super) fn restore(
        &mut self,
        settings: &SchedulerKind,
        old: &Parts,
        changes: &BTreeMap<ChangeNumber, Arc<Change>>,
        (start, now): (Start, Timestamp),
    ) -> Result<(), String> {
        if let (Self::AnyBranch(it), Some(settings)) = (&mut *self, any_branch_of(settings)) {
            return it.restore(settings, old.0.values(), changes, now);
        }
        let Some(state) = old.whole() else {
            return Ok(());
        };
        match (self, settings) {
            (Self::Scheduler(it), SchedulerKind::Scheduler { branch, settings }) => {
                let wanted = |c: &Change| waiting::wants(branch.as_deref(), &settings.rules, c);
                it.restore(state, changes, wanted, now)
            }
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => {
                it.restore(config, state, changes, now)
            }
            (Self::Periodic(it), settings) => match periodic_of(settings) {
                Some(settings) => it.restore(settings, state, changes, start),
                None => Ok(()),
            },
            (Self::Scheduler(_) | Self::AnyBranch(_) | Self::Nightly(_) | Self::Stateless, _) => {
                Ok(())
            }
        }
    }

    /// There is a new change; says what it makes of it.
    pub(super) fn on_change(
        &mut self,
        settings: &SchedulerKind,
        change: &Arc<Change>,
        now: Timestamp,
    ) -> (Outcome, Decision) {
        let mut outcome = Outcome::default();
        let decision = match (&mut *self, settings) {
            (Self::Scheduler(it), SchedulerKind::Scheduler { branch, settings }) => {
                match waiting::check(branch.as_deref(), &settings.rules, change) {
                    Ok(()) => it.on_change(settings, change, now),
                    Err(why) => why,
                }
            }
            (
                Self::AnyBranch(it),
                SchedulerKind::AnyBranch {
                    branches,
                    separate_repositories,
                    settings,
                },
            ) => {
                let settings = any_branch::Settings {
                    branches: branches.as_deref(),
                    separate_repositories: *separate_repositories,
                    tree_stable: settings,
                };
                return it.on_change(settings, change, now);
            }
            (Self::Periodic(it), SchedulerKind::Periodic { what, .. }) => {
                it.on_change(what, change)
            }
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => it.on_change(config, change),
            (
                Self::Scheduler(_)
                | Self::AnyBranch(_)
                | Self::Periodic(_)
                | Self::Nightly(_)
                | Self::Stateless,
                settings,
            ) => Decision::LooksAtNone {
                instead: instead_of_changes(settings),
            },
        };
        if decision == Decision::BuiltAtOnce {
            outcome.stamps.push(waiting::stamp_of(change));
        }
        if decision.keeps() {
            outcome.states = self.own_state();
            // The others have their time whatever changes.
            outcome.rearm = matches!(self, Self::Scheduler(_));
        }
        (outcome, decision)
    }

    /// It may be due.
    pub(super) fn on_timer(&mut self, settings: &SchedulerKind, now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        let stamps = match (&mut *self, settings) {
            (Self::Scheduler(it), _) => it.on_timer(now),
            (Self::AnyBranch(it), _) => return it.on_timer(now),
            (Self::Periodic(it), settings) => {
                periodic_of(settings).and_then(|settings| it.on_timer(settings, now))
            }
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => it.on_timer(config, now),
            (Self::Nightly(_) | Self::Stateless, _) => None,
        };
        if let Some(stamps) = stamps {
            outcome.stamps = stamps;
            outcome.states = self.own_state();
            outcome.rearm = true;
            outcome.problem = self.problem(settings);
        }
        outcome
    }

    /// One of its sets is over; says whether its due time may be another one now.
    pub(super) fn on_set_finished(
        &mut self,
        settings: &SchedulerKind,
        stamp: &SourceStamp,
        now: Timestamp,
    ) -> bool {
        match (self, any_branch_of(settings)) {
            (Self::AnyBranch(it), Some(settings)) => {
                it.on_set_finished(settings, stamp, now);
                true
            }
            _ => false,
        }
    }

    /// When it is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        match self {
            Self::Scheduler(it) => it.next_due(),
            Self::AnyBranch(it) => it.next_due(),
            Self::Periodic(it) => Some(it.next_due()),
            Self::Nightly(it) => Some(it.next_due()),
            Self::Stateless => None,
        }
    }

    /// Its future builds.
    pub(super) fn pending_build_times(&self) -> Vec<Timestamp> {
        let one = match self {
            Self::Scheduler(it) => it.pending_build_time(),
            Self::AnyBranch(it) => return it.pending_build_times(),
            Self::Periodic(it) => Some(it.next_due()),
            Self::Nightly(it) => it.pending_build_time(),
            Self::Stateless => None,
        };
        one.into_iter().collect()
    }

    /// What is wrong with it.
    pub(super) fn problem(&self, settings: &SchedulerKind) -> Option<String> {
        match (self, settings) {
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => it.problem(config),
            _ => None,
        }
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> BTreeMap<ChangeNumber, Arc<Change>> {
        let numbered = |change: &Arc<Change>| (change.number, Arc::clone(change));
        match self {
            Self::Scheduler(it) => it.changes().map(numbered).collect(),
            Self::AnyBranch(it) => it.changes().map(numbered).collect(),
            Self::Periodic(it) => it.changes().map(numbered).collect(),
            Self::Nightly(it) => it.changes().map(numbered).collect(),
            Self::Stateless => BTreeMap::new(),
        }
    }

    /// All that must be remembered.
    pub(super) fn states(&self) -> Parts {
        match self {
            Self::AnyBranch(it) => Parts(it.states().collect()),
            Self::Scheduler(_) | Self::Periodic(_) | Self::Nightly(_) | Self::Stateless => {
                let own = self.own_state().into_iter();
                Parts(
                    own.filter_map(|(part, state)| Some((part, state?)))
                        .collect(),
                )
            }
        }
    }

    /// What is to be remembered of one without parts.
    fn own_state(&self) -> Vec<(Part, Option<serde_json::Value>)> {
        let state = match self {
            Self::Scheduler(it) => it.state(),
            Self::Periodic(it) => it.state(),
            Self::Nightly(it) => Some(it.state()),
            Self::AnyBranch(_) | Self::Stateless => return Vec::new(),
        };
        vec![(Part::default(), state)]
    }
}

/// What one waits for that has no state of its own.
const fn instead_of_changes(settings: &SchedulerKind) -> Instead {
    match settings {
        SchedulerKind::Dependent { .. } => Instead::Upstream,
        SchedulerKind::Triggerable => Instead::Trigger,
        SchedulerKind::TryJobdir(_) | SchedulerKind::TryUserpass(_) => Instead::TryJobs,
        SchedulerKind::Scheduler { .. }
        | SchedulerKind::AnyBranch { .. }
        | SchedulerKind::Periodic { .. }
        | SchedulerKind::Nightly(_) => Instead::Clock,
    }
}

fn any_branch_of(settings: &SchedulerKind) -> Option<any_branch::Settings<'_>> {
    let SchedulerKind::AnyBranch {
        branches,
        separate_repositories,
        settings,
    } = settings
    else {
        return None;
    };
    Some(any_branch::Settings {
        branches: branches.as_deref(),
        separate_repositories: *separate_repositories,
        tree_stable: settings,
    })
}

fn periodic_of(settings: &SchedulerKind) -> Option<periodic::Settings<'_>> {
    let SchedulerKind::Periodic {
        period,
        resume,
        what,
    } = settings
    else {
        return None;
    };
    Some(periodic::Settings {
        period: *period,
        resume: *resume,
        what,
    })
}
