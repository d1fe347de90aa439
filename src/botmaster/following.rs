//! How the outcomes of one machine are passed to the next, until nothing is left to do.

use super::dispatch::{Match, Way};
use super::ids::{AttemptId, BuilderIx, SessionId, SlaveIx};
use super::instances::Need;
use super::layout::Layout;
use super::ledger::Effect;
use super::locks::Locks;
use super::outcome::{Act, Counted, Outcome};
use super::plan;
use super::roster::{Roster, Use};
use super::stopping::Phase;
use super::{BotMaster, attempt::Stage};
use crate::model::SlaveName;

impl BotMaster {
    /// Takes one event, whatever it is. Then all that has changed is settled, builds start until
    /// none can, big states are announced, and a master that has nothing left to stop for exits.
    pub(super) fn turn(&mut self, event: impl FnOnce(&mut Self)) {
        event(self);
        if self.phase == Phase::Exited {
            return;
        }
        self.come_to_rest();
        while self.give_up_vain_waits() || self.make_way() {
            self.come_to_rest();
        }
        self.collect_failures();
        self.states.settle(&mut self.out);
        self.exit_if_over();
    }

    /// Starts builds to a fixed point, in the order of turns over all builders (BLD-07, SB-15).
    /// Instances that no build has chosen then are not needed.
    pub(super) fn come_to_rest(&mut self) {
        loop {
            self.follow();
            if let Some(found) = self.next_match() {
                self.begin(found);
            } else if let Some(slave) = self.instances.next_forsaken() {
                self.on_forsaken(slave);
            } else {
                return;
            }
        }
    }

