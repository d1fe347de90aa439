//! What becomes of the builders that a slave is told (rows 1, 2 and 5; SLV-03).
//!
//! A builder that cannot be attached does not keep the others from it: the connection stays, and the builder is tried
//! again after growing pauses. A slave that refuses a list as a whole does not say for which builder; of several that are
//! new to it, it is then told one after the other. Only a slave without any builder that works is sent away, and one
//! that does not answer; builds that run are let end first (MAS-04).

use std::collections::BTreeSet;

use super::ids::{BuilderIx, SlaveIx};
use super::slave::{FailedAttach, Phase};
use super::slavebuilder::SlaveBuilder;
use super::timers::Timer;
use super::{BotMaster, Event, SessionId, SlaveCommand};
use crate::model::BuilderName;

impl BotMaster {
    /// Rows 1 and 2. A builder for which the slave made no object fails to attach.
    pub(super) fn on_builder_list_answered(
        &mut self,
        session: SessionId,
        result: Result<Vec<BuilderName>, String>,
    ) {
        let Some(slave) = self.slave_of(session) else {
            return;
        };
        let Some(its) = self.slaves[slave.0].session_if(session) else {
            return;
        };
        if !std::mem::take(&mut its.listing) {
            return;
        }
        let is_attached = its.phase.is_attached();
        if is_attached {
            self.out.timers.cancel(Timer::Attach(session));
        }
        match (result, its.phase) {
            // It is about to go.
            (_, Phase::Rejoining | Phase::ShuttingDown) => {}
            (Ok(made), phase) => {
                if phase == Phase::Listing {
                    its.phase = Phase::Attaching;
                }
                self.attach_made(slave, session, &made.into_iter().collect());
            }
            (Err(why), _) => self.on_builder_list_refused(slave, &why),
        }
    }

    fn attach_made(&mut self, slave: SlaveIx, session: SessionId, made: &BTreeSet<BuilderName>) {
        let mut missing = Vec::new();
        for builder in self.new_of_list(slave) {
            let name = self.out.layout.builder_name(builder);
            if !made.contains(&name) {
                missing.push(builder);
                continue;
            }
            let epoch = self.new_epoch();
            let attachments = &mut self.slaves[slave.0].slavebuilders;
            attachments.insert(builder, SlaveBuilder::new(epoch));
            let deadline = self.out.now.mono + self.out.layout.config().attach_timeout;
            let timer = Timer::Handshake(slave, builder, epoch);
            self.out.timers.set(timer, deadline);
            self.out.send(
                SlaveCommand::SetMaster {
                    builder: name,
                    epoch,
                }
                .to(session),
            );
        }
        if missing.is_empty() {
            self.go_on_attaching(slave);
        } else {
            self.fail_attach(slave, &missing, "the slave made no object for it");
        }
    }

    fn on_builder_list_refused(&mut self, slave: SlaveIx, why: &str) {
        let new = self.new_of_list(slave);
        match new.as_slice() {
            [] => self.come_again(slave, &format!("it refused its builders: {why}")),
            [one] => self.fail_attach(slave, &[*one], why),
            [..] => {
                if let Some(its) = &mut self.slaves[slave.0].session {
                    its.one_by_one = true;
                }
                self.send_builder_list(slave);
            }
        }
    }

    /// The builders of the last list that are not attached. They may have been taken from the slave since.
    fn new_of_list(&self, slave: SlaveIx) -> Vec<BuilderIx> {
        let it = &self.slaves[slave.0];
        let listed = it.session.iter().flat_map(|s| &s.listed);
        let listed: BTreeSet<_> = listed.map(|(name, _)| name).collect();
        let is_new = |builder: &BuilderIx| {
            !it.slavebuilders.contains_key(builder)
                && listed.contains(&self.out.layout.builder(*builder).config.name)
        };
        self.out
            .layout
            .slave(slave)
            .builders
            .iter()
            .copied()
            .filter(is_new)
            .collect()
    }

