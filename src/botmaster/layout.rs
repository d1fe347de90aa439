//! The configuration as it is laid out: the builders and slaves of this run, and who may build
//! where.
//!
//! Builders and slaves keep their places for as long as the master runs, whatever becomes of them,
//! so that a changed builder takes over from its predecessor by being it (BRC-02). Only a
//! reconfiguration changes anything here; all others read.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::ids::{BuilderIx, SlaveIx};
use crate::config::spelling::nearest;
use crate::config::{BuilderConfig, Config, LatentConfig, SlaveConfig};
use crate::model::{BuilderName, Op, SlaveName, Timestamp};

/// The builders and slaves.
#[derive(Debug)]
pub(super) struct Layout {
    config: Arc<Config>,
    builders: Vec<PlacedBuilder>,
    slaves: Vec<PlacedSlave>,
    builders_by_name: HashMap<BuilderName, BuilderIx>,
    slaves_by_name: HashMap<SlaveName, SlaveIx>,
}

/// A builder of this run.
#[derive(Debug)]
pub(super) struct PlacedBuilder {
    pub(super) config: Arc<BuilderConfig>,
    /// Whether the configuration has it. One that was removed keeps its place for the builds that
    /// still run, and for its return.
    pub(super) is_configured: bool,
    /// Its slaves, each once, in the order of its own list.
    pub(super) slaves: Vec<SlaveIx>,
}

/// A slave of this run.
#[derive(Debug)]
pub(super) struct PlacedSlave {
    pub(super) config: Arc<SlaveConfig>,
    /// Whether the configuration has it; one that was removed keeps its place for its return.
    pub(super) is_configured: bool,
    /// The builders that name it, in the order of the configuration.
    pub(super) builders: Vec<BuilderIx>,
}

/// What is different by a configuration.
#[derive(Debug)]
#[must_use]
pub(super) struct Relaid {
    /// Slaves that were removed, and then all slaves of the configuration.
    pub(super) slaves: Vec<(SlaveIx, Relay<SlaveConfig>)>,
    /// Builders that were removed, and then all builders of the configuration.
    pub(super) builders: Vec<(BuilderIx, Relay<BuilderConfig>)>,
    /// Builders that have other slaves, or in another order.
    pub(super) relinked: Vec<BuilderIx>,
}

/// What has become of a builder or a slave.
#[derive(Debug)]
pub(super) enum Relay<T> {
    Added,
    Removed,
    /// With its settings before, which may be the same, and whether it was removed before.
    Kept {
        old: Arc<T>,
        returns: bool,
    },
}

impl PlacedSlave {
    /// The settings of a slave that is started when it is wanted (section 15).
    pub(super) fn latent(&self) -> Option<&LatentConfig> {
        let latent = self.config.kind.latent();
        latent.filter(|_| self.is_configured)
    }

    /// Whether the slave is a latent one that is not stopped for want of builds.
    pub(super) fn never_idles(&self) -> bool {
        let latent = self.config.kind.latent();
        latent.is_some_and(|latent| latent.build_wait_timeout.is_none())
    }
}

