//! Looking at the core without touching it: for snapshots, and for tests.

use serde::{Deserialize, Serialize};

use super::ids::SlaveIx;
use super::instances::Stage;
use super::layout::PlacedSlave;
use super::roster::Use;
use super::{BotMaster, SessionId};
use crate::model::{
    BigState, BuildNumber, BuilderName, RequestId, SchedulerName, SlaveName, Timestamp,
};

/// One builder on one slave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttachmentView {
    /// The slave.
    pub slave: SlaveName,
    /// Its connection.
    pub session: SessionId,
    /// The builder.
    pub builder: BuilderName,
    /// What it does.
    pub state: AttachmentState,
}

/// States of section 13.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttachmentState {
    /// The handshake is going on.
    Attaching,
    /// It can take a build.
    Idle,
    /// It is pinged, before a build or on demand.
    Pinging {
        /// Whether a build is to start on it.
        starting: bool,
    },
    /// A build starts or runs on it.
    Building,
}

/// The instance of a latent slave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstanceView {
    /// The slave.
    pub slave: SlaveName,
    /// Its state.
    pub state: InstanceState,
    /// The builders of which a build waits for it.
    pub waiting: Vec<BuilderName>,
}

/// How far the instance of a latent slave is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum InstanceState {
    /// There is none.
    Down,
    /// It is being started.
    Starting,
    /// It was started; it may be attached or not.
    Up,
    /// It is being stopped.
    Stopping,
}

impl From<Stage> for InstanceState {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Down => Self::Down,
            Stage::Recording | Stage::Starting => Self::Starting,
            Stage::Up => Self::Up,
            Stage::Stopping => Self::Stopping,
        }
    }
}

impl BotMaster {
    /// The instances of all configured latent slaves, and those of others that are still being
    /// stopped.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceView> {
        let slaves = self.out.layout.slaves();
        let of = |(slave, placed): (SlaveIx, &PlacedSlave)| InstanceView {
            slave: placed.config.name.clone(),
            state: self.instances.stage(slave).into(),
            waiting: {
                let builders = self.instances.waiting_builders(slave).into_iter();
                builders
                    .map(|ix| self.out.layout.builder_name(ix))
                    .collect()
            },
        };
        let is_known = |(slave, placed): &(SlaveIx, &PlacedSlave)| {
            placed.latent().is_some() || self.instances.stage(*slave) != Stage::Down
        };
        slaves.filter(is_known).map(of).collect()
    }

    /// The big state of a builder (BLD-13).
    #[must_use]
    pub fn big_state(&self, builder: &BuilderName) -> Option<BigState> {
        let builder = self.out.layout.builder_named(builder)?;
        Some(self.states.of(builder))
    }

    /// The requests that wait for a builder, in the order in which they go.
    #[must_use]
    pub fn queued(&self, builder: &BuilderName) -> Vec<RequestId> {
        let ix = self.out.layout.builder_named(builder);
        let queue = ix.map(|ix| self.dispatch.queue(ix));
        queue
            .into_iter()
            .flat_map(|q| q.iter().map(|(_, id)| id))
            .collect()
    }

    /// How many requests wait for a builder.
    #[must_use]
    pub fn queue_length(&self, builder: &BuilderName) -> usize {
        let ix = self.out.layout.builder_named(builder);
        ix.map_or(0, |ix| self.dispatch.queue(ix).len())
    }

    /// The builds of a builder that have a number and have not ended, with their slaves.
    #[must_use]
    pub fn running(&self, builder: &BuilderName) -> Vec<(BuildNumber, SlaveName)> {
        let Some(ix) = self.out.layout.builder_named(builder) else {
            return Vec::new();
        };
        let numbered = self.builds.numbered(ix);
        numbered
            .map(|(number, attempt)| (number, self.out.layout.slave_name(attempt.slave)))
            .collect()
    }

    /// The future builds of a scheduler (SCB-04).
    #[must_use]
    pub fn pending_build_times(&self, scheduler: &SchedulerName) -> Vec<Timestamp> {
        self.intake
            .pending_build_times(scheduler, self.out.moment())
    }

    /// Every attachment, by slave and builder in the order of the configuration.
    #[must_use]
    pub fn attachments(&self) -> Vec<AttachmentView> {
        let mut all = Vec::new();
        for (slave, placed) in self.out.layout.slaves() {
            let Some(session) = self.roster.session(slave) else {
                continue;
            };
            for (builder, used_for) in self.roster.uses(slave) {
                all.push(AttachmentView {
                    slave: placed.config.name.clone(),
                    session: session.id,
                    builder: self.out.layout.builder_name(builder),
                    state: used_for.into(),
                });
            }
        }
        all
    }
}

impl From<Use> for AttachmentState {
    fn from(used_for: Use) -> Self {
        match used_for {
            Use::Attaching => Self::Attaching,
            Use::Idle => Self::Idle,
            Use::Pinged(starter) => Self::Pinging {
                starting: starter.is_some(),
            },
            Use::Building(_) => Self::Building,
        }
    }
}
