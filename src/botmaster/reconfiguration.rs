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

use super::attempt::Stage;
use super::builder::Builder;
use super::ids::{BuilderIx, SlaveIx};
use super::ledger::Effect;
use super::slave::{BuilderList, Phase, Slave};
use super::timers::Timer;
use super::{Answer, BotMaster, BuilderPoint, Event, ReplyId, SlaveCommand};
use crate::config::{BuilderConfig, Config, SlaveConfig};
use crate::model::{BuilderName, Op, Results};

impl BotMaster {
    /// The configuration is in force when this returns, if nothing speaks against it. Who asked is told at once, not
    /// when that is on record: what is outside the core must follow, also while the disk takes no writes.
    pub(super) fn on_reconfigured(&mut self, config: Arc<Config>, dry_run: bool, reply: ReplyId) {
        if !self.phase.takes_slaves() {
            self.reply(reply, Err("the master is shutting down".to_owned()));
            return;
        }
        if let Some(why) = self.refuse_locks(&config) {
            self.reply(reply, Err(why));
            return;
        }
        if dry_run {
            self.reply(reply, Ok(Answer::Done));
            return;
        }
        self.reply(reply, Ok(Answer::Done));
        let mut effects = vec![Effect::Announce(Event::Reconfigured)];
        if *self.config == *config {
            self.perform(effects);
            return;
        }
        self.config = config;
        self.lay_out();
        let mut ops = vec![self.configured_op()];
        for ix in 0..self.schedulers.len() {
            self.timers.cancel(Timer::Scheduler(ix));
        }
        let config = Arc::clone(&self.config);
        let wanted = self
            .schedulers
            .reconfigure(&config.schedulers, self.moment());
        self.take_effects(wanted, &mut ops, &mut effects);
        self.arm_schedulers();
        self.persist_then(ops, effects);
    }

    /// Brings builders, slaves and what is between them in line with the configuration.
    pub(super) fn lay_out(&mut self) {
        let dismissed = self.lay_out_slaves();
        self.lay_out_builders();
        self.link();
        self.define_locks();
        for (slave, why) in dismissed {
            self.drop_session(slave, why);
        }
        for slave in (0..self.slaves.len()).map(SlaveIx) {
            self.lay_out_instance(slave);
            self.part_and_meet(slave);
            self.review(slave);
            self.sync_builder_list(slave);
            self.watch_absence(slave);
        }
    }

    /// What is to be remembered of the configuration.
    pub(super) fn configured_op(&self) -> Op {
        let builders = self.config.builders.iter();
        Op::Configured {
            builders: builders
                .map(|b| (b.name.clone(), b.slaves.clone()))
                .collect(),
            slaves: self.config.slaves.iter().map(|s| s.name.clone()).collect(),
        }
    }

    /// The builder of this name, if the configuration has it.
    pub(super) fn configured_builder(&self, name: &BuilderName) -> Option<BuilderIx> {
        let &builder = self.builders_by_name.get(name)?;
        self.builders[builder.0].configured.then_some(builder)
    }

    /// Slaves whose connection must go, and why.
    fn lay_out_slaves(&mut self) -> Vec<(SlaveIx, &'static str)> {
        let config = Arc::clone(&self.config);
        let mut dismissed = Vec::new();
        let kept: BTreeSet<_> = config.slaves.iter().map(|s| &s.name).collect();
        for (ix, slave) in self.slaves.iter_mut().enumerate() {
            if slave.configured && !kept.contains(&slave.config.name) {
                slave.configured = false;
                slave.builders.clear();
                dismissed.push((SlaveIx(ix), "it was removed from the configuration"));
            }
        }
        for new in &config.slaves {
            let Some(&ix) = self.slaves_by_name.get(&new.name) else {
                self.add_slave(Arc::clone(new));
                continue;
            };
            let slave = &mut self.slaves[ix.0];
            if slave.config.kind.name() != new.kind.name() {
                dismissed.push((ix, "its kind was changed in the configuration"));
            }
            if slave.config.kind != new.kind {
                // It may be another wait from now on.
                self.timers.cancel(Timer::InstanceIdle(ix));
            }
            slave.config = Arc::clone(new);
            slave.configured = true;
            self.dispatch.set_max_builds(ix, new.max_builds);
        }
        dismissed
    }

    /// A slave that this run of the master has not had yet, with what an earlier one knew of it.
    pub(super) fn add_slave(&mut self, config: Arc<SlaveConfig>) -> SlaveIx {
        let ix = SlaveIx(self.slaves.len());
        self.slaves_by_name.insert(config.name.clone(), ix);
        let known = self.remembered.remove(&config.name).unwrap_or_default();
        self.dispatch.add_slave();
        self.dispatch.set_max_builds(ix, config.max_builds);
        let mut slave = Slave::new(config, self.now);
        slave.seen_at = known.seen_at;
        slave.missed = known.missed;
        slave.info = known.info;
        slave.paused = known.paused;
        self.slaves.push(slave);
        if let Some(instance) = known.instance {
            self.inherit_instance(ix, instance);
        }
        ix
    }

