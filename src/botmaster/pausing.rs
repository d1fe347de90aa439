//! Builders that people have paused (MAY-03): they start no builds, also after a restart.
//!
//! Invariant: the pause is by name, so that a builder that leaves the configuration is still paused
//! when it comes back; `Dispatch` knows of those that are configured.

use std::collections::BTreeMap;

use super::ids::{BuilderIx, ReplyId};
use super::ledger::Effect;
use super::{Answer, BotMaster, BuilderEvent};
use crate::model::{BuilderName, Op, Pause};

/// The builders that are paused.
pub(super) type PausedBuilders = BTreeMap<BuilderName, Pause>;

impl BotMaster {
    /// Pauses a builder. A second pause replaces the reason.
    pub(super) fn on_pause_builder(
        &mut self,
        name: &BuilderName,
        by: String,
        reason: String,
        reply: ReplyId,
    ) {
        let since = self.paused_builders.get(name).map(|pause| pause.since);
        let since = since.unwrap_or(self.out.now.wall);
        let pause = Pause { since, by, reason };
        match self.out.layout.configured_builder(name) {
            Some(builder) => self.set_builder_paused(builder, Some(pause), reply),
            None => self.out.reply(reply, Err(self.out.layout.no_builder(name))),
        }
    }

    /// Resumes a builder, which starts builds at once.
    pub(super) fn on_unpause_builder(&mut self, name: &BuilderName, reply: ReplyId) {
        let is_paused = self.paused_builders.contains_key(name);
        match self.out.layout.configured_builder(name) {
            Some(builder) if is_paused => self.set_builder_paused(builder, None, reply),
            Some(_) => {
                let why = format!("builder {name} is not paused");
                self.out.reply(reply, Err(why));
            }
            None => self.out.reply(reply, Err(self.out.layout.no_builder(name))),
        }
    }

    /// Tells the dispatch of the pause of a builder that is new to this run.
    pub(super) fn recall_pause(&mut self, builder: BuilderIx) {
        let name = self.out.layout.builder_name(builder);
        let is_paused = self.paused_builders.contains_key(&name);
        self.dispatch.set_paused(builder, is_paused);
    }

    fn set_builder_paused(&mut self, builder: BuilderIx, pause: Option<Pause>, reply: ReplyId) {
        let name = self.out.layout.builder_name(builder);
        self.dispatch.set_paused(builder, pause.is_some());
        match &pause {
            Some(pause) => self.paused_builders.insert(name.clone(), pause.clone()),
            None => self.paused_builders.remove(&name),
        };
        let ops = vec![Op::BuilderPaused {
            builder: name.clone(),
            pause: pause.clone(),
        }];
        let event = BuilderEvent::Paused {
            builder: name,
            pause,
        };
        let effects = vec![
            Effect::Reply(reply, Ok(Answer::Done)),
            Effect::Announce(event.into()),
        ];
        self.out.persist_then(ops, effects);
    }
}
