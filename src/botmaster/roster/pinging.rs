//! Pings, before builds and on demand, the answers to startBuild, and what a failure costs a slave
//! (rows 7 to 16, BLD-12).

use std::time::Duration;

use super::Roster;
use super::slave::Failure;
use super::slavebuilder::{PingAsked, RoundId};
use crate::botmaster::ids::{AttemptId, BuilderIx, Epoch, PingId, ReplyId, SessionId, SlaveIx};
use crate::botmaster::out::Out;
use crate::botmaster::outcome::Outcome;
use crate::botmaster::timers::Timer;
use crate::botmaster::{Answer, BuilderEvent, BuilderPoint, Pinged, SlaveCommand, SlaveEvent};
use crate::model::{BuilderName, SlaveName};

/// How long a ping by control may take (BLD-16).
const CONTROL_PING_TIME: Duration = Duration::from_secs(30);

/// A request to ping all slaves of a builder.
#[derive(Debug)]
pub(super) struct Round {
    reply: ReplyId,
    waiting: usize,
    failed: Option<SlaveName>,
    pinged: Pinged,
}

impl Roster {
    /// BLD-16: true only if all answer.
    pub(in crate::botmaster) fn on_ping_slaves(
        &mut self,
        out: &mut Out,
        name: &BuilderName,
        reply: ReplyId,
    ) {
        let Some(builder) = out.layout.builder_named(name) else {
            out.reply(reply, Err(out.layout.no_builder(name)));
            return;
        };
        self.last_round += 1;
        let round = RoundId(self.last_round);
        let mut waiting = 0;
        let mut pinged = Pinged::default();
        for slave in out.layout.builder(builder).slaves.clone() {
            let slave_name = out.layout.slave_name(slave);
            let is_latent = out.layout.slave(slave).latent().is_some();
            if is_latent && self.session(slave).is_none() {
                // Row 28.
                pinged.down.push(slave_name.clone());
                out.announce(BuilderEvent::PingedLatent {
                    builder: name.clone(),
                    slave: slave_name,
                });
            } else if self.ask_ping(out, slave, builder, round) {
                waiting += 1;
            } else {
                pinged.away.push(slave_name);
            }
        }
        if waiting == 0 {
            let result = if pinged.down.is_empty() {
                out.point(builder, None, BuilderPoint::NoSlaveToPing);
                Err(format!("no slave is attached to {name}"))
            } else {
                Ok(Answer::Pinged(pinged))
            };
            out.reply(reply, result);
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

    /// Row 7: the slave is chosen for a build, and is pinged. Answers whether it was idle.
    pub(in crate::botmaster) fn ping_for(
        &mut self,
        out: &mut Out,
        (slave, builder): (SlaveIx, BuilderIx),
        attempt: AttemptId,
    ) -> bool {
        let time = out.layout.config().start_build_timeout;
        let (ping, deadline) = (self.new_ping(), out.now.mono + time);
        let chosen = self.step(out, slave, builder, |it| {
            it.on_chosen(attempt, ping, deadline)
        });
        if chosen.is_some() {
            self.send_ping(out, slave, builder, ping, time);
        }
        chosen.is_some()
    }

    /// Rows 10, 11, 13 and 16. Builds go on to their start if `go` is true.
    pub(in crate::botmaster) fn on_ping_answered(
        &mut self,
        out: &mut Out,
        (session, name): (SessionId, &BuilderName),
        ping: PingId,
        ok: bool,
        go: bool,
    ) {
        let Some((slave, builder)) = self.pair_of(out, session, name) else {
            return;
        };
        if !ok {
            self.on_ping_failed(out, slave, builder, ping);
            return;
        }
        let Some(answered) = self.step(out, slave, builder, |it| it.on_pong(ping, go)) else {
            return;
        };
        out.timers.cancel(Timer::Ping(slave, builder, ping));
        if !answered.rounds.is_empty() {
            out.point(builder, Some(slave), BuilderPoint::PingSucceeded);
        }
        for round in answered.rounds {
            self.tell_round(out, round, slave, true);
        }
        match answered.starter {
            Some(attempt) if go => out.pass(Outcome::Pinged(attempt)),
            Some(attempt) => {
                let why = "the master is shutting down".to_owned();
                out.pass(Outcome::StartInVain { attempt, why });
            }
            None => {}
        }
    }

    /// Row 11: refused, or the deadline has passed. The connection is dropped at once.
    pub(in crate::botmaster) fn on_ping_failed(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        ping: PingId,
    ) {
        let failed = self.step(out, slave, builder, |it| it.on_ping_failed(ping));
        if failed.is_none() {
            return;
        }
        out.announce(BuilderEvent::PingFailed {
            builder: out.layout.builder_name(builder),
            slave: out.layout.slave_name(slave),
        });
        let why = "it did not answer a ping";
        self.note_failed_start(out, slave, why);
        self.drop_session(out, slave, why);
    }

    /// The build that was to start after a ping is given up; the ping goes on for itself.
    pub(in crate::botmaster) fn stop_start(
        &mut self,
        out: &mut Out,
        (slave, builder): (SlaveIx, BuilderIx),
        attempt: AttemptId,
    ) {
        let stopped = self.step(out, slave, builder, |it| it.on_start_stopped(attempt));
        debug_assert!(stopped.is_some(), "a build that pings has its attachment");
    }

    /// Row 13: asks the slave to start a build.
    pub(in crate::botmaster) fn ask_start(
        &self,
        out: &mut Out,
        (slave, builder): (SlaveIx, BuilderIx),
    ) {
        let known = &self.slaves[slave.0];
        let attachment = known.slavebuilders.get(&builder);
        if let (Some(session), Some(attachment)) = (&known.session, attachment) {
            let epoch = attachment.epoch();
            let wait = out.layout.config().attach_timeout;
            out.set_timer(Timer::StartBuild(slave, builder, epoch), wait);
            let builder = out.layout.builder_name(builder);
            let start = SlaveCommand::StartBuild { builder, epoch };
            out.send(start.to(session.id));
        }
    }

    /// Rows 14 and 15. Answers the slave and the build, if this attachment waits for the answer.
    pub(in crate::botmaster) fn on_start_answered(
        &mut self,
        out: &mut Out,
        (session, name): (SessionId, &BuilderName),
        epoch: Epoch,
        accepted: bool,
    ) -> Option<(SlaveIx, AttemptId)> {
        let (slave, builder) = self.pair_of(out, session, name)?;
        let attempt = self.step(out, slave, builder, |it| {
            it.on_start_answered(epoch, accepted)
        })?;
        out.timers.cancel(Timer::StartBuild(slave, builder, epoch));
        Some((slave, attempt))
    }

    pub(in crate::botmaster) fn on_start_timeout(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        epoch: Epoch,
    ) {
        let attachment = self.slaves[slave.0].slavebuilders.get(&builder);
        if attachment.is_some_and(|attachment| attachment.is_starting(epoch)) {
            let why = "it did not say whether it starts a build";
            self.note_failed_start(out, slave, why);
            self.drop_session(out, slave, why);
        }
    }

    /// Holds a slave back on which starts fail again and again.
    pub(in crate::botmaster) fn note_failed_start(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        why: &str,
    ) {
        let now = out.now.mono;
        let delay = self.change(out, slave).on_start_failed(now);
        self.hold_back(out, slave, delay, (why, false));
    }

    /// Holds a slave back that cannot be attached (row 5): its connections are refused meanwhile.
    pub(super) fn note_failed_attach(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        let now = out.now.mono;
        let delay = self.change(out, slave).on_start_failed(now);
        self.hold_back(out, slave, delay, (why, true));
    }

    /// Holds a latent slave back whose instance cannot be had: instances cost more than pings, so
    /// that it is held back from the first time on.
    pub(in crate::botmaster) fn note_failed_instance(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        why: &str,
    ) {
        let now = out.now.mono;
        let known = self.change(out, slave);
        let delay = known.on_start_failed(now);
        let delay = delay.or_else(|| known.on_start_failed(now));
        self.hold_back(out, slave, delay, (why, false));
    }

    fn hold_back(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        delay: Option<Duration>,
        (why, attaching): (&str, bool),
    ) {
        let failure = Failure {
            at: out.now.wall,
            why: why.to_owned(),
            attaching,
        };
        self.change(out, slave).last_failure = Some(failure);
        if let Some(delay) = delay {
            out.set_timer(Timer::HoldBack(slave), delay);
            let slave = out.layout.slave_name(slave);
            out.announce(SlaveEvent::HeldBack { slave, delay });
        }
    }

    pub(in crate::botmaster) fn on_hold_ended(&mut self, out: &mut Out, slave: SlaveIx) {
        self.change(out, slave).on_hold_ended();
    }

    /// One of the slaves of a round has answered, or never will.
    pub(super) fn tell_round(&mut self, out: &mut Out, id: RoundId, slave: SlaveIx, ok: bool) {
        let slave = out.layout.slave_name(slave);
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
            out.reply(round.reply, result);
        }
    }

    /// The master ends: pings that are not answered yet never will be.
    pub(in crate::botmaster) fn refuse_rounds(&mut self, out: &mut Out, why: &str) {
        while let Some((_, round)) = self.rounds.pop_first() {
            out.reply(round.reply, Err(why.to_owned()));
        }
    }

    /// Rows 8, 9 and 16. Answers whether the builder is attached, so that it can be pinged.
    fn ask_ping(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        round: RoundId,
    ) -> bool {
        let attachment = self.slaves[slave.0].slavebuilders.get(&builder);
        if attachment.is_none_or(|attachment| attachment.is_attaching()) {
            return false;
        }
        let (ping, deadline) = (self.new_ping(), out.now.mono + CONTROL_PING_TIME);
        let asked = self.step(out, slave, builder, |it| {
            it.on_ping_asked(round, ping, deadline)
        });
        let Some(asked) = asked else {
            return false;
        };
        out.point(builder, Some(slave), BuilderPoint::Pinging);
        match asked {
            PingAsked::Joined(ping, deadline) => {
                out.timers.set(Timer::Ping(slave, builder, ping), deadline);
            }
            PingAsked::Send => self.send_ping(out, slave, builder, ping, CONTROL_PING_TIME),
        }
        true
    }

    fn send_ping(
        &self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        ping: PingId,
        time: Duration,
    ) {
        out.set_timer(Timer::Ping(slave, builder, ping), time);
        if let Some(session) = self.session(slave) {
            let builder = out.layout.builder_name(builder);
            let command = SlaveCommand::Ping { builder, ping };
            out.send(command.to(session.id));
        }
    }
}
