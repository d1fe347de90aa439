//! The slaves and their connections: who is attached to which builders, and whether a slave takes
//! builds (sections 13 and 14).
//!
//! Invariants:
//! - a slave is attached to its builders with its login answered, or it is on its way there with a
//!   deadline, or it is not connected (SLV-03);
//! - every slave-builder belongs to the present connection of its slave;
//! - all changes of a slave are made through [`Roster::change`], those of an attachment through
//!   [`Roster::step`], so that [`Out`] knows what is to be settled.

mod absence;
mod attaching;
mod listing;
mod pausing;
mod pinging;
mod slave;
mod slavebuilder;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use self::pinging::Round;
use self::slave::Slave;
pub(super) use self::slave::{Failure, Phase, Session};
pub(super) use self::slavebuilder::Step;
use self::slavebuilder::{RoundId, SlaveBuilder, Unexpected};
use super::ids::{AttemptId, BuilderIx, Epoch, PingId, SessionId, SlaveIx};
use super::out::Out;
use super::timers::Timer;
use super::{Command, SlaveCommand};
use crate::model::journal::RecoveredSlave;
use crate::model::{BuilderName, InstanceRecord, Mono, Pause, SlaveName, Timestamp};

/// How long a slave may take to end its process when it is told to.
const END_TIME: Duration = Duration::from_secs(60);

/// The slaves.
#[derive(Debug)]
pub(super) struct Roster {
    slaves: Vec<Slave>,
    /// The slaves' own connections and the contenders.
    sessions: HashMap<SessionId, SlaveIx>,
    /// The requests to ping all slaves of a builder.
    rounds: BTreeMap<RoundId, Round>,
    /// What the state knew of slaves that have not been configured in this run yet.
    remembered: BTreeMap<SlaveName, RecoveredSlave>,
    last_epoch: u64,
    last_ping: u64,
    last_round: u64,
}

/// What a slave does for a builder that is attached to it, or is being attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Use {
    Attaching,
    Idle,
    /// With the build that is to start, if it is pinged for one.
    Pinged(Option<AttemptId>),
    /// A build starts or runs.
    Building(AttemptId),
}

