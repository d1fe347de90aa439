//! What differs between the kinds: each event, handed to the kind that it concerns with its settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::live::{LiveScheduler, WaitingTree};
use super::nightly::Nightly;
use super::periodic::{self, Periodic};
use super::remembering::{Part, Parts};
use super::trees::{self, Branches, Trees};
use super::waiting::{Arrival, Waiting};
use super::{Outcome, Start};
use crate::config::SchedulerKind;
use crate::model::{Change, ChangeNumber, Decision, Instead, Moment, SourceStamp, Timestamp};

/// The state of a scheduler.
#[derive(Debug)]
pub(super) enum Kind {
    /// Of a `Scheduler` or an `AnyBranch`.
    Trees(Trees),
    Periodic(Periodic),
    Nightly(Box<Nightly>),
    /// Dependent, Triggerable and those of try have none.
    Stateless,
}

/// When a scheduler is due, and by which clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// In steady time.
    Steady(Timestamp),
    /// By the wall clock, which may be set meanwhile.
    Wall(Timestamp),
}

impl Kind {
    /// The state of one that starts now and has no past.
    pub(super) fn new(settings: &SchedulerKind, now: Moment) -> Self {
        match settings {
            SchedulerKind::Scheduler { .. } | SchedulerKind::AnyBranch { .. } => {
                Self::Trees(Trees::default())
            }
            SchedulerKind::Periodic { .. } => Self::Periodic(Periodic::new(now.steady)),
            SchedulerKind::Nightly(config) => {
                Self::Nightly(Box::new(Nightly::new(config, now.wall)))
            }
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
        changes: &BTreeMap<ChangeNumber, Arrival>,
        (start, now): (Start, Moment),
    ) -> Result<(), String> {
        if let (Self::Trees(it), Some(settings)) = (&mut *self, trees_of(settings)) {
            return it.restore(settings, &old.0, changes, now);
        }
        let Some(state) = old.whole() else {
            return Ok(());
        };
        match (self, settings) {
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => {
                it.restore(config, state, changes, now.wall)
            }
            (Self::Periodic(it), settings) => match periodic_of(settings) {
                Some(settings) => it.restore(settings, state, changes, (start, now)),
                None => Ok(()),
            },
            (Self::Trees(_) | Self::Nightly(_) | Self::Stateless, _) => Ok(()),
        }
    }

    /// There is a new change; says what it makes of it.
    pub(super) fn on_change(
        &mut self,
        settings: &SchedulerKind,
        change: &Arc<Change>,
        now: Moment,
    ) -> (Outcome, Decision) {
        if let (Self::Trees(it), Some(settings)) = (&mut *self, trees_of(settings)) {
            return it.on_change(settings, change, now);
        }
        let mut outcome = Outcome::default();
        let decision = match (&mut *self, settings) {
            (Self::Periodic(it), SchedulerKind::Periodic { what, .. }) => {
                it.on_change(what, change, now)
            }
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => {
                it.on_change(config, change, now)
            }
            (Self::Trees(_) | Self::Periodic(_) | Self::Nightly(_) | Self::Stateless, settings) => {
                Decision::LooksAtNone {
                    instead: instead_of_changes(settings),
                }
            }
        };
        if decision.keeps() {
            outcome.states = self.own_state(now);
        }
        (outcome, decision)
    }

    /// It may be due.
    pub(super) fn on_timer(&mut self, settings: &SchedulerKind, now: Moment) -> Outcome {
        if let (Self::Trees(it), Some(settings)) = (&mut *self, trees_of(settings)) {
            return it.on_timer(settings, now);
        }
        let mut outcome = Outcome::default();
        let stamps = match (&mut *self, settings) {
            (Self::Periodic(it), settings) => {
                periodic_of(settings).and_then(|settings| it.on_timer(settings, now.steady))
            }
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => it.on_timer(config, now.wall),
            (Self::Trees(_) | Self::Nightly(_) | Self::Stateless, _) => None,
        };
        if let Some(stamps) = stamps {
            outcome.stamps = stamps;
            outcome.states = self.own_state(now);
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
        now: Moment,
    ) -> bool {
        match (self, trees_of(settings)) {
            (Self::Trees(it), Some(settings)) => {
                it.on_set_finished(settings, stamp, now);
                true
            }
            _ => false,
        }
    }

    /// When it is due.
    pub(super) fn next_due(&self) -> Option<Due> {
        match self {
            Self::Trees(it) => it.next_due().map(Due::Steady),
            Self::Periodic(it) => Some(Due::Steady(it.next_due())),
            Self::Nightly(it) => Some(Due::Wall(it.next_due())),
            Self::Stateless => None,
        }
    }

    /// Its future builds, by the wall clock.
    pub(super) fn pending_build_times(&self, now: Moment) -> Vec<Timestamp> {
        let to_wall = |at: Timestamp| now.wall_of(at);
        match self {
            Self::Trees(it) => {
                let times = it.pending_build_times().into_iter();
                times.map(to_wall).collect()
            }
            Self::Periodic(it) => vec![to_wall(it.next_due())],
            Self::Nightly(it) => it.pending_build_time().into_iter().collect(),
            Self::Stateless => Vec::new(),
        }
    }

    /// What it waits with, and when that is built.
    pub(super) fn live(&self, now: Moment) -> LiveScheduler {
        let gathered = |waiting: &Waiting, at: Option<Timestamp>| {
            let at = at.filter(|_| waiting.has_important());
            let tree = (!waiting.is_empty()).then(|| WaitingTree::of(waiting, at));
            tree.into_iter().collect()
        };
        let (next, waiting) = match self {
            Self::Trees(it) => {
                let waiting = it.waiting(now);
                let next = waiting.iter().filter_map(|tree| tree.due).min();
                (next, waiting)
            }
            Self::Periodic(it) => {
                let next = Some(now.wall_of(it.next_due()));
                (next, gathered(it.waiting(), next))
            }
            Self::Nightly(it) => {
                let next = it.pending_build_time();
                (next, gathered(it.waiting(), next))
            }
            Self::Stateless => (None, Vec::new()),
        };
        LiveScheduler { next, waiting }
    }

    /// What is wrong with it.
    pub(super) fn problem(&self, settings: &SchedulerKind) -> Option<String> {
        match (self, settings) {
            (Self::Nightly(it), SchedulerKind::Nightly(config)) => it.problem(config),
            _ => None,
        }
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> BTreeMap<ChangeNumber, Arrival> {
        let numbered = |arrival: &Arrival| (arrival.change.number, arrival.clone());
        match self {
            Self::Trees(it) => it.changes().map(numbered).collect(),
            Self::Periodic(it) => it.waiting().arrivals().map(numbered).collect(),
            Self::Nightly(it) => it.waiting().arrivals().map(numbered).collect(),
            Self::Stateless => BTreeMap::new(),
        }
    }

    /// All that must be remembered.
    pub(super) fn states(&self, now: Moment) -> Parts {
        match self {
            Self::Trees(it) => Parts(it.states(now).collect()),
            Self::Periodic(_) | Self::Nightly(_) | Self::Stateless => {
                let own = self.own_state(now).into_iter();
                Parts(
                    own.filter_map(|(part, state)| Some((part, state?)))
                        .collect(),
                )
            }
        }
    }

    /// What is to be remembered of one without parts.
    fn own_state(&self, now: Moment) -> Vec<(Part, Option<serde_json::Value>)> {
        let state = match self {
            Self::Periodic(it) => it.state(now),
            Self::Nightly(it) => Some(it.state()),
            Self::Trees(_) | Self::Stateless => return Vec::new(),
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

fn trees_of(settings: &SchedulerKind) -> Option<trees::Settings<'_>> {
    let (branches, tree_stable) = match settings {
        SchedulerKind::Scheduler { branch, settings } => {
            (Branches::One(branch.as_deref()), settings)
        }
        SchedulerKind::AnyBranch { branches, settings } => {
            (Branches::Listed(branches.as_deref()), settings)
        }
        SchedulerKind::Dependent { .. }
        | SchedulerKind::Periodic { .. }
        | SchedulerKind::Nightly(_)
        | SchedulerKind::Triggerable
        | SchedulerKind::TryJobdir(_)
        | SchedulerKind::TryUserpass(_) => return None,
    };
    Some(trees::Settings {
        branches,
        tree_stable,
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
