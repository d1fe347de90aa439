//! Pauses slaves and shuts them down gracefully, on request of users (SLV-08, SLV-09).

use super::{Phase, Roster};
use crate::botmaster::ask::SlaveWish;
use crate::botmaster::ids::{ReplyId, SlaveIx};
use crate::botmaster::ledger::Effect;
use crate::botmaster::out::Out;
use crate::botmaster::{Answer, SlaveEvent};
use crate::config::SlaveKind;
use crate::model::{Op, Pause, SlaveName};

impl Roster {
    /// Fulfils a request, or answers why it cannot.
    pub(in crate::botmaster) fn on_wish(
        &mut self,
        out: &mut Out,
        name: &SlaveName,
        wish: SlaveWish,
        reply: ReplyId,
    ) {
        let slave = out.layout.configured_slave(name);
        let slave = slave.ok_or_else(|| out.layout.no_slave(name));
        let slave = slave.and_then(|slave| match self.hindrance(out, slave, name, &wish) {
            Some(why) => Err(why),
            None => Ok(slave),
        });
        let slave = match slave {
            Ok(slave) => slave,
            Err(why) => {
                out.reply(reply, Err(why));
                return;
            }
        };
        match wish {
            SlaveWish::Pause { by, reason } => {
                let since = self.slaves[slave.0].paused.as_ref().map(|p| p.since);
                let since = since.unwrap_or(out.now.wall);
                self.set_paused(out, slave, Some(Pause { since, by, reason }), reply);
            }
            SlaveWish::Unpause => self.set_paused(out, slave, None, reply),
            SlaveWish::ShutDown => {
                self.set_graceful(out, slave, true);
                out.reply(reply, Ok(Answer::Done));
            }
            SlaveWish::Stay => {
                self.set_graceful(out, slave, false);
                out.reply(reply, Ok(Answer::Done));
            }
        }
    }

    /// Why a wish cannot be fulfilled.
    fn hindrance(
        &self,
        out: &Out,
        slave: SlaveIx,
        name: &SlaveName,
        wish: &SlaveWish,
    ) -> Option<String> {
        let known = &self.slaves[slave.0];
        let phase = known.session.as_ref().map(|session| session.phase);
        match wish {
            SlaveWish::Unpause if known.paused.is_none() && known.graceful.is_some() => {
                Some(format!(
                    "slave {name} is not paused but shutting down: `buildmaster graceful {name} --cancel` cancels that"
                ))
            }
            SlaveWish::Unpause if known.paused.is_none() => {
                Some(format!("slave {name} is not paused"))
            }
            SlaveWish::ShutDown if phase.is_none() => {
                Some(format!("slave {name} is not connected"))
            }
            SlaveWish::Stay if known.graceful.is_none() => {
                Some(format!("slave {name} is not shutting down"))
            }
            SlaveWish::Stay
                if matches!(phase, None | Some(Phase::ShuttingDown))
                    && out.layout.slave(slave).config.kind != SlaveKind::Local =>
            {
                Some(format!(
                    "slave {name} was already told to shut down; it takes builds after it is started again"
                ))
            }
            SlaveWish::Pause { .. }
            | SlaveWish::Unpause
            | SlaveWish::ShutDown
            | SlaveWish::Stay => None,
        }
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
            Effect::Announce(SlaveEvent::Paused { slave, pause }.into()),
        ];
        out.persist_then(ops, effects);
    }
}
