//! People ask for builds (BLD-16).

use std::sync::Arc;

use super::intake::Wanted;
use super::{BotMaster, ReplyId};
use crate::model::{BuilderName, Properties, SourceStamp};

/// A build that somebody asks for: a set of one request, without a scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct Forced {
    /// On which builder.
    pub builder: BuilderName,
    /// Whether it is to be refused if no slave is connected and none can be started.
    pub soon: bool,
    /// What to build.
    pub stamp: SourceStamp,
    /// Why.
    pub reason: String,
    /// With which properties.
    pub properties: Properties,
    /// How urgent it is (BRQ-09); 0 is usual.
    pub priority: i32,
}

impl BotMaster {
    /// Answered with the set when that is on disk.
    pub(super) fn on_force(&mut self, forced: Forced, reply: ReplyId) {
        let Forced {
            builder,
            soon,
            stamp,
            reason,
            properties,
            priority,
        } = forced;
        if let Err(why) = self.may_force(&builder, soon) {
            self.reply(reply, Err(why));
            return;
        }
        let wanted = Wanted {
            scheduler: None,
            builders: vec![builder],
            stamp: Arc::new(stamp),
            reason,
            properties,
            external_id: None,
            priority,
        };
        self.submit_for(wanted, reply);
    }

    fn may_force(&self, name: &BuilderName, soon: bool) -> Result<(), String> {
        if !self.phase.takes_changes() {
            return Err("the master is shutting down".to_owned());
        }
        let builder = self.configured_builder(name);
        let builder = builder.ok_or_else(|| self.no_builder(name))?;
        let it = &self.builders[builder.0];
        if soon && it.attached == 0 && it.latents == 0 {
            return Err(format!("no slave is connected to {name}"));
        }
        Ok(())
    }
}
