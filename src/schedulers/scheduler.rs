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

use super::remembering;
use super::waiting::{self, StoredChanges, Waiting};
use crate::config::TreeStable;
use crate::model::{Change, ChangeNumber, Decision, SourceStamp, Timestamp};

/// How long a time that is already past is put off (SCH-05).
const OVERDUE_DELAY: Duration = Duration::from_secs(1);

/// The state of one `Scheduler`.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// What will be built.
    changes: Waiting,
    /// Set while at least one of the changes is important.
    wait: Option<Wait>,
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

/// The form in which it is stored.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    #[serde(flatten)]
    pub(super) changes: StoredChanges,
    pub(super) next: Option<Timestamp>,
}

impl Scheduler {
    /// Takes over what a scheduler of this name had stored, as far as it is still wanted (SCB-10).
    pub(super) fn restore(
        &mut self,
        state: &Value,
        known: &BTreeMap<ChangeNumber, Arc<Change>>,
        wanted: impl Fn(&Change) -> bool,
        now: Timestamp,
    ) -> Result<(), String> {
        let stored: Stored = remembering::read(state)?;
        let missing = self.changes.restore(&stored.changes, known, wanted);
        if self.changes.has_important() {
            self.wait = Some(Wait::until(stored.next.unwrap_or(now), now));
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(waiting::gone(&missing))
    }

    /// Takes one change over that had waited until `next` (SCB-10); they come in order.
    pub(super) fn take_over(
        &mut self,
        change: &Arc<Change>,
        important: bool,
        next: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.changes.add(change, important);
        if important {
            let next = next.unwrap_or(now);
            let next = self.wait.map_or(next, |w| w.next.max(next));
            self.wait = Some(Wait::until(next, now));
        }
    }

    /// Takes a change into account that is wanted (SCH-03 to SCH-05, SCH-12).
    pub(super) fn on_change(
        &mut self,
        settings: &TreeStable,
        change: &Arc<Change>,
        now: Timestamp,
    ) -> Decision {
        let important = waiting::is_important(&settings.rules, change);
        if !important && settings.rules.only_important {
            return Decision::Dropped;
        }
        let Some(still_for) = settings.tree_stable_timer else {
            // Changes taken over from a time when there was a timer stay with theirs.
            return match important {
                true => Decision::BuiltAtOnce,
                false => Decision::Dropped,
            };
        };
        self.changes.add(change, important);
        if important || (settings.unimportant_resets_timer && self.wait.is_some()) {
            let base = if settings.timer_from_arrival {
                change.arrived_at
            } else {
                change.when
            };
            let still = base + still_for;
            let next = self.wait.map_or(still, |w| w.next.max(still));
            self.wait = Some(Wait::until(next, now));
        }
        match (important, self.wait) {
            (true, Some(Wait { due: until, .. })) => Decision::TimerRuns { until },
            (true, None) | (false, _) => Decision::Remembered {
                until: self.next_due(),
            },
        }
    }

    /// What has accumulated, if it is time to build it (SCH-07, SCH-08).
    pub(super) fn on_timer(&mut self, now: Timestamp) -> Option<Vec<SourceStamp>> {
        self.wait.filter(|wait| wait.due <= now)?;
        self.wait = None;
        Some(self.changes.take_stamps())
    }

    /// When [`Scheduler::on_timer`] is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.wait.map(|w| w.due)
    }

    /// The time of the next build, as it is reported (SCH-06).
    pub(super) fn pending_build_time(&self) -> Option<Timestamp> {
        self.wait.map(|w| w.next)
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Arc<Change>> {
        self.changes.changes()
    }

    /// What must be remembered; nothing while nothing waits.
    pub(super) fn state(&self) -> Option<Value> {
        if self.changes.is_empty() {
            return None;
        }
        let stored = Stored {
            changes: self.changes.stored(),
            next: self.wait.map(|w| w.next),
        };
        Some(serde_json::to_value(stored).expect("numbers always have a JSON form"))
    }
}
