//! Latent slaves: their instances are started when builds want them and stopped when none does (section 15).
//!
//! A build that has chosen a latent slave waits in [`Latent::waiting`](super::latent::Latent); several may wait for one
//! instance, which is started once (LAT-02). When the slave is attached to all its builders they go on with the ping, like all builds. Whatever
//! goes wrong ends in [`BotMaster::stop_instance`], which leaves nothing behind: no waiter, no connection, and an
//! instance that stays on record until a stop of it has succeeded (LAT-07).
//!
//! Nothing here waits for anything: each instance goes its own way (LAT-08).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::big_state::Counted;
use super::ids::{BuilderIx, SlaveIx};
use super::latent::Stage;
use super::ledger::Effect;
use super::timers::Timer;
use super::{
    AttemptId, BotMaster, BuilderPoint, Event, InstanceCommand, InstanceId, InstanceStart,
};
use crate::config::LatentConfig;
use crate::model::{InstanceRecord, SlaveName};

impl BotMaster {
    /// Row 20: a build has chosen a latent slave that is not connected.
    pub(super) fn substantiate(&mut self, slave: SlaveIx, builder: BuilderIx, attempt: AttemptId) {
        let name = self.out.layout.slave_name(slave);
        let id = InstanceId(self.next_instance + 1);
        let config = Arc::clone(&self.out.layout.slave(slave).config);
        let Some(latent) = config.kind.latent() else {
            return;
        };
        let it = &mut self.slaves[slave.0];
        it.latent.waiting.insert(builder, attempt);
        if !self.out.timers.is_set(Timer::Missing(slave)) {
            self.out
                .set_timer(Timer::Missing(slave), latent.missing_timeout);
        }
        if it.latent.stage != Stage::Down {
            return;
        }
        self.next_instance = id.0;
        it.latent.begin(id, latent.stop(), self.out.now.wall);
        let op = it.instance_op(self.out.layout.slave_name(slave));
        let builder = self.out.layout.builder_name(builder);
        let slave = name.clone();
        self.out.announce(Event::Substantiating { builder, slave });
        self.out
            .persist_then(vec![op], vec![Effect::StartInstance(id, name)]);
    }

    /// That it is being started is on record.
    pub(super) fn start_instance(&mut self, id: InstanceId, name: &SlaveName) {
        let Some(slave) = self.slave_with_instance(name, id, Stage::Recording) else {
            return;
        };
        let it = &mut self.slaves[slave.0];
        it.latent.enter(Stage::Starting, self.out.now.wall);
        let slave = Arc::clone(&self.out.layout.slave(slave).config);
        let instance = id;
        self.out.send(InstanceCommand::Start { slave }.to(instance));
    }

    /// LAT-03, rows 22 and 23.
    pub(super) fn on_instance_started(
        &mut self,
        name: &SlaveName,
        id: InstanceId,
        result: InstanceStart,
    ) {
        let Some(slave) = self.slave_with_instance(name, id, Stage::Starting) else {
            return;
        };
        match result {
            InstanceStart::Started(identity) => {
                let it = &mut self.slaves[slave.0];
                it.latent.enter(Stage::Up, self.out.now.wall);
                if let Some(record) = &mut it.latent.record {
                    record.identity = identity;
                }
                let op = it.instance_op(self.out.layout.slave_name(slave));
                self.out.persist(vec![op]);
                self.review(slave);
            }
            InstanceStart::NotNow => {
                let why = "its instance could not be started now";
                self.note_failed_instance(slave, why);
                self.on_instance_gone(slave);
                self.drop_session(slave, why);
                self.dismiss_waiting(slave, None);
            }
            InstanceStart::Failed(why) => {
                self.fail_instance(slave, &format!("its instance could not be started: {why}"));
            }
        }
    }

    /// LAT-04, row 23.
    pub(super) fn on_missing(&mut self, slave: SlaveIx) {
        self.fail_instance(slave, "its instance did not connect in time");
    }

    /// LAT-05, row 25: nothing has wanted it for a while.
    pub(super) fn on_instance_idle(&mut self, slave: SlaveIx) {
        if self.dispatch.load(slave) == 0 {
            self.stop_instance(slave, "no build wants its instance");
        } else {
            self.review(slave);
        }
    }

