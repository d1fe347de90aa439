//! `Nightly`: builds by the clock on the wall (section 8).
//!
//! ```text
//!             due: the next slot is set, then a set
//!          +-----+
//!          v     |
//!  start -> slot ----> none within the limit ---> slot
//!                                |      ^ new year: look again
//!                                +------+
//! ```
//! Slots are instants, found from the one before. A clock that is set therefore neither repeats a slot
//! (NIG-08) nor makes up for more than one (NIG-09). A last run that lies more than a day ahead was the work of a
//! clock that was wrong, and is not believed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::remembering;
use super::search::{self, Run};
use super::timed::Gathered;
use super::waiting::{Arrival, StoredChanges, Waiting};
use crate::config::NightlyConfig;
use crate::model::{Change, ChangeNumber, Decision, Moment, SourceStamp, Timestamp};

/// How far ahead a last run is believed: clocks are set back by hours to repeat no slot.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

/// The state of one `Nightly`.
#[derive(Debug)]
pub(super) struct Nightly {
    /// The instant after which the next slot was looked for: the start, or the last run.
    searched_from: Timestamp,
    next: Next,
    gathered: Gathered,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// It runs then.
    Slot(Run),
    /// There is none within the limit; it is looked for again then (NIG-06).
    NoneUntil(Timestamp),
}

/// The form in which it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    #[serde(flatten)]
    changes: StoredChanges,
    searched_from: Timestamp,
    next: Option<Timestamp>,
}

impl Nightly {
    /// Looks for the first slot after `now`.
    pub(super) fn new(config: &NightlyConfig, now: Timestamp) -> Self {
        Self {
            searched_from: now,
            next: Next::after(config, now),
            gathered: Gathered::default(),
        }
    }

    /// Goes on with the slot that was stored, even if it is past, if the settings still have it; changes are
    /// taken over as far as they are still wanted (SCB-10).
    pub(super) fn restore(
        &mut self,
        config: &NightlyConfig,
        state: &Value,
        known: &BTreeMap<ChangeNumber, Arrival>,
        now: Timestamp,
    ) -> Result<(), String> {
        let stored: Stored = remembering::read(state)?;
        let from = stored.searched_from;
        let next = Next::after(config, from);
        if stored.next.is_some() && next.slot() == stored.next {
            (self.searched_from, self.next) = (from, next);
        } else {
            self.searched_from = from.max(now);
            self.next = Next::after(config, self.searched_from);
        }
        self.gathered.restore(&config.what, &stored.changes, known)
    }

    /// Takes a change into account.
    pub(super) fn on_change(
        &mut self,
        config: &NightlyConfig,
        change: &Arc<Change>,
        now: Moment,
    ) -> Decision {
        let at = self.next.slot();
        self.gathered.on_change(&config.what, change, now, at)
    }

    /// Runs the slot, or looks for one again, if it is time: what is to be built, if so (NIG-07).
    pub(super) fn on_timer(
        &mut self,
        config: &NightlyConfig,
        now: Timestamp,
    ) -> Option<Vec<SourceStamp>> {
        if self.searched_from > now + BELIEVED {
            self.searched_from = now;
            self.next = Next::after(config, now);
            return Some(Vec::new());
        }
        if self.next_due() > now {
            return None;
        }
        let run = self.next;
        self.searched_from = now;
        self.next = Next::after(config, now);
        Some(match run {
            Next::Slot(run) => self.gathered.take_stamps(&config.what, run.forced),
            Next::NoneUntil(_) => Vec::new(),
        })
    }

    /// When [`Nightly::on_timer`] is due.
    pub(super) const fn next_due(&self) -> Timestamp {
        match self.next {
            Next::Slot(run) => run.at,
            Next::NoneUntil(at) => at,
        }
    }

    /// The next slot.
    pub(super) const fn pending_build_time(&self) -> Option<Timestamp> {
        self.next.slot()
    }

    /// What is wrong when there is no next slot (NIG-06).
    pub(super) fn problem(&self, config: &NightlyConfig) -> Option<String> {
        match self.next {
            Next::Slot(_) => None,
            Next::NoneUntil(_) => Some(format!(
                "no time within {} calendar years is one of its own; it looks again at the new year",
                config.search_years
            )),
        }
    }

    /// The changes that wait.
    pub(super) const fn waiting(&self) -> &Waiting {
        self.gathered.waiting()
    }

    /// What must be remembered.
    pub(super) fn state(&self) -> Value {
        let stored = Stored {
            changes: self.gathered.stored(),
            searched_from: self.searched_from,
            next: self.next.slot(),
        };
        serde_json::to_value(stored).expect("numbers always have a JSON form")
    }
}

impl Next {
    fn after(config: &NightlyConfig, after: Timestamp) -> Self {
        match search::next_run(config, after) {
            Some(run) => Self::Slot(run),
            None => Self::NoneUntil(search::next_new_year(config.zone, after)),
        }
    }

    const fn slot(self) -> Option<Timestamp> {
        match self {
            Self::Slot(run) => Some(run.at),
            Self::NoneUntil(_) => None,
        }
    }
}
