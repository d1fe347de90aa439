//! The core's beginning: the configuration laid out, and what the state knew taken up (MAS-06).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::BotMaster;
use crate::config::{BuilderConfig, Config, SlaveConfig};
use crate::model::{Op, Recovered};

impl BotMaster {
    /// Lays out builders and slaves, none of them connected. `ops` rename builders.
    pub(super) fn configure(&mut self, config: &Arc<Config>, mut ops: Vec<Op>) {
        self.lay_out(config);
        self.take_up_removed_slaves();
        ops.push(self.out.layout.configured_op());
        ops.push(self.out.layout.steps_op(self.out.now.wall));
        self.out.persist(ops);
    }

    /// Slaves that are not configured any more, but have an instance still: it is stopped (LAT-07).
    fn take_up_removed_slaves(&mut self) {
        for name in self.roster.remembered_with_instance() {
            let removed = Arc::new(SlaveConfig::removed(name));
            let slave = self.out.layout.add_slave(removed);
            self.out.layout.remove_slave(slave);
            self.on_slave_added(slave);
        }
    }

    /// Queues the open requests at their old places and lets the schedulers go on (SCH-11).
    ///
    /// `ops` begin the epoch and end what the last run of the master left open. They are committed
    /// at once, and before all else that is confirmed: whatever depends on the epoch finds it on
    /// disk.
    pub(super) fn recover(&mut self, recovered: Recovered, mut ops: Vec<Op>) {
        let mut effects = Vec::new();
        self.intake
            .recover(&mut self.out, &recovered, &mut ops, &mut effects);
        let parents: BTreeMap<_, _> = recovered
            .sets
            .iter()
            .filter_map(|known| Some((known.set.id, known.set.parent.as_ref()?)))
            .collect();
        let mut queued = Vec::new();
        for request in recovered.requests {
            queued.push(request.id);
            let parent = parents.get(&request.set).copied();
            if self.out.layout.builder_named(&request.builder).is_none() {
                // It may come back (BST-09).
                let builder = BuilderConfig::named(request.builder.clone());
                let builder = self.out.layout.add_builder(Arc::new(builder));
                self.out.layout.remove_builder(builder);
                self.on_builder_added(builder);
            }
            self.intake.add_request(request, parent);
        }
        for (builder, slave) in &recovered.used_last {
            let builder = self.out.layout.builder_named(builder);
            let slave = self.out.layout.slave_named(slave);
            if let (Some(builder), Some(slave)) = (builder, slave) {
                self.dispatch.set_used_last(builder, slave);
            }
        }
        // A build has ended before the requests that it waited for are cancelled.
        self.out.persist_then(ops, effects);
        for request in queued {
            self.enqueue(request, true);
        }
    }
}
