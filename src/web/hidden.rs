//! Builders that somebody may not see, left out of everything that an answer is made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::vitals::Vitals;
use crate::botmaster::{Blocker, Live};
use crate::config::Config;
use crate::model::{BuilderName, Facts, Happening};
use crate::store;

/// The builders that are hidden from a reader; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Hidden(Arc<BTreeSet<BuilderName>>);

impl Hidden {
    /// These builders are hidden.
    pub(super) fn new(builders: BTreeSet<BuilderName>) -> Self {
        Self(Arc::new(builders))
    }

    /// The configuration without what is hidden.
    pub(super) fn in_config(&self, config: Arc<Config>) -> Arc<Config> {
        match self.0.is_empty() {
            true => config,
            false => Arc::new(config.without_builders(&self.0)),
        }
    }

    /// The snapshot without what is hidden.
    pub(super) fn in_live(&self, live: Arc<Live>) -> Arc<Live> {
        match self.0.is_empty() {
            true => live,
            false => Arc::new(live.without_builders(&self.0)),
        }
    }

    /// What is in the way of a request, without what is hidden.
    pub(super) fn in_blockers(&self, mut blockers: Vec<Blocker>) -> Vec<Blocker> {
        for blocker in &mut blockers {
            blocker.leave_out(&self.0);
        }
        blockers
    }

    /// The counters of the program without what is hidden.
    pub(super) fn in_vitals(&self, mut vitals: Vitals) -> Vitals {
        let counts = &mut vitals.counts;
        counts.builders.retain(|name, _| !self.0.contains(name));
        counts.steps.retain(|(name, _), _| !self.0.contains(name));
        vitals
    }

    /// What reads the state, without what is hidden.
    pub(super) fn in_state(&self, reader: &store::Reader) -> store::Reader {
        reader.without(&self.0)
    }

    /// Whether the reader may hear of what has happened.
    pub(super) fn is_told(&self, happening: &Happening) -> bool {
        self.may_tell(&happening.facts)
    }

    /// Whether the reader may hear of something that these facts are about.
    pub(super) fn may_tell(&self, facts: &Facts) -> bool {
        let builder = facts.builder.as_ref();
        builder.is_none_or(|builder| !self.0.contains(builder))
    }
}
