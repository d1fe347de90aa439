//! Effects that wait until their cause is on disk, such as answers, announcements and starts. The
//! ledger belongs to [`Out`](super::out::Out); the store confirms the tickets.

use std::collections::VecDeque;

use super::{Answer, AttemptId, BuildCommand, BuildPlan, Event, InstanceId, ReplyId};
use crate::model::{BuildId, RequestId, SlaveName, Ticket};

/// An effect that happens when its cause is on disk.
#[derive(Debug)]
pub(super) enum Effect {
    /// A question is answered.
    Reply(ReplyId, Result<Answer, String>),
    /// An event is announced.
    Announce(Event),
    /// A request of a new set is queued.
    Queue(RequestId),
    /// A build is told something, if it still runs.
    Tell(BuildId, BuildCommand),
    /// A build whose start is recorded runs, by this plan.
    Run(AttemptId, Box<BuildPlan>),
    /// A recorded instance of this slave is started.
    StartInstance(InstanceId, SlaveName),
}

/// Unconfirmed tickets and their effects, in the order in which they will be confirmed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    last: Ticket,
    open: VecDeque<(Ticket, Vec<Effect>)>,
}

impl Ledger {
    /// A new ticket, after whose confirmation `effects` happen.
    pub(super) fn open(&mut self, effects: Vec<Effect>) -> Ticket {
        self.last = self.last.next();
        self.open.push_back((self.last, effects));
        self.last
    }

    /// Adds `effects` to those of the last ticket; returns them if no ticket is open.
    pub(super) fn join(&mut self, effects: Vec<Effect>) -> Option<Vec<Effect>> {
        match self.open.back_mut() {
            Some((_, its)) => {
                its.extend(effects);
                None
            }
            None => Some(effects),
        }
    }

    /// The effects of the oldest ticket, if it is confirmed by `upto`.
    pub(super) fn confirm(&mut self, upto: Ticket) -> Option<Vec<Effect>> {
        if self.open.front()?.0 > upto {
            return None;
        }
        self.open.pop_front().map(|(_, effects)| effects)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_confirmation_covers_all_older_tickets_and_no_younger_one() {
        let mut ledger = Ledger::default();
        let effect = |n| vec![Effect::Queue(RequestId(n))];
        let tickets = [1, 2, 3].map(|n| ledger.open(effect(n)));
        let mut seen = Vec::new();
        while let Some(effects) = ledger.confirm(tickets[1]) {
            seen.extend(effects);
        }
        assert!(matches!(
            seen[..],
            [Effect::Queue(RequestId(1)), Effect::Queue(RequestId(2))]
        ));
        assert!(ledger.confirm(tickets[1]).is_none());
        assert!(!ledger.is_empty());
        assert!(ledger.confirm(tickets[2]).is_some());
        assert!(ledger.is_empty());
    }
}
