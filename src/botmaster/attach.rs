//! Slaves come and go: arbitration, the attach sequence, loss (sections 13 and 14).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::Stage;
use super::big_state::Counted;
use super::ids::{BuilderIx, SlaveIx};
use super::slave::{Contender, Phase, Session};
use super::slavebuilder::{Handshake, SlaveBuilder, Unexpected};
use super::timers::Timer;
use super::{BotMaster, BuilderPoint, Epoch, Event, SessionId, SlaveCommand};
use crate::model::{BuilderName, Op, SlaveName};

/// How long a slave may take from its login to the answer of it (SLV-03).
const ATTACH_TIME: Duration = Duration::from_secs(60);

/// How long an old connection may take to prove that it lives (SLV-04).
const ARBITRATION_TIME: Duration = Duration::from_secs(10);

impl BotMaster {
    /// The first of a name begins to attach. Another one waits until the first has been pinged; a third
    /// is refused meanwhile, so that exactly one survives (SLV-04).
    pub(super) fn on_slave_logged_in(
        &mut self,
        name: SlaveName,
        session: SessionId,
        address: String,
    ) {
        if self.sessions.contains_key(&session) {
            return;
        }
        let Some(slave) = self.out.layout.configured_slave(&name) else {
            self.refuse(name, session, address, "there is no slave of this name");
            return;
        };
        if !self.phase.takes_slaves() {
            self.refuse(name, session, address, "the master is shutting down");
            return;
        }
        if let Some(why) = self.uninvited(slave) {
            self.refuse(name, session, address, why);
            return;
        }
        let it = &mut self.slaves[slave.0];
        let Some(old) = it.session.as_ref().map(|s| s.id) else {
            self.begin_session(slave, session, address);
            return;
        };
        if self.out.layout.config().duplicate_slave_replaces {
            let why = "another connection of its name has replaced it";
            // One may wait since before a reconfiguration.
            if let Some(Contender { id, address }) = it.contender.take() {
                self.sessions.remove(&id);
                self.refuse(name, id, address, why);
            }
            self.drop_session(slave, why);
            self.begin_session(slave, session, address);
            return;
        }
        if it.contender.is_some() {
            let why = "another connection of its name is waiting already";
            self.refuse(name, session, address, why);
            return;
        }
        it.contender = Some(Contender {
            id: session,
            address,
        });
        let pinged = std::mem::replace(&mut it.arbitrating, true);
        self.sessions.insert(session, slave);
        if !pinged {
            self.out
                .set_timer(Timer::Arbitration(slave), ARBITRATION_TIME);
            self.out.send(SlaveCommand::CheckAlive.to(old));
        }
    }