impl Layout {
    /// Without builders and slaves: these are added one by one.
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            builders: Vec::new(),
            slaves: Vec::new(),
            builders_by_name: HashMap::new(),
            slaves_by_name: HashMap::new(),
        }
    }

    /// Takes a configuration, and says what is different by it.
    pub(super) fn set_config(&mut self, config: &Arc<Config>) -> Relaid {
        self.config = Arc::clone(config);
        Relaid {
            slaves: self.lay_out_slaves(config),
            builders: self.lay_out_builders(config),
            relinked: self.link(),
        }
    }

    /// Adds a slave, which is configured.
    pub(super) fn add_slave(&mut self, config: Arc<SlaveConfig>) -> SlaveIx {
        let slave = SlaveIx(self.slaves.len());
        self.slaves_by_name.insert(config.name.clone(), slave);
        self.slaves.push(PlacedSlave {
            config,
            is_configured: true,
            builders: Vec::new(),
        });
        slave
    }

    /// Adds a builder, which is configured.
    pub(super) fn add_builder(&mut self, config: Arc<BuilderConfig>) -> BuilderIx {
        let builder = BuilderIx(self.builders.len());
        self.builders_by_name.insert(config.name.clone(), builder);
        self.builders.push(PlacedBuilder {
            config,
            is_configured: true,
            slaves: Vec::new(),
        });
        builder
    }

    /// Marks a slave as removed from the configuration.
    pub(super) fn remove_slave(&mut self, slave: SlaveIx) {
        let placed = &mut self.slaves[slave.0];
        placed.is_configured = false;
        placed.builders.clear();
    }

    /// Marks a builder as removed from the configuration.
    pub(super) fn remove_builder(&mut self, builder: BuilderIx) {
        let placed = &mut self.builders[builder.0];
        placed.is_configured = false;
        placed.slaves.clear();
    }

    /// The configuration in force.
    pub(super) const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// A builder.
    pub(super) fn builder(&self, builder: BuilderIx) -> &PlacedBuilder {
        &self.builders[builder.0]
    }

    /// A slave.
    pub(super) fn slave(&self, slave: SlaveIx) -> &PlacedSlave {
        &self.slaves[slave.0]
    }

    /// Every builder, also those that were removed.
    pub(super) fn builders(&self) -> impl Iterator<Item = (BuilderIx, &PlacedBuilder)> {
        let builders = self.builders.iter().enumerate();
        builders.map(|(at, builder)| (BuilderIx(at), builder))
    }

    /// Every slave, also those that were removed.
    pub(super) fn slaves(&self) -> impl Iterator<Item = (SlaveIx, &PlacedSlave)> {
        let slaves = self.slaves.iter().enumerate();
        slaves.map(|(at, slave)| (SlaveIx(at), slave))
    }

    /// The places of all slaves.
    pub(super) fn slave_indexes(&self) -> impl Iterator<Item = SlaveIx> + use<> {
        (0..self.slaves.len()).map(SlaveIx)
    }

    /// The builder of this name, also one that was removed.
    pub(super) fn builder_named(&self, name: &BuilderName) -> Option<BuilderIx> {
        self.builders_by_name.get(name).copied()
    }

    /// The slave of this name, also one that was removed.
    pub(super) fn slave_named(&self, name: &SlaveName) -> Option<SlaveIx> {
        self.slaves_by_name.get(name).copied()
    }

    /// The builder of this name, if the configuration has it.
    pub(super) fn configured_builder(&self, name: &BuilderName) -> Option<BuilderIx> {
        let builder = self.builder_named(name)?;
        self.builder(builder).is_configured.then_some(builder)
    }

    /// The slave of this name, if the configuration has it.
    pub(super) fn configured_slave(&self, name: &SlaveName) -> Option<SlaveIx> {
        let slave = self.slave_named(name)?;
        self.slave(slave).is_configured.then_some(slave)
    }

    /// The name of a builder.
    pub(super) fn builder_name(&self, builder: BuilderIx) -> BuilderName {
        self.builder(builder).config.name.clone()
    }

    /// The name of a slave.
    pub(super) fn slave_name(&self, slave: SlaveIx) -> SlaveName {
        self.slave(slave).config.name.clone()
    }

    /// The answer about a builder that is not configured.
    pub(super) fn no_builder(&self, name: &BuilderName) -> String {
        let known = self.builders.iter().filter(|builder| builder.is_configured);
        let known = known.map(|builder| builder.config.name.as_str());
        unknown("builder", name.as_str(), known)
    }

    /// The answer about a slave that is not configured.
    pub(super) fn no_slave(&self, name: &SlaveName) -> String {
        let known = self.slaves.iter().filter(|slave| slave.is_configured);
        let known = known.map(|slave| slave.config.name.as_str());
        unknown("slave", name.as_str(), known)
    }

    /// What is to be stored of the configuration.
    pub(super) fn configured_op(&self) -> Op {
        let builders = self.config.builders.iter();
        Op::Configured {
            builders: builders
                .map(|b| (b.name.clone(), b.slaves.clone()))
                .collect(),
            slaves: self.config.slaves.iter().map(|s| s.name.clone()).collect(),
        }
    }

    /// The steps that are there now.
    pub(super) fn steps_op(&self, at: Timestamp) -> Op {
        let builders = self.config.builders.iter();
        let builders = builders.map(|builder| (builder.name.clone(), builder.step_names()));
        Op::StepsConfigured {
            builders: builders.collect(),
            at,
        }
    }

    fn lay_out_slaves(&mut self, config: &Config) -> Vec<(SlaveIx, Relay<SlaveConfig>)> {
        let kept: BTreeSet<_> = config.slaves.iter().map(|s| &s.name).collect();
        let mut changes = Vec::new();
        for slave in self.slave_indexes() {
            let placed = self.slave(slave);
            if placed.is_configured && !kept.contains(&placed.config.name) {
                self.remove_slave(slave);
                changes.push((slave, Relay::Removed));
            }
        }
        for new in &config.slaves {
            let Some(slave) = self.slave_named(&new.name) else {
                let slave = self.add_slave(Arc::clone(new));
                changes.push((slave, Relay::Added));
                continue;
            };
            let placed = &mut self.slaves[slave.0];
            let returns = !std::mem::replace(&mut placed.is_configured, true);
            let old = std::mem::replace(&mut placed.config, Arc::clone(new));
            changes.push((slave, Relay::Kept { old, returns }));
        }
        changes
    }

    fn lay_out_builders(&mut self, config: &Config) -> Vec<(BuilderIx, Relay<BuilderConfig>)> {
        let kept: BTreeSet<_> = config.builders.iter().map(|b| &b.name).collect();
        let mut changes = Vec::new();
        for builder in (0..self.builders.len()).map(BuilderIx) {
            let placed = self.builder(builder);
            if placed.is_configured && !kept.contains(&placed.config.name) {
                self.remove_builder(builder);
                changes.push((builder, Relay::Removed));
            }
        }
        for new in &config.builders {
            let Some(builder) = self.builder_named(&new.name) else {
                let builder = self.add_builder(Arc::clone(new));
                changes.push((builder, Relay::Added));
                continue;
            };
            let placed = &mut self.builders[builder.0];
            let returns = !std::mem::replace(&mut placed.is_configured, true);
            let old = std::mem::replace(&mut placed.config, Arc::clone(new));
            changes.push((builder, Relay::Kept { old, returns }));
        }
        changes
    }

    /// Lays out who may build where, in the order of the configuration; answers the builders that
    /// have other slaves now, or in another order.
    fn link(&mut self) -> Vec<BuilderIx> {
        for slave in &mut self.slaves {
            slave.builders.clear();
        }
        let mut changed = Vec::new();
        for config in &self.config.builders {
            let Some(&builder) = self.builders_by_name.get(&config.name) else {
                continue;
            };
            let slaves = &self.builders[builder.0].slaves;
            if is_list_of(&self.slaves, slaves, &config.slaves) {
                for slave in slaves {
                    self.slaves[slave.0].builders.push(builder);
                }
                continue;
            }
            let mut slaves = Vec::with_capacity(config.slaves.len());
            for name in &config.slaves {
                let Some(&slave) = self.slaves_by_name.get(name) else {
                    continue;
                };
                // The builders of a slave end with this one if it is listed already.
                let builders = &mut self.slaves[slave.0].builders;
                if builders.last() != Some(&builder) {
                    builders.push(builder);
                    slaves.push(slave);
                }
            }
            let placed = &mut self.builders[builder.0];
            if placed.slaves != slaves {
                placed.slaves = slaves;
                changed.push(builder);
            }
        }
        changed
    }
}

/// Whether these places are those of the names, in the same order. Much cheaper than looking them
/// up, and true of almost all builders at a reconfigure.
fn is_list_of(all: &[PlacedSlave], places: &[SlaveIx], names: &[SlaveName]) -> bool {
    let is_of = |(place, name): (&SlaveIx, &SlaveName)| all[place.0].config.name == *name;
    places.len() == names.len() && places.iter().zip(names).all(is_of)
}

/// Says that a name is unknown, and which one may be meant.
fn unknown<'k>(kind: &str, name: &str, known: impl Iterator<Item = &'k str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no {kind} {name}; did you mean {near}?"),
        None => format!("there is no {kind} {name}"),
    }
}
