//! What instances of latent slaves and connections, builds and the end of the master mean for each
//! other (rows 20 to 28, section 15).
//!
//! When a latent slave is attached to all its builders, the builds that have waited go on with the
//! ping, like all builds. Whatever goes wrong ends in [`BotMaster::stop_instance`], which leaves
//! nothing behind: no build that waits, no connection, and an instance that is being stopped.

use super::ids::{AttemptId, InstanceId, SlaveIx};
use super::instances::Stage;
use super::outcome::Outcome;
use super::timers::Timer;
use super::{BotMaster, BuilderPoint, InstanceEvent, InstanceStart};
use crate::model::SlaveName;

impl BotMaster {
    /// LAT-03, rows 22 and 23.
    pub(super) fn on_instance_started(
        &mut self,
        name: &SlaveName,
        id: InstanceId,
        result: InstanceStart,
    ) {
        let slave = self
            .instances
            .slave_with(&self.out, name, id, Stage::Starting);
        let Some(slave) = slave else {
            return;
        };
        match result {
            InstanceStart::Started(identity) => {
                self.instances.on_started(&mut self.out, slave, identity);
            }
            InstanceStart::NotNow => {
                let why = "its instance could not be started now";
                self.roster.note_failed_instance(&mut self.out, slave, why);
                self.instances.forget(&mut self.out, slave);
                self.roster.drop_session(&mut self.out, slave, why);
                let waiting = self.instances.take_waiting(&mut self.out, slave);
                for attempt in waiting.into_values() {
                    // It is not a failure.
                    self.give_back_quietly(attempt);
                }
            }
            InstanceStart::Failed(why) => {
                self.fail_instance(slave, &format!("its instance could not be started: {why}"));
            }
        }
    }

    /// LAT-04, row 23: the instance did not connect in time.
    pub(super) fn on_missing(&mut self, slave: SlaveIx) {
        self.fail_instance(slave, "its instance did not connect in time");
    }

    /// LAT-05, row 25: nothing has used it for a while.
    pub(super) fn on_instance_idle(&mut self, slave: SlaveIx) {
        if self.dispatch.load(slave) == 0 {
            self.stop_instance(slave, "no build wants its instance");
        }
    }

    /// Ends an instance that is on its way or there, with its connection.
    pub(super) fn stop_instance(&mut self, slave: SlaveIx, why: &str) {
        if self.instances.stop(&mut self.out, slave, why) {
            self.roster.drop_session(&mut self.out, slave, why);
            let why = why.to_owned();
            self.out.pass(Outcome::InstanceEnds { slave, why });
        }
    }

    /// The connection has ended: the instance can be stopped. The builds that wait for it are given
    /// back.
    pub(super) fn on_instance_ends(&mut self, slave: SlaveIx, why: &str) {
        self.instances.send_stop(&mut self.out, slave);
        let waiting = self.instances.take_waiting(&mut self.out, slave);
        for attempt in waiting.into_values() {
            self.give_back(attempt, why);
        }
    }

    /// Row 21: the slave is attached; its builds go on. A build whose builder it does not have yet
    /// tries again.
    pub(super) fn on_slave_attached(&mut self, slave: SlaveIx) {
        let session = self.roster.session(slave).map(|session| session.id);
        for (attempt, builder) in self.instances.on_attached(&mut self.out, slave) {
            let pair = (slave, builder);
            let is_idle = self.roster.is_idle(pair);
            if !is_idle {
                self.give_back(attempt, "the slave has not got the builder yet");
                continue;
            }
            self.builds.on_substantiated(&self.out, attempt, session);
            self.out.announce(InstanceEvent::Substantiated {
                builder: self.out.layout.builder_name(builder),
                slave: self.out.layout.slave_name(slave),
            });
            let pinged = self.roster.ping_for(&mut self.out, pair, attempt);
            debug_assert!(pinged, "the attachment is idle");
        }
    }

    /// LAT-09, row 24: a build waits no longer for its slave's instance.
    pub(super) fn abort_waiting(&mut self, id: AttemptId, why: &str) {
        let Some((slave, builder)) = self.builds.get(id).map(|a| (a.slave, a.builder)) else {
            return;
        };
        self.instances.abort(&mut self.out, slave, builder);
        self.give_back(id, why);
    }

    /// Stops an instance for which no build waits any more and which has not attached, when all
    /// builds have had the opportunity to choose it.
    pub(super) fn on_forsaken(&mut self, slave: SlaveIx) {
        if self.roster.is_attached(slave) {
            return;
        }
        self.out.timers.cancel(Timer::Missing(slave));
        let never_idles = self.out.layout.slave(slave).never_idles();
        if !never_idles || self.instances.stage(slave) != Stage::Up {
            self.stop_instance(slave, "no build waits for its instance any more");
        }
    }

    /// Row 26: the connection of an instance is gone. It cannot come back, unless it is never
    /// stopped.
    pub(super) fn on_instance_lost(&mut self, slave: SlaveIx, why: &str) {
        self.out.timers.cancel(Timer::InstanceIdle(slave));
        if !self.out.layout.slave(slave).never_idles() {
            self.stop_instance(slave, &format!("its connection is gone: {why}"));
        }
    }

    /// Brings instances in line with the configuration.
    pub(super) fn lay_out_instance(&mut self, slave: SlaveIx) {
        let is_latent = self.out.layout.slave(slave).latent().is_some();
        if is_latent && self.roster.session(slave).is_none() {
            self.roster.set_graceful(&mut self.out, slave, false);
        }
        let (in_vain, must_stop) = self.instances.lay_out(&mut self.out, slave);
        for attempt in in_vain {
            self.abort_waiting(attempt, "the builder has no use for the slave any more");
        }
        if must_stop {
            self.stop_instance(slave, "its configuration has changed");
        }
    }

    /// LAT-07: stops all instances that nothing runs on; the others when their builds have ended.
    pub(super) fn stop_instances(&mut self) {
        for slave in self.out.layout.slave_indexes() {
            if !self.roster.is_busy(slave) && self.instances.waiting_builders(slave).is_empty() {
                self.stop_instance(slave, "the master is shutting down");
            }
        }
    }

    fn fail_instance(&mut self, slave: SlaveIx, why: &str) {
        for builder in self.instances.waiting_builders(slave) {
            self.out
                .point(builder, Some(slave), BuilderPoint::LatentRemoved);
            self.out.announce(InstanceEvent::SubstantiateFailed {
                builder: self.out.layout.builder_name(builder),
                slave: self.out.layout.slave_name(slave),
                why: why.to_owned(),
            });
        }
        self.roster.note_failed_instance(&mut self.out, slave, why);
        self.roster
            .tell_of_failed_instance(&mut self.out, slave, why);
        self.stop_instance(slave, why);
    }
}
