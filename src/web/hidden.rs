//! What somebody may not see, left out of everything that an answer is made from.

use std::sync::Arc;

use super::vitals::Vitals;
use crate::botmaster::{Blocker, Live};
use crate::config::Config;
use crate::model::{Facts, Happening, Unseen};
use crate::store;

/// What is hidden from a reader; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Hidden(Arc<Unseen>);

impl Hidden {
    /// This is hidden.
    pub(super) const fn new(unseen: Arc<Unseen>) -> Self {
        Self(unseen)
    }

    /// The configuration without what is hidden.
    pub(super) fn in_config(&self, config: Arc<Config>) -> Arc<Config> {
        match self.0.is_empty() {
            true => config,
            false => Arc::new(config.without(&self.0)),
        }
    }

    /// The snapshot without what is hidden.
    pub(super) fn in_live(&self, live: Arc<Live>) -> Arc<Live> {
        match self.0.is_empty() {
            true => live,
            false => Arc::new(live.without(&self.0)),
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
        let Unseen {
            builders, slaves, ..
        } = &*self.0;
        let counts = &mut vitals.counts;
        counts.builders.retain(|name, _| !builders.contains(name));
        counts.steps.retain(|(name, _), _| !builders.contains(name));
        counts.connects.retain(|name, _| !slaves.contains(name));
        counts.lost.retain(|name, _| !slaves.contains(name));
        vitals
    }

    /// What reads the state, without what is hidden.
    pub(super) fn in_state(&self, reader: &store::Reader) -> store::Reader {
        reader.without(&self.0)
    }

    /// What has happened, as the reader may hear of it; nothing if the reader may not.
    pub(super) fn told(&self, happening: &Arc<Happening>) -> Option<Arc<Happening>> {
        if !self.may_tell(&happening.facts) {
            return None;
        }
        let slave = happening.facts.slave.as_ref();
        if slave.is_none_or(|slave| !self.0.slaves.contains(slave)) {
            return Some(Arc::clone(happening));
        }
        let mut happening = Happening::clone(happening);
        happening.facts.slave = None;
        Some(Arc::new(happening))
    }

    /// Whether the reader may hear of something that these facts are about.
    pub(super) fn may_tell(&self, facts: &Facts) -> bool {
        match (&facts.builder, &facts.slave) {
            (Some(builder), _) => !self.0.builders.contains(builder),
            (None, Some(slave)) => !self.0.slaves.contains(slave),
            (None, None) => true,
        }
    }

    /// Whether some sources are hidden, so that only the state knows what may be told.
    pub(super) fn hides_sources(&self) -> bool {
        !self.0.sources.is_empty()
    }
}
