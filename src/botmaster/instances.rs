//! The instances of latent slaves, and the builds that wait for them (section 15).
//!
//! Several builds may wait for one instance, which is started once (LAT-02). An instance stays on
//! record until a stop of it has succeeded (LAT-07). Nothing here waits for anything: each instance
//! has its own course (LAT-08).
//!
//! Invariant: all changes are made through [`Instances::change`], [`Instances::add_waiting`] and
//! [`Instances::take_waiting`], so that [`Out`] knows what is to be settled.

mod latent;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::latent::Latent;
pub(super) use self::latent::Stage;
use super::ids::{AttemptId, BuilderIx, InstanceId, SlaveIx};
use super::ledger::Effect;
use super::out::Out;
use super::outcome::{Counted, Outcome};
use super::timers::Timer;
use super::{BuilderPoint, InstanceCommand, InstanceEvent};
use crate::config::LatentConfig;
use crate::model::{InstanceRecord, Op, SlaveName, Timestamp};

/// The instances. Slaves that are not latent have none.
#[derive(Debug, Default)]
pub(super) struct Instances {
    slaves: Vec<Latent>,
    last: u64,
    /// Slaves whose instance may be of no use any more (LAT-09).
    forsaken: BTreeSet<SlaveIx>,
}

/// What a slave does that may need its instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Need {
    /// It is attached, and nothing uses it.
    Idle,
    /// It is not attached, or something uses it.
    Other,
}

impl Instances {
    /// Adds the slave with the next index. An instance that an earlier run of the master has left
    /// is stopped before another is started (LAT-07).
    pub(super) fn add_slave(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        left: Option<InstanceRecord>,
    ) {
        self.slaves.push(Latent::new(out.now.wall));
        let Some(record) = left else {
            return;
        };
        self.last += 1;
        let id = InstanceId(self.last);
        let now = out.now.wall;
        let config = Arc::clone(&out.layout.slave(slave).config);
        let known = self.change(out, slave);
        known.inherit(id, record, now);
        if let Some(latent) = config.kind.latent() {
            known.take_stop(&latent.stop());
        }
        out.announce(InstanceEvent::Stopping {
            slave: config.name.clone(),
            why: "an earlier run of the master has left it".to_owned(),
        });
        self.send_stop(out, slave);
    }

    /// Row 20: a build has chosen a latent slave that is not connected.
    pub(super) fn substantiate(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        attempt: AttemptId,
    ) {
        out.timers.cancel(Timer::InstanceIdle(slave));
        let config = Arc::clone(&out.layout.slave(slave).config);
        let Some(latent) = config.kind.latent() else {
            return;
        };
        self.slaves[slave.0].waiting.insert(builder, attempt);
        out.touch_pair(slave, builder);
        let name = config.name.clone();
        out.announce(InstanceEvent::Substantiating {
            builder: out.layout.builder_name(builder),
            slave: name.clone(),
        });
        if !out.timers.is_set(Timer::Missing(slave)) {
            out.set_timer(Timer::Missing(slave), latent.missing_timeout);
        }
        if self.stage(slave) != Stage::Down {
            return;
        }
        self.last += 1;
        let id = InstanceId(self.last);
        let now = out.now.wall;
        self.change(out, slave).begin(id, latent.stop(), now);
        let op = self.record_op(out, slave);
        out.persist_then(vec![op], vec![Effect::StartInstance(id, name)]);
    }

    /// That it is being started is on record.
    pub(super) fn on_recorded(&mut self, out: &mut Out, id: InstanceId, name: &SlaveName) {
        let Some(slave) = self.slave_with(out, name, id, Stage::Recording) else {
            return;
        };
        let now = out.now.wall;
        self.change(out, slave).enter(Stage::Starting, now);
        let slave = Arc::clone(&out.layout.slave(slave).config);
        out.send(InstanceCommand::Start { slave }.to(id));
    }

    /// LAT-03: it was started, and is called this.
    pub(super) fn on_started(&mut self, out: &mut Out, slave: SlaveIx, identity: String) {
        let now = out.now.wall;
        let known = self.change(out, slave);
        known.enter(Stage::Up, now);
        if let Some(record) = &mut known.record {
            record.identity = identity;
        }
        let op = self.record_op(out, slave);
        out.persist(vec![op]);
    }

    /// A stop has ended, well or not; in the latter case it is tried again.
    pub(super) fn on_stopped(
        &mut self,
        out: &mut Out,
        (name, id): (SlaveName, InstanceId),
        result: Result<(), String>,
    ) {
        let Some(slave) = self.slave_with(out, &name, id, Stage::Stopping) else {
            return;
        };
        match result {
            Ok(()) => {
                out.announce(InstanceEvent::Stopped { slave: name });
                self.forget(out, slave);
            }
            Err(why) => {
                let pause = self.change(out, slave).on_stop_failed(why.clone());
                out.set_timer(Timer::StopInstance(slave), pause);
                out.announce(InstanceEvent::StopFailed {
                    slave: name,
                    why,
                    again: pause,
                });
            }
        }
    }

