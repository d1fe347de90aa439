//! What a running master knows of itself beyond what is on disk, for those who look at it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attempt::Stage;
use super::ids::SlaveIx;
use super::roster::{Phase, Session};
use super::{Blocker, BlockerKind, BotMaster, InstanceState, LockWait};
use crate::config::LockScope;
use crate::model::{BuilderName, Refusal, RequestId, SlaveName, Timestamp, Unseen};

/// One moment of a running master. What is on disk is not in it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Live {
    /// The priorities of the configured builders (BRQ-09).
    pub priorities: BTreeMap<BuilderName, i32>,
    /// The configured slaves.
    pub slaves: BTreeMap<SlaveName, LiveSlave>,
    /// The requests whose build is being started: they wait no longer (BLD-03), and their build has
    /// no number yet.
    pub starting: BTreeMap<RequestId, Starting>,
    /// What waits for each builder for which something waits; absent where only what is on disk is
    /// known.
    #[serde(default)]
    pub queues: Option<BTreeMap<BuilderName, Queued>>,
    /// Why the first request of each builder that has one waits, in a sentence (MAS-10).
    #[serde(default)]
    pub waits: BTreeMap<BuilderName, String>,
    /// What is in the way of these requests.
    #[serde(default)]
    pub wait_kinds: BTreeMap<BuilderName, BlockerKind>,
    /// Every build and step that waits for locks, in order of arrival (LCK-11).
    pub locks: Vec<LockWait>,
    /// Connections that were refused, the latest first: not the core's to know, and added to its
    /// answer.
    pub refusals: Vec<Refusal>,
    /// How many connections were refused since the start of the master; likewise.
    #[serde(default)]
    pub refused_connections: u64,
}

/// What keeps a slave from builds that is not on disk, and its instance.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LiveSlave {
    /// Since when it is to be shut down when it is idle (SLV-08).
    pub graceful_since: Option<Timestamp>,
    /// When its process was told to shut down.
    pub told_to_end_at: Option<Timestamp>,
    /// Until when it is held back, because starts on it failed (BLD-12).
    pub held_until: Option<Timestamp>,
    /// The state of its instance and since when it is that, if it is a latent one.
    pub instance: Option<(InstanceState, Timestamp)>,
    /// When something was heard over its connection last: not the core's to know, and added to its
    /// answer.
    pub heard_at: Option<Timestamp>,
}

/// The requests that wait for a builder.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Queued {
    /// How many.
    pub count: u64,
    /// The one that is built next.
    pub first: RequestId,
    /// When the oldest was submitted (BLD-17).
    pub since: Timestamp,
}

/// A build that is being started.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Starting {
    /// Its builder.
    pub builder: BuilderName,
    /// The slave that was chosen.
    pub slave: SlaveName,
    /// Since when.
    pub since: Timestamp,
}

/// What is said in place of a sentence that names what its reader may not see.
const HIDDEN: &str = "something that is not shown to you is in the way";

impl Live {
    /// This moment as it is for somebody who may not see some of it (MAY-04).
    #[must_use]
    pub fn without(&self, unseen: &Unseen) -> Self {
        let mut live = self.clone();
        let is_shown = |name: &BuilderName| !unseen.builders.contains(name);
        live.priorities.retain(|name, _| is_shown(name));
        live.slaves.retain(|name, _| !unseen.slaves.contains(name));
        live.starting.retain(|_, start| is_shown(&start.builder));
        for start in live.starting.values_mut() {
            start.slave = unseen.slave(start.slave.clone());
        }
        match unseen.sources.is_empty() {
            true => {
                if let Some(queues) = &mut live.queues {
                    queues.retain(|name, _| is_shown(name));
                }
            }
            // What waits is counted in the state, where some of it is hidden.
            false => live.queues = None,
        }
        live.wait_kinds.retain(|name, _| is_shown(name));
        live.waits.retain(|name, _| is_shown(name));
        for text in live.waits.values_mut() {
            if unseen.names_one(text) {
                HIDDEN.clone_into(text);
            }
        }
        live.locks.retain(|wait| is_shown(&wait.builder));
        for block in live.locks.iter_mut().flat_map(|wait| &mut wait.blocks) {
            block.holders.retain(|holder| is_shown(&holder.builder));
            if let LockScope::Slave(slave) = &mut block.scope {
                *slave = unseen.slave(slave.clone());
            }
        }
        live.refusals.retain(|refusal| {
            let name = refusal.name.as_deref();
            name.is_none_or(|name| !unseen.slaves.iter().any(|slave| slave.as_str() == name))
        });
        live
    }
}

