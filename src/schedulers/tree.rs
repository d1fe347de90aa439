//! One tree of a `Scheduler` or an `AnyBranch`: builds when the tree has been still for a while
//! (section 4).
//!
//! ```text
//!            important change                      due
//!  resting ------------------> waiting (next, due) ----> a set; resting
//!                                ^     | important change: reckoned anew
//!                                +-----+
//! ```
//! Unimportant changes are remembered in both states and move nothing (SCH-09, SCH-10).
//!
//! When a set is due follows from the changes that wait and from the last set, and is never stored
//! (TIM-06). All times here are steady ones, so that a wall clock that is set neither starves nor
//! hurries anybody (TIM-07).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codebases::Sources;
use super::waiting::{self, Arrival, StoredChanges, Waiting};
use crate::config::TreeStable;
use crate::model::{Change, Decision, Moment, SourceStamps, Timestamp};

/// How long a time that is already past is put off (SCH-05).
const OVERDUE_DELAY: Duration = Duration::from_secs(1);

/// The state of one tree.
#[derive(Debug, Default)]
pub(super) struct TreeState {
    /// What will be built.
    changes: Waiting,
    /// Set while at least one of the changes is important.
    wait: Option<Wait>,
    /// When the last set was submitted, as long as that matters (TIM-04).
    last: Option<Timestamp>,
}

/// A running timer.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// When the first important change arrived.
    first: Timestamp,
    /// The latest time from which the timer counts.
    newest: Timestamp,
    /// When the tree will have been still long enough; may lie in the past (SCH-06).
    next: Timestamp,
    /// When the timer fires.
    due: Timestamp,
}

/// The form in which it is stored.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    #[serde(flatten)]
    pub(super) changes: StoredChanges,
    /// When the last set was submitted, by the wall clock of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Timestamp>,
}

impl TreeState {
    /// Takes the time of the last set over, if it still matters. What lies ahead is the work of a
    /// wrong clock, and counts as now.
    pub(super) fn take_over_last(&mut self, settings: &TreeStable, last: Timestamp, now: Moment) {
        let last = now.steady_of(last).min(now.steady);
        let matters = |timer| last + timer > now.steady;
        if settings.tree_stable_timer.is_some_and(matters) {
            self.last = Some(last);
        }
    }

    /// Takes a change over that has waited (SCB-10); they come in order, and [`TreeState::resume`]
    /// follows.
    pub(super) fn take_over(&mut self, settings: &TreeStable, arrival: &Arrival, important: bool) {
        self.add(settings, arrival.clone(), important);
    }

    /// Reckons when what was taken over is due.
    pub(super) fn resume(&mut self, settings: &TreeStable, now: Moment) {
        self.reckon(settings, now.steady);
    }

    /// Takes a change into account that is wanted (SCH-03 to SCH-05, SCH-12).
    pub(super) fn on_change(
        &mut self,
        settings: &TreeStable,
        change: &Arc<Change>,
        now: Moment,
    ) -> Decision {
        let important = waiting::is_important(&settings.rules, change);
        if !important && settings.rules.only_important {
            return Decision::Dropped;
        }
        if settings.tree_stable_timer.is_none() {
            // Changes taken over from a time when there was a timer have a set of their own.
            return match important {
                true => Decision::BuiltAtOnce,
                false => Decision::Dropped,
            };
        }
        let arrival = Arrival::now(change, now.steady);
        if self.add(settings, arrival, important) {
            self.reckon(settings, now.steady);
        }
        let until = self.next_due().map(|due| now.wall_of(due));
        match (important, until) {
            (true, Some(until)) => Decision::TimerRuns { until },
            (true, None) | (false, _) => Decision::Remembered { until },
        }
    }

    /// What has accumulated, if it is time to build it (SCH-07, SCH-08).
    pub(super) fn on_timer(
        &mut self,
        settings: &TreeStable,
        sources: Sources<'_>,
        now: Moment,
    ) -> Option<Vec<SourceStamps>> {
        self.wait.filter(|wait| wait.due <= now.steady)?;
        self.wait = None;
        self.last = settings.tree_stable_timer.map(|_| now.steady);
        Some(self.changes.take_sets(settings.rules.separate, sources))
    }

    /// When [`TreeState::on_timer`] is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.wait.map(|w| w.due)
    }

    /// The time of the next build, as it is reported (SCH-06).
    pub(super) fn pending_build_time(&self) -> Option<Timestamp> {
        self.wait.map(|w| w.next)
    }

    /// When the last set was submitted, as long as that matters.
    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that wait.
    pub(super) const fn changes(&self) -> &Waiting {
        &self.changes
    }

    /// What must be remembered, if anything.
    pub(super) fn state(&self, now: Moment) -> Option<Value> {
        if self.changes.is_empty() && self.last.is_none() {
            return None;
        }
        let stored = Stored {
            changes: self.changes.stored(),
            last: self.last.map(|last| now.wall_of(last)),
        };
        Some(serde_json::to_value(stored).expect("numbers always have a JSON form"))
    }

    /// Adds a change; says whether it moves the timer (SCH-09).
    fn add(&mut self, settings: &TreeStable, arrival: Arrival, important: bool) -> bool {
        let moves = important || (settings.unimportant_resets_timer && self.wait.is_some());
        if moves {
            let from = counts_from(settings, &arrival);
            let wait = self.wait.get_or_insert(Wait {
                first: arrival.at,
                newest: from,
                next: from,
                due: from,
            });
            wait.newest = wait.newest.max(from);
        }
        self.changes.add(arrival, important);
        moves
    }

    /// Reckons when the set is due from what waits (TIM-03 to TIM-05): when the tree has been still
    /// for the timer, or in a second if that is past (SCH-05); a timer after the last set at the
    /// soonest, since only old times make it sooner; and at the end of the longest wait in any
    /// case.
    fn reckon(&mut self, settings: &TreeStable, now: Timestamp) {
        let timer = settings.tree_stable_timer.unwrap_or_default();
        let Some(wait) = &mut self.wait else {
            return;
        };
        let postponed = |time: Timestamp| match time < now {
            true => now + OVERDUE_DELAY,
            false => time,
        };
        let still = wait.newest + timer;
        let apart = self.last.map(|last| last + timer).filter(|at| *at > now);
        let limit = settings.longest_wait.limit(timer);
        let latest = limit.map(|limit| wait.first + limit);
        let not_before = |time: Timestamp| apart.map_or(time, |apart| apart.max(time));
        let not_after = |time: Timestamp, latest: Option<Timestamp>| {
            latest.map_or(time, |latest| latest.min(time))
        };
        wait.next = not_after(not_before(still), latest);
        wait.due = not_after(not_before(postponed(still)), latest.map(postponed));
    }
}

/// The one use of the time that a sender gave a change (TIM-03).
fn counts_from(settings: &TreeStable, arrival: &Arrival) -> Timestamp {
    match arrival.change.usable_when() {
        Ok(when) if !settings.timer_from_arrival => arrival.steady(when),
        Ok(_) | Err(_) => arrival.at,
    }
}
