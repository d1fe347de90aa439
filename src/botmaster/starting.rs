//! Bringing requests and slaves together until nothing more can start (BLD-02 to BLD-10, BRQ-02).
//!
//! An attachment that is idle is in the pool of its builder, or, if the slave would not take a build when
//! the builder asked, parked with the slave. A full slave thus costs nothing while it is full, however many
//! builders have work for it, and when it has room again it wakes only the builder whose request goes
//! first. What is parked carries a lower bound of the turn of its builder's first request, which is put
//! right when it comes up.
//!
//! The order of turns is: the priority of the request, the priority of the builder, age, number ([`Turn`]). With equal
//! priorities, as by default, the oldest request goes first.

use std::time::Duration;

use super::attempt::Stage;
use super::builder::BuilderIx;
use super::buildset::Place;
use super::queue::{Turn, key_of, turn_of};
use super::slave::{Phase, Session, SlaveIx};
use super::slavebuilder::SlaveBuilder;
use super::timers::Timer;
use super::{AttemptId, BotMaster, Event, SlaveCommand};
use crate::config::SlaveChoice;
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
            let ready = self.startable.first().copied();
            let wakeable = self.wakeable.first().copied();
            match (ready, wakeable) {
                (None, None) => break,
                (Some((ready, _)), Some((bound, slave))) if bound <= ready => self.wake(slave),
                (Some((_, builder)), _) => self.try_start(builder),
                (None, Some((_, slave))) => self.wake(slave),
            }
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
        let key = key_of(&open.request);
        let it = &mut self.builders[builder.0];
        let is_orphan = !it.configured;
        it.queue.insert(&open.request);
        let turn = turn_of(key, it.config.priority);
        if announce {
            let builder = it.config.name.clone();
            self.announce(Event::RequestQueued {
                request: id,
                builder,
            });
        }
        self.lower_bounds(builder, turn);
        self.refresh_builder(builder);
        if is_orphan {
            self.await_return(builder);
        }
    }

    /// Takes a request out of the queue.
    pub(super) fn unqueue(&mut self, id: RequestId) {
        if let Some(open) = self.open.request(id)
            && let Some(&builder) = self.builders_by_name.get(&open.request.builder)
        {
            self.builders[builder.0].queue.remove(&open.request);
            self.refresh_builder(builder);
        }
    }

    /// Brings what is kept about an attachment up to its state: whether it counts as busy, and whether it
    /// is in its builder's pool.
    pub(super) fn place(&mut self, slave: SlaveIx, builder: BuilderIx) {
        let it = &mut self.slaves[slave.0];
        let attachment = it.slavebuilders.get(&builder);
        let waiting = it.latent.waiting.contains_key(&builder);
        let idle = match attachment {
            Some(attachment) => attachment.is_idle() && !waiting,
            None => it.is_latent_for(builder),
        };
        if waiting || attachment.is_some_and(SlaveBuilder::is_busy) {
            it.busy.insert(builder);
        } else {
            it.busy.remove(&builder);
            if it.leaving.contains(&builder) {
                self.leave(slave, builder);
                return;
            }
        }
        if !idle {
            self.unpark(slave, builder);
            self.take_from_pool(slave, builder);
        } else if !it.parked_at.contains_key(&builder) {
            self.put_into_pool(slave, builder);
        }
        self.refresh_builder(builder);
    }

    /// The same for all builders for which the slave can be LATENT.
    pub(super) fn place_latent(&mut self, slave: SlaveIx) {
        let wanted: Vec<_> = self.slaves[slave.0].latent.wanted.iter().copied().collect();
        for builder in wanted {
            self.place(slave, builder);
        }
    }

    fn put_into_pool(&mut self, slave: SlaveIx, builder: BuilderIx) {
        let latent = self.is_latent_choice(slave, builder);
        let it = &mut self.builders[builder.0];
        let (its, other) = if latent {
            (&mut it.latent_pool, &mut it.pool)
        } else {
            (&mut it.pool, &mut it.latent_pool)
        };
        its.insert(slave);
        other.remove(slave);
    }

    fn take_from_pool(&mut self, slave: SlaveIx, builder: BuilderIx) {
        let it = &mut self.builders[builder.0];
        it.pool.remove(slave);
        it.latent_pool.remove(slave);
    }

    /// Looks at a slave again whose willingness may have changed.
    pub(super) fn review(&mut self, slave: SlaveIx) {
        let it = &mut self.slaves[slave.0];
        let rejoins = |s: &Session| s.phase == Phase::Rejoining;
        if it.busy.is_empty() && it.session.as_ref().is_some_and(rejoins) {
            self.drop_session(slave, "it is to come again and get all its builders");
            return;
        }
        let it = &mut self.slaves[slave.0];
        if it.graceful.is_some()
            && it.busy.is_empty()
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

    fn try_start(&mut self, builder: BuilderIx) {
        let it = &self.builders[builder.0];
        let rule = self.config.slave_choice(&it.config);
        let load = |slave: SlaveIx| self.slaves[slave.0].busy.len();
        let chosen = it.choice().choose(&mut self.rng, rule, load);
        let (Some(turn), Some(slave)) = (it.first_turn(), chosen) else {
            self.refresh_builder(builder);
            return;
        };
        let preferred = self.prefer_free_locks(slave, builder);
        let (.., first) = turn;
        if self.is_available(preferred) {
            let choice = self.reason_of_choice(preferred, builder, rule, preferred != slave);
            self.begin(preferred, builder, first, choice);
        } else {
            self.park(preferred, builder, turn);
        }
    }

    /// Why a slave was chosen of those that there are.
    fn reason_of_choice(
        &self,
        slave: SlaveIx,
        builder: BuilderIx,
        rule: SlaveChoice,
        for_locks: bool,
    ) -> String {
        let it = &self.builders[builder.0];
        if for_locks && !it.pool.is_empty() && self.is_latent_choice(slave, builder) {
            return "to be started, for its locks were free, unlike those of the idle slaves"
                .to_owned();
        }
        let slaves = match (it.choice().len(), it.pool.is_empty()) {
            (1, false) => return "no other slave was idle".to_owned(),
            (1, true) => return "no slave was idle, and no other could be started".to_owned(),
            (several, false) => format!("{several} idle slaves"),
            (several, true) => format!("{several} slaves that could be started, for none was idle"),
        };
        match rule {
            _ if for_locks => format!("one of {slaves}; its locks were free"),
            SlaveChoice::Random => format!("at random of {slaves}"),
            SlaveChoice::First => format!("the first of {slaves}"),
            SlaveChoice::LeastLoaded => {
                let load = self.slaves[slave.0].busy.len();
                format!("with the fewest builds ({load}) of {slaves}")
            }
        }
    }

    /// Whether a slave that is in a pool of the builder has to be started.
    fn is_latent_choice(&self, slave: SlaveIx, builder: BuilderIx) -> bool {
        !self.slaves[slave.0].slavebuilders.contains_key(&builder)
    }

    /// BLD-03 steps 4 to 7, BLD-08: on the building list and in the big state before anything is sent.
    fn begin(&mut self, slave: SlaveIx, builder: BuilderIx, first: RequestId, choice: String) {
        let Some(open) = self.open.request(first) else {
            return;
        };
        let requests = self.builders[builder.0].queue.take_merged(&open.request);
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
        let latent = self.is_latent_choice(slave, builder);
        self.timers.cancel(Timer::InstanceIdle(slave));
        if latent {
            self.add_attempt(
                attempt,
                slave,
                builder,
                requests,
                choice,
                Stage::Substantiating,
            );
            self.take_slave_locks(attempt, slave);
            self.substantiate(slave, builder, attempt);
            self.place(slave, builder);
            self.refresh_slave(slave);
            self.tell_big_state(builder);
            return;
        }
        let (ping, time) = (self.new_ping(), self.config.start_build_timeout);
        let deadline = self.now.mono + time;
        if let Some(attachment) = self.attachment(slave, builder) {
            let chosen = attachment.on_chosen(attempt, ping, deadline);
            debug_assert!(chosen.is_ok(), "what is in the pool is idle");
        }
        self.add_attempt(attempt, slave, builder, requests, choice, Stage::Pinging);
        self.take_slave_locks(attempt, slave);
        self.place(slave, builder);
        self.refresh_slave(slave);
        self.tell_big_state(builder);
        self.send_ping(slave, builder, ping, time);
    }

    /// The slave has room: that of its builders whose request goes first may ask it again.
    fn wake(&mut self, slave: SlaveIx) {
        let Some(&(bound, builder)) = self.slaves[slave.0].parked.first() else {
            self.refresh_slave(slave);
            return;
        };
        self.unpark(slave, builder);
        match self.builders[builder.0].first_turn() {
            Some(turn) if turn > bound => self.park(slave, builder, turn),
            Some(_) | None => {
                self.put_into_pool(slave, builder);
                self.refresh_builder(builder);
            }
        }
        self.refresh_slave(slave);
    }

    fn park(&mut self, slave: SlaveIx, builder: BuilderIx, bound: Turn) {
        self.take_from_pool(slave, builder);
        let it = &mut self.builders[builder.0];
        it.parked.insert(slave);
        it.parked_bound = it.parked_bound.max(Some(bound));
        let it = &mut self.slaves[slave.0];
        it.parked.insert((bound, builder));
        it.parked_at.insert(builder, bound);
        self.refresh_builder(builder);
        self.refresh_slave(slave);
    }

    fn unpark(&mut self, slave: SlaveIx, builder: BuilderIx) {
        let it = &mut self.slaves[slave.0];
        if let Some(bound) = it.parked_at.remove(&builder) {
            it.parked.remove(&(bound, builder));
            let it = &mut self.builders[builder.0];
            it.parked.remove(&slave);
            if it.parked.is_empty() {
                it.parked_bound = None;
            }
            self.refresh_slave(slave);
        }
    }

    /// The builder's priority is another one.
    pub(super) fn take_new_turn(&mut self, builder: BuilderIx) {
        if let Some(turn) = self.builders[builder.0].first_turn() {
            self.lower_bounds(builder, turn);
        }
        self.refresh_builder(builder);
    }

    /// There is a request whose turn is before what is parked: the bounds must not lie above it.
    fn lower_bounds(&mut self, builder: BuilderIx, turn: Turn) {
        let it = &mut self.builders[builder.0];
        if it.first_turn() != Some(turn) || it.parked_bound.is_none_or(|bound| bound <= turn) {
            return;
        }
        it.parked_bound = Some(turn);
        for slave in it.parked.iter().copied().collect::<Vec<_>>() {
            let it = &mut self.slaves[slave.0];
            if let Some(bound) = it.parked_at.get_mut(&builder)
                && *bound > turn
            {
                it.parked.remove(&(*bound, builder));
                *bound = turn;
                it.parked.insert((turn, builder));
                self.refresh_slave(slave);
            }
        }
    }

    fn refresh_builder(&mut self, builder: BuilderIx) {
        let it = &mut self.builders[builder.0];
        let key = it.first_turn().filter(|_| !it.choice().is_empty());
        let old = std::mem::replace(&mut it.startable_at, key);
        if old != key {
            if let Some(old) = old {
                self.startable.remove(&(old, builder));
            }
            if let Some(key) = key {
                self.startable.insert((key, builder));
            }
        }
    }

    /// Brings the slave's place among those that can be woken up to what it has parked and to whether it takes
    /// builds.
    pub(super) fn refresh_slave(&mut self, slave: SlaveIx) {
        let first = self.slaves[slave.0].parked.first().map(|&(bound, _)| bound);
        let key = first.filter(|_| self.is_available(slave));
        let it = &mut self.slaves[slave.0];
        let old = std::mem::replace(&mut it.wakeable_at, key);
        if old != key {
            if let Some(old) = old {
                self.wakeable.remove(&(old, slave));
            }
            if let Some(key) = key {
                self.wakeable.insert((key, slave));
            }
        }
    }
}
