//! `Periodic`: builds when it starts, and again after each period (section 7).
//!
//! Ticks lie on a grid from the start on: a late one does not move those after it, and of several
//! that were missed only one is made up for (PER-03). The grid is one of steady time: a wall clock
//! that is set does not move it (TIM-07).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::PeriodicConfig;
use crate::model::{Change, ChangeNumber, Decision, Moment, Timestamp};
use crate::schedulers::kind::{Due, Outcome, Scheduler, Start};
use crate::schedulers::remembering::{self, Part, Parts};
use crate::schedulers::search::Run;
use crate::schedulers::timed::{Gathered, Remember, StoredGathered};
use crate::schedulers::waiting::{self, Arrival};

/// A `Periodic`.
#[derive(Debug)]
pub(super) struct Periodic {
    config: PeriodicConfig,
    /// The tick of the last run; it is stored as the wall time of it.
    last: Option<Timestamp>,
    next: Timestamp,
    gathered: Gathered,
}

/// The form in which it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    #[serde(flatten)]
    gathered: StoredGathered,
    last: Option<Timestamp>,
}

impl Periodic {
    /// Runs first at `now` (PER-02).
    pub(super) fn new(config: PeriodicConfig, now: Timestamp) -> Self {
        Self {
            config,
            last: None,
            next: now,
            gathered: Gathered::default(),
        }
    }

    /// What must be remembered; nothing before the first run.
    fn state(&self, now: Moment) -> Option<Value> {
        if self.last.is_none() && self.gathered.is_empty() {
            return None;
        }
        let stored = Stored {
            gathered: self.gathered.stored(),
            last: self.last.map(|last| now.wall_of(last)),
        };
        Some(serde_json::to_value(stored).expect("numbers always have a JSON form"))
    }
}

impl Scheduler for Periodic {
    /// A restarted master forgets the last run unless it is told to go on with it (PER-06); other
    /// settings do not (SCB-10).
    fn restore(
        &mut self,
        old: &Parts,
        known: &BTreeMap<ChangeNumber, Arrival>,
        start: Start,
        now: Moment,
    ) -> Result<(), String> {
        let Some(state) = old.whole() else {
            return Ok(());
        };
        let stored: Stored = remembering::read(state)?;
        let PeriodicConfig {
            period,
            resume,
            what,
        } = &self.config;
        if let Some(last) = stored.last
            && (*resume || start == Start::Reconfigured)
        {
            let last = now.steady_of(last);
            self.last = Some(last);
            // A last run after the present is the work of a clock that was set back.
            let latest = now.steady + *period;
            self.next = (last + *period).clamp(now.steady, latest);
        }
        self.gathered.restore(what, stored.gathered, known)
    }

    fn on_change(&mut self, change: &Arc<Change>, now: Moment) -> (Outcome, Decision) {
        let (what, at) = (&self.config.what, Some(now.wall_of(self.next)));
        let (decision, remember) = self.gathered.on_change(what, change, now, at);
        let mut outcome = Outcome::default();
        match remember {
            Remember::Nothing => {}
            Remember::Waits(waits) => outcome.waits_with(Part::default(), waits),
            Remember::State => outcome.remember(Part::default(), self.state(now)),
        }
        (outcome, decision)
    }

    fn on_timer(&mut self, now: Moment) -> Outcome {
        let mut outcome = Outcome::default();
        if self.next > now.steady {
            return outcome;
        }
        let period = self.config.period.as_micros().max(1);
        let late = now.steady.since(self.next);
        let missed = u64::try_from(late.as_micros() % period).unwrap_or(0);
        let tick = now.steady - Duration::from_micros(missed);
        self.last = Some(tick);
        self.next = tick + self.config.period;
        outcome.sets = self.gathered.take_sets(&self.config.what, false);
        outcome.remember(Part::default(), self.state(now));
        outcome.rearm = true;
        outcome
    }

    fn next_due(&self) -> Option<Due> {
        Some(Due::Steady(self.next))
    }

    fn pending_build_times(&self, now: Moment) -> Vec<Timestamp> {
        vec![now.wall_of(self.next)]
    }

    fn changes(&self) -> BTreeMap<ChangeNumber, Arrival> {
        waiting::by_number(self.gathered.waiting().arrivals())
    }

    fn states(&self, now: Moment) -> Parts {
        Parts::of_whole(self.state(now))
    }

    /// The first run comes with the start; there are none where time itself ends.
    fn runs(&self, from: Timestamp) -> Option<Box<dyn Iterator<Item = Run>>> {
        let period = self.config.period;
        let next = move |at: &Timestamp| Some(*at + period).filter(|then| then > at);
        let times = std::iter::successors(Some(from), next);
        Some(Box::new(times.map(|at| Run { at, forced: false })))
    }

    fn next_run(&self, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let next = last? + self.config.period;
        Some(next).filter(|next| *next > now)
    }
}