    /// Passes on what has happened until all machines agree.
    fn follow(&mut self) {
        loop {
            if let Some(outcome) = self.out.next_outcome() {
                self.on_outcome(outcome);
            } else if let Some(effect) = self.out.next_due() {
                self.on_durable(effect);
            } else if let Some((slave, builder)) = self.out.next_pair() {
                self.on_pair_changed(slave, builder);
            } else if let Some(slave) = self.out.next_slave() {
                self.on_slave_changed(slave);
            } else if let Some(act) = self.out.next_act() {
                self.on_act(act);
            } else {
                break;
            }
        }
        // What a slave's locks allow (LCK-08).
        for (slave, are_free) in self.locks.take_touched() {
            self.dispatch.set_free_locks(slave, are_free);
        }
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Joined(builder, counted) => self.states.add(builder, counted),
            Outcome::Left(builder, counted) => self.states.remove(builder, counted),
            Outcome::Connected(slave) => self.instances.on_connection(&mut self.out, slave),
            Outcome::Attached(slave) => {
                self.learn_facts(slave);
                self.on_slave_attached(slave);
            }
            Outcome::Disconnected {
                slave,
                was_attached,
                why,
            } => self.on_disconnected(slave, was_attached, &why),
            Outcome::Pinged(attempt) => self.on_pinged(attempt),
            Outcome::BuildLost { attempt, why } => self.on_build_lost(attempt, &why),
            Outcome::StartInVain { attempt, why } => self.give_back(attempt, &why),
            Outcome::InstanceEnds { slave, why } => self.on_instance_ends(slave, &why),
        }
    }

    fn on_act(&mut self, act: Act) {
        match act {
            Act::Admit {
                slave,
                session,
                address,
            } => self
                .roster
                .on_logged_in(&mut self.out, slave, session, address),
            Act::Leave { build, what } => self.leave_triggered(build, what),
            Act::Drop { slave, why } => self.roster.drop_session(&mut self.out, slave, why),
        }
    }

    fn on_durable(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(to, result) => self.out.reply(to, result),
            Effect::Announce(event) => self.out.announce(event),
            Effect::Queue(request) => self.enqueue(request, true),
            Effect::Tell(build, command) => self.tell_build(build, command),
            Effect::Run(attempt, plan) => self.on_start_recorded(attempt, plan),
            Effect::StartInstance(instance, slave) => {
                self.instances.on_recorded(&mut self.out, instance, &slave);
            }
        }
    }

    /// What expressions see of a slave may have changed.
    pub(super) fn learn_facts(&mut self, slave: SlaveIx) {
        let config = &self.out.layout.slave(slave).config;
        let facts = plan::slave_facts(config, self.roster.info(slave));
        if self.dispatch.set_facts(slave, facts) {
            self.forget_checks_of_slave(slave);
        }
    }

    /// What a slave does for a builder has changed.
    fn on_pair_changed(&mut self, slave: SlaveIx, builder: BuilderIx) {
        let used_for = self.roster.used_for(slave, builder);
        let is_busy = matches!(used_for, Some(Use::Pinged(_) | Use::Building(_)));
        if is_busy || self.instances.waiting(slave, builder).is_some() {
            self.dispatch.set_busy(slave, builder);
        } else if let Some(way) = self.idle_way(slave, builder)
            && self.passes_check(builder, slave)
        {
            self.dispatch.set_idle(slave, builder, way);
        } else {
            self.dispatch.set_gone(slave, builder);
        }
        self.roster.settle_pair(&mut self.out, slave, builder);
    }

    /// How the slave is idle for the builder, if it is.
    pub(super) fn idle_way(&self, slave: SlaveIx, builder: BuilderIx) -> Option<Way> {
        if self.instances.waiting(slave, builder).is_some() {
            return None;
        }
        match self.roster.used_for(slave, builder) {
            Some(Use::Idle) => Some(Way::Attached),
            Some(Use::Pinged(_) | Use::Building(_) | Use::Attaching) => None,
            None => {
                let is_away = self.roster.session(slave).is_none();
                let may_start = is_away && self.instances.is_wanted(slave, builder);
                may_start.then_some(Way::Latent)
            }
        }
    }

    /// A slave, its connection or its instance has changed.
    fn on_slave_changed(&mut self, slave: SlaveIx) {
        self.roster.settle(&mut self.out, slave);
        let is_idle = self.roster.is_attached(slave) && !self.roster.is_busy(slave);
        let need = if is_idle { Need::Idle } else { Need::Other };
        let is_ending = !self.phase.takes_slaves();
        let stop = self.instances.review(&mut self.out, slave, need, is_ending);
        if let Some(why) = stop {
            self.stop_instance(slave, why);
        }
        let is_there =
            self.roster.session(slave).is_some() || self.instances.can_be_started(&self.out, slave);
        let objects = self.roster.objections(slave).next().is_some();
        let may_start = is_there && !objects && !self.is_held(slave);
        self.dispatch.set_willing(slave, may_start);
    }

    fn next_match(&mut self) -> Option<Match> {
        if !self.phase.starts_builds() {
            return None;
        }
        let (locks, layout) = (&self.locks, &self.out.layout);
        self.dispatch
            .next(|builder, slave| fits(locks, layout, (builder, slave)))
    }

    /// Whether a build of the builder would find its own locks free on the slave.
    pub(super) fn fits(&self, builder: BuilderIx, slave: SlaveIx) -> bool {
        fits(&self.locks, &self.out.layout, (builder, slave))
    }

    /// BLD-03 steps 4 to 7, BLD-08: on the building list and in the big state before anything is
    /// sent.
    fn begin(&mut self, found: Match) {
        let (builder, slave, way) = (found.builder, found.slave, found.way);
        let requests = found.requests.clone();
        let (stage, session) = match way {
            Way::Latent => (Stage::Substantiating, None),
            Way::Attached => {
                let session = self.roster.session(slave).map(|session| session.id);
                (Stage::Pinging, session)
            }
        };
        let is_of_search = self.are_of_search(&requests);
        let at = (stage, session);
        let attempt = self.builds.begin(&self.out, found, at, is_of_search);
        self.intake.start(&requests, attempt);
        self.states.add(builder, Counted::Build);
        let taken = self.locks.take_slave(attempt, slave);
        debug_assert!(taken, "a slave is available only while its locks are free");
        match way {
            Way::Latent => {
                self.instances
                    .substantiate(&mut self.out, slave, builder, attempt);
                self.states.announce(&mut self.out, builder);
            }
            Way::Attached => {
                self.states.announce(&mut self.out, builder);
                let pair = (slave, builder);
                let pinged = self.roster.ping_for(&mut self.out, pair, attempt);
                debug_assert!(pinged, "what is matched is idle");
            }
        }
    }

    /// A connection of a slave, if it may come (SLV-04, row 27, BLD-12).
    pub(super) fn on_logged_in(&mut self, name: SlaveName, session: SessionId, address: String) {
        if self.roster.knows(session) {
            return;
        }
        let slave = match self.may_connect(&name) {
            Ok(slave) => slave,
            Err(why) => {
                Roster::refuse(&mut self.out, name, session, address, why);
                return;
            }
        };
        let is_connected = self.roster.session(slave).is_some();
        if is_connected && self.out.layout.config().duplicate_slave_replaces {
            self.roster.replace(&mut self.out, slave);
        }
        // What an old connection leaves behind is settled before the new one begins.
        self.out.act_later(Act::Admit {
            slave,
            session,
            address,
        });
    }

    fn may_connect(&self, name: &SlaveName) -> Result<SlaveIx, &'static str> {
        let slave = self.out.layout.configured_slave(name);
        let slave = slave.ok_or("there is no slave of this name")?;
        if !self.phase.takes_slaves() {
            return Err("the master is shutting down");
        }
        match self.refusal(slave) {
            Some(why) => Err(why),
            None => Ok(slave),
        }
    }

    fn refusal(&self, slave: SlaveIx) -> Option<&'static str> {
        if self.roster.is_shut_out(slave) {
            return Some("it could not be attached, and is to try again later");
        }
        self.instances.refusal(&self.out, slave)
    }

    /// A slave has lost its connection; the one that has waited may come.
    fn on_disconnected(&mut self, slave: SlaveIx, was_attached: bool, why: &str) {
        self.instances.on_connection(&mut self.out, slave);
        self.roster
            .announce_loss(&mut self.out, slave, was_attached, why.to_owned());
        let refusal = if self.out.layout.slave(slave).is_configured {
            self.refusal(slave)
        } else {
            Some("there is no slave of this name")
        };
        let admitted = self.roster.admit_contender(&mut self.out, slave, refusal);
        if was_attached && !admitted {
            self.on_instance_lost(slave, why);
        }
    }

    /// Row 13: the slave has answered the ping before a build.
    fn on_pinged(&mut self, id: AttemptId) {
        self.builds.on_pong(&self.out, id);
        if let Some(attempt) = self.builds.get(id) {
            let pair = (attempt.slave, attempt.builder);
            self.roster.ask_start(&mut self.out, pair);
        }
    }
}

/// Whether a build of the builder would find its own locks free on the slave.
fn fits(locks: &Locks, layout: &Layout, (builder, slave): (BuilderIx, SlaveIx)) -> bool {
    let slave = &layout.slave(slave).config.name;
    locks.are_free(&locks.resolve(&layout.builder(builder).config.locks, slave))
}