/// Why a slave takes no builds, as far as its connection and people go (BLD-04).
#[derive(Debug)]
pub(super) enum Objection<'a> {
    /// It has a connection, but is not attached to its builders, or is about to go.
    NotReady(&'a Session),
    /// People keep it from builds.
    Paused(&'a Pause),
    /// Starts on it failed; until this time.
    HeldBack(Mono, &'a Failure),
    /// It is to be shut down when it is idle; since this time.
    Graceful(Timestamp),
}

impl Roster {
    /// Without slaves; `remembered` is what the state knew of them.
    pub(super) fn new(remembered: BTreeMap<SlaveName, RecoveredSlave>) -> Self {
        Self {
            slaves: Vec::new(),
            sessions: HashMap::new(),
            rounds: BTreeMap::new(),
            remembered,
            last_epoch: 0,
            last_ping: 0,
            last_round: 0,
        }
    }

    /// Adds the slave with the next index, not connected. Answers its instance, if an earlier run
    /// of the master has left one.
    pub(super) fn add_slave(&mut self, out: &mut Out, slave: SlaveIx) -> Option<InstanceRecord> {
        let name = &out.layout.slave(slave).config.name;
        let known = self.remembered.remove(name).unwrap_or_default();
        let mut new = Slave::new(out.now);
        new.seen_at = known.seen_at;
        new.missed = known.missed;
        new.info = known.info;
        new.paused = known.paused;
        self.slaves.push(new);
        out.touch(slave);
        known.instance
    }

    /// The slaves that were not configured in this run and have an instance.
    pub(super) fn remembered_with_instance(&self) -> Vec<SlaveName> {
        let remembered = self.remembered.iter();
        let running = remembered.filter(|(_, known)| known.instance.is_some());
        running.map(|(name, _)| name.clone()).collect()
    }

    /// Applies pending changes to an idle slave: disconnects the slave, tells it to shut down, or
    /// sends it a new list of builders.
    pub(super) fn settle(&mut self, out: &mut Out, slave: SlaveIx) {
        let known = &self.slaves[slave.0];
        let is_idle = known.busy == 0;
        match known.session.as_ref().map(|session| session.phase) {
            Some(Phase::Rejoining) if is_idle => {
                let why = "it is to come again and get all its builders";
                self.drop_session(out, slave, why);
            }
            Some(Phase::Ready) if is_idle && known.graceful.is_some() => {
                let now = out.now.wall;
                if let Some(session) = &mut self.change(out, slave).session {
                    session.enter(Phase::ShuttingDown, now);
                    let session = session.id;
                    out.set_timer(Timer::Ending(session), END_TIME);
                    out.send(SlaveCommand::Shutdown.to(session));
                }
            }
            Some(_) | None => {}
        }
        self.sync_builder_list(out, slave);
        self.watch_absence(out, slave);
    }

    /// Ends an attachment that was kept for its build alone, which has ended (BRC-05).
    pub(super) fn settle_pair(&mut self, out: &mut Out, slave: SlaveIx, builder: BuilderIx) {
        let known = &self.slaves[slave.0];
        let attachment = known.slavebuilders.get(&builder);
        if known.leaving.contains(&builder) && !attachment.is_some_and(SlaveBuilder::is_busy) {
            self.leave(out, slave, builder);
        }
    }

    /// A build was started on the slave.
    pub(super) fn on_start_succeeded(&mut self, out: &mut Out, slave: SlaveIx) {
        self.change(out, slave).on_start_succeeded();
    }

    /// Row 17: a build on the slave has ended, and the attachment is free.
    pub(super) fn on_build_finished(
        &mut self,
        out: &mut Out,
        (slave, builder): (SlaveIx, BuilderIx),
        attempt: AttemptId,
    ) {
        let freed = self.step(out, slave, builder, |it| it.on_build_finished(attempt));
        debug_assert!(freed.is_some(), "a build has its attachment until it ends");
        if let Some(session) = &mut self.change(out, slave).session
            && session.is_stale
        {
            session.is_unsynced = true;
        }
    }

    /// Why the slave takes no builds. Whether it has room and its locks are free is another matter.
    pub(super) fn objections(&self, slave: SlaveIx) -> impl Iterator<Item = Objection<'_>> {
        let slave = &self.slaves[slave.0];
        let session = slave.session.as_ref();
        let not_ready = session.filter(|session| session.phase != Phase::Ready);
        let held = slave.held_until().zip(slave.last_failure.as_ref());
        let all = [
            not_ready.map(Objection::NotReady),
            slave.paused.as_ref().map(Objection::Paused),
            held.map(|(until, failure)| Objection::HeldBack(until, failure)),
            slave.graceful.map(Objection::Graceful),
        ];
        all.into_iter().flatten()
    }

    /// What the slave does for the builder; nothing if the builder is not attached to it.
    pub(super) fn used_for(&self, slave: SlaveIx, builder: BuilderIx) -> Option<Use> {
        self.slaves[slave.0].slavebuilders.get(&builder).map(use_of)
    }

    /// What the slave does for each of the builders that are attached to it, or are being attached.
    pub(super) fn uses(&self, slave: SlaveIx) -> impl Iterator<Item = (BuilderIx, Use)> {
        let attachments = self.slaves[slave.0].slavebuilders.iter();
        attachments.map(|(&builder, attachment)| (builder, use_of(attachment)))
    }

    /// Whether a build of the builder can be started on the slave, which has it attached.
    pub(super) fn is_idle(&self, (slave, builder): (SlaveIx, BuilderIx)) -> bool {
        self.used_for(slave, builder) == Some(Use::Idle)
    }

    /// Whether a ping or a build is on the slave, so that it is not idle.
    pub(super) fn is_busy(&self, slave: SlaveIx) -> bool {
        self.slaves[slave.0].busy > 0
    }

    /// Whether the slave is connected and has been attached to its builders.
    pub(super) fn is_attached(&self, slave: SlaveIx) -> bool {
        self.slaves[slave.0].is_attached()
    }

    /// The connection of the slave.
    pub(super) fn session(&self, slave: SlaveIx) -> Option<&Session> {
        self.slaves[slave.0].session.as_ref()
    }

    /// Since when the slave is not connected in this run of the master, or was not before its
    /// present connection, and when it was connected last.
    pub(super) fn absent_since(&self, slave: SlaveIx) -> (Timestamp, Option<Timestamp>) {
        let slave = &self.slaves[slave.0];
        (slave.absent_since.wall, slave.seen_at)
    }

    /// What the slave told of itself.
    pub(super) fn info(&self, slave: SlaveIx) -> &Arc<BTreeMap<String, String>> {
        &self.slaves[slave.0].info
    }

    /// Since when the slave is to be shut down when it is idle (SLV-08).
    pub(super) fn graceful_since(&self, slave: SlaveIx) -> Option<Timestamp> {
        self.slaves[slave.0].graceful
    }

    /// Until when the slave is held back, if it is.
    pub(super) fn held_until(&self, slave: SlaveIx) -> Option<Mono> {
        self.slaves[slave.0].held_until()
    }

    /// Whether the slave could not be attached, and is kept out for a while.
    pub(super) fn is_shut_out(&self, slave: SlaveIx) -> bool {
        self.slaves[slave.0].is_shut_out()
    }

    /// The slave whose own connection `session` is.
    pub(super) fn slave_of(&self, session: SessionId) -> Option<SlaveIx> {
        let &slave = self.sessions.get(&session)?;
        let own = self.slaves[slave.0].session.as_ref()?;
        (own.id == session).then_some(slave)
    }

    /// The slave and the builder of an answer, if the connection is the slave's own.
    fn pair_of(
        &self,
        out: &Out,
        session: SessionId,
        builder: &BuilderName,
    ) -> Option<(SlaveIx, BuilderIx)> {
        let builder = out.layout.builder_named(builder)?;
        Some((self.slave_of(session)?, builder))
    }

    /// The attachments of a slave.
    #[cfg(test)]
    pub(super) fn epochs(&self, slave: SlaveIx) -> Vec<(BuilderIx, Epoch)> {
        let attachments = self.slaves[slave.0].slavebuilders.iter();
        attachments.map(|(&b, a)| (b, a.epoch())).collect()
    }

    /// The only way to change a slave: it is settled after the input.
    fn change(&mut self, out: &mut Out, slave: SlaveIx) -> &mut Slave {
        out.touch(slave);
        &mut self.slaves[slave.0]
    }

    /// The only way to change an attachment: the pair is settled after the input. An event that
    /// does not fit changes nothing and leaves a trace.
    fn step<T>(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
        event: impl FnOnce(&mut SlaveBuilder) -> Result<T, Unexpected>,
    ) -> Option<T> {
        let known = &mut self.slaves[slave.0];
        let attachment = known.slavebuilders.get_mut(&builder)?;
        let before = Load::of(attachment);
        let result = event(attachment);
        let after = Load::of(attachment);
        match result {
            Ok(value) => {
                known.busy = known.busy + after.busy - before.busy;
                known.attaching = known.attaching + after.attaching - before.attaching;
                out.touch_pair(slave, builder);
                Some(value)
            }
            Err(Unexpected { state, event }) => {
                let (slave, builder) = (
                    out.layout.slave_name(slave),
                    out.layout.builder_name(builder),
                );
                out.send(Command::Unexpected {
                    slave,
                    builder,
                    state,
                    event,
                });
                None
            }
        }
    }

    /// Row 1: a builder is being attached.
    fn add_attachment(&mut self, out: &mut Out, slave: SlaveIx, builder: BuilderIx) -> Epoch {
        self.last_epoch += 1;
        let epoch = Epoch(self.last_epoch);
        let known = &mut self.slaves[slave.0];
        known
            .slavebuilders
            .insert(builder, SlaveBuilder::new(epoch));
        known.attaching += 1;
        out.touch_pair(slave, builder);
        epoch
    }

    fn take_attachment(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builder: BuilderIx,
    ) -> Option<SlaveBuilder> {
        let known = &mut self.slaves[slave.0];
        known.leaving.remove(&builder);
        let attachment = known.slavebuilders.remove(&builder)?;
        let load = Load::of(&attachment);
        known.busy -= load.busy;
        known.attaching -= load.attaching;
        if let Some(session) = &mut known.session {
            session.is_unsynced = true;
        }
        out.touch_pair(slave, builder);
        Some(attachment)
    }

    const fn new_ping(&mut self) -> PingId {
        self.last_ping += 1;
        PingId(self.last_ping)
    }
}

/// What an attachment adds to the counts of its slave.
struct Load {
    busy: usize,
    attaching: usize,
}

impl Load {
    fn of(attachment: &SlaveBuilder) -> Self {
        Self {
            busy: attachment.is_busy().into(),
            attaching: attachment.is_attaching().into(),
        }
    }
}

fn use_of(attachment: &SlaveBuilder) -> Use {
    if attachment.is_attaching() {
        return Use::Attaching;
    }
    match attachment.attempt() {
        starter if attachment.is_pinging() => Use::Pinged(starter),
        Some(attempt) => Use::Building(attempt),
        None => Use::Idle,
    }
}

#[cfg(test)]
mod tests;
