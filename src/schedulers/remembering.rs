//! Under which names schedulers are remembered.
//!
//! A scheduler is one entry of the state under its name. One that has parts, as an AnyBranch has
//! branches, has an entry for each: its name, a line break, the name of the part. Names in the
//! configuration have no line breaks, so that nobody gets in the way of another.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::effects::Effects;
use crate::model::SchedulerName;

/// A part of a scheduler's state; the default is the scheduler itself.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Part(String);

/// What is remembered of one scheduler.
#[derive(Debug, Default)]
pub(super) struct Parts(pub(super) BTreeMap<Part, Value>);

/// What is remembered of all that are not there yet.
#[derive(Debug)]
pub(super) struct Remembered(BTreeMap<SchedulerName, Parts>);

const SEPARATOR: char = '\n';

impl Part {
    /// A part of this name.
    pub(super) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name; empty for the scheduler itself.
    pub(super) const fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name under which it is remembered.
    pub(super) fn under(&self, scheduler: &SchedulerName) -> SchedulerName {
        match self.0.as_str() {
            "" => scheduler.clone(),
            part => format!("{scheduler}{SEPARATOR}{part}").into(),
        }
    }
}

impl Parts {
    /// Of the scheduler itself.
    pub(super) fn whole(&self) -> Option<&Value> {
        self.0.get(&Part::default())
    }

    /// Of a scheduler without parts.
    pub(super) fn of_whole(state: Option<Value>) -> Self {
        Self(
            state
                .map(|state| (Part::default(), state))
                .into_iter()
                .collect(),
        )
    }

    /// These take the place of `old`.
    pub(super) fn replace(self, mut old: Self, name: &SchedulerName, effects: &mut Effects) {
        for (part, state) in self.0 {
            if old.0.remove(&part).as_ref() != Some(&state) {
                effects.states.push((part.under(name), Some(state)));
            }
        }
        old.forget(name, effects);
    }

    /// They are no longer wanted.
    pub(super) fn forget(self, name: &SchedulerName, effects: &mut Effects) {
        let names = self.0.into_keys().map(|part| (part.under(name), None));
        effects.states.extend(names);
    }
}

/// Reads what a scheduler has stored.
pub(super) fn read<T: DeserializeOwned>(state: &Value) -> Result<T, String> {
    T::deserialize(state).map_err(|error| {
        format!(
            "what is stored under its name is not usable ({error}), as after a change of its `type` while the master \
             was not running: it begins anew"
        )
    })
}

impl Remembered {
    /// Sorts what was stored.
    pub(super) fn of(stored: &BTreeMap<SchedulerName, Value>) -> Self {
        let mut all: BTreeMap<SchedulerName, Parts> = BTreeMap::new();
        for (key, state) in stored {
            let (name, part) = match key.as_str().split_once(SEPARATOR) {
                Some((name, part)) => (name.into(), Part::named(part)),
                None => (key.clone(), Part::default()),
            };
            all.entry(name).or_default().0.insert(part, state.clone());
        }
        Self(all)
    }

    /// What is remembered of `scheduler`.
    pub(super) fn take(&mut self, scheduler: &SchedulerName) -> Parts {
        self.0.remove(scheduler).unwrap_or_default()
    }

    /// What is left is no longer wanted.
    pub(super) fn forget(self, effects: &mut Effects) {
        for (name, parts) in self.0 {
            parts.forget(&name, effects);
        }
    }
}
