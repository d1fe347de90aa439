//! Builders.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::queue::queues;
use super::slave::Pause;
use super::{Moment, Scheduler, Tree, json};
use crate::botmaster::Live;
use crate::config::{BuilderConfig, Config};
use crate::model::{BuildNumber, BuilderName, Results, SlaveName, Timestamp};
use crate::store::read::BuilderRow;
use crate::store::{State, StoreError};

/// A builder.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Builder {
    /// Its name.
    pub name: BuilderName,
    /// Its description in the configuration; absent if that cannot be read.
    pub description: Option<String>,
    /// Its tags in the configuration; absent if that cannot be read.
    pub tags: Option<Vec<String>>,
    /// Its big state: `offline`, `idle` or `building` (BLD-13).
    pub state: String,
    /// The slaves that may build for it.
    pub slaves: Vec<SlaveName>,
    /// How it is paused; null if it is not.
    pub paused: Option<Pause>,
    /// How many requests wait for it.
    pub pending: u64,
    /// When the oldest of these was submitted (BLD-17).
    #[serde(serialize_with = "json::time_if_any")]
    pub pending_since: Option<Timestamp>,
    /// Changes for it that wait in schedulers.
    pub waiting: Vec<Tree>,
    /// The builds that run, by number.
    pub running: Vec<Running>,
    /// The last build that has ended and was no try.
    pub last: Option<LastBuild>,
}

/// A build that runs.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Running {
    /// Its number.
    pub number: BuildNumber,
    /// Its slave.
    pub slave: SlaveName,
}

/// A build that has ended.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LastBuild {
    /// Its number.
    pub number: BuildNumber,
    /// Its result.
    pub result: Results,
    /// When it ended.
    #[serde(serialize_with = "json::time")]
    pub finished_at: Timestamp,
}

impl Builder {
    /// All builders: of a running master as it knows them, of a stopped one as `config` lists them.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn all(
        state: Option<&State>,
        config: Option<&Config>,
        live: &Live,
        moment: Moment,
    ) -> Result<Vec<Self>, StoreError> {
        let mut rows = state.map_or_else(|| Ok(Vec::new()), State::builders)?;
        if !moment.is_running {
            for row in &mut rows {
                OFFLINE.clone_into(&mut row.state);
            }
        }
        if let Some(config) = config
            && (!moment.is_running || rows.is_empty())
        {
            rows = configured(config, rows);
        }
        let queues = state.map_or_else(|| Ok(BTreeMap::new()), |state| queues(state, live))?;
        let configs = config.into_iter().flat_map(|config| &config.schedulers);
        let schedulers = Scheduler::all(state, configs.map(AsRef::as_ref), moment.now)?;
        let configs = config.into_iter().flat_map(|config| &config.builders);
        let configs: BTreeMap<_, _> = configs.map(|config| (&config.name, &**config)).collect();
        let see = |row: BuilderRow| {
            let config = configs.get(&row.name).copied();
            let queue = queues.get(&row.name).copied();
            Self::new(row, queue, config, &schedulers)
        };
        Ok(rows.into_iter().map(see).collect())
    }

    /// A configured builder, as [`Builder::all`] has it of a running master; absent if there is
    /// none of this name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(
        state: &State,
        config: &Config,
        live: &Live,
        moment: Moment,
        name: &BuilderName,
    ) -> Result<Option<Self>, StoreError> {
        let Some(row) = state.builder(name)? else {
            return Ok(None);
        };
        let queue = queues(state, live)?.remove(name);
        let schedulers = config.schedulers.iter().map(AsRef::as_ref);
        let schedulers = Scheduler::all(Some(state), schedulers, moment.now)?;
        let config = config.builder(name.as_str());
        let config = config.map(AsRef::as_ref);
        Ok(Some(Self::new(row, queue, config, &schedulers)))
    }

    /// A builder on record, with how many requests wait for it and since when, and what the
    /// configuration says of it.
    #[must_use]
    fn new(
        row: BuilderRow,
        queue: Option<(u64, Timestamp)>,
        config: Option<&BuilderConfig>,
        schedulers: &[Scheduler],
    ) -> Self {
        let waiting = schedulers
            .iter()
            .flat_map(|scheduler| scheduler.waiting_for(&row.name));
        let running = row.building.into_iter();
        Self {
            description: config.map(|config| config.description.clone()),
            tags: config.map(|config| config.tags.clone()),
            state: row.state,
            slaves: row.slaves,
            paused: row.paused.map(Pause::from),
            pending: queue.map_or(0, |(count, _)| count),
            pending_since: queue.map(|(_, since)| since),
            waiting: waiting.cloned().collect(),
            running: running
                .map(|(number, slave)| Running { number, slave })
                .collect(),
            last: row.last.map(|(number, result, finished_at)| LastBuild {
                number,
                result,
                finished_at,
            }),
            name: row.name,
        }
    }
}

/// The builders of `config` in its order, with what is on record of them.
fn configured(config: &Config, mut known: Vec<BuilderRow>) -> Vec<BuilderRow> {
    let builders = config.builders.iter().map(|builder| {
        if let Some(place) = known.iter().position(|row| row.name == builder.name) {
            return known.swap_remove(place);
        }
        BuilderRow {
            name: builder.name.clone(),
            state: OFFLINE.to_owned(),
            slaves: builder.slaves.clone(),
            paused: None,
            building: Vec::new(),
            last: None,
        }
    });
    builders.collect()
}

const OFFLINE: &str = "offline";