    /// A stop has ended, well or not; in the latter case it is tried again.
    pub(super) fn on_instance_stopped(
        &mut self,
        name: &SlaveName,
        id: InstanceId,
        result: Result<(), String>,
    ) {
        let Some(slave) = self.slave_with_instance(name, id, Stage::Stopping) else {
            return;
        };
        let slave_name = name.clone();
        match result {
            Ok(()) => {
                self.out
                    .announce(Event::InstanceStopped { slave: slave_name });
                self.on_instance_gone(slave);
            }
            Err(why) => {
                let pause = self.slaves[slave.0].latent.on_stop_failed(why.clone());
                self.out.set_timer(Timer::StopInstance(slave), pause);
                self.out.announce(Event::InstanceStopFailed {
                    slave: slave_name,
                    why,
                    again: pause,
                });
            }
        }
    }

    /// Tells that an instance is to be stopped, for the first time or again.
    pub(super) fn send_stop(&mut self, slave: SlaveIx) {
        let it = &self.slaves[slave.0];
        if it.latent.stage == Stage::Stopping
            && let Some(record) = it.latent.record.clone()
        {
            let (instance, slave) = (it.latent.id, self.out.layout.slave_name(slave));
            self.out
                .send(InstanceCommand::Stop { slave, record }.to(instance));
        }
    }

    /// Ends an instance that is on its way or there, with its connection; who waits for it is given back.
    pub(super) fn stop_instance(&mut self, slave: SlaveIx, why: &str) {
        let it = &mut self.slaves[slave.0].latent;
        match it.stage {
            Stage::Down | Stage::Stopping => return,
            Stage::Recording => {
                self.on_instance_gone(slave);
                self.drop_session(slave, why);
            }
            Stage::Starting | Stage::Up => {
                it.enter(Stage::Stopping, self.out.now.wall);
                self.out.timers.cancel(Timer::Missing(slave));
                self.out.timers.cancel(Timer::InstanceIdle(slave));
                let slave_name = self.out.layout.slave_name(slave);
                self.out.announce(Event::InstanceStopping {
                    slave: slave_name,
                    why: why.to_owned(),
                });
                self.drop_session(slave, why);
                self.send_stop(slave);
                self.refresh_slave(slave);
            }
        }
        self.dismiss_waiting(slave, Some(why));
    }

    /// Row 21: the slave is attached; its builds go on. One whose builder it does not have yet tries again.
    pub(super) fn promote_waiting(&mut self, slave: SlaveIx) {
        let waiting = std::mem::take(&mut self.slaves[slave.0].latent.waiting);
        self.out.timers.cancel(Timer::Missing(slave));
        let mut waiting: Vec<_> = waiting.into_iter().map(|(b, a)| (a, b)).collect();
        waiting.sort_unstable();
        let session = self.slaves[slave.0].session.as_ref().map(|s| s.id);
        for (attempt, builder) in waiting {
            let (ping, time) = (
                self.new_ping(),
                self.out.layout.config().start_build_timeout,
            );
            let deadline = self.out.now.mono + time;
            let attachment = self.attachment(slave, builder);
            let chosen = attachment.map(|a| a.on_chosen(attempt, ping, deadline));
            if chosen != Some(Ok(())) {
                self.give_back(attempt, "the slave has not got the builder yet");
                self.place(slave, builder);
                continue;
            }
            self.builds.on_substantiated(&self.out, attempt, session);
            let (builder_name, slave_name) = (
                self.out.layout.builder_name(builder),
                self.out.layout.slave_name(slave),
            );
            self.out.announce(Event::Substantiated {
                builder: builder_name,
                slave: slave_name,
            });
            self.place(slave, builder);
            self.send_ping(slave, builder, ping, time);
        }
    }

    /// LAT-09, row 24: a build waits no longer. The instance is forsaken unless another one wants it.
    pub(super) fn abort_waiting(&mut self, id: AttemptId, why: &str) {
        let Some((slave, builder)) = self.builds.get(id).map(|a| (a.slave, a.builder)) else {
            return;
        };
        self.slaves[slave.0].latent.waiting.remove(&builder);
        self.give_back(id, why);
        self.place(slave, builder);
        self.refresh_slave(slave);
        self.forsaken.insert(slave);
    }

    /// Stops instances for which nobody waits any more and which have not attached, when all have had the
    /// opportunity to choose them.
    pub(super) fn stop_forsaken(&mut self) {
        while let Some(slave) = self.forsaken.pop_first() {
            let it = &self.slaves[slave.0];
            if !it.latent.waiting.is_empty() || it.is_attached() {
                continue;
            }
            self.out.timers.cancel(Timer::Missing(slave));
            if !self.out.layout.slave(slave).never_idles() || it.latent.stage != Stage::Up {
                self.stop_instance(slave, "no build waits for its instance any more");
            }
        }
    }

