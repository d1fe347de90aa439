//! `Scheduler`: builds one branch when the tree has been still for a while (section 4).
//!
//! ```text
//!            important change                      due
//!  resting ------------------> waiting (next, due) ----> a set; resting
//!                                ^     | important change: next grows
//!                                +-----+
//! ```
//! Unimportant changes are remembered in both states and move nothing (SCH-09, SCH-10).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;
use crate::config::SchedulerKind;
use crate::model::{Change, ChangeNumber, SourceStamp, Timestamp};

/// How long a time that is already past is put off (SCH-05).
const OVERDUE_DELAY: Duration = Duration::from_secs(1);

/// The state of one `Scheduler`.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// What will be built, in order of arrival.
    changes: Vec<Accumulated>,
    /// Set while at least one of the changes is important.
    wait: Option<Wait>,
}

/// A change that waits.
#[derive(Clone, Debug)]
struct Accumulated {
    change: Arc<Change>,
    important: bool,
}

/// A running timer.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// When the tree will have been still long enough; may lie in the past (SCH-06).
    next: Timestamp,
    /// When the timer fires.
    due: Timestamp,
}

impl Wait {
    /// Waits until `next`, or for a second if that is past (SCH-05).
    fn until(next: Timestamp, now: Timestamp) -> Self {
        let due = if next < now {
            now + OVERDUE_DELAY
        } else {
            next
        };
        Self { next, due }
    }
}

/// The form in which it is stored. The store finds the changes it must hand back under `changes`.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    changes: Vec<ChangeNumber>,
    important: Vec<ChangeNumber>,
    next: Option<Timestamp>,
}

impl Scheduler {
    /// Takes over what a scheduler of this name had stored, as far as it is still wanted (SCB-10).
    pub(super) fn restore(
        &mut self,
        kind: &SchedulerKind,
        state: &Value,
        changes: &BTreeMap<ChangeNumber, Arc<Change>>,
        now: Timestamp,
    ) -> Result<(), String> {
        let stored =
            Stored::deserialize(state).map_err(|e| format!("its stored state is unusable: {e}"))?;
        let mut missing = Vec::new();
        for number in stored.changes {
            let Some(change) = changes.get(&number) else {
                missing.push(number.to_string());
                continue;
            };
            if wants(kind, change) {
                self.changes.push(Accumulated {
                    change: Arc::clone(change),
                    important: stored.important.contains(&number),
                });
            }
        }
        if self.changes.iter().any(|c| c.important) {
            self.wait = Some(Wait::until(stored.next.unwrap_or(now), now));
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "changes it waits with are gone: {}",
            missing.join(", ")
        ))
    }

    /// Takes a change into account (SCH-02 to SCH-05, SCH-12).
    pub(super) fn on_change(
        &mut self,
        kind: &SchedulerKind,
        change: &Arc<Change>,
        now: Timestamp,
    ) -> Outcome {
        let SchedulerKind::Scheduler {
            tree_stable_timer,
            timer_from_arrival,
            unimportant_resets_timer,
            only_important,
            ..
        } = kind;
        if !wants(kind, change) {
            return Outcome::default();
        }
        let important = is_important(kind, change);
        if !important && *only_important {
            return Outcome::default();
        }
        let Some(still_for) = *tree_stable_timer else {
            return if important {
                self.build_at_once(change)
            } else {
                Outcome::default()
            };
        };
        self.changes.push(Accumulated {
            change: Arc::clone(change),
            important,
        });
        if important || (*unimportant_resets_timer && self.wait.is_some()) {
            let base = if *timer_from_arrival {
                change.arrived_at
            } else {
                change.when
            };
            let still = base + still_for;
            let next = self.wait.map_or(still, |w| w.next.max(still));
            self.wait = Some(Wait::until(next, now));
        }
        Outcome {
            stamps: Vec::new(),
            changed: true,
        }
    }

    /// Builds what has accumulated, if it is time (SCH-07, SCH-08).
    pub(super) fn on_timer(&mut self, now: Timestamp) -> Outcome {
        match self.wait {
            Some(wait) if wait.due <= now => {}
            Some(_) | None => return Outcome::default(),
        }
        self.wait = None;
        Outcome {
            stamps: stamps_of(&mut self.changes),
            changed: true,
        }
    }

    /// When [`Scheduler::on_timer`] is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.wait.map(|w| w.due)
    }

    /// The time of the next build, as it is reported (SCH-06).
    pub(super) fn pending_build_time(&self) -> Option<Timestamp> {
        self.wait.map(|w| w.next)
    }

    /// What must be remembered; nothing while nothing waits.
    pub(super) fn state(&self) -> Option<Value> {
        if self.changes.is_empty() {
            return None;
        }
        let important = self.changes.iter().filter(|c| c.important);
        let stored = Stored {
            changes: self.changes.iter().map(|c| c.change.number).collect(),
            important: important.map(|c| c.change.number).collect(),
            next: self.wait.map(|w| w.next),
        };
        Some(serde_json::to_value(stored).expect("numbers always have a JSON form"))
    }

    /// Without a timer each important change is a set of its own (SCH-12). Changes taken over from a
    /// time when there was a timer stay with theirs.
    fn build_at_once(&self, change: &Arc<Change>) -> Outcome {
        Outcome {
            stamps: vec![SourceStamp::from_changes(vec![Arc::clone(change)])],
            changed: false,
        }
    }
}

/// Takes the stamps to build out of `changes`. A stamp has one branch (SST-03), so where a filter lets
/// several branches pass, each is a set; one with only unimportant changes goes on waiting (SCH-10).
fn stamps_of(changes: &mut Vec<Accumulated>) -> Vec<SourceStamp> {
    let mut branches: Vec<Vec<Accumulated>> = Vec::new();
    for one in changes.drain(..) {
        let same = |b: &&mut Vec<Accumulated>| {
            b.first()
                .is_some_and(|c| c.change.branch == one.change.branch)
        };
        match branches.iter_mut().find(same) {
            Some(branch) => branch.push(one),
            None => branches.push(vec![one]),
        }
    }
    let mut stamps = Vec::new();
    for branch in branches {
        if branch.iter().any(|c| c.important) {
            let its = branch.into_iter().map(|c| c.change).collect();
            stamps.push(SourceStamp::from_changes(its));
        } else {
            changes.extend(branch);
        }
    }
    changes.sort_by_key(|c| c.change.number);
    stamps
}

/// Whether `change` is on the branch and passes the filter (SCH-02, SCH-12). A default branch and
/// an empty name are two (CHG-02).
fn wants(kind: &SchedulerKind, change: &Change) -> bool {
    let SchedulerKind::Scheduler { branch, filter, .. } = kind;
    (filter.branch.is_some() || change.branch == *branch) && filter.passes(change)
}

/// Whether `change` is important (SCH-03).
fn is_important(kind: &SchedulerKind, change: &Change) -> bool {
    let SchedulerKind::Scheduler { importance, .. } = kind;
    importance
        .as_ref()
        .is_none_or(|rule| change.files.iter().any(|file| rule.files.is_match(file)))
}