    /// Ends an instance that is on its way or there; what was started is stopped by
    /// [`Instances::send_stop`] when its connection has ended. Answers whether there was one.
    pub(super) fn stop(&mut self, out: &mut Out, slave: SlaveIx, why: &str) -> bool {
        match self.stage(slave) {
            Stage::Down | Stage::Stopping => return false,
            Stage::Recording => self.forget(out, slave),
            Stage::Starting | Stage::Up => {
                let now = out.now.wall;
                self.change(out, slave).enter(Stage::Stopping, now);
                out.timers.cancel(Timer::Missing(slave));
                out.timers.cancel(Timer::InstanceIdle(slave));
                out.announce(InstanceEvent::Stopping {
                    slave: out.layout.slave_name(slave),
                    why: why.to_owned(),
                });
            }
        }
        true
    }

    /// Tells that an instance is to be stopped, for the first time or again.
    pub(super) fn send_stop(&self, out: &mut Out, slave: SlaveIx) {
        let known = &self.slaves[slave.0];
        if known.stage == Stage::Stopping
            && let Some(record) = known.record.clone()
        {
            let slave = out.layout.slave_name(slave);
            out.send(InstanceCommand::Stop { slave, record }.to(known.id));
        }
    }

    /// The instance is gone.
    pub(super) fn forget(&mut self, out: &mut Out, slave: SlaveIx) {
        let now = out.now.wall;
        let known = self.change(out, slave);
        known.enter(Stage::Down, now);
        known.record = None;
        for timer in [Timer::Missing, Timer::InstanceIdle, Timer::StopInstance] {
            out.timers.cancel(timer(slave));
        }
        let op = self.record_op(out, slave);
        out.persist(vec![op]);
    }

    /// The builds that wait for the instance, by builder; they wait no longer.
    pub(super) fn take_waiting(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
    ) -> BTreeMap<BuilderIx, AttemptId> {
        let waiting = std::mem::take(&mut self.slaves[slave.0].waiting);
        for &builder in waiting.keys() {
            out.touch_pair(slave, builder);
        }
        waiting
    }

    /// The slave is attached: nothing waits for its instance any more. Answers the builds that have
    /// waited, the oldest first.
    pub(super) fn on_attached(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
    ) -> Vec<(AttemptId, BuilderIx)> {
        out.timers.cancel(Timer::Missing(slave));
        let waiting = self.take_waiting(out, slave).into_iter();
        let mut waiting: Vec<_> = waiting.map(|(b, a)| (a, b)).collect();
        waiting.sort_unstable();
        waiting
    }

    /// The slave has a connection now, or none any more: it cannot or can be started for its
    /// builders.
    pub(super) fn on_connection(&self, out: &mut Out, slave: SlaveIx) {
        for &builder in &self.slaves[slave.0].wanted {
            out.touch_pair(slave, builder);
        }
        out.touch(slave);
    }

    /// LAT-09, row 24: a build waits no longer. The instance is forsaken unless another build wants
    /// it.
    pub(super) fn abort(&mut self, out: &mut Out, slave: SlaveIx, builder: BuilderIx) {
        self.slaves[slave.0].waiting.remove(&builder);
        out.touch_pair(slave, builder);
        self.forsaken.insert(slave);
    }

    /// A slave whose instance was forsaken by a build, and for which none waits.
    pub(super) fn next_forsaken(&mut self) -> Option<SlaveIx> {
        loop {
            let slave = self.forsaken.pop_first()?;
            if self.slaves[slave.0].waiting.is_empty() {
                return Some(slave);
            }
        }
    }

