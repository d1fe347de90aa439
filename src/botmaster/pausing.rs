//! People keep slaves from builds: paused, or to be shut down when idle (SLV-08, SLV-09).

use super::ids::SlaveIx;
use super::ledger::Effect;
use super::slave::Phase;
use super::{Answer, BotMaster, Event, ReplyId};
use crate::config::SlaveKind;
use crate::model::{Op, Pause, SlaveName};

impl BotMaster {
    /// SLV-09: it gets no new builds from now on; who asked is told when that is on disk. A second pause gives another
    /// reason.
    pub(super) fn on_pause_slave(
        &mut self,
        name: &SlaveName,
        by: String,
        reason: String,
        reply: ReplyId,
    ) {
        let Some(slave) = self.slave_for(name, reply) else {
            return;
        };
        let since = self.slaves[slave.0].paused.as_ref().map(|p| p.since);
        let since = since.unwrap_or(self.out.now.wall);
        self.set_paused(slave, Some(Pause { since, by, reason }), reply);
    }

    /// SLV-09: it takes builds again, at once.
    pub(super) fn on_unpause_slave(&mut self, name: &SlaveName, reply: ReplyId) {
        let Some(slave) = self.slave_for(name, reply) else {
            return;
        };
        let it = &self.slaves[slave.0];
        if it.paused.is_none() {
            let hint = match it.graceful {
                None => String::new(),
                Some(_) => {
                    format!(" but to end: `buildmaster graceful {name} --cancel` takes that back")
                }
            };
            self.out
                .reply(reply, Err(format!("slave {name} is not paused{hint}")));
            return;
        }
        self.set_paused(slave, None, reply);
    }

    /// SLV-08: no new builds; its process is told to end when it has none.
    pub(super) fn on_end_slave(&mut self, name: &SlaveName, reply: ReplyId) {
        let Some(slave) = self.slave_for(name, reply) else {
            return;
        };
        if self.slaves[slave.0].session.is_none() {
            self.out
                .reply(reply, Err(format!("slave {name} is not connected")));
            return;
        }
        self.ask_to_end(slave);
        self.out.reply(reply, Ok(Answer::Done));
    }

    /// Takes SLV-08 back, as long as that is not too late. One inside the master that has ended is started again.
    pub(super) fn on_keep_slave(&mut self, name: &SlaveName, reply: ReplyId) {
        let Some(slave) = self.slave_for(name, reply) else {
            return;
        };
        let it = &self.slaves[slave.0];
        let phase = it.session.as_ref().map(|session| session.phase);
        let has_ended = matches!(phase, None | Some(Phase::ShuttingDown));
        let refused = if it.graceful.is_none() {
            Some(format!("slave {name} is not told to end"))
        } else if has_ended && self.out.layout.slave(slave).config.kind != SlaveKind::Local {
            Some(format!(
                "it is too late: slave {name} was told to end; it takes builds when it is started again"
            ))
        } else {
            None
        };
        if let Some(why) = refused {
            self.out.reply(reply, Err(why));
            return;
        }
        self.set_graceful(slave, false);
        self.review(slave);
        self.out.reply(reply, Ok(Answer::Done));
    }

    fn set_paused(&mut self, slave: SlaveIx, pause: Option<Pause>, reply: ReplyId) {
        self.slaves[slave.0].paused.clone_from(&pause);
        self.review(slave);
        let slave = self.out.layout.slave_name(slave);
        let ops = vec![Op::SlavePaused {
            slave: slave.clone(),
            pause: pause.clone(),
        }];
        let effects = vec![
            Effect::Reply(reply, Ok(Answer::Done)),
            Effect::Announce(Event::SlavePaused { slave, pause }),
        ];
        self.out.persist_then(ops, effects);
    }

    /// The configured slave of this name, or an answer that there is none.
    fn slave_for(&mut self, name: &SlaveName, reply: ReplyId) -> Option<SlaveIx> {
        let slave = self.out.layout.configured_slave(name);
        if slave.is_none() {
            self.out.reply(reply, Err(self.out.layout.no_slave(name)));
        }
        slave
    }
}