    pub(super) fn on_old_slave_answered(&mut self, session: SessionId, alive: bool) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let it = &mut self.slaves[slave.0];
        if !std::mem::take(&mut it.arbitrating) {
            return;
        }
        self.out.timers.cancel(Timer::Arbitration(slave));
        if !alive {
            self.drop_session(slave, "it did not answer when another one of its name came");
        } else if let Some(Contender { id, address }) = it.contender.take() {
            self.sessions.remove(&id);
            let name = self.out.layout.slave_name(slave);
            self.refuse(
                name,
                id,
                address,
                "a slave of this name is connected and alive",
            );
        }
    }

    pub(super) fn on_arbitration_timeout(&mut self, slave: SlaveIx) {
        if let Some(session) = self.slaves[slave.0].session.as_ref().map(|s| s.id) {
            self.on_old_slave_answered(session, false);
        }
    }

    pub(super) fn on_attach_timeout(&mut self, session: SessionId) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let why = if self.slaves[slave.0].is_attached() {
            "it did not answer its list of builders"
        } else {
            "it was not attached within 60 seconds"
        };
        self.come_again(slave, why);
    }

    pub(super) fn on_slave_described(
        &mut self,
        session: SessionId,
        info: Arc<BTreeMap<String, String>>,
    ) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let it = &mut self.slaves[slave.0];
        let greeting = |s: &&mut Session| s.phase == Phase::Greeting;
        let Some(its) = it.session_if(session).filter(greeting) else {
            return;
        };
        its.phase = Phase::Listing;
        it.info = info;
        self.send_builder_list(slave);
    }

    /// Rows 3 to 5.
    pub(super) fn on_handshake(
        &mut self,
        session: SessionId,
        name: &BuilderName,
        step: impl FnOnce(&mut SlaveBuilder) -> Result<Handshake, Unexpected>,
    ) {
        let Some((slave, builder)) = self.pair_of(session, name) else {
            return;
        };
        let Some(attachment) = self.attachment(slave, builder) else {
            return;
        };
        let Ok(outcome) = step(attachment) else {
            return;
        };
        let epoch = attachment.epoch();
        match outcome {
            Handshake::Greet => self.out.send(
                SlaveCommand::GreetBuilder {
                    builder: name.clone(),
                    epoch,
                }
                .to(session),
            ),
            Handshake::Attached => {
                self.out
                    .timers
                    .cancel(Timer::Handshake(slave, builder, epoch));
                self.states.add(builder, Counted::Attached);
                self.out
                    .point(builder, Some(slave), BuilderPoint::Connected);
                let its = self.slaves[slave.0].session.as_mut();
                if let Some(its) = its.filter(|s| s.failed.is_empty()) {
                    its.retries.reset();
                }
                self.place(slave, builder);
                self.complete_login(slave);
            }
            Handshake::Failed => self.fail_attach(slave, &[builder], "the slave refused it"),
        }
    }

    pub(super) fn on_handshake_timeout(
        &mut self,
        slave: SlaveIx,
        builder: BuilderIx,
        epoch: Epoch,
    ) {
        let attachment = self.attachment(slave, builder);
        if attachment.is_some_and(|a| a.on_handshake_timeout(epoch).is_ok()) {
            self.fail_attach(slave, &[builder], "the slave did not answer");
        }
    }

    pub(super) fn on_slave_lost(&mut self, session: SessionId, why: &str) {
        if let Some(slave) = self.slave_of(session) {
            self.note_lost_start(slave, why);
            self.end_session(slave, why);
        } else if let Some(slave) = self.sessions.remove(&session) {
            self.slaves[slave.0].contender = None;
        }
    }

    pub(super) fn on_slave_wants_shutdown(&mut self, session: SessionId) {
        if let Some(slave) = self.slave_of(session) {
            self.ask_to_end(slave);
        }
    }

    /// SLV-08: no new builds; its process is told to end when it has none.
    pub(super) fn ask_to_end(&mut self, slave: SlaveIx) {
        self.set_graceful(slave, true);
        self.review(slave);
    }

    /// Marks it as to be shut down when it is idle, or no longer.
    pub(super) fn set_graceful(&mut self, slave: SlaveIx, graceful: bool) {
        let it = &mut self.slaves[slave.0];
        if it.graceful.is_some() != graceful {
            it.graceful = graceful.then_some(self.out.now.wall);
            let slave = self.out.layout.slave_name(slave);
            self.out.announce(Event::SlaveGraceful { slave, graceful });
        }
    }

    /// It was told to end and is still connected: whatever it does, it is not what it was told.
    pub(super) fn on_end_ignored(&mut self, session: SessionId) {
        if let Some(slave) = self.slave_of(session) {
            self.drop_session(
                slave,
                "it did not end within 60 seconds after it was told to",
            );
        }
    }

    /// BLD-12: a connection that breaks while a build is being started on it is a failed start, like a slave that refuses.
    fn note_lost_start(&mut self, slave: SlaveIx, why: &str) {
        let it = &self.slaves[slave.0];
        let attempts = it.slavebuilders.values().filter_map(SlaveBuilder::attempt);
        let mut stages = attempts.filter_map(|id| self.builds.get(id).map(|a| a.stage));
        if !stages.any(|stage| matches!(stage, Stage::Pinging | Stage::Starting)) {
            return;
        }
        let why = format!("its connection was lost when a build was to start: {why}");
        if self.out.layout.slave(slave).latent().is_some() {
            self.note_failed_instance(slave, &why);
        } else {
            self.note_failed_start(slave, &why);
        }
    }

    /// Closes the slave's connection and forgets it.
    pub(super) fn drop_session(&mut self, slave: SlaveIx, why: &str) {
        if let Some(session) = self.slaves[slave.0].session.as_ref().map(|s| s.id) {
            let drop = SlaveCommand::Drop {
                why: why.to_owned(),
            };
            self.out.send(drop.to(session));
            self.end_session(slave, why);
        }
    }

    fn begin_session(&mut self, slave: SlaveIx, session: SessionId, address: String) {
        self.sessions.insert(session, slave);
        self.set_graceful(slave, false);
        let it = &mut self.slaves[slave.0];
        it.session = Some(Session::new(session, address, self.out.now.wall));
        self.out.set_timer(Timer::Attach(session), ATTACH_TIME);
        self.place_latent(slave);
        self.out.send(SlaveCommand::Greet.to(session));
    }

    /// The login is answered when every builder is attached that can be; only then does the slave take builds, and is
    /// no longer missed.
    pub(super) fn complete_login(&mut self, slave: SlaveIx) {
        let it = &mut self.slaves[slave.0];
        let Some(its) = it.session.as_mut().filter(|s| s.phase == Phase::Attaching) else {
            return;
        };
        if its.listing || it.slavebuilders.values().any(SlaveBuilder::is_attaching) {
            return;
        }
        its.phase = Phase::Ready;
        let (session, address) = (its.id, its.address.clone());
        it.missed = false;
        let info = Some(Arc::clone(&it.info));
        self.out.timers.cancel(Timer::Attach(session));
        self.watch_absence(slave);
        self.out.persist(vec![Op::SlaveState {
            slave: self.out.layout.slave_name(slave),
            connected: true,
            info,
            at: self.out.now.wall,
        }]);
        self.out.send(SlaveCommand::CompleteLogin.to(session));
        let slave_name = self.out.layout.slave_name(slave);
        self.out.announce(Event::SlaveConnected {
            slave: slave_name,
            address,
        });
        self.promote_waiting(slave);
        self.review(slave);
        self.sync_builder_list(slave);
    }

    /// Rows 6, 12, 18 and 19 for all its builders; then the one that has waited may come.
    fn end_session(&mut self, slave: SlaveIx, why: &str) {
        let it = &mut self.slaves[slave.0];
        let Some(session) = it.session.take() else {
            return;
        };
        let attachments = std::mem::take(&mut it.slavebuilders);
        it.leaving.clear();
        it.arbitrating = false;
        let was_attached = session.phase.is_attached();
        if was_attached {
            it.absent_since = self.out.now;
            it.seen_at = Some(self.out.now.wall);
        }
        if self.out.layout.slave(slave).latent().is_some() {
            // The instance goes, as it was asked to; the next one is another.
            self.set_graceful(slave, false);
        }
        self.sessions.remove(&session.id);
        self.out.timers.cancel(Timer::Attach(session.id));
        self.out.timers.cancel(Timer::Ending(session.id));
        self.out.timers.cancel(Timer::Reattach(slave));
        self.out.timers.cancel(Timer::Arbitration(slave));
        self.watch_absence(slave);
        for (builder, attachment) in attachments {
            self.place(slave, builder);
            self.end_attachment(slave, builder, attachment, why);
        }
        self.place_latent(slave);
        self.review(slave);
        if was_attached {
            self.out.persist(vec![Op::SlaveState {
                slave: self.out.layout.slave_name(slave),
                connected: false,
                info: None,
                at: self.out.now.wall,
            }]);
        }
        let slave_name = self.out.layout.slave_name(slave);
        self.out.announce(Event::SlaveLost {
            slave: slave_name,
            why: why.to_owned(),
        });
        if let Some(Contender { id, address }) = self.slaves[slave.0].contender.take() {
            let unwanted = if self.out.layout.slave(slave).is_configured {
                self.uninvited(slave)
            } else {
                Some("there is no slave of this name")
            };
            let Some(why) = unwanted else {
                self.begin_session(slave, id, address);
                return;
            };
            self.sessions.remove(&id);
            let name = self.out.layout.slave_name(slave);
            self.refuse(name, id, address, why);
        }
        if was_attached {
            self.on_instance_lost(slave, why);
        }
    }

    /// An attachment is gone: its answers are void, and who waited for it is told.
    pub(super) fn end_attachment(
        &mut self,
        slave: SlaveIx,
        builder: BuilderIx,
        attachment: SlaveBuilder,
        why: &str,
    ) {
        let epoch = attachment.epoch();
        self.out
            .timers
            .cancel(Timer::Handshake(slave, builder, epoch));
        self.out
            .timers
            .cancel(Timer::StartBuild(slave, builder, epoch));
        let gone = attachment.on_detached();
        for ping in gone.pings {
            self.out.timers.cancel(Timer::Ping(slave, builder, ping));
        }
        if gone.was_attached {
            self.states.remove(builder, Counted::Attached);
        }
        // One that could not be attached was never connected (row 5).
        if gone.was_attached || self.slaves[slave.0].session.is_none() {
            self.out
                .point(builder, Some(slave), BuilderPoint::Disconnected);
        }
        for round in gone.rounds {
            self.tell_round(round, slave, false);
        }
        if let Some(attempt) = gone.attempt {
            self.on_slave_gone(attempt, why);
        }
    }

    fn refuse(&mut self, slave: SlaveName, session: SessionId, address: String, why: &str) {
        self.out.send(
            SlaveCommand::Drop {
                why: why.to_owned(),
            }
            .to(session),
        );
        self.out.announce(Event::SlaveRefused {
            slave,
            address,
            why: why.to_owned(),
        });
    }
}
