//! The core's beginning: the configuration laid out, and what the state knew taken up (MAS-06).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::BotMaster;
use super::buildset::{Origin, set_result};
use super::event::Event;
use super::ledger::Effect;
use crate::config::{BuilderConfig, SlaveConfig};
use crate::model::{Op, Recovered};
use crate::schedulers::Registry;

impl BotMaster {
    /// Lays out builders and slaves, none of them connected.
    pub(super) fn configure(&mut self) {
        self.lay_out();
        self.take_up_removed_slaves();
        let configured = self.configured_op();
        self.persist(vec![configured]);
    }

    /// Slaves that are not configured any more, but have an instance still: it is stopped (LAT-07).
    fn take_up_removed_slaves(&mut self) {
        let remembered = self.remembered.iter();
        let running = remembered.filter(|(_, known)| known.instance.is_some());
        for name in running.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let slave = self.add_slave(Arc::new(SlaveConfig::removed(name)));
            self.slaves[slave.0].configured = false;
        }
    }

    /// Queues the open requests at their old places and lets the schedulers go on (SCH-11).
    pub(super) fn recover(&mut self, recovered: Recovered) {
        let mut ops = Vec::new();
        let mut effects = Vec::new();
        // They come first, since sets that end now may have watchers (DEP-07).
        let (schedulers, wanted) = Registry::new(
            &self.config.schedulers,
            &recovered.schedulers,
            &recovered.changes,
            self.moment(),
        );
        self.schedulers = schedulers;
        self.take_effects(wanted, &mut ops, &mut effects);
        let mut open_requests: BTreeMap<_, usize> = BTreeMap::new();
        for request in &recovered.requests {
            *open_requests.entry(request.set).or_default() += 1;
        }
        for it in &recovered.sets {
            let id = it.set.id;
            if open_requests.contains_key(&id) {
                self.open.add(&it.set, &it.finished);
                continue;
            }
            // Nothing is left that would end it.
            let failed = it.finished.iter().any(|(_, r)| !r.is_success_like());
            let result = set_result(failed);
            let at = self.now.wall;
            ops.push(Op::SetFinished {
                set: id,
                result,
                at,
            });
            effects.push(Effect::Announce(Event::SetFinished { set: id, result }));
            self.tell_set_finished(&Origin::of(&it.set), result, &mut ops, &mut effects);
        }
        for request in recovered.requests {
            let id = request.id;
            if !self.builders_by_name.contains_key(&request.builder) {
                // It may come back (BST-09).
                let builder = BuilderConfig::removed(request.builder.clone());
                let ix = self.add_builder(Arc::new(builder));
                self.builders[ix.0].configured = false;
            }
            self.open.add_request(request);
            self.enqueue(id, true);
        }
        self.persist_then(ops, effects);
    }
}
