//! `Periodic`: builds when it starts, and again after each period (section 7).
//!
//! Ticks lie on a grid from the start on: a late one does not move those after it, and of several that
//! were missed only one is made up for (PER-03).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Start;
use super::remembering;
use super::timed::Gathered;
use super::waiting::StoredChanges;
use crate::config::TimedBuild;
use crate::model::{Change, ChangeNumber, Decision, SourceStamp, Timestamp};

/// The state of one `Periodic`.
#[derive(Debug)]
pub(super) struct Periodic {
    /// The tick of the last run.
    last: Option<Timestamp>,
    next: Timestamp,
    gathered: Gathered,
}

/// The settings it works by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings<'a> {
    pub(super) period: Duration,
    pub(super) resume: bool,
    pub(super) what: &'a TimedBuild,
}

/// The form in which it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    #[serde(flatten)]
    changes: StoredChanges,
    last: Option<Timestamp>,
}

impl Periodic {
    /// Runs first at `now` (PER-02).
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            last: None,
            next: now,
            gathered: Gathered::default(),
        }
    }

    /// Takes over what was stored. A restarted master forgets the last run unless it is told to go on with
    /// it (PER-06); other settings do not (SCB-10).
    pub(super) fn restore(
        &mut self,
        settings: Settings<'_>,
        state: &Value,
        known: &BTreeMap<ChangeNumber, Arc<Change>>,
        start: Start,
    ) -> Result<(), String> {
        let stored: Stored = remembering::read(state)?;
        if let Some(last) = stored.last
            && (settings.resume || start == Start::Reconfigured)
        {
            self.last = Some(last);
            // The start is the present; a last run after it is the work of a clock that was set back.
            let soonest = self.next;
            self.next = (last + settings.period).clamp(soonest, soonest + settings.period);
        }
        self.gathered.restore(settings.what, &stored.changes, known)
    }

    /// Takes a change into account.
    pub(super) fn on_change(&mut self, what: &TimedBuild, change: &Arc<Change>) -> Decision {
        self.gathered.on_change(what, change, Some(self.next))
    }

    /// What is to be built, if it is time. When the clock was set back, the grid moves with it.
    pub(super) fn on_timer(
        &mut self,
        settings: Settings<'_>,
        now: Timestamp,
    ) -> Option<Vec<SourceStamp>> {
        self.next = self.next.min(now + settings.period);
        if self.next > now {
            return None;
        }
        let period = settings.period.as_micros().max(1);
        let late = now.since(self.next);
        let missed = u64::try_from(late.as_micros() % period).unwrap_or(0);
        let tick = now - Duration::from_micros(missed);
        self.last = Some(tick);
        self.next = tick + settings.period;
        Some(self.gathered.take_stamps(settings.what, false))
    }

    /// When [`Periodic::on_timer`] is due: the next tick.
    pub(super) const fn next_due(&self) -> Timestamp {
        self.next
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Arc<Change>> {
        self.gathered.changes()
    }

    /// What must be remembered; nothing before the first run.
    pub(super) fn state(&self) -> Option<Value> {
        if self.last.is_none() && self.gathered.changes().next().is_none() {
            return None;
        }
        let stored = Stored {
            changes: self.gathered.stored(),
            last: self.last,
        };
        Some(serde_json::to_value(stored).expect("numbers always have a JSON form"))
    }
}
