//! Pings, before builds and on demand, and what a failed one costs a slave (rows 7 to 13, BLD-12).

use std::time::Duration;

use serde::Serialize;

use super::ids::{BuilderIx, SlaveIx};
use super::slave::Failure;
use super::slavebuilder::{PingAsked, RoundId};
use super::timers::Timer;
use super::{Answer, BotMaster, BuilderPoint, Event, PingId, ReplyId, SessionId, SlaveCommand};
use crate::model::{BuilderName, SlaveName};

/// How long a ping by control may take (BLD-16).
const CONTROL_PING_TIME: Duration = Duration::from_secs(30);

/// What a round of pings has found, beside slaves that did not answer.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Pinged {
    /// Those that have answered.
    pub answered: Vec<SlaveName>,
    /// Those that are not attached, so that they were not asked.
    pub away: Vec<SlaveName>,
    /// Latent ones that are not attached, as it should be while no build wants them.
    pub down: Vec<SlaveName>,
}

/// Somebody has all slaves of a builder pinged.
#[derive(Debug)]
pub(super) struct Round {
    reply: ReplyId,
    waiting: usize,
    failed: Option<SlaveName>,
    pinged: Pinged,
}

impl BotMaster {
    /// BLD-16: true only if all answer.
    pub(super) fn on_ping_slaves(&mut self, name: &BuilderName, reply: ReplyId) {
        let Some(builder) = self.out.layout.builder_named(name) else {
            self.out.reply(reply, Err(self.out.layout.no_builder(name)));
            return;
        };
        self.next_round += 1;
        let round = RoundId(self.next_round);
        let mut waiting = 0;
        let mut pinged = Pinged::default();
        for slave in self.out.layout.builder(builder).slaves.clone() {
            let it = &self.slaves[slave.0];
            if it.session.is_none() && it.latent.wanted.contains(&builder) {
                // Row 28.
                let (builder, slave) = (name.clone(), self.out.layout.slave_name(slave));
                pinged.down.push(slave.clone());
                self.out.announce(Event::PingedLatent { builder, slave });
            } else if self.ask_ping(slave, builder, round) {
                waiting += 1;
            } else {
                pinged.away.push(self.out.layout.slave_name(slave));
            }
        }
        if waiting == 0 {
            let result = if pinged.down.is_empty() {
                self.out.point(builder, None, BuilderPoint::NoSlaveToPing);
                Err(format!("no slave is attached to {name}"))
            } else {
                Ok(Answer::Pinged(pinged))
            };
            self.out.reply(reply, result);
            return;
        }
        let failed = None;
        self.rounds.insert(
            round,
            Round {
                reply,
                waiting,
                failed,
                pinged,
            },
        );
    }

    pub(super) fn on_ping_answered(
        &mut self,
        session: SessionId,
        name: &BuilderName,
        ping: PingId,
        ok: bool,
    ) {
        let Some((slave, builder)) = self.pair_of(session, name) else {
            return;
        };
        if !ok {
            self.on_ping_failed(slave, builder, ping);
            return;
        }
        let go = self.phase.starts_builds();
        let attachment = self.attachment(slave, builder);
        let Some(Ok(answered)) = attachment.map(|a| a.on_pong(ping, go)) else {
            return;
        };
        self.out.timers.cancel(Timer::Ping(slave, builder, ping));
        if !answered.rounds.is_empty() {
            self.out
                .point(builder, Some(slave), BuilderPoint::PingSucceeded);
        }
        for round in answered.rounds {
            self.tell_round(round, slave, true);
        }
        if let Some(attempt) = answered.starter {
            if go {
                self.ask_start(attempt);
            } else {
                self.give_back(attempt, "the master is shutting down");
            }
        }
        self.place(slave, builder);
        self.review(slave);
    }

    /// Row 11: refused, or the deadline has passed. The connection is dropped at once.
    pub(super) fn on_ping_failed(&mut self, slave: SlaveIx, builder: BuilderIx, ping: PingId) {
        let attachment = self.attachment(slave, builder);
        if attachment.is_none_or(|a| a.on_ping_failed(ping).is_err()) {
            return;
        }
        let (builder, slave_name) = (
            self.out.layout.builder_name(builder),
            self.out.layout.slave_name(slave),
        );
        self.out.announce(Event::PingFailed {
            builder,
            slave: slave_name,
        });
        let why = "it did not answer a ping";
        self.note_failed_start(slave, why);
        self.drop_session(slave, why);
    }