    /// A builder that this run of the master has not had yet.
    pub(super) fn add_builder(&mut self, config: Arc<BuilderConfig>) -> BuilderIx {
        let ix = BuilderIx(self.builders.len());
        self.builders_by_name.insert(config.name.clone(), ix);
        let number = self.next.build_of.get(&config.name).copied();
        self.dispatch.add_builder(config.merging);
        let builder = Builder::new(config, number.unwrap_or_default());
        self.builders.push(builder);
        ix
    }

    fn lay_out_builders(&mut self) {
        let config = Arc::clone(&self.config);
        let kept: BTreeSet<_> = config.builders.iter().map(|b| &b.name).collect();
        for ix in (0..self.builders.len()).map(BuilderIx) {
            let it = &mut self.builders[ix.0];
            if it.configured && !kept.contains(&it.config.name) {
                it.configured = false;
                it.slaves.clear();
                if self.dispatch.queue(ix).first().is_some() {
                    self.await_return(ix);
                }
            }
        }
        for new in &config.builders {
            let Some(&ix) = self.builders_by_name.get(&new.name) else {
                let ix = self.add_builder(Arc::clone(new));
                self.touched.insert(ix);
                continue;
            };
            let it = &mut self.builders[ix.0];
            if !std::mem::replace(&mut it.configured, true) {
                self.timers.cancel(Timer::Orphans(ix));
                self.touched.insert(ix);
            }
            if it.config == *new {
                continue;
            }
            let merging = new.merging;
            let remerge = it.config.merging != merging;
            it.config = Arc::clone(new);
            if remerge {
                let open = &self.open;
                let waiting: Vec<_> = self.dispatch.queue(ix).iter().collect();
                let waiting = waiting.into_iter().filter_map(|(_, id)| open.request(id));
                let waiting = waiting.map(|open| &open.request);
                self.dispatch.set_merging(ix, merging, waiting);
            }
            self.point(ix, None, BuilderPoint::ConfigUpdated);
        }
    }

    /// Who may build where, in the order of the configuration.
    fn link(&mut self) {
        let config = Arc::clone(&self.config);
        for slave in &mut self.slaves {
            slave.builders.clear();
        }
        for builder in &config.builders {
            let Some(&ix) = self.builders_by_name.get(&builder.name) else {
                continue;
            };
            let mut slaves = Vec::with_capacity(builder.slaves.len());
            for name in &builder.slaves {
                if let Some(&slave) = self.slaves_by_name.get(name)
                    && !slaves.contains(&slave)
                {
                    slaves.push(slave);
                    self.slaves[slave.0].builders.push(ix);
                }
            }
            let it = &mut self.builders[ix.0];
            if it.slaves != slaves {
                self.dispatch.set_order(ix, &slaves);
                it.slaves = slaves;
            }
        }
    }

    /// Ends attachments of builders that have no use for the slave any more; a build that runs is waited for.
    fn part_and_meet(&mut self, slave: SlaveIx) {
        let it = &mut self.slaves[slave.0];
        let wanted: BTreeSet<_> = it.builders.iter().copied().collect();
        it.leaving.retain(|builder| !wanted.contains(builder));
        if let Some(session) = &mut it.session {
            let is_as_told =
                |b: &BuilderIx, dir: &str| self.builders[b.0].config.slavebuilddir == dir;
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
        let deadline = self.now.mono + self.config.attach_timeout;
        let Some(session) = &mut self.slaves[slave.0].session else {
            return;
        };
        session.listed.clone_from(&builders);
        session.listed_at = self.now.wall;
        session.listing = true;
        session.stale = stale;
        let (session, is_attached) = (session.id, session.phase == Phase::Ready);
        if is_attached {
            self.timers.set(Timer::Attach(session), deadline);
        }
        self.send(SlaveCommand::SendBuilderList { builders }.to(session));
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
            let config = &self.builders[builder.0].config;
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
            .and_then(|id| self.attempts.get(&id));
        attempt.is_some_and(|attempt| match attempt.stage {
            Stage::Substantiating | Stage::Pinging | Stage::Starting => false,
            Stage::Recording(_) | Stage::Running(..) => true,
        })
    }

    /// Requests wait for a builder that was removed: they wait for a while, and are given up then (BST-09).
    pub(super) fn await_return(&mut self, builder: BuilderIx) {
        let timer = Timer::Orphans(builder);
        if !self.timers.is_set(timer) {
            let deadline = self.now.mono + self.config.orphan_request_grace;
            self.timers.set(timer, deadline);
        }
    }

    /// The builder has not come back.
    pub(super) fn on_orphans_due(&mut self, builder: BuilderIx) {
        let it = &self.builders[builder.0];
        if it.configured {
            return;
        }
        let why = format!(
            "builder {} was removed from the configuration",
            it.config.name
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
            self.finish_request(ended, &mut ops, &mut effects);
        }
        self.persist_then(ops, effects);
    }
}
