//! Slaves, and connections that were refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Moment, json};
use crate::botmaster::{InstanceState, Live, LiveSlave};
use crate::config::Config;
use crate::model::{self, BuilderName, SlaveName, Timestamp};
use crate::store::read::{SlaveRow, VisitRow};
use crate::store::{State, StoreError};

/// A slave.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Slave {
    /// Its name.
    pub name: SlaveName,
    /// Whether it is connected.
    pub connected: bool,
    /// Since when it is connected.
    #[serde(serialize_with = "json::time_if_any")]
    pub connected_since: Option<Timestamp>,
    /// When something was last heard of it, as far as that is known.
    #[serde(serialize_with = "json::time_if_any")]
    pub last_seen: Option<Timestamp>,
    /// What it tells of itself.
    pub info: BTreeMap<String, String>,
    /// The builders that it may build for.
    pub builders: Vec<BuilderName>,
    /// Whether people keep it from builds (SLV-09).
    pub paused: Option<Pause>,
    /// Since when it is to be shut down when it is idle (SLV-08).
    #[serde(serialize_with = "json::time_if_any")]
    pub graceful_since: Option<Timestamp>,
    /// When its process was told to shut down.
    #[serde(serialize_with = "json::time_if_any")]
    pub told_to_end_at: Option<Timestamp>,
    /// Until when it is held back, because builds failed to start on it (BLD-12).
    #[serde(serialize_with = "json::time_if_any")]
    pub held_until: Option<Timestamp>,
    /// The instance of a latent slave.
    pub instance: Option<Instance>,
    /// Connections under its name that were refused, the latest first.
    pub refused: Vec<Refusal>,
    /// While it is not connected: refused connections under no slave's name, which may be its own.
    pub refused_others: Vec<Refusal>,
}

/// A pause of a slave or of a builder.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Pause {
    /// Since when.
    #[serde(serialize_with = "json::time")]
    pub since: Timestamp,
    /// Who paused it; empty if they did not say.
    pub by: String,
    /// Why; empty if they did not say.
    pub reason: String,
}

impl From<model::Pause> for Pause {
    fn from(pause: model::Pause) -> Self {
        Self {
            since: pause.since,
            by: pause.by,
            reason: pause.reason,
        }
    }
}

/// A time for which a slave was connected.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Visit {
    /// When it came.
    #[serde(serialize_with = "json::time")]
    pub came_at: Timestamp,
    /// When it went; null while it is connected.
    #[serde(serialize_with = "json::time_if_any")]
    pub went_at: Option<Timestamp>,
}

impl From<VisitRow> for Visit {
    fn from(row: VisitRow) -> Self {
        Self {
            came_at: row.came_at,
            went_at: row.went_at,
        }
    }
}

/// The instance of a latent slave.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Instance {
    /// `down`, `starting`, `up` or `stopping`.
    pub state: &'static str,
    /// Since when.
    #[serde(serialize_with = "json::time")]
    pub since: Timestamp,
}

/// Connections that were refused for one reason, under one name and from one address.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Refusal {
    /// The name that was given; absent if the peer did not come that far.
    pub name: Option<String>,
    /// The address without its port; `unix` for a Unix socket.
    pub address: String,
    /// Why they were refused.
    pub why: String,
    /// When the first was refused.
    #[serde(serialize_with = "json::time")]
    pub first_at: Timestamp,
    /// When the last was refused.
    #[serde(serialize_with = "json::time")]
    pub last_at: Timestamp,
    /// How many were refused.
    pub times: u64,
}

impl Slave {
    /// Its newest visits, the latest first; as many as are kept.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn visits(&self, state: &State) -> Result<Vec<Visit>, StoreError> {
        let rows = state.visits(&self.name)?.into_iter();
        Ok(rows.map(Visit::from).collect())
    }

    /// All slaves: of a running master as it knows them, of a stopped one as `config` lists them.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn all(
        state: Option<&State>,
        config: Option<&Config>,
        live: &Live,
        moment: Moment,
    ) -> Result<Vec<Self>, StoreError> {
        let mut rows = state.map_or_else(|| Ok(Vec::new()), State::slaves)?;
        if let Some(config) = config
            && (!moment.is_running || rows.is_empty())
        {
            rows = configured(config, rows);
        }
        let names: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
        let is_slave = |refusal: &&model::Refusal| {
            let name = refusal.name.as_deref();
            name.is_some_and(|name| names.iter().any(|slave| slave.as_str() == name))
        };
        let refusals = live.refusals.iter();
        let (of_slaves, others): (Vec<_>, Vec<_>) = refusals.partition(is_slave);
        let others: Vec<_> = others.into_iter().map(Refusal::from).collect();
        let see = |row: SlaveRow| {
            let own = of_slaves
                .iter()
                .filter(|refusal| refusal.name.as_deref() == Some(row.name.as_str()));
            let own = own.copied().map(Refusal::from).collect();
            let known = live.slaves.get(&row.name).cloned();
            let mut slave = Self::new(row, &known.unwrap_or_default(), moment);
            slave.refused = own;
            if !slave.connected {
                slave.refused_others.clone_from(&others);
            }
            slave
        };
        Ok(rows.into_iter().map(see).collect())
    }

    /// Whether it should be connected and is not. A latent slave without an instance should not be.
    #[must_use]
    pub fn is_away(&self) -> bool {
        let is_down = |instance: &Instance| instance.state == word(InstanceState::Down);
        !self.connected && !self.instance.as_ref().is_some_and(is_down)
    }

    /// A slave on record, with what a running master knows.
    #[must_use]
    pub fn new(row: SlaveRow, live: &LiveSlave, moment: Moment) -> Self {
        let connected = row.connected && moment.is_running;
        Self {
            name: row.name,
            connected,
            connected_since: row.seen_at.filter(|_| connected),
            last_seen: live.heard_at.or(row.heard_at).or(row.seen_at),
            info: row.info,
            builders: row.builders,
            paused: row.paused.map(Pause::from),
            graceful_since: live.graceful_since,
            told_to_end_at: live.told_to_end_at,
            held_until: live.held_until,
            instance: live.instance.map(|(state, since)| Instance {
                state: word(state),
                since,
            }),
            refused: Vec::new(),
            refused_others: Vec::new(),
        }
    }
}

impl From<&model::Refusal> for Refusal {
    fn from(refusal: &model::Refusal) -> Self {
        Self {
            name: refusal.name.clone(),
            address: refusal.address.clone(),
            why: refusal.why.clone(),
            first_at: refusal.first_at,
            last_at: refusal.last_at,
            times: refusal.times,
        }
    }
}

const fn word(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Down => "down",
        InstanceState::Starting => "starting",
        InstanceState::Up => "up",
        InstanceState::Stopping => "stopping",
    }
}

/// The slaves of `config` in its order, with what is on record of them.
fn configured(config: &Config, mut known: Vec<SlaveRow>) -> Vec<SlaveRow> {
    let slaves = config.slaves.iter().map(|slave| {
        if let Some(place) = known.iter().position(|row| row.name == slave.name) {
            return known.swap_remove(place);
        }
        let builders = config.builders.iter();
        let builders = builders.filter(|builder| builder.slaves.contains(&slave.name));
        SlaveRow {
            name: slave.name.clone(),
            connected: false,
            seen_at: None,
            heard_at: None,
            paused: None,
            info: BTreeMap::new(),
            builders: builders.map(|builder| builder.name.clone()).collect(),
        }
    });
    slaves.collect()
}