    /// Holds a slave back on which starts fail again and again.
    pub(super) fn note_failed_start(&mut self, slave: SlaveIx, why: &str) {
        let delay = self.slaves[slave.0].on_start_failed(self.out.now.mono);
        self.hold_back(slave, delay, why, false);
    }

    /// The same for one that cannot be attached (row 5): it is not even let in.
    pub(super) fn note_failed_attach(&mut self, slave: SlaveIx, why: &str) {
        let delay = self.slaves[slave.0].on_start_failed(self.out.now.mono);
        self.hold_back(slave, delay, why, true);
    }

    /// Holds a slave back that cannot be had: its instances cost more than pings, so that it is from the first time on.
    pub(super) fn note_failed_instance(&mut self, slave: SlaveIx, why: &str) {
        let it = &mut self.slaves[slave.0];
        let delay = it.on_start_failed(self.out.now.mono);
        let delay = delay.or_else(|| it.on_start_failed(self.out.now.mono));
        self.hold_back(slave, delay, why, false);
    }

    fn hold_back(&mut self, slave: SlaveIx, delay: Option<Duration>, why: &str, attaching: bool) {
        self.slaves[slave.0].last_failure = Some(Failure {
            at: self.out.now.wall,
            why: why.to_owned(),
            attaching,
        });
        if let Some(delay) = delay {
            self.out.set_timer(Timer::HoldBack(slave), delay);
            let slave_name = self.out.layout.slave_name(slave);
            self.out.announce(Event::SlaveHeldBack {
                slave: slave_name,
                delay,
            });
        }
    }

    pub(super) fn on_hold_ended(&mut self, slave: SlaveIx) {
        self.slaves[slave.0].on_hold_ended();
        self.review(slave);
    }

    /// One of the slaves of a round has answered, or never will.
    pub(super) fn tell_round(&mut self, id: RoundId, slave: SlaveIx, ok: bool) {
        let slave = self.out.layout.slave_name(slave);
        let Some(round) = self.rounds.get_mut(&id) else {
            return;
        };
        round.waiting -= 1;
        if ok {
            round.pinged.answered.push(slave);
        } else {
            round.failed.get_or_insert(slave);
        }
        if round.waiting > 0 {
            return;
        }
        if let Some(round) = self.rounds.remove(&id) {
            let result = match round.failed {
                None => Ok(Answer::Pinged(round.pinged)),
                Some(slave) => Err(format!("slave {slave} did not answer")),
            };
            self.out.reply(round.reply, result);
        }
    }

    /// Nobody will hear of the rest.
    pub(super) fn refuse_rounds(&mut self, why: &str) {
        while let Some((_, round)) = self.rounds.pop_first() {
            self.out.reply(round.reply, Err(why.to_owned()));
        }
    }

    /// Rows 8, 9 and 16.
    fn ask_ping(&mut self, slave: SlaveIx, builder: BuilderIx, round: RoundId) -> bool {
        let (ping, deadline) = (self.new_ping(), self.out.now.mono + CONTROL_PING_TIME);
        let attachment = self.attachment(slave, builder);
        let Some(Ok(asked)) = attachment.map(|a| a.on_ping_asked(round, ping, deadline)) else {
            return false;
        };
        self.out.point(builder, Some(slave), BuilderPoint::Pinging);
        match asked {
            PingAsked::Joined(ping, deadline) => {
                self.out
                    .timers
                    .set(Timer::Ping(slave, builder, ping), deadline);
            }
            PingAsked::Send => {
                self.send_ping(slave, builder, ping, CONTROL_PING_TIME);
                self.place(slave, builder);
            }
        }
        true
    }

    pub(super) fn send_ping(
        &mut self,
        slave: SlaveIx,
        builder: BuilderIx,
        ping: PingId,
        time: Duration,
    ) {
        self.out.set_timer(Timer::Ping(slave, builder, ping), time);
        if let Some(session) = self.slaves[slave.0].session.as_ref().map(|s| s.id) {
            let builder = self.out.layout.builder_name(builder);
            self.out
                .send(SlaveCommand::Ping { builder, ping }.to(session));
        }
    }
}