    /// Looks at an instance whose slave has changed (LAT-05). Answers why it is to be stopped, if
    /// it is.
    pub(super) fn review(
        &self,
        out: &mut Out,
        slave: SlaveIx,
        need: Need,
        is_ending: bool,
    ) -> Option<&'static str> {
        let timer = Timer::InstanceIdle(slave);
        let latent = out.layout.slave(slave).config.kind.latent();
        let wait = latent.and_then(|latent| latent.build_wait_timeout);
        let known = &self.slaves[slave.0];
        let is_idle = need == Need::Idle && known.waiting.is_empty() && known.is_alive();
        match wait {
            _ if is_idle && is_ending => return Some("the master is shutting down"),
            Some(wait) if is_idle && wait.is_zero() => return Some("its build has ended"),
            Some(wait) if is_idle => {
                if !out.timers.is_set(timer) {
                    out.set_timer(timer, wait);
                }
            }
            Some(_) | None => out.timers.cancel(timer),
        }
        None
    }

    /// Brings what a slave can be LATENT for in line with the configuration. Answers the builds
    /// that wait in vain now, and whether the instance is to be stopped (row 24): that of a slave
    /// that is not latent any more, or in another way.
    pub(super) fn lay_out(&mut self, out: &mut Out, slave: SlaveIx) -> (Vec<AttemptId>, bool) {
        let placed = out.layout.slave(slave);
        let wanted: BTreeSet<_> = match placed.latent() {
            Some(_) => placed.builders.iter().copied().collect(),
            None => BTreeSet::new(),
        };
        let is_latent = placed.latent().is_some();
        let stop = placed.config.kind.latent().map(LatentConfig::stop);
        let known = &mut self.slaves[slave.0];
        let was = std::mem::replace(&mut known.wanted, wanted.clone());
        for &builder in was.difference(&wanted) {
            out.pass(Outcome::Left(builder, Counted::Latent));
            out.point(builder, Some(slave), BuilderPoint::LatentRemoved);
        }
        for &builder in wanted.difference(&was) {
            out.pass(Outcome::Joined(builder, Counted::Latent));
            out.point(builder, Some(slave), BuilderPoint::LatentAdded);
        }
        for &builder in was.symmetric_difference(&wanted) {
            out.touch_pair(slave, builder);
        }
        let is_other = known.record.as_ref().is_some_and(|record| {
            let stop = stop.as_ref();
            stop.is_none_or(|stop| !record.stop.means.is_type_of(&stop.means))
        });
        if stop.is_some_and(|stop| known.take_stop(&stop)) {
            let op = self.record_op(out, slave);
            out.persist(vec![op]);
        }
        let known = self.change(out, slave);
        let unwanted = known.waiting.iter();
        let unwanted = unwanted.filter(|(builder, _)| !known.wanted.contains(builder));
        let unwanted = unwanted.map(|(_, &attempt)| attempt).collect();
        (unwanted, !is_latent || is_other)
    }

    /// The master ends now: what runs still is told to stop, and found again by the next run if
    /// that fails.
    pub(super) fn abandon(&mut self, out: &mut Out) {
        for slave in out.layout.slave_indexes() {
            match self.stage(slave) {
                Stage::Starting | Stage::Up => {
                    let now = out.now.wall;
                    self.change(out, slave).enter(Stage::Stopping, now);
                    self.send_stop(out, slave);
                }
                Stage::Down | Stage::Recording | Stage::Stopping => {}
            }
        }
    }

    /// Whether no instance keeps the master from ending.
    pub(super) fn are_settled(&self) -> bool {
        self.slaves.iter().all(Latent::is_settled)
    }

    /// Row 27: why a connection of the slave is refused, if it is. A slave that is not latent any
    /// more need not wait for a stop that fails.
    pub(super) fn refusal(&self, out: &Out, slave: SlaveIx) -> Option<&'static str> {
        let placed = out.layout.slave(slave);
        let known = &self.slaves[slave.0];
        match known.stage {
            Stage::Stopping if placed.latent().is_some() || !known.is_settled() => {
                Some("its instance is being stopped")
            }
            Stage::Recording => Some("the master has not started its instance yet"),
            Stage::Down if placed.config.kind.latent().is_some() && !placed.never_idles() => {
                Some("the master has not started its instance")
            }
            Stage::Down | Stage::Starting | Stage::Up | Stage::Stopping => None,
        }
    }

    /// Whether the slave, which is not connected, is started when a build wants it.
    pub(super) fn can_be_started(&self, out: &Out, slave: SlaveIx) -> bool {
        out.layout.slave(slave).latent().is_some() && self.stage(slave) != Stage::Stopping
    }

    /// Whether the slave can be LATENT for the builder (row 20).
    pub(super) fn is_wanted(&self, slave: SlaveIx, builder: BuilderIx) -> bool {
        self.slaves[slave.0].wanted.contains(&builder)
    }

    /// The build that waits there for the instance.
    pub(super) fn waiting(&self, slave: SlaveIx, builder: BuilderIx) -> Option<AttemptId> {
        self.slaves[slave.0].waiting.get(&builder).copied()
    }

    /// The builders whose builds wait for the instance.
    pub(super) fn waiting_builders(&self, slave: SlaveIx) -> Vec<BuilderIx> {
        self.slaves[slave.0].waiting.keys().copied().collect()
    }

    /// How far the instance is.
    pub(super) fn stage(&self, slave: SlaveIx) -> Stage {
        self.slaves[slave.0].stage
    }

    /// Since when it is that far.
    pub(super) fn since(&self, slave: SlaveIx) -> Timestamp {
        self.slaves[slave.0].since
    }

    /// What the last stop of the instance said, if it failed.
    pub(super) fn failed_stop(&self, slave: SlaveIx) -> Option<&str> {
        let (failed, why) = &self.slaves[slave.0].failed_stops;
        (*failed > 0).then_some(why)
    }

    /// The slave of this name, if its instance is this one and this far.
    pub(super) fn slave_with(
        &self,
        out: &Out,
        name: &SlaveName,
        id: InstanceId,
        stage: Stage,
    ) -> Option<SlaveIx> {
        let slave = out.layout.slave_named(name)?;
        let known = &self.slaves[slave.0];
        (known.id == id && known.stage == stage).then_some(slave)
    }

    fn record_op(&self, out: &Out, slave: SlaveIx) -> Op {
        Op::SlaveInstance {
            slave: out.layout.slave_name(slave),
            instance: self.slaves[slave.0].record.clone(),
        }
    }

    fn change(&mut self, out: &mut Out, slave: SlaveIx) -> &mut Latent {
        out.touch(slave);
        &mut self.slaves[slave.0]
    }
}

#[cfg(test)]
mod tests;
