//! Another configuration while the master runs (BRC-01 to BRC-07, SLV-11, SLV-12, SCB-09 to SCB-11, MAS-03, MAS-04).
//!
//! Builders and slaves keep their places for as long as the master runs, whatever becomes of them, so that a changed
//! builder takes over from its predecessor by being it: its queue, its attachments, its running builds and its
//! numbers stay where they are (BRC-02). A running build has its own plan and does not notice (BRC-03). A slave
//! hears of its builders only when what it was told is no longer true, and a build that runs keeps its builder
//! on the slave until it has ended (BRC-05), since a slave kills what runs for a builder that it is no longer told.
//!
//! Invariant: what comes in here has been checked, and nothing here can fail: a configuration is taken whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempt::Attempt;
use super::ids::{BuilderIx, SlaveIx};
use super::layout::Relay;
use super::ledger::Effect;
use super::slave::{BuilderList, Phase, Slave};
use super::timers::Timer;
use super::{Answer, BotMaster, BuilderPoint, Event, ReplyId, SlaveCommand};
use crate::config::{BuilderConfig, Config, SlaveConfig};
use crate::model::Results;

impl BotMaster {
    /// The configuration is in force when this returns, if nothing speaks against it. Who asked is told at once, not
    /// when that is on record: what is outside the core must follow, also while the disk takes no writes.
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
        if dry_run {
            self.out.reply(reply, Ok(Answer::Done));
            return;
        }
        self.out.reply(reply, Ok(Answer::Done));
        let mut effects = vec![Effect::Announce(Event::Reconfigured)];
        if **self.out.layout.config() == *config {
            self.out.persist_then(Vec::new(), effects);
            return;
        }
        self.lay_out(&config);
        let mut ops = vec![self.out.layout.configured_op()];
        self.intake
            .reconfigure(&mut self.out, &mut ops, &mut effects);
        self.out.persist_then(ops, effects);
    }

    /// Brings builders, slaves and what is between them in line with the configuration.
    pub(super) fn lay_out(&mut self, config: &Arc<Config>) {
        let relaid = self.out.layout.set_config(config);
        let dismissed = self.lay_out_slaves(relaid.slaves);
        self.lay_out_builders(relaid.builders);
        for builder in relaid.relinked {
            let slaves = &self.out.layout.builder(builder).slaves;
            self.dispatch.set_order(builder, slaves);
        }
        self.define_locks();
        for (slave, why) in dismissed {
            self.drop_session(slave, why);
        }
        for slave in self.out.layout.slave_indexes() {
            self.lay_out_instance(slave);
            self.part_and_meet(slave);
            self.review(slave);
            self.sync_builder_list(slave);
            self.watch_absence(slave);
        }
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
                }
            }
        }
        dismissed
    }

    /// A slave that this run of the master has not had yet, with what an earlier one knew of it.
    pub(super) fn on_slave_added(&mut self, slave: SlaveIx) {
        let config = &self.out.layout.slave(slave).config;
        let known = self.remembered.remove(&config.name).unwrap_or_default();
        self.dispatch.add_slave();
        self.dispatch.set_max_builds(slave, config.max_builds);
        let mut new = Slave::new(self.out.now);
        new.seen_at = known.seen_at;
        new.missed = known.missed;
        new.info = known.info;
        new.paused = known.paused;
        self.slaves.push(new);
        if let Some(instance) = known.instance {
            self.inherit_instance(slave, instance);
        }
    }

    /// A builder that this run of the master has not had yet.
    pub(super) fn on_builder_added(&mut self, builder: BuilderIx) {
        let config = &self.out.layout.builder(builder).config;
        self.dispatch.add_builder(config.merging);
        self.states.add_builder();
    }

    fn lay_out_builders(&mut self, changes: Vec<(BuilderIx, Relay<BuilderConfig>)>) {
        for (builder, change) in changes {
            match change {
                Relay::Added => {
                    self.on_builder_added(builder);
                    self.states.touch(builder);
                }
                Relay::Removed => {
                    if self.dispatch.queue(builder).first().is_some() {
                        self.await_return(builder);
                    }
                }
                Relay::Kept { old, returns } => {
                    if returns {
                        self.out.timers.cancel(Timer::Orphans(builder));
                        self.states.touch(builder);
                    }
                    self.on_builder_changed(builder, &old);
                }
            }
        }
    }

    fn on_builder_changed(&mut self, builder: BuilderIx, old: &BuilderConfig) {
        let new = &self.out.layout.builder(builder).config;
        if *old == **new {
            return;
        }
        if old.merging != new.merging {
            let waiting = self.dispatch.queue(builder).iter();
            let waiting: Vec<_> = waiting.map(|(_, id)| id).collect();
            let waiting = self.intake.requests(&waiting);
            self.dispatch
                .set_merging(builder, new.merging, waiting.into_iter());
        }
        self.out.point(builder, None, BuilderPoint::ConfigUpdated);
    }

    /// Ends attachments of builders that have no use for the slave any more; a build that runs is waited for.
    fn part_and_meet(&mut self, slave: SlaveIx) {
        let it = &mut self.slaves[slave.0];
        let wanted: BTreeSet<_> = self
            .out
            .layout
            .slave(slave)
            .builders
            .iter()
            .copied()
            .collect();
        it.leaving.retain(|builder| !wanted.contains(builder));
        if let Some(session) = &mut it.session {
            let is_as_told =
                |b: &BuilderIx, dir: &str| self.out.layout.builder(*b).config.slavebuilddir == dir;
            let failed = &mut session.failed;
            failed.retain(|b, failed| wanted.contains(b) && is_as_told(b, &failed.dir));
        }
        let unwanted = it.slavebuilders.keys().filter(|b| !wanted.contains(b));
        for builder in unwanted.copied().collect::<Vec<_>>() {
            if self.runs(slave, builder) {
                self.slaves[slave.0].leaving.insert(builder);
            } else {
                self.leave(slave, builder);
            }
        }
    }

    /// Rows 19 and BRC-05: the attachment ends; a build that was being started there is started elsewhere.
    pub(super) fn leave(&mut self, slave: SlaveIx, builder: BuilderIx) {
        self.detach(
            slave,
            builder,
            "the builder has no use for the slave any more",
        );
        self.sync_builder_list(slave);
    }

    /// Ends an attachment without telling the slave.
    pub(super) fn detach(&mut self, slave: SlaveIx, builder: BuilderIx, why: &str) {
        let it = &mut self.slaves[slave.0];
        it.leaving.remove(&builder);
        if let Some(attachment) = it.slavebuilders.remove(&builder) {
            self.place(slave, builder);
            self.end_attachment(slave, builder, attachment, why);
        }
    }

    /// Tells the slave its builders, if it knows others (SLV-12), or lacks one that went and came back while it was
    /// attached (BRC-06). One that is being told now is told again afterwards.
    pub(super) fn sync_builder_list(&mut self, slave: SlaveIx) {
        let Some(session) = &self.slaves[slave.0].session else {
            return;
        };
        if session.phase != Phase::Ready || session.listing {
            return;
        }
        let it = &self.slaves[slave.0];
        let told = self.to_be_told(slave);
        let lacks_one = told.iter().any(|b| !it.slavebuilders.contains_key(b));
        let in_order = |list: &BuilderList| list.iter().cloned().collect::<BTreeMap<_, _>>();
        let (list, stale) = self.builder_list(slave);
        if lacks_one || in_order(&session.listed) != in_order(&list) {
            self.send_builder_list(slave);
        } else if let Some(session) = &mut self.slaves[slave.0].session {
            session.stale = stale;
        }
    }

    /// A build has ended: the slave may have to be told what was kept from it for the build's sake.
    pub(super) fn refresh_builder_list(&mut self, slave: SlaveIx) {
        let session = self.slaves[slave.0].session.as_ref();
        if session.is_some_and(|session| session.stale) {
            self.sync_builder_list(slave);
        }
    }

    /// Tells the slave its builders.
    pub(super) fn send_builder_list(&mut self, slave: SlaveIx) {
        let (builders, stale) = self.builder_list(slave);
        let deadline = self.out.now.mono + self.out.layout.config().attach_timeout;
        let Some(session) = &mut self.slaves[slave.0].session else {
            return;
        };
        session.listed.clone_from(&builders);
        session.listed_at = self.out.now.wall;
        session.listing = true;
        session.stale = stale;
        let (session, is_attached) = (session.id, session.phase == Phase::Ready);
        if is_attached {
            self.out.timers.set(Timer::Attach(session), deadline);
        }
        self.out
            .send(SlaveCommand::SendBuilderList { builders }.to(session));
    }

    /// What the slave is to be told, and whether it will be something else when a build has ended: what it was told
    /// of a builder stays true while a build of that runs (BRC-03).
    fn builder_list(&self, slave: SlaveIx) -> (BuilderList, bool) {
        let it = &self.slaves[slave.0];
        let told = it.session.iter().flat_map(|s| &s.listed);
        let told: BTreeMap<_, _> = told.map(|(name, dir)| (name, dir)).collect();
        let asked = self.to_be_told(slave);
        let mut list = BuilderList::with_capacity(asked.len());
        let mut stale = false;
        for &builder in asked.iter().chain(&it.leaving) {
            let config = &self.out.layout.builder(builder).config;
            let dir = match told.get(&config.name) {
                Some(&told) if *told != config.slavebuilddir && self.runs(slave, builder) => {
                    stale = true;
                    told
                }
                Some(_) | None => &config.slavebuilddir,
            };
            list.push((config.name.clone(), dir.clone()));
        }
        (list, stale)
    }

    /// Whether a build of the builder has been accepted by the slave and has not ended.
    fn runs(&self, slave: SlaveIx, builder: BuilderIx) -> bool {
        let attachment = self.slaves[slave.0].slavebuilders.get(&builder);
        let attempt = attachment
            .and_then(|a| a.attempt())
            .and_then(|id| self.builds.get(id));
        attempt.is_some_and(Attempt::is_accepted)
    }

    /// Requests wait for a builder that was removed: they wait for a while, and are given up then (BST-09).
    pub(super) fn await_return(&mut self, builder: BuilderIx) {
        let timer = Timer::Orphans(builder);
        if !self.out.timers.is_set(timer) {
            let wait = self.out.layout.config().orphan_request_grace;
            self.out.set_timer(timer, wait);
        }
    }

    /// The builder has not come back.
    pub(super) fn on_orphans_due(&mut self, builder: BuilderIx) {
        let placed = self.out.layout.builder(builder);
        if placed.is_configured {
            return;
        }
        let why = format!(
            "builder {} was removed from the configuration",
            placed.config.name
        );
        let waiting: Vec<_> = self
            .dispatch
            .queue(builder)
            .iter()
            .map(|(_, id)| id)
            .collect();
        let (mut ops, mut effects) = (Vec::new(), Vec::new());
        for request in waiting {
            self.unqueue(request);
            let ended = (request, Results::Failure, Some(why.clone()));
            self.intake
                .finish_request(&mut self.out, ended, &mut ops, &mut effects);
        }
        self.out.persist_then(ops, effects);
    }
}
