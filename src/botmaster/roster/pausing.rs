//! People keep slaves from builds: paused, or to be shut down when idle (SLV-08, SLV-09).

use super::{Phase, Roster};
use crate::botmaster::ids::{ReplyId, SlaveIx};
use crate::botmaster::ledger::Effect;
use crate::botmaster::out::Out;
use crate::botmaster::{Answer, Event};
use crate::config::SlaveKind;
use crate::model::{Op, Pause, SlaveName};

impl Roster {
    /// SLV-09: the slave gets no new builds from now on; answered when that is on disk. A second
    /// pause gives another reason.
    pub(in crate::botmaster) fn on_pause_slave(
        &mut self,
        out: &mut Out,
        name: &SlaveName,
        by: String,
        reason: String,
        reply: ReplyId,
    ) {
        let Some(slave) = Self::slave_for(out, name, reply) else {
            return;
        };
        let since = self.slaves[slave.0].paused.as_ref().map(|p| p.since);
        let since = since.unwrap_or(out.now.wall);
        self.set_paused(out, slave, Some(Pause { since, by, reason }), reply);
    }

    /// SLV-09: it takes builds again, at once.
    pub(in crate::botmaster) fn on_unpause_slave(
        &mut self,
        out: &mut Out,
        name: &SlaveName,
        reply: ReplyId,
    ) {
        let Some(slave) = Self::slave_for(out, name, reply) else {
            return;
        };
        let known = &self.slaves[slave.0];
        if known.paused.is_none() {
            let hint = match known.graceful {
                None => String::new(),
                Some(_) => {
                    format!(" but to end: `buildmaster graceful {name} --cancel` takes that back")
                }
            };
            out.reply(reply, Err(format!("slave {name} is not paused{hint}")));
            return;
        }
        self.set_paused(out, slave, None, reply);
    }

    /// SLV-08: no new builds; the slave is shut down when no build runs on it.
    pub(in crate::botmaster) fn on_end_slave(
        &mut self,
        out: &mut Out,
        name: &SlaveName,
        reply: ReplyId,
    ) {
        let Some(slave) = Self::slave_for(out, name, reply) else {
            return;
        };
        if self.slaves[slave.0].session.is_none() {
            out.reply(reply, Err(format!("slave {name} is not connected")));
            return;
        }
        self.set_graceful(out, slave, true);
        out.reply(reply, Ok(Answer::Done));
    }

    /// Takes SLV-08 back, as long as that is not too late. A slave inside the master that has ended
    /// is started again.
    pub(in crate::botmaster) fn on_keep_slave(
        &mut self,
        out: &mut Out,
        name: &SlaveName,
        reply: ReplyId,
    ) {
        let Some(slave) = Self::slave_for(out, name, reply) else {
            return;
        };
        let known = &self.slaves[slave.0];
        let phase = known.session.as_ref().map(|session| session.phase);
        let has_ended = matches!(phase, None | Some(Phase::ShuttingDown));
        let refused = if known.graceful.is_none() {
            Some(format!("slave {name} is not shutting down"))
        } else if has_ended && out.layout.slave(slave).config.kind != SlaveKind::Local {
            Some(format!(
                "slave {name} was already told to shut down; it takes builds after it is started again"
            ))
        } else {
            None
        };
        if let Some(why) = refused {
            out.reply(reply, Err(why));
            return;
        }
        self.set_graceful(out, slave, false);
        out.reply(reply, Ok(Answer::Done));
    }

    fn set_paused(&mut self, out: &mut Out, slave: SlaveIx, pause: Option<Pause>, reply: ReplyId) {
        self.change(out, slave).paused.clone_from(&pause);
        let slave = out.layout.slave_name(slave);
        let ops = vec![Op::SlavePaused {
            slave: slave.clone(),
            pause: pause.clone(),
        }];
        let effects = vec![
            Effect::Reply(reply, Ok(Answer::Done)),
            Effect::Announce(Event::SlavePaused { slave, pause }),
        ];
        out.persist_then(ops, effects);
    }

    /// The configured slave of this name, or an answer that there is none.
    fn slave_for(out: &mut Out, name: &SlaveName, reply: ReplyId) -> Option<SlaveIx> {
        let slave = out.layout.configured_slave(name);
        if slave.is_none() {
            out.reply(reply, Err(out.layout.no_slave(name)));
        }
        slave
    }
}