    /// Looks at an instance again whose slave may be idle (LAT-05).
    pub(super) fn review_instance(&mut self, slave: SlaveIx) {
        let timer = Timer::InstanceIdle(slave);
        let it = &self.slaves[slave.0];
        let latent = self.out.layout.slave(slave).config.kind.latent();
        let wait = latent.and_then(|l| l.build_wait_timeout);
        if !it.is_attached() || self.dispatch.load(slave) > 0 || !it.latent.is_alive() {
            self.out.timers.cancel(timer);
        } else if !self.phase.takes_slaves() {
            self.stop_instance(slave, "the master is shutting down");
        } else if let Some(wait) = wait {
            if wait.is_zero() {
                self.stop_instance(slave, "its build has ended");
            } else if !self.out.timers.is_set(timer) {
                self.out.set_timer(timer, wait);
            }
        } else {
            self.out.timers.cancel(timer);
        }
    }

    /// Row 26: the connection of an instance is gone. It cannot come back, unless it is never stopped.
    pub(super) fn on_instance_lost(&mut self, slave: SlaveIx, why: &str) {
        self.out.timers.cancel(Timer::InstanceIdle(slave));
        if !self.out.layout.slave(slave).never_idles() {
            self.stop_instance(slave, &format!("its connection is gone: {why}"));
        }
    }

