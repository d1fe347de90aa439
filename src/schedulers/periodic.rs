//! `Periodic`: builds when it starts, and again after each period (section 7).
//!
//! Ticks lie on a grid from the start on: a late one does not move those after it, and of several that
//! were missed only one is made up for (PER-03). The grid is one of steady time: a wall clock that is set does not move
//! it (TIM-07).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Start;
use super::remembering;
use super::timed::Gathered;
use super::waiting::{Arrival, StoredChanges, Waiting};
use crate::config::TimedBuild;
use crate::model::{Change, ChangeNumber, Decision, Moment, SourceStamp, Timestamp};

/// The state of one `Periodic`.
#[derive(Debug)]
pub(super) struct Periodic {
    /// The tick of the last run; it is stored as the wall time of it.
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
        known: &BTreeMap<ChangeNumber, Arrival>,
        (start, now): (Start, Moment),
    ) -> Result<(), String> {
        let stored: Stored = remembering::read(state)?;
        if let Some(last) = stored.last
            && (settings.resume || start == Start::Reconfigured)
        {
            let last = now.steady_of(last);
            self.last = Some(last);
            // A last run after the present is the work of a clock that was set back.
            let latest = now.steady + settings.period;
            self.next = (last + settings.period).clamp(now.steady, latest);
        }
        self.gathered.restore(settings.what, &stored.changes, known)
    }

    /// Takes a change into account.
    pub(super) fn on_change(
        &mut self,
        what: &TimedBuild,
        change: &Arc<Change>,
        now: Moment,
    ) -> Decision {
        let at = Some(now.wall_of(self.next));
        self.gathered.on_change(what, change, now, at)
    }

    /// What is to be built, if it is time.
    pub(super) fn on_timer(
        &mut self,
        settings: Settings<'_>,
        now: Timestamp,
    ) -> Option<Vec<SourceStamp>> {
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
    pub(super) const fn waiting(&self) -> &Waiting {
        self.gathered.waiting()
    }

    /// What must be remembered; nothing before the first run.
    pub(super) fn state(&self, now: Moment) -> Option<Value> {
        if self.last.is_none() && self.gathered.waiting().is_empty() {
            return None;
        }
        let stored = Stored {
            changes: self.gathered.stored(),
            last: self.last.map(|last| now.wall_of(last)),
        };
        Some(serde_json::to_value(stored).expect("numbers always have a JSON form"))
    }
}
