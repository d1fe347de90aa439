//! Starting builds until nothing more can start (BLD-02 to BLD-10), and looking again at slaves whose
//! state has changed.

use std::time::Duration;

use super::attempt::Stage;
use super::buildset::Place;
use super::dispatch::{Match, Way};
use super::ids::{BuilderIx, SlaveIx};
use super::slave::{Phase, Session};
use super::slavebuilder::SlaveBuilder;
use super::timers::Timer;
use super::{AttemptId, BotMaster, Event, SlaveCommand};
use crate::model::RequestId;

/// How long a slave may take to end its process when it is told to.
const END_TIME: Duration = Duration::from_secs(60);

impl BotMaster {
    /// Starts builds to a fixed point, in the order of turns over all builders (BLD-07, SB-15).
    pub(super) fn start_builds(&mut self) {
        if !self.phase.starts_builds() {
            return;
        }
        loop {
            let (locks, builders, slaves) = (&self.locks, &self.builders, &self.slaves);
            let found = self.dispatch.next(|builder, slave| {
                let slave = &slaves[slave.0].config.name;
                locks.are_free(&locks.resolve(&builders[builder.0].config.locks, slave))
            });
            let Some(found) = found else {
                return;
            };
            self.begin(found);
        }
    }

    /// Puts a request into the queue of its builder, at the place that its priority and age give it (BLD-10).
    pub(super) fn enqueue(&mut self, id: RequestId, announce: bool) {
        let Some(open) = self.open.request_mut(id) else {
            return;
        };
        open.place = Place::Queued;
        let Some(&builder) = self.builders_by_name.get(&open.request.builder) else {
            return;
        };
        self.dispatch.enqueue(builder, &open.request);
        let it = &self.builders[builder.0];
        let is_orphan = !it.configured;
        if announce {
            let builder = it.config.name.clone();
            self.announce(Event::RequestQueued {
                request: id,
                builder,
            });
        }
        if is_orphan {
            self.await_return(builder);
        }
    }

    /// Takes a request out of the queue.
    pub(super) fn unqueue(&mut self, id: RequestId) {
        if let Some(open) = self.open.request(id)
            && let Some(&builder) = self.builders_by_name.get(&open.request.builder)
        {
            self.dispatch.unqueue(builder, &open.request);
        }
    }

    /// Tells `dispatch` what an attachment is now. One that was kept for its build alone is left when that has ended.
    pub(super) fn place(&mut self, slave: SlaveIx, builder: BuilderIx) {
        let it = &self.slaves[slave.0];
        let attachment = it.slavebuilders.get(&builder);
        let is_waiting = it.latent.waiting.contains_key(&builder);
        if is_waiting || attachment.is_some_and(SlaveBuilder::is_busy) {
            self.dispatch.set_busy(slave, builder);
            return;
        }
        let way = match attachment {
            Some(attachment) => attachment.is_idle().then_some(Way::Attached),
            None => it.is_latent_for(builder).then_some(Way::Latent),
        };
        match way {
            Some(way) => self.dispatch.set_idle(slave, builder, way),
            None => self.dispatch.set_gone(slave, builder),
        }
        if it.leaving.contains(&builder) {
            self.leave(slave, builder);
        }
    }

    /// The same for all builders for which the slave can be LATENT.
    pub(super) fn place_latent(&mut self, slave: SlaveIx) {
        let wanted: Vec<_> = self.slaves[slave.0].latent.wanted.iter().copied().collect();
        for builder in wanted {
            self.place(slave, builder);
        }
    }

    /// Looks at a slave again whose willingness may have changed.
    pub(super) fn review(&mut self, slave: SlaveIx) {
        let is_free = self.dispatch.load(slave) == 0;
        let it = &mut self.slaves[slave.0];
        let rejoins = |s: &Session| s.phase == Phase::Rejoining;
        if is_free && it.session.as_ref().is_some_and(rejoins) {
            self.drop_session(slave, "it is to come again and get all its builders");
            return;
        }
        let it = &mut self.slaves[slave.0];
        if it.graceful.is_some()
            && is_free
            && let Some(session) = it.session.as_mut().filter(|s| s.phase == Phase::Ready)
        {
            session.phase = Phase::ShuttingDown;
            session.since = self.now.wall;
            let session = session.id;
            let deadline = self.now.mono + END_TIME;
            self.timers.set(Timer::Ending(session), deadline);
            self.send(SlaveCommand::Shutdown.to(session));
        }
        self.review_instance(slave);
        self.refresh_slave(slave);
    }

    /// BLD-03 steps 4 to 7, BLD-08: on the building list and in the big state before anything is sent.
    fn begin(&mut self, found: Match) {
        let Match {
            builder,
            slave,
            way,
            requests,
            choice,
        } = found;
        self.next_attempt += 1;
        let attempt = AttemptId(self.next_attempt);
        for &request in &requests {
            if let Some(open) = self.open.request_mut(request) {
                open.request.start_count += 1;
                open.place = Place::Starting {
                    attempt,
                    cancelled: false,
                };
            }
        }
        self.timers.cancel(Timer::InstanceIdle(slave));
        match way {
            Way::Latent => {
                let stage = Stage::Substantiating;
                self.add_attempt(attempt, slave, builder, requests, choice, stage);
                self.take_slave_locks(attempt, slave);
                self.substantiate(slave, builder, attempt);
                self.place(slave, builder);
                self.tell_big_state(builder);
            }
            Way::Attached => {
                let (ping, time) = (self.new_ping(), self.config.start_build_timeout);
                let deadline = self.now.mono + time;
                if let Some(attachment) = self.attachment(slave, builder) {
                    let chosen = attachment.on_chosen(attempt, ping, deadline);
                    debug_assert!(chosen.is_ok(), "what is matched is idle");
                }
                let stage = Stage::Pinging;
                self.add_attempt(attempt, slave, builder, requests, choice, stage);
                self.take_slave_locks(attempt, slave);
                self.place(slave, builder);
                self.tell_big_state(builder);
                self.send_ping(slave, builder, ping, time);
            }
        }
    }

    /// Tells `dispatch` whether the slave takes builds.
    pub(super) fn refresh_slave(&mut self, slave: SlaveIx) {
        let is_willing = self.slaves[slave.0].takes_builds();
        self.dispatch.set_willing(slave, is_willing);
    }
}
