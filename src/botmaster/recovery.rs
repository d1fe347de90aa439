//! The core's beginning: the configuration laid out, and what the state knew taken up (MAS-06).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::BotMaster;
use super::builder::{Builder, BuilderIx};
use super::buildset::{Origin, set_result};
use super::event::Event;
use super::ledger::Effect;
use super::slave::{Slave, SlaveIx};
use crate::model::{Op, Recovered, Results};
use crate::schedulers::Registry;

impl BotMaster {
    /// Lays out builders and slaves, none of them connected.
    pub(super) fn configure(&mut self) {
        let config = Arc::clone(&self.config);
        for (ix, slave) in config.slaves.iter().enumerate() {
            self.slaves_by_name.insert(slave.name.clone(), SlaveIx(ix));
            self.slaves.push(Slave::new(Arc::clone(slave)));
        }
        for (ix, builder) in config.builders.iter().enumerate() {
            let ix = BuilderIx(ix);
            self.builders_by_name.insert(builder.name.clone(), ix);
            let number = self.next.build_of.get(&builder.name).copied();
            let mut laid_out = Builder::new(Arc::clone(builder), number.unwrap_or_default());
            for name in &builder.slaves {
                let Some(&slave) = self.slaves_by_name.get(name) else {
                    continue;
                };
                if !laid_out.slaves.contains(&slave) {
                    laid_out.slaves.push(slave);
                    self.slaves[slave.0].builders.push(ix);
                }
            }
            self.builders.push(laid_out);
            self.touched.insert(ix);
        }
        self.define_locks();
        let builders = config.builders.iter();
        self.persist(vec![Op::Configured {
            builders: builders
                .map(|b| (b.name.clone(), b.slaves.clone()))
                .collect(),
            slaves: config.slaves.iter().map(|s| s.name.clone()).collect(),
        }]);
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
            self.now.wall,
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
        let mut orphans = Vec::new();
        for request in recovered.requests {
            let id = request.id;
            let known = self.builders_by_name.contains_key(&request.builder);
            if !known {
                let why = format!("builder {} is no longer configured", request.builder);
                effects.push(Effect::Announce(Event::RequestCancelled {
                    request: id,
                    why,
                }));
                orphans.push((id, Results::Failure));
            }
            self.open.add_request(request);
            if known {
                self.enqueue(id, true);
            }
        }
        self.finish_requests(&orphans, &mut ops, &mut effects);
        self.persist_then(ops, effects);
    }
}
