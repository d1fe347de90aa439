//! Changes, try jobs and people ask for builds (BLD-16); the doors close first when the master
//! stops.

use std::sync::Arc;

use super::intake::Wanted;
use super::{BotMaster, Forced, ReplyId};
use crate::model::{AdmittedOffer, BuilderName, Properties, SchedulerName, TryJob};
use crate::schedulers::SchedulerIx;

impl BotMaster {
    pub(super) fn on_offered(&mut self, offer: AdmittedOffer, reply: ReplyId) {
        if self.takes_changes(reply) {
            self.intake.take_offer(&mut self.out, offer, reply);
        }
    }

    pub(super) fn on_try_submitted(
        &mut self,
        scheduler: &SchedulerName,
        job: TryJob,
        user: Option<&str>,
        reply: ReplyId,
    ) {
        if self.takes_changes(reply) {
            self.intake
                .submit_try(&mut self.out, scheduler, job, user, reply);
        }
    }

    pub(super) fn on_scheduler_timer(&mut self, ix: SchedulerIx) {
        if self.phase.starts_builds() {
            self.intake.on_timer(&mut self.out, ix);
        }
    }

    /// Answered with the set when that is on disk.
    pub(super) fn on_force(&mut self, forced: Forced, reply: ReplyId) {
        if !self.takes_changes(reply) {
            return;
        }
        let Forced {
            builder,
            scheduler,
            soon,
            stamps,
            reason,
            properties,
            priority,
        } = forced;
        if let Err(why) = self.may_force(&builder, soon, &properties) {
            self.out.reply(reply, Err(why));
            return;
        }
        let wanted = Wanted {
            scheduler,
            builders: vec![builder],
            stamps: Arc::new(stamps),
            reason,
            properties,
            external_id: None,
            priority,
            parent: None,
            probe: None,
        };
        self.intake.submit_for(&mut self.out, wanted, reply);
    }

    /// Whether changes are taken; answers the sender if not.
    pub(super) fn takes_changes(&mut self, reply: ReplyId) -> bool {
        let takes = self.phase.takes_changes();
        if !takes {
            let why = "the master is shutting down".to_owned();
            self.out.reply(reply, Err(why));
        }
        takes
    }

    fn may_force(
        &self,
        name: &BuilderName,
        soon: bool,
        properties: &Properties,
    ) -> Result<(), String> {
        let mut names = properties.iter().map(|(name, _)| name);
        if let Some(bad) = names.find(|name| !Properties::is_valid_name(name)) {
            return Err(format!(
                "property name {bad:?} is not allowed: use letters, digits and _ . - / ~ :"
            ));
        }
        let layout = &self.out.layout;
        let builder = layout.configured_builder(name);
        let builder = builder.ok_or_else(|| layout.no_builder(name))?;
        if soon && !self.states.has_slave(builder) {
            return Err(format!("no slave is connected to {name}"));
        }
        Ok(())
    }
}
