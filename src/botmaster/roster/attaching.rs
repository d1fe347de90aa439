//! Slaves come and go: arbitration, the attach sequence, loss (sections 13 and 14).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::slave::{Contender, Session};
use super::slavebuilder::{Handshake, SlaveBuilder, Step};
use super::{Phase, Roster};
use crate::botmaster::ids::{BuilderIx, Epoch, SessionId, SlaveIx};
use crate::botmaster::out::Out;
use crate::botmaster::outcome::{Counted, Outcome};
use crate::botmaster::timers::Timer;
use crate::botmaster::{BuilderPoint, SlaveCommand, SlaveEvent};
use crate::model::{BuilderName, Op, SlaveName};

/// How long a slave may take from its login to the answer of it (SLV-03).
const ATTACH_TIME: Duration = Duration::from_secs(60);

/// How long an old connection may take to prove that it lives (SLV-04).
const ARBITRATION_TIME: Duration = Duration::from_secs(10);

impl Roster {
    /// A connection of a slave that may connect. The first connection begins to attach. Another one
    /// waits until the first has been pinged; a third is refused meanwhile, so that exactly one
    /// survives (SLV-04).
    pub(in crate::botmaster) fn on_logged_in(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        session: SessionId,
        address: String,
    ) {
        let Some(old) = self.session(slave).map(|session| session.id) else {
            self.begin_session(out, slave, session, address);
            return;
        };
        let known = self.change(out, slave);
        if known.contender.is_some() {
            let why = "another connection of its name is waiting already";
            let name = out.layout.slave_name(slave);
            Self::refuse(out, name, session, address, why);
            return;
        }
        known.contender = Some(Contender {
            id: session,
            address,
        });
        let is_pinged = std::mem::replace(&mut known.arbitrating, true);
        self.sessions.insert(session, slave);
        if !is_pinged {
            out.set_timer(Timer::Arbitration(slave), ARBITRATION_TIME);
            out.send(SlaveCommand::CheckAlive.to(old));
        }
    }

    /// Ends the connection of a slave, and the one that waits, because a younger one replaces them.
    pub(in crate::botmaster) fn replace(&mut self, out: &mut Out, slave: SlaveIx) {
        let why = "another connection of its name has replaced it";
        // One may wait since before a reconfiguration.
        self.refuse_contender(out, slave, why);
        self.drop_session(out, slave, why);
    }

