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
//! Slots are instants, found from the one before. A clock that is set therefore neither repeats a
//! slot (NIG-08) nor makes up for more than one (NIG-09). A last run that lies more than a day
//! ahead was the work of a clock that was wrong, and is not believed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::NightlyConfig;
use crate::model::{Change, ChangeNumber, Decision, Moment, Timestamp};
use crate::schedulers::kind::{Due, Outcome, Scheduler, Start};
use crate::schedulers::remembering::{self, Part, Parts};
use crate::schedulers::search::{self, Run};
use crate::schedulers::timed::{Gathered, Remember, StoredGathered};
use crate::schedulers::waiting::{self, Arrival};

/// How far ahead a last run is believed: clocks are set back by hours to repeat no slot.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

/// A `Nightly`.
#[derive(Debug)]
pub(super) struct Nightly {
    config: NightlyConfig,
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
    gathered: StoredGathered,
    searched_from: Timestamp,
    next: Option<Timestamp>,
}

impl Nightly {
    /// Looks for the first slot after `now`.
    pub(super) fn new(config: NightlyConfig, now: Timestamp) -> Self {
        Self {
            searched_from: now,
            next: Next::after(&config, now),
            gathered: Gathered::default(),
            config,
        }
    }

    fn search_from(&mut self, now: Timestamp) {
        self.searched_from = now;
        self.next = Next::after(&self.config, now);
    }

    fn state(&self) -> Value {
        let stored = Stored {
            gathered: self.gathered.stored(),
            searched_from: self.searched_from,
            next: self.next.slot(),
        };
        serde_json::to_value(stored).expect("numbers always have a JSON form")
    }

    /// What is to be done after a slot or a new search.
    fn outcome(&self) -> Outcome {
        let mut outcome = Outcome {
            rearm: true,
            problem: self.problem(),
            ..Outcome::default()
        };
        outcome.remember(Part::default(), Some(self.state()));
        outcome
    }
}

impl Scheduler for Nightly {
    /// Goes on with the slot that was stored, even if it is past, if the settings still have it;
    /// changes are taken over as far as they are still wanted (SCB-10).
    fn restore(
        &mut self,
        old: &Parts,
        known: &BTreeMap<ChangeNumber, Arrival>,
        _start: Start,
        now: Moment,
    ) -> Result<(), String> {
        let Some(state) = old.whole() else {
            return Ok(());
        };
        let stored: Stored = remembering::read(state)?;
        let from = stored.searched_from;
        let next = Next::after(&self.config, from);
        if stored.next.is_some() && next.slot() == stored.next {
            (self.searched_from, self.next) = (from, next);
        } else {
            self.search_from(from.max(now.wall));
        }
        let what = &self.config.what;
        self.gathered.restore(what, stored.gathered, known)
    }

    fn on_change(&mut self, change: &Arc<Change>, now: Moment) -> (Outcome, Decision) {
        let (what, at) = (&self.config.what, self.next.slot());
        let (decision, remember) = self.gathered.on_change(what, change, now, at);
        let mut outcome = Outcome::default();
        match remember {
            Remember::Nothing => {}
            Remember::Waits(waits) => outcome.waits_with(Part::default(), waits),
            Remember::State => outcome.remember(Part::default(), Some(self.state())),
        }
        (outcome, decision)
    }

    /// Runs the slot, or looks for one again, if it is time (NIG-07).
    fn on_timer(&mut self, now: Moment) -> Outcome {
        let now = now.wall;
        if self.searched_from > now + BELIEVED {
            self.search_from(now);
            return self.outcome();
        }
        if self.next.due() > now {
            return Outcome::default();
        }
        let run = self.next;
        self.search_from(now);
        let sets = match run {
            Next::Slot(run) => self.gathered.take_sets(&self.config.what, run.forced),
            Next::NoneUntil(_) => Vec::new(),
        };
        Outcome {
            sets,
            ..self.outcome()
        }
    }

    fn next_due(&self) -> Option<Due> {
        Some(Due::Wall(self.next.due()))
    }

    fn pending_build_times(&self, _now: Moment) -> Vec<Timestamp> {
        self.next.slot().into_iter().collect()
    }

    /// There is no next slot (NIG-06).
    fn problem(&self) -> Option<String> {
        match self.next {
            Next::Slot(_) => None,
            Next::NoneUntil(_) => Some(format!(
                "no time within {} calendar years is one of its own; it looks again at the new year",
                self.config.search_years
            )),
        }
    }

    fn changes(&self) -> BTreeMap<ChangeNumber, Arrival> {
        waiting::by_number(self.gathered.waiting().arrivals())
    }

    fn states(&self, _now: Moment) -> Parts {
        Parts::of_whole(Some(self.state()))
    }

    /// A run comes later than the start.
    fn runs(&self, from: Timestamp) -> Option<Box<dyn Iterator<Item = Run>>> {
        let (config, mut after) = (self.config.clone(), from);
        Some(Box::new(std::iter::from_fn(move || {
            let run = search::next_run(&config, after)?;
            after = run.at;
            Some(run)
        })))
    }

    fn next_run(&self, _last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        search::next_run(&self.config, now).map(|run| run.at)
    }
}

impl Next {
    fn after(config: &NightlyConfig, after: Timestamp) -> Self {
        match search::next_run(config, after) {
            Some(run) => Self::Slot(run),
            None => Self::NoneUntil(search::next_new_year(config.zone, after)),
        }
    }

    /// When it is time to run, or to look again.
    const fn due(self) -> Timestamp {
        match self {
            Self::Slot(run) => run.at,
            Self::NoneUntil(at) => at,
        }
    }

    const fn slot(self) -> Option<Timestamp> {
        match self {
            Self::Slot(run) => Some(run.at),
            Self::NoneUntil(_) => None,
        }
    }
}
