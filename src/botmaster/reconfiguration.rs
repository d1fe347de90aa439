//! Another configuration while the master runs (BRC-01 to BRC-07, SLV-11, SLV-12, SCB-09 to SCB-11,
//! MAS-03, MAS-04).
//!
//! Builders and slaves keep their places for as long as the master runs, whatever becomes of them,
//! so that a changed builder takes over from its predecessor by being it: its queue, its
//! attachments, its running builds and its numbers stay where they are (BRC-02). A running build
//! has its own plan and does not notice (BRC-03).
//!
//! Invariant: what comes in here has been checked, and nothing here can fail: a configuration is
//! taken whole.

use std::sync::Arc;

use super::dispatch::Judge;
use super::ids::{BuilderIx, SlaveIx};
use super::layout::Relay;
use super::ledger::Effect;
use super::timers::Timer;
use super::{Answer, BotMaster, BuilderPoint, MasterEvent, ReplyId};
use crate::config::{BuilderConfig, Config, SlaveConfig};

impl BotMaster {
    /// Puts the configuration in force, unless something prevents that. The reply does not wait for
    /// the disk: the parts outside the core must follow, also while the disk takes no writes.
    pub(super) fn on_reconfigured(&mut self, config: Arc<Config>, dry_run: bool, reply: ReplyId) {
        if !self.phase.takes_slaves() {
            self.out
                .reply(reply, Err("the master is shutting down".to_owned()));
            return;
        }
        if let Some(why) = self.refuse_locks(&config) {
            self.out.reply(reply, Err(why));
            return;
        }
        let renames = match self.renames(&config) {
            Ok(renames) => renames,
            Err(why) => {
                self.out.reply(reply, Err(why));
                return;
            }
        };
        if dry_run {
            self.out.reply(reply, Ok(Answer::Done));
            return;
        }
        self.out.reply(reply, Ok(Answer::Done));
        let mut effects = vec![Effect::Announce(MasterEvent::Reconfigured.into())];
        if **self.out.layout.config() == *config {
            self.out.persist_then(Vec::new(), effects);
            return;
        }
        let mut ops = self.take_over_names(&renames);
        self.lay_out(&config);
        self.take_over_queues(&renames);
        ops.push(self.out.layout.configured_op());
        ops.push(self.out.layout.steps_op(self.out.now.wall));
        self.intake
            .reconfigure(&mut self.out, &mut ops, &mut effects);
        self.out.persist_then(ops, effects);
    }

    /// Brings builders, slaves and what is between them in line with the configuration.
    pub(super) fn lay_out(&mut self, config: &Arc<Config>) {
        self.out.finish_failures();
        let old = Arc::clone(self.out.layout.config());
        let same_names = old.values == config.values && old.properties == config.properties;
        let relaid = self.out.layout.set_config(config);
        let dismissed = self.lay_out_slaves(relaid.slaves);
        self.lay_out_builders(relaid.builders, same_names);
        for builder in relaid.relinked {
            let slaves = &self.out.layout.builder(builder).slaves;
            self.dispatch.set_order(builder, slaves);
        }
        self.define_locks();
        for (slave, why) in dismissed {
            self.roster.drop_session(&mut self.out, slave, why);
        }
        for slave in self.out.layout.slave_indexes() {
            self.lay_out_instance(slave);
            self.roster.part_and_meet(&mut self.out, slave);
        }
        self.review_holds();
    }

    /// Answers the slaves whose connection must end, and why.
    fn lay_out_slaves(
        &mut self,
        changes: Vec<(SlaveIx, Relay<SlaveConfig>)>,
    ) -> Vec<(SlaveIx, &'static str)> {
        let mut dismissed = Vec::new();
        for (slave, change) in changes {
            match change {
                Relay::Added => self.on_slave_added(slave),
                Relay::Removed => {
                    dismissed.push((slave, "it was removed from the configuration"));
                }
                Relay::Kept { old, .. } => {
                    let new = &self.out.layout.slave(slave).config;
                    if old.kind.name() != new.kind.name() {
                        dismissed.push((slave, "its kind was changed in the configuration"));
                    }
                    if old.kind != new.kind {
                        // It may be another wait from now on.
                        self.out.timers.cancel(Timer::InstanceIdle(slave));
                    }
                    self.dispatch.set_max_builds(slave, new.max_builds);
                    self.learn_facts(slave);
                }
            }
        }
        dismissed
    }

    /// A slave that this run of the master has not had yet, with what an earlier one knew of it.
    pub(super) fn on_slave_added(&mut self, slave: SlaveIx) {
        let max_builds = self.out.layout.slave(slave).config.max_builds;
        self.dispatch.add_slave();
        self.dispatch.set_max_builds(slave, max_builds);
        let instance = self.roster.add_slave(&mut self.out, slave);
        self.instances.add_slave(&mut self.out, slave, instance);
        self.learn_facts(slave);
    }

    /// A builder that this run of the master has not had yet.
    pub(super) fn on_builder_added(&mut self, builder: BuilderIx) {
        let config = &self.out.layout.builder(builder).config;
        self.dispatch.add_builder(config.merging);
        self.apply_queue_rules(builder);
        self.states.add_builder();
        self.recall_pause(builder);
    }

    /// `same_names` says whether the names that expressions see mean what they meant.
    fn lay_out_builders(
        &mut self,
        changes: Vec<(BuilderIx, Relay<BuilderConfig>)>,
        same_names: bool,
    ) {
        for (builder, change) in changes {
            match change {
                Relay::Added => {
                    self.on_builder_added(builder);
                    self.states.touch(builder);
                }
                Relay::Removed => {
                    if self.dispatch.queue(builder).len() > 0 {
                        self.await_return(builder);
                    }
                }
                Relay::Kept { old, returns } => {
                    if returns {
                        self.out.timers.cancel(Timer::Orphans(builder));
                        self.states.touch(builder);
                    }
                    self.on_builder_changed(builder, &old, same_names);
                }
            }
        }
    }

    fn on_builder_changed(&mut self, builder: BuilderIx, old: &BuilderConfig, same_names: bool) {
        let new = Arc::clone(&self.out.layout.builder(builder).config);
        let has_expressions = new.queue.have_expressions() || !new.slave_rules.are_empty();
        let same_rules = old.merging == new.merging
            && old.queue == new.queue
            && old.slave_rules == new.slave_rules;
        if !same_rules || has_expressions && !same_names {
            self.apply_queue_rules(builder);
        }
        if old.slave_check != new.slave_check {
            self.forget_checks_of_builder(builder);
        }
        if *old != *new {
            self.out.point(builder, None, BuilderPoint::ConfigUpdated);
        }
    }

    /// The rules by which requests of a builder find their places, builds and slaves, for all that
    /// wait too (CFL-79).
    fn apply_queue_rules(&mut self, builder: BuilderIx) {
        let config = self.out.layout.config();
        let new = &self.out.layout.builder(builder).config;
        let waiting = self.dispatch.queue(builder).iter();
        let waiting: Vec<_> = waiting.map(|(_, id)| id).collect();
        let waiting = self.intake.requests(&waiting);
        let merging = (new.merging, new.queue.merge_limit);
        let judge = Judge::of(config, new);
        self.dispatch
            .set_queue_rules(builder, merging, judge, waiting.into_iter());
    }
}
