//! What a scheduler of any kind can be asked and told. Each kind is a type with its settings and
//! its state, and says only in what it differs from one that waits for nothing by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::remembering::{Part, Parts};
use super::search::Run;
use super::waiting::Arrival;
use crate::model::{
    Change, ChangeNumber, Decision, Moment, Properties, SourceStamps, Timestamp, WaitingChange,
};

/// A scheduler of some kind, with its settings and its state.
pub(super) trait Scheduler: fmt::Debug + Send + Sync {
    /// Takes over what is remembered; `changes` are those that it may have waited with.
    ///
    /// # Errors
    /// What is remembered cannot be used, or not all of it.
    fn restore(
        &mut self,
        _old: &Parts,
        _changes: &BTreeMap<ChangeNumber, Arrival>,
        _start: Start,
        _now: Moment,
    ) -> Result<(), String> {
        Ok(())
    }

    /// There is a new change; says what it makes of it.
    fn on_change(&mut self, change: &Arc<Change>, now: Moment) -> (Outcome, Decision);

    /// It may be due.
    fn on_timer(&mut self, _now: Moment) -> Outcome {
        Outcome::default()
    }

    /// One of its sets has finished or could not be made; says whether its due time may be another
    /// one now.
    fn on_set_finished(&mut self, _stamps: &SourceStamps, _now: Moment) -> bool {
        false
    }

    /// When it is due.
    fn next_due(&self) -> Option<Due> {
        None
    }

    /// Its future builds, by the wall clock.
    fn pending_build_times(&self, _now: Moment) -> Vec<Timestamp> {
        Vec::new()
    }

    /// What is wrong with it.
    fn problem(&self) -> Option<String> {
        None
    }

    /// The changes that wait.
    fn changes(&self) -> BTreeMap<ChangeNumber, Arrival> {
        BTreeMap::new()
    }

    /// All that must be remembered.
    fn states(&self, _now: Moment) -> Parts {
        Parts::default()
    }

    /// What it is called in the reason of a set of `stamps`; `name` is its name.
    fn name_for(&self, name: &str, _stamps: &SourceStamps) -> String {
        name.to_owned()
    }

    /// The names of its sub-schedulers; `name` is its own.
    fn sub_schedulers(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    /// A step of a build asks it to build `stamps` with `properties` over its own; absent if it
    /// builds nothing for steps.
    fn trigger(
        &mut self,
        _stamps: &Arc<SourceStamps>,
        _properties: &Properties,
        _now: Moment,
    ) -> Option<Outcome> {
        None
    }

    /// What it builds when the scheduler that it waits for has built `stamps`.
    fn following(&self, stamps: &Arc<SourceStamps>) -> Arc<SourceStamps> {
        Arc::clone(stamps)
    }

    /// When it runs by the clock, if it starts at `from`, one run after the other.
    fn runs(&self, _from: Timestamp) -> Option<Box<dyn Iterator<Item = Run>>> {
        None
    }

    /// When it runs next by the clock after `now`, if its last set was made at `last`.
    fn next_run(&self, _last: Option<Timestamp>, _now: Timestamp) -> Option<Timestamp> {
        None
    }
}

/// When a scheduler is due, and by which clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// In steady time.
    Steady(Timestamp),
    /// By the wall clock, which may be set meanwhile.
    Wall(Timestamp),
}

/// Why a scheduler takes over what another has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Start {
    /// The master was started.
    Restarted,
    /// The settings were changed.
    Reconfigured,
}

/// What a kind answers to an event.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What to build, each a set.
    pub(super) sets: Vec<SourceStamps>,
    /// What steps of builds have asked for, each a set, with the properties that they give it.
    pub(super) triggered: Vec<(Arc<SourceStamps>, Properties)>,
    /// What to remember from now on.
    pub(super) states: Vec<(Part, Option<Value>)>,
    /// The change that waits besides those of what is remembered.
    pub(super) waits: Option<(Part, WaitingChange)>,
    /// Whether its due time may be another one.
    pub(super) rearm: bool,
    /// What is wrong.
    pub(super) problem: Option<String>,
}

impl Outcome {
    /// Has `state` remembered of `part`.
    pub(super) fn remember(&mut self, part: Part, state: Option<Value>) {
        self.states.push((part, state));
    }

    /// Has it remembered of `part` that one more change waits.
    pub(super) fn waits_with(&mut self, part: Part, waits: WaitingChange) {
        self.waits = Some((part, waits));
    }
}