impl Blocker {
    /// Leaves out what names something that is hidden (MAY-04).
    pub fn leave_out(&mut self, unseen: &Unseen) {
        self.who.retain(|who| !unseen.names_one(who));
        if unseen.names_one(&self.text) {
            HIDDEN.clone_into(&mut self.text);
        }
    }
}

impl BotMaster {
    /// What there is to see now.
    #[must_use]
    pub fn live(&self) -> Live {
        let layout = &self.out.layout;
        let builders = layout.builders().filter(|(_, b)| b.is_configured);
        let slaves = layout.slaves().filter(|(_, s)| s.is_configured);
        let starting = self.builds.iter().flat_map(|(_, attempt)| {
            let starts = match attempt.stage {
                Stage::Substantiating | Stage::Pinging | Stage::Starting | Stage::Recording(..) => {
                    attempt.requests.as_slice()
                }
                Stage::Running(..) => &[],
            };
            let starting = Starting {
                builder: layout.builder_name(attempt.builder),
                slave: layout.slave_name(attempt.slave),
                since: attempt.chosen_at,
            };
            starts.iter().map(move |&id| (id, starting.clone()))
        });
        let blockers = self.first_blockers();
        Live {
            priorities: builders
                .map(|(_, builder)| (builder.config.name.clone(), builder.config.priority))
                .collect(),
            slaves: slaves
                .map(|(ix, slave)| (slave.config.name.clone(), self.live_slave(ix)))
                .collect(),
            starting: starting.collect(),
            queues: Some(self.queues()),
            wait_kinds: blockers
                .iter()
                .map(|(name, b)| (name.clone(), b.kind))
                .collect(),
            waits: blockers
                .into_iter()
                .map(|(name, b)| (name, b.text))
                .collect(),
            locks: self.lock_waits(),
            refusals: Vec::new(),
            refused_connections: 0,
        }
    }

    fn queues(&self) -> BTreeMap<BuilderName, Queued> {
        let builders = self.out.layout.builders();
        let queues = builders.filter_map(|(ix, builder)| {
            let queue = self.dispatch.queue(ix);
            let ((_, first), oldest) = (queue.first()?, queue.oldest()?);
            let queued = Queued {
                count: u64::try_from(queue.turns()).unwrap_or(u64::MAX),
                first,
                since: self.intake.request(oldest)?.request.submitted_at,
            };
            Some((builder.config.name.clone(), queued))
        });
        queues.collect()
    }

    /// Why the first request of each builder that has one waits.
    fn first_blockers(&self) -> BTreeMap<BuilderName, Blocker> {
        let builders = self.out.layout.builders();
        let waits = builders.filter_map(|(ix, builder)| {
            let (_, first) = self.dispatch.queue(ix).first()?;
            let blockers = self.why(first, &[])?;
            let blocker = blockers.into_iter().next()?;
            Some((builder.config.name.clone(), blocker))
        });
        waits.collect()
    }

    fn live_slave(&self, slave: SlaveIx) -> LiveSlave {
        let is_told = |session: &&Session| session.phase == Phase::ShuttingDown;
        let session = self.roster.session(slave).filter(is_told);
        let held = self.roster.held_until(slave);
        let instance = (
            self.instances.stage(slave).into(),
            self.instances.since(slave),
        );
        let is_latent = self.out.layout.slave(slave).latent().is_some();
        LiveSlave {
            graceful_since: self.roster.graceful_since(slave),
            told_to_end_at: session.map(|session| session.since),
            held_until: held.map(|until| self.out.now.wall + until.since(self.out.now.mono)),
            instance: is_latent.then_some(instance),
            heard_at: None,
        }
    }
}
