//! Starting builds until nothing more can start (BLD-02 to BLD-10), and looking again at slaves whose
//! state has changed.

use std::time::Duration;

use super::attempt::Stage;
use super::big_state::Counted;
use super::buildset::Place;
use super::dispatch::{Match, Way};
use super::ids::{BuilderIx, SlaveIx};
use super::slave::{Phase, Session};
use super::slavebuilder::SlaveBuilder;
use super::timers::Timer;
use super::{BotMaster, Event, SlaveCommand};
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
            self.settle_locks();
            let (locks, layout) = (&self.locks, &self.out.layout);
            let found = self.dispatch.next(|builder, slave| {
                let slave = &layout.slave(slave).config.name;
                locks.are_free(&locks.resolve(&layout.builder(builder).config.locks, slave))
            });
            let Some(found) = found else {
                return;
            };
            self.begin(found);
        }
    }

    /// Puts a request into the queue of its builder, at the place that its priority and age give it (BLD-10).
    pub(super) fn enqueue(&mut self, id: RequestId, announce: bool) {
        self.intake.set_places(&[id], Place::Queued);
        let Some(open) = self.intake.request(id) else {
            return;
        };
        let Some(builder) = self.out.layout.builder_named(&open.request.builder) else {
            return;
        };
        self.dispatch.enqueue(builder, &open.request);
        if announce {
            let builder = self.out.layout.builder_name(builder);
            self.out.announce(Event::RequestQueued {
                request: id,
                builder,
            });
        }
        if !self.out.layout.builder(builder).is_configured {
            self.await_return(builder);
        }
    }

    /// Takes a request out of the queue.
    pub(super) fn unqueue(&mut self, id: RequestId) {
        if let Some(open) = self.intake.request(id)
            && let Some(builder) = self.out.layout.builder_named(&open.request.builder)
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
            session.since = self.out.now.wall;
            let session = session.id;
            self.out.set_timer(Timer::Ending(session), END_TIME);
            self.out.send(SlaveCommand::Shutdown.to(session));
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
            ref requests,
            ..
        } = found;
        self.out.timers.cancel(Timer::InstanceIdle(slave));
        let (stage, session) = match way {
            Way::Latent => (Stage::Substantiating, None),
            Way::Attached => {
                let session = self.slaves[slave.0].session.as_ref();
                (Stage::Pinging, session.map(|s| s.id))
            }
        };
        let requests = requests.clone();
        let attempt = self.builds.begin(&self.out, found, stage, session);
        self.intake.start(&requests, attempt);
        self.states.add(builder, Counted::Build);
        let taken = self.locks.take_slave(attempt, slave);
        debug_assert!(taken, "a slave is available only while its locks are free");
        match way {
            Way::Latent => {
                self.substantiate(slave, builder, attempt);
                self.place(slave, builder);
                self.states.announce(&mut self.out, builder);
            }
            Way::Attached => {
                let (ping, time) = (
                    self.new_ping(),
                    self.out.layout.config().start_build_timeout,
                );
                let deadline = self.out.now.mono + time;
                if let Some(attachment) = self.attachment(slave, builder) {
                    let chosen = attachment.on_chosen(attempt, ping, deadline);
                    debug_assert!(chosen.is_ok(), "what is matched is idle");
                }
                self.place(slave, builder);
                self.states.announce(&mut self.out, builder);
                self.send_ping(slave, builder, ping, time);
            }
        }
    }

    /// Tells `dispatch` whether the slave takes builds.
    pub(super) fn refresh_slave(&mut self, slave: SlaveIx) {
        let is_willing =
            self.slaves[slave.0].takes_builds(self.out.layout.slave(slave).latent().is_some());
        self.dispatch.set_willing(slave, is_willing);
    }
}
