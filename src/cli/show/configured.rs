//! What the configuration file says, where the state does not know it: of a master that was never started, or that is
//! stopped.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::configuration::{self, CONFIG_FILE};
use crate::config::{BuilderConfig, Config};
use crate::model::BuilderName;
use crate::store::read::{BuilderRow, SlaveRow};

/// The configuration of the master in `basedir`, if it can be read.
pub(super) fn read(basedir: &Path) -> Option<Config> {
    let reading = configuration::read(&basedir.join(CONFIG_FILE));
    reading.ok().and_then(|reading| reading.config)
}

/// What is configured of each builder.
pub(super) fn by_name(config: Option<&Config>) -> BTreeMap<&BuilderName, &BuilderConfig> {
    let builders = config.into_iter().flat_map(|config| &config.builders);
    builders
        .map(|builder| (&builder.name, &**builder))
        .collect()
}

/// The builders of `config` in its order, with what is known of them.
pub(super) fn builders(config: &Config, mut known: Vec<BuilderRow>) -> Vec<BuilderRow> {
    let builders = config.builders.iter().map(|builder| {
        let place = known.iter().position(|row| row.name == builder.name);
        place
            .map(|place| known.swap_remove(place))
            .unwrap_or_else(|| BuilderRow {
                name: builder.name.clone(),
                state: "offline".to_owned(),
                slaves: builder.slaves.clone(),
                pending: 0,
                pending_since: None,
                building: Vec::new(),
                last: None,
            })
    });
    builders.collect()
}

/// The slaves of `config` in its order, with what is known of them.
pub(super) fn slaves(config: &Config, mut known: Vec<SlaveRow>) -> Vec<SlaveRow> {
    let slaves = config.slaves.iter().map(|slave| {
        let place = known.iter().position(|row| row.name == slave.name);
        let builders = config.builders.iter();
        let builders = builders.filter(|builder| builder.slaves.contains(&slave.name));
        place
            .map(|place| known.swap_remove(place))
            .unwrap_or_else(|| SlaveRow {
                name: slave.name.clone(),
                connected: false,
                seen_at: None,
                heard_at: None,
                paused: None,
                info: Default::default(),
                builders: builders.map(|builder| builder.name.clone()).collect(),
            })
    });
    slaves.collect()
}