    /// Row 27, BLD-12: why a connection is refused, if it is. A slave that is not latent any more need not wait for a stop that fails.
    pub(super) fn uninvited(&self, slave: SlaveIx) -> Option<&'static str> {
        let it = &self.slaves[slave.0];
        let placed = self.out.layout.slave(slave);
        if it.is_shut_out() {
            return Some("it could not be attached, and is to try again later");
        }
        match it.latent.stage {
            Stage::Stopping if placed.latent().is_some() || !it.latent.is_settled() => {
                Some("its instance is being stopped")
            }
            Stage::Recording => Some("the master has not started its instance yet"),
            Stage::Down if placed.config.kind.latent().is_some() && !placed.never_idles() => {
                Some("the master has not started its instance")
            }
            Stage::Down | Stage::Starting | Stage::Up | Stage::Stopping => None,
        }
    }

    /// LAT-07: an instance that an earlier run of the master has left is stopped before another is started.
    pub(super) fn inherit_instance(&mut self, slave: SlaveIx, record: InstanceRecord) {
        self.next_instance += 1;
        let id = InstanceId(self.next_instance);
        let it = &mut self.slaves[slave.0];
        it.latent.inherit(id, record, self.out.now.wall);
        let config = &self.out.layout.slave(slave).config;
        if let Some(latent) = config.kind.latent() {
            it.latent.take_stop(&latent.stop());
        }
        let slave_name = config.name.clone();
        self.out.announce(Event::InstanceStopping {
            slave: slave_name,
            why: "an earlier run of the master has left it".to_owned(),
        });
        self.send_stop(slave);
    }

    /// Brings what a slave can be LATENT for up to the configuration; instances of slaves that are not latent any more,
    /// or in another way, are stopped (row 24).
    pub(super) fn lay_out_instance(&mut self, slave: SlaveIx) {
        let it = &mut self.slaves[slave.0];
        let placed = self.out.layout.slave(slave);
        let is_latent = placed.latent().is_some();
        let wanted: BTreeSet<_> = if is_latent {
            placed.builders.iter().copied().collect()
        } else {
            BTreeSet::new()
        };
        let was = std::mem::replace(&mut it.latent.wanted, wanted.clone());
        if is_latent && it.session.is_none() {
            self.set_graceful(slave, false);
        }
        for &builder in was.difference(&wanted) {
            self.states.remove(builder, Counted::Latent);
            self.out
                .point(builder, Some(slave), BuilderPoint::LatentRemoved);
        }
        for &builder in wanted.difference(&was) {
            self.states.add(builder, Counted::Latent);
            self.out
                .point(builder, Some(slave), BuilderPoint::LatentAdded);
        }
        let it = &mut self.slaves[slave.0];
        let config = &self.out.layout.slave(slave).config;
        let name = config.name.clone();
        let stop = config.kind.latent().map(LatentConfig::stop);
        let is_other = it.latent.record.as_ref().is_some_and(|record| {
            let stop = stop.as_ref();
            stop.is_none_or(|stop| !record.stop.means.is_type_of(&stop.means))
        });
        let op = stop.and_then(|stop| it.latent.take_stop(&stop).then(|| it.instance_op(name)));
        if let Some(op) = op {
            self.out.persist(vec![op]);
        }
        let it = &self.slaves[slave.0];
        let unwanted = it.latent.waiting.iter();
        let unwanted = unwanted.filter(|(builder, _)| !it.latent.wanted.contains(builder));
        for attempt in unwanted.map(|(_, &a)| a).collect::<Vec<_>>() {
            self.abort_waiting(attempt, "the builder has no use for the slave any more");
        }
        if !is_latent || is_other {
            self.stop_instance(slave, "its configuration has changed");
        }
        for builder in was.union(&wanted) {
            self.place(slave, *builder);
        }
    }

    /// LAT-07: stops all instances that nothing runs on; the others when their builds have ended.
    pub(super) fn stop_instances(&mut self) {
        for slave in self.out.layout.slave_indexes() {
            if self.dispatch.load(slave) == 0 {
                self.stop_instance(slave, "the master is shutting down");
            }
        }
    }

    /// Whether no instance keeps the master from ending.
    pub(super) fn instances_are_settled(&self) -> bool {
        self.slaves.iter().all(|slave| slave.latent.is_settled())
    }

    /// The master ends now: what runs still is told to stop, and found again by the next one if that fails.
    pub(super) fn abandon_instances(&mut self) {
        for slave in self.out.layout.slave_indexes() {
            let it = &mut self.slaves[slave.0].latent;
            match it.stage {
                Stage::Starting | Stage::Up => {
                    it.enter(Stage::Stopping, self.out.now.wall);
                    self.send_stop(slave);
                }
                Stage::Down | Stage::Recording | Stage::Stopping => {}
            }
        }
    }

    fn fail_instance(&mut self, slave: SlaveIx, why: &str) {
        let waiting = self.slaves[slave.0].latent.waiting.keys().copied();
        for builder in waiting.collect::<Vec<_>>() {
            self.out
                .point(builder, Some(slave), BuilderPoint::LatentRemoved);
            let (builder, slave) = (
                self.out.layout.builder_name(builder),
                self.out.layout.slave_name(slave),
            );
            self.out.announce(Event::SubstantiateFailed {
                builder,
                slave,
                why: why.to_owned(),
            });
        }
        self.note_failed_instance(slave, why);
        self.tell_of_failed_instance(slave, why);
        self.stop_instance(slave, why);
    }

    /// There is no instance any more.
    fn on_instance_gone(&mut self, slave: SlaveIx) {
        let it = &mut self.slaves[slave.0];
        it.latent.enter(Stage::Down, self.out.now.wall);
        it.latent.record = None;
        let op = it.instance_op(self.out.layout.slave_name(slave));
        for timer in [Timer::Missing, Timer::InstanceIdle, Timer::StopInstance] {
            self.out.timers.cancel(timer(slave));
        }
        self.out.persist(vec![op]);
        self.refresh_slave(slave);
    }

    /// Gives the builds back that wait for an instance; without a reason that is no failure (row 22).
    fn dismiss_waiting(&mut self, slave: SlaveIx, why: Option<&str>) {
        let waiting = std::mem::take(&mut self.slaves[slave.0].latent.waiting);
        for (builder, attempt) in waiting {
            match why {
                Some(why) => self.give_back(attempt, why),
                None => self.give_back_quietly(attempt),
            }
            self.place(slave, builder);
        }
        self.refresh_slave(slave);
    }

    fn slave_with_instance(
        &self,
        name: &SlaveName,
        id: InstanceId,
        stage: Stage,
    ) -> Option<SlaveIx> {
        let slave = self.out.layout.slave_named(name)?;
        let it = &self.slaves[slave.0].latent;
        (it.id == id && it.stage == stage).then_some(slave)
    }

    /// The build that starts or runs on a slave for a builder, also one that waits for the instance.
    pub(super) fn attempt_on(&self, slave: SlaveIx, builder: BuilderIx) -> Option<AttemptId> {
        let it = &self.slaves[slave.0];
        let attached = it.slavebuilders.get(&builder).and_then(|a| a.attempt());
        attached.or_else(|| it.latent.waiting.get(&builder).copied())
    }
}