    pub(in crate::botmaster) fn on_alive_checked(
        &mut self,
        out: &mut Out,
        session: SessionId,
        is_alive: bool,
    ) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        if !std::mem::take(&mut self.change(out, slave).arbitrating) {
            return;
        }
        out.timers.cancel(Timer::Arbitration(slave));
        if is_alive {
            let why = "a slave of this name is connected and alive";
            self.refuse_contender(out, slave, why);
        } else {
            let why = "it did not answer when another one of its name came";
            self.drop_session(out, slave, why);
        }
    }

    pub(in crate::botmaster) fn on_arbitration_timeout(&mut self, out: &mut Out, slave: SlaveIx) {
        if let Some(session) = self.session(slave).map(|session| session.id) {
            self.on_alive_checked(out, session, false);
        }
    }

    pub(in crate::botmaster) fn on_attach_timeout(&mut self, out: &mut Out, session: SessionId) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let why = if self.is_attached(slave) {
            "it did not answer its list of builders"
        } else {
            "it was not attached within 60 seconds"
        };
        self.come_again(out, slave, why);
    }

    pub(in crate::botmaster) fn on_described(
        &mut self,
        out: &mut Out,
        session: SessionId,
        info: Arc<BTreeMap<String, String>>,
    ) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let known = self.change(out, slave);
        let is_greeting = |s: &&mut Session| s.phase == Phase::Greeting;
        let Some(session) = known.session.as_mut().filter(is_greeting) else {
            return;
        };
        session.phase = Phase::Listing;
        known.info = info;
        self.send_builder_list(out, slave);
    }

    /// Rows 3 to 5.
    pub(in crate::botmaster) fn on_answered(
        &mut self,
        out: &mut Out,
        (session, name): (SessionId, BuilderName),
        step: Step,
        epoch: Epoch,
        ok: bool,
    ) {
        let Some((slave, builder)) = self.pair_of(out, session, &name) else {
            return;
        };
        let outcome = self.step(out, slave, builder, |it| it.on_answered(step, epoch, ok));
        match outcome {
            Some(Handshake::Greet) => {
                let builder = name;
                out.send(SlaveCommand::GreetBuilder { builder, epoch }.to(session));
            }
            Some(Handshake::Attached) => {
                out.timers.cancel(Timer::Handshake(slave, builder, epoch));
                out.pass(Outcome::Joined(builder, Counted::Slave));
                out.point(builder, Some(slave), BuilderPoint::Connected);
                if let Some(session) = &mut self.change(out, slave).session
                    && session.failed.is_empty()
                {
                    session.retries.reset();
                }
                self.complete_login(out, slave);
            }
            Some(Handshake::Failed) => {
                self.fail_attach(out, slave, &[builder], "the slave rejected it");
            }
            None => {}
        }
    }

    pub(in crate::botmaster) fn on_handshake_timeout(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        epoch: Epoch,
    ) {
        let failed = self.step(out, slave, builder, |it| it.on_handshake_timeout(epoch));
        if failed.is_some() {
            self.fail_attach(out, slave, &[builder], "the slave did not answer");
        }
    }

    pub(in crate::botmaster) fn on_lost(&mut self, out: &mut Out, session: SessionId, why: &str) {
        if let Some(slave) = self.slave_of(session) {
            self.note_lost_start(out, slave, why);
            self.end_session(out, slave, why);
        } else if let Some(slave) = self.sessions.remove(&session) {
            self.change(out, slave).contender = None;
        }
    }

    pub(in crate::botmaster) fn on_wants_shutdown(&mut self, out: &mut Out, session: SessionId) {
        if let Some(slave) = self.slave_of(session) {
            self.set_graceful(out, slave, true);
        }
    }

    /// Marks the slave as to be shut down when it is idle, or no longer: it gets no new builds, and
    /// its process is shut down when no build runs on it (SLV-08).
    pub(in crate::botmaster) fn set_graceful(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        is_graceful: bool,
    ) {
        let now = out.now.wall;
        let known = self.change(out, slave);
        if known.graceful.is_some() != is_graceful {
            known.graceful = is_graceful.then_some(now);
            out.announce(SlaveEvent::Graceful {
                slave: out.layout.slave_name(slave),
                graceful: is_graceful,
            });
        }
    }

    /// The slave was told to shut down and is still connected.
    pub(in crate::botmaster) fn on_end_ignored(&mut self, out: &mut Out, session: SessionId) {
        if let Some(slave) = self.slave_of(session) {
            let why = "it did not end within 60 seconds after it was told to";
            self.drop_session(out, slave, why);
        }
    }

    /// Closes the slave's connection and forgets it.
    pub(in crate::botmaster) fn drop_session(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        if let Some(session) = self.session(slave).map(|session| session.id) {
            let drop = SlaveCommand::Drop {
                why: why.to_owned(),
            };
            out.send(drop.to(session));
            self.end_session(out, slave, why);
        }
    }

    /// The connection that has waited becomes the slave's, unless there is a reason against it.
    /// Answers whether it did.
    pub(in crate::botmaster) fn admit_contender(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        refusal: Option<&str>,
    ) -> bool {
        if let Some(why) = refusal {
            self.refuse_contender(out, slave, why);
            return false;
        }
        let contender = self.change(out, slave).contender.take();
        let Some(Contender { id, address }) = contender else {
            return false;
        };
        self.begin_session(out, slave, id, address);
        true
    }

    /// The loss of the connection goes on record, and is announced.
    pub(in crate::botmaster) fn announce_loss(
        &self,
        out: &mut Out,
        slave: SlaveIx,
        was_attached: bool,
        why: String,
    ) {
        let slave = out.layout.slave_name(slave);
        if was_attached {
            out.persist(vec![Op::SlaveState {
                slave: slave.clone(),
                connected: false,
                info: None,
                at: out.now.wall,
            }]);
        }
        out.announce(SlaveEvent::Lost { slave, why });
    }

    /// Rejects a connection.
    pub(in crate::botmaster) fn refuse(
        out: &mut Out,
        slave: SlaveName,
        session: SessionId,
        address: String,
        why: &str,
    ) {
        let why = why.to_owned();
        let drop = SlaveCommand::Drop { why: why.clone() };
        out.send(drop.to(session));
        out.announce(SlaveEvent::Refused {
            slave,
            address,
            why,
        });
    }

    /// Whether the connection is known, as that of a slave or as one that waits.
    pub(in crate::botmaster) fn knows(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    fn refuse_contender(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        let contender = self.change(out, slave).contender.take();
        if let Some(Contender { id, address }) = contender {
            self.sessions.remove(&id);
            let name = out.layout.slave_name(slave);
            Self::refuse(out, name, id, address, why);
        }
    }

    /// BLD-12: a connection that breaks while a build is being started on it is a failed start,
    /// like a slave that refuses.
    fn note_lost_start(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        let mut attachments = self.slaves[slave.0].slavebuilders.values();
        if !attachments.any(SlaveBuilder::is_before_start) {
            return;
        }
        let why = format!("its connection was lost when a build was to start: {why}");
        if out.layout.slave(slave).latent().is_some() {
            self.note_failed_instance(out, slave, &why);
        } else {
            self.note_failed_start(out, slave, &why);
        }
    }

    fn begin_session(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        session: SessionId,
        address: String,
    ) {
        self.sessions.insert(session, slave);
        self.set_graceful(out, slave, false);
        let now = out.now.wall;
        self.change(out, slave).session = Some(Session::new(session, address, now));
        out.set_timer(Timer::Attach(session), ATTACH_TIME);
        out.pass(Outcome::Connected(slave));
        out.send(SlaveCommand::Greet.to(session));
    }

    /// Answers the login when every builder is attached that can be. From then on the slave takes
    /// builds and counts as present (SLV-07).
    pub(super) fn complete_login(&mut self, out: &mut Out, slave: SlaveIx) {
        let known = self.change(out, slave);
        let is_attaching = |s: &&mut Session| s.phase == Phase::Attaching;
        let Some(session) = known.session.as_mut().filter(is_attaching) else {
            return;
        };
        if session.is_listing || known.attaching > 0 {
            return;
        }
        session.phase = Phase::Ready;
        session.is_unsynced = true;
        let (session, address) = (session.id, session.address.clone());
        known.missed = false;
        let info = Some(Arc::clone(&known.info));
        out.timers.cancel(Timer::Attach(session));
        let slave_name = out.layout.slave_name(slave);
        out.persist(vec![Op::SlaveState {
            slave: slave_name.clone(),
            connected: true,
            info,
            at: out.now.wall,
        }]);
        out.send(SlaveCommand::CompleteLogin.to(session));
        out.announce(SlaveEvent::Connected {
            slave: slave_name,
            address,
        });
        out.pass(Outcome::Attached(slave));
    }

    /// Rows 6, 12, 18 and 19 for all its builders.
    fn end_session(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        let now = out.now;
        let known = self.change(out, slave);
        let Some(session) = known.session.take() else {
            return;
        };
        known.arbitrating = false;
        let was_attached = session.phase.is_attached();
        if was_attached {
            known.absent_since = now;
            known.seen_at = Some(now.wall);
        }
        if out.layout.slave(slave).latent().is_some() {
            // The instance goes, as it was asked to; the next one is another.
            self.set_graceful(out, slave, false);
        }
        self.sessions.remove(&session.id);
        out.timers.cancel(Timer::Attach(session.id));
        out.timers.cancel(Timer::Ending(session.id));
        out.timers.cancel(Timer::Reattach(slave));
        out.timers.cancel(Timer::Arbitration(slave));
        let builders = self.slaves[slave.0].slavebuilders.keys();
        for builder in builders.copied().collect::<Vec<_>>() {
            self.detach(out, slave, builder, why);
        }
        out.pass(Outcome::Disconnected {
            slave,
            was_attached,
            why: why.to_owned(),
        });
    }

    /// Ends an attachment without telling the slave: its answers are void, and what waited for it
    /// is told.
    pub(super) fn detach(&mut self, out: &mut Out, slave: SlaveIx, builder: BuilderIx, why: &str) {
        let Some(attachment) = self.take_attachment(out, slave, builder) else {
            return;
        };
        let epoch = attachment.epoch();
        out.timers.cancel(Timer::Handshake(slave, builder, epoch));
        out.timers.cancel(Timer::StartBuild(slave, builder, epoch));
        let gone = attachment.on_detached();
        for ping in gone.pings {
            out.timers.cancel(Timer::Ping(slave, builder, ping));
        }
        if gone.was_attached {
            out.pass(Outcome::Left(builder, Counted::Slave));
        }
        // One that could not be attached was never connected (row 5).
        if gone.was_attached || self.session(slave).is_none() {
            out.point(builder, Some(slave), BuilderPoint::Disconnected);
        }
        for round in gone.rounds {
            self.tell_round(out, round, slave, false);
        }
        if let Some(attempt) = gone.attempt {
            out.pass(Outcome::BuildLost {
                attempt,
                why: why.to_owned(),
            });
        }
    }
}
