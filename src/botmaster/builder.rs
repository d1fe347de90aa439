//! A builder: its queue, the slaves it can choose from, its builds and its big state (section 12).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::AttemptId;
use super::pool::Pool;
use super::queue::{RequestQueue, Turn, turn_of};
use super::slave::SlaveIx;
use crate::config::BuilderConfig;
use crate::model::BuildNumber;

/// Place of a builder in the configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct BuilderIx(pub usize);

/// One configured builder.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) config: Arc<BuilderConfig>,
    /// Whether the configuration has it. One that was removed keeps its place for the builds that still run, and
    /// for its return.
    pub(super) configured: bool,
    /// Its slaves, each once, in the order of its own list.
    pub(super) slaves: Vec<SlaveIx>,
    /// Whether some of its locks are those of slaves, so that slaves differ in them (LCK-10).
    pub(super) locks_on_slaves: bool,
    /// Requests that wait.
    pub(super) queue: RequestQueue,
    /// Slaves on which it is idle, unless they are parked: they may yet refuse.
    pub(super) pool: Pool,
    /// Latent slaves that could be started for it, unless they are parked. They come after the others (BLD-05).
    pub(super) latent_pool: Pool,
    /// How many latent slaves it has, started or not.
    pub(super) latents: usize,
    /// Slaves on which it is idle but which did not take a build when it asked.
    pub(super) parked: BTreeSet<SlaveIx>,
    /// No slave is parked at a later turn than this.
    pub(super) parked_bound: Option<Turn>,
    /// Its place among the builders that have work and somebody to ask.
    pub(super) startable_at: Option<Turn>,
    /// How many slaves are attached (not attaching).
    pub(super) attached: usize,
    /// How many builds are starting or running (the building list).
    pub(super) building: usize,
    /// Builds that have a number and have not ended.
    pub(super) numbered: BTreeMap<BuildNumber, AttemptId>,
    /// The number of the next build (BUI-01).
    pub(super) next_number: BuildNumber,
    /// The big state as it was last announced.
    pub(super) announced: Option<&'static str>,
}

impl Builder {
    pub(super) fn new(config: Arc<BuilderConfig>, next_number: BuildNumber) -> Self {
        let queue = RequestQueue::new(config.merging);
        Self {
            config,
            configured: true,
            slaves: Vec::new(),
            locks_on_slaves: false,
            queue,
            pool: Pool::default(),
            latent_pool: Pool::default(),
            latents: 0,
            parked: BTreeSet::new(),
            parked_bound: None,
            startable_at: None,
            attached: 0,
            building: 0,
            numbered: BTreeMap::new(),
            next_number,
            announced: None,
        }
    }

    /// The turn of its first request among those of all builders.
    pub(super) fn first_turn(&self) -> Option<Turn> {
        let first = self.queue.first()?;
        Some(turn_of(first, self.config.priority))
    }

    /// The slaves to choose from: those that are there, or else those that could be started (BLD-05).
    pub(super) fn choice(&self) -> &Pool {
        if self.pool.is_empty() {
            &self.latent_pool
        } else {
            &self.pool
        }
    }

    /// The big state (BLD-13): a latent slave counts as one that is there.
    pub(super) const fn big_state(&self) -> &'static str {
        if self.attached == 0 && self.latents == 0 {
            "offline"
        } else if self.building > 0 {
            "building"
        } else {
            "idle"
        }
    }
}