    /// The builders that the slave is to be told: not those that wait for another try, and one that is new to it at a time
    /// if it has refused several.
    pub(super) fn to_be_told(&self, slave: SlaveIx) -> Vec<BuilderIx> {
        let it = &self.slaves[slave.0];
        let session = it.session.as_ref();
        let waits = |builder: &BuilderIx| session.is_some_and(|s| s.failed.contains_key(builder));
        let most_new = match session {
            Some(session) if session.one_by_one => 1,
            Some(_) | None => usize::MAX,
        };
        let mut new = 0;
        let mut told = self.out.layout.slave(slave).builders.clone();
        told.retain(|builder| {
            let is_new = !it.slavebuilders.contains_key(builder);
            if waits(builder) || is_new && new == most_new {
                return false;
            }
            new += usize::from(is_new);
            true
        });
        told
    }

    /// Row 5. The slave keeps its connection if it has another builder, or another one is to be tried.
    pub(super) fn fail_attach(&mut self, slave: SlaveIx, builders: &[BuilderIx], why: &str) {
        let Some(its) = &mut self.slaves[slave.0].session else {
            return;
        };
        if its.retry_at.is_none() {
            let at = self.out.now.mono + its.next_retry();
            its.retry_at = Some(at);
            self.out.timers.set(Timer::Reattach(slave), at);
        }
        for &builder in builders {
            let config = &self.out.layout.builder(builder).config;
            its.failed.insert(
                builder,
                FailedAttach {
                    dir: config.slavebuilddir.clone(),
                    why: why.to_owned(),
                    at: self.out.now.wall,
                },
            );
        }
        for &builder in builders {
            let (builder_name, slave_name) = (
                self.out.layout.builder_name(builder),
                self.out.layout.slave_name(slave),
            );
            self.out.announce(Event::FailedConnect {
                builder: builder_name,
                slave: slave_name,
                why: why.to_owned(),
            });
            self.detach(slave, builder, why);
        }
        let it = &self.slaves[slave.0];
        let failed = it.session.as_ref().map(|s| &s.failed);
        let is_failed = |builder| failed.is_some_and(|failed| failed.contains_key(builder));
        let builders = &self.out.layout.slave(slave).builders;
        if builders.iter().all(is_failed) {
            self.come_again(slave, &format!("no builder could be attached: {why}"));
        } else {
            self.go_on_attaching(slave);
        }
    }

    /// What could not be attached is tried again.
    pub(super) fn on_reattach_due(&mut self, slave: SlaveIx) {
        if let Some(its) = &mut self.slaves[slave.0].session {
            its.retry_at = None;
            its.failed.clear();
            self.go_on_attaching(slave);
        }
    }

    /// Another list, if there is one to be told; or the answer of the login.
    fn go_on_attaching(&mut self, slave: SlaveIx) {
        let session = self.slaves[slave.0].session.as_ref();
        if session.is_some_and(|s| s.phase == Phase::Listing && !s.listing) {
            self.send_builder_list(slave);
        } else {
            self.complete_login(slave);
            self.sync_builder_list(slave);
        }
    }

    /// Ends a connection over which the slave cannot get its builders, when its builds have ended; it then comes again.
    pub(super) fn come_again(&mut self, slave: SlaveIx, why: &str) {
        self.note_failed_attach(slave, why);
        let in_use = self.dispatch.load(slave) > 0;
        let it = &mut self.slaves[slave.0];
        match it.session.as_mut() {
            Some(its) if in_use && its.phase == Phase::Ready => {
                its.phase = Phase::Rejoining;
                its.since = self.out.now.wall;
                let slave_name = self.out.layout.slave_name(slave);
                self.out.announce(Event::SlaveRejoins {
                    slave: slave_name,
                    why: why.to_owned(),
                });
                self.review(slave);
            }
            Some(its) if in_use && its.phase == Phase::Rejoining => {}
            Some(_) | None => self.drop_session(slave, why),
        }
    }
}
