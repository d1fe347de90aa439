//! What becomes of the builders that a slave is told (rows 1, 2 and 5; SLV-03, SLV-12).
//!
//! A builder that cannot be attached does not keep the others from it: the connection stays, and
//! the builder is tried again after growing pauses. A slave that refuses a list as a whole does not
//! say for which builder; of several that are new to it, it is then told one after the other. Only
//! a slave without any builder that works is sent away, and one that does not answer; builds that
//! run may end first (MAS-04).
//!
//! A slave gets a new list only when its present list is out of date. The builder of a running
//! build stays on the list until the build has ended (BRC-05): a slave kills the commands of a
//! builder that is missing from a new list.

use std::collections::{BTreeMap, BTreeSet};

use super::slave::{BuilderList, FailedAttach};
use super::slavebuilder::SlaveBuilder;
use super::{Phase, Roster};
use crate::botmaster::ids::{BuilderIx, SessionId, SlaveIx};
use crate::botmaster::out::Out;
use crate::botmaster::timers::Timer;
use crate::botmaster::{BuilderEvent, SlaveCommand, SlaveEvent};
use crate::model::BuilderName;

impl Roster {
    /// Rows 1 and 2. A builder for which the slave made no object fails to attach.
    pub(in crate::botmaster) fn on_builder_list_answered(
        &mut self,
        out: &mut Out,
        session: SessionId,
        result: Result<Vec<BuilderName>, String>,
    ) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let Some(known) = &mut self.change(out, slave).session else {
            return;
        };
        if !std::mem::take(&mut known.is_listing) {
            return;
        }
        known.is_unsynced = true;
        if known.phase.is_attached() {
            out.timers.cancel(Timer::Attach(session));
        }
        match (result, known.phase) {
            // It is about to go.
            (_, Phase::Rejoining | Phase::ShuttingDown) => {}
            (Ok(made), phase) => {
                if phase == Phase::Listing {
                    known.phase = Phase::Attaching;
                }
                self.attach_made(out, slave, session, &made.into_iter().collect());
            }
            (Err(why), _) => self.on_builder_list_refused(out, slave, &why),
        }
    }

    /// What could not be attached is tried again.
    pub(in crate::botmaster) fn on_reattach_due(&mut self, out: &mut Out, slave: SlaveIx) {
        if let Some(session) = &mut self.change(out, slave).session {
            session.retry_at = None;
            session.failed.clear();
            session.is_unsynced = true;
            self.go_on_attaching(out, slave);
        }
    }

    /// Ends attachments of builders that have no use for the slave any more by a new configuration;
    /// a build that runs is waited for.
    pub(in crate::botmaster) fn part_and_meet(&mut self, out: &mut Out, slave: SlaveIx) {
        let known = self.change(out, slave);
        if known.session.is_none() && known.slavebuilders.is_empty() && known.leaving.is_empty() {
            return;
        }
        let builders = &out.layout.slave(slave).builders;
        let wanted: BTreeSet<_> = builders.iter().copied().collect();
        known.leaving.retain(|builder| !wanted.contains(builder));
        if let Some(session) = &mut known.session {
            let is_as_told = |b: BuilderIx, failed: &FailedAttach| {
                out.layout.builder(b).config.slavebuilddir == failed.dir
            };
            let failed = &mut session.failed;
            failed.retain(|&b, failed| wanted.contains(&b) && is_as_told(b, failed));
            session.is_unsynced = true;
        }
        let unwanted = known.slavebuilders.iter();
        let unwanted = unwanted.filter(|(builder, _)| !wanted.contains(builder));
        let unwanted: Vec<_> = unwanted.map(|(&b, a)| (b, a.is_building())).collect();
        for (builder, is_building) in unwanted {
            if is_building {
                self.change(out, slave).leaving.insert(builder);
            } else {
                self.leave(out, slave, builder);
            }
        }
    }

    /// Rows 19 and BRC-05: the attachment ends; a build that was being started there is started
    /// elsewhere.
    pub(super) fn leave(&mut self, out: &mut Out, slave: SlaveIx, builder: BuilderIx) {
        let why = "the builder has no use for the slave any more";
        self.detach(out, slave, builder, why);
    }

    /// Tells the slave its builders, if it knows others (SLV-12), or lacks one that went and came
    /// back while it was attached (BRC-06). One that is being told now is told again afterwards.
    pub(super) fn sync_builder_list(&mut self, out: &mut Out, slave: SlaveIx) {
        let Some(session) = self.session(slave) else {
            return;
        };
        if !session.is_unsynced || session.phase != Phase::Ready || session.is_listing {
            return;
        }
        let attached = &self.slaves[slave.0].slavebuilders;
        let asked = self.to_be_told(out, slave);
        let lacks_one = asked.iter().any(|b| !attached.contains_key(b));
        let by_name = |list: &BuilderList| list.iter().cloned().collect::<BTreeMap<_, _>>();
        let (list, is_stale) = self.builder_list(out, slave);
        let is_same = by_name(&session.listed) == by_name(&list);
        if let Some(session) = &mut self.slaves[slave.0].session {
            session.is_unsynced = false;
            session.is_stale = is_stale;
        }
        if lacks_one || !is_same {
            self.send_builder_list(out, slave);
        }
    }

    /// Tells the slave its builders.
    pub(super) fn send_builder_list(&mut self, out: &mut Out, slave: SlaveIx) {
        let (builders, is_stale) = self.builder_list(out, slave);
        let now = out.now.wall;
        let wait = out.layout.config().attach_timeout;
        let Some(session) = &mut self.change(out, slave).session else {
            return;
        };
        session.listed.clone_from(&builders);
        session.listed_at = now;
        session.is_listing = true;
        session.is_stale = is_stale;
        if session.phase == Phase::Ready {
            out.set_timer(Timer::Attach(session.id), wait);
        }
        let list = SlaveCommand::SendBuilderList { builders };
        out.send(list.to(session.id));
    }

    /// Row 5. The slave keeps its connection if it has another builder, or another one is to be
    /// tried.
    pub(super) fn fail_attach(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        builders: &[BuilderIx],
        why: &str,
    ) {
        let Some(session) = &mut self.change(out, slave).session else {
            return;
        };
        if session.retry_at.is_none() {
            let wait = session.next_retry();
            session.retry_at = Some(out.set_timer(Timer::Reattach(slave), wait));
        }
        session.is_unsynced = true;
        for &builder in builders {
            let failed = FailedAttach {
                dir: out.layout.builder(builder).config.slavebuilddir.clone(),
                why: why.to_owned(),
                at: out.now.wall,
            };
            session.failed.insert(builder, failed);
        }
        for &builder in builders {
            out.announce(BuilderEvent::FailedConnect {
                builder: out.layout.builder_name(builder),
                slave: out.layout.slave_name(slave),
                why: why.to_owned(),
            });
            self.detach(out, slave, builder, why);
        }
        let failed = self.session(slave).map(|session| &session.failed);
        let is_failed = |b: &BuilderIx| failed.is_some_and(|failed| failed.contains_key(b));
        if out.layout.slave(slave).builders.iter().all(is_failed) {
            let why = format!("no builder could be attached: {why}");
            self.come_again(out, slave, &why);
        } else {
            self.go_on_attaching(out, slave);
        }
    }

    /// Ends a connection over which the slave cannot get its builders, when its builds have ended;
    /// it then comes again.
    pub(super) fn come_again(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        self.note_failed_attach(out, slave, why);
        let now = out.now.wall;
        let known = self.change(out, slave);
        let is_in_use = known.busy > 0;
        match known.session.as_mut() {
            Some(session) if is_in_use && session.phase == Phase::Ready => {
                session.enter(Phase::Rejoining, now);
                out.announce(SlaveEvent::Rejoins {
                    slave: out.layout.slave_name(slave),
                    why: why.to_owned(),
                });
            }
            Some(session) if is_in_use && session.phase == Phase::Rejoining => {}
            Some(_) | None => self.drop_session(out, slave, why),
        }
    }

    fn attach_made(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        session: SessionId,
        made: &BTreeSet<BuilderName>,
    ) {
        let wait = out.layout.config().attach_timeout;
        let mut missing = Vec::new();
        for builder in self.new_of_list(out, slave) {
            let name = out.layout.builder_name(builder);
            if !made.contains(&name) {
                missing.push(builder);
                continue;
            }
            let epoch = self.add_attachment(out, slave, builder);
            out.set_timer(Timer::Handshake(slave, builder, epoch), wait);
            let builder = name;
            out.send(SlaveCommand::SetMaster { builder, epoch }.to(session));
        }
        if missing.is_empty() {
            self.go_on_attaching(out, slave);
        } else {
            let why = "the slave made no object for it";
            self.fail_attach(out, slave, &missing, why);
        }
    }

    fn on_builder_list_refused(&mut self, out: &mut Out, slave: SlaveIx, why: &str) {
        let new = self.new_of_list(out, slave);
        match new.as_slice() {
            [] => {
                let why = format!("it rejected its builders: {why}");
                self.come_again(out, slave, &why);
            }
            [builder] => self.fail_attach(out, slave, &[*builder], why),
            [..] => {
                if let Some(session) = &mut self.change(out, slave).session {
                    session.one_by_one = true;
                }
                self.send_builder_list(out, slave);
            }
        }
    }

    /// Another list, if there is one to be told; or the answer of the login.
    fn go_on_attaching(&mut self, out: &mut Out, slave: SlaveIx) {
        let session = self.session(slave);
        if session.is_some_and(|s| s.phase == Phase::Listing && !s.is_listing) {
            self.send_builder_list(out, slave);
        } else {
            self.complete_login(out, slave);
        }
    }

    /// The builders of the last list that are not attached. They may have been taken from the slave
    /// since.
    fn new_of_list(&self, out: &Out, slave: SlaveIx) -> Vec<BuilderIx> {
        let known = &self.slaves[slave.0];
        let listed = known.session.iter().flat_map(|s| &s.listed);
        let listed: BTreeSet<_> = listed.map(|(name, _)| name).collect();
        let is_new = |builder: &BuilderIx| {
            !known.slavebuilders.contains_key(builder)
                && listed.contains(&out.layout.builder(*builder).config.name)
        };
        let builders = out.layout.slave(slave).builders.iter().copied();
        builders.filter(is_new).collect()
    }

    /// The builders that the slave is to be told: not those that wait for another try, and one that
    /// is new to it at a time if it has refused several.
    fn to_be_told(&self, out: &Out, slave: SlaveIx) -> Vec<BuilderIx> {
        let known = &self.slaves[slave.0];
        let session = known.session.as_ref();
        let waits = |builder: &BuilderIx| session.is_some_and(|s| s.failed.contains_key(builder));
        let most_new = match session {
            Some(session) if session.one_by_one => 1,
            Some(_) | None => usize::MAX,
        };
        let mut new = 0;
        let mut asked = out.layout.slave(slave).builders.clone();
        asked.retain(|builder| {
            let is_new = !known.slavebuilders.contains_key(builder);
            if waits(builder) || is_new && new == most_new {
                return false;
            }
            new += usize::from(is_new);
            true
        });
        asked
    }

    /// What the slave is to be told, and whether it will be something else when a build has ended:
    /// what it was told of a builder stays true while a build of that runs (BRC-03).
    fn builder_list(&self, out: &Out, slave: SlaveIx) -> (BuilderList, bool) {
        let known = &self.slaves[slave.0];
        let listed = known.session.iter().flat_map(|s| &s.listed);
        let listed: BTreeMap<_, _> = listed.map(|(name, dir)| (name, dir)).collect();
        let asked = self.to_be_told(out, slave);
        let mut list = BuilderList::with_capacity(asked.len());
        let mut is_stale = false;
        for builder in asked.iter().chain(&known.leaving) {
            let config = &out.layout.builder(*builder).config;
            let attachment = known.slavebuilders.get(builder);
            let is_building = attachment.is_some_and(SlaveBuilder::is_building);
            let dir = match listed.get(&config.name) {
                Some(&dir) if *dir != config.slavebuilddir && is_building => {
                    is_stale = true;
                    dir
                }
                Some(_) | None => &config.slavebuilddir,
            };
            list.push((config.name.clone(), dir.clone()));
        }
        (list, is_stale)
    }
}
