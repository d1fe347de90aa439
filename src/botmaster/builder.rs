//! A builder: its slaves, its builds and its big state (section 12).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::{AttemptId, SlaveIx};
use crate::config::BuilderConfig;
use crate::model::BuildNumber;

/// One configured builder.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) config: Arc<BuilderConfig>,
    /// Whether the configuration has it. One that was removed keeps its place for the builds that still run, and
    /// for its return.
    pub(super) configured: bool,
    /// Its slaves, each once, in the order of its own list.
    pub(super) slaves: Vec<SlaveIx>,
    /// How many latent slaves it has, started or not.
    pub(super) latents: usize,
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
        Self {
            config,
            configured: true,
            slaves: Vec::new(),
            latents: 0,
            attached: 0,
            building: 0,
            numbered: BTreeMap::new(),
            next_number,
            announced: None,
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
