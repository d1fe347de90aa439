//! Offers of change sources: one input, one transaction (GRD-01, INT-02).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Intake;
use crate::botmaster::ledger::Effect;
use crate::botmaster::out::Out;
use crate::botmaster::{Answer, IntakeEvent, ReplyId};
use crate::model::{
    AdmittedChange, AdmittedOffer, Change, ChangeNumber, NewChange, OfferTaken, Op, TakenChange,
};

impl Intake {
    /// The changes of an offer, the cursor of its source, what the schedulers make of the changes
    /// and the sets that follow are stored together; then the source is answered, and not before.
    pub(in crate::botmaster) fn take_offer(
        &mut self,
        out: &mut Out,
        offer: AdmittedOffer,
        reply: ReplyId,
    ) {
        let (mut ops, mut effects) = (Vec::new(), Vec::new());
        let mut identities = Vec::new();
        let mut taken: Vec<TakenChange> = Vec::with_capacity(offer.changes.len());
        for admitted in offer.changes {
            let (number, is_new) = match admitted {
                AdmittedChange::New { change, identity } => {
                    let number = self.add_change(out, *change, &mut ops, &mut effects);
                    identities.extend(identity.map(|identity| (identity, number)));
                    (number, true)
                }
                AdmittedChange::Known(number) => (number, false),
                AdmittedChange::Repeated(at) => match taken.get(at) {
                    Some(earlier) => (earlier.number, false),
                    // The door only refers to what is before.
                    None => continue,
                },
            };
            taken.push(TakenChange { number, is_new });
        }
        keep_last_states(&mut ops);
        let count = |is_new| {
            let counted = taken.iter().filter(|change| change.is_new == is_new);
            u64::try_from(counted.count()).unwrap_or(u64::MAX)
        };
        ops.push(Op::OfferTaken(Box::new(OfferTaken {
            source: offer.source,
            delivery: offer.delivery,
            cursor: offer.cursor,
            identities,
            taken: count(true),
            known: count(false),
            dropped: offer.dropped,
            at: out.now.wall,
        })));
        let is_any_new = taken.iter().any(|change| change.is_new);
        ops.extend(offer.audit.filter(|_| is_any_new).map(Op::Audited));
        effects.insert(0, Effect::Reply(reply, Ok(Answer::Taken(taken))));
        out.persist_then(ops, effects);
    }

    /// Numbers a change, and asks the schedulers what they make of it.
    fn add_change(
        &mut self,
        out: &mut Out,
        content: NewChange,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) -> ChangeNumber {
        let arrived_at = out.now.wall;
        let number = self.next_change;
        self.next_change = number.next();
        let change = Arc::new(Change {
            number,
            arrived_at,
            when: content.when.unwrap_or(arrived_at),
            content,
        });
        ops.push(Op::ChangeAdded(Arc::clone(&change)));
        let added = IntakeEvent::ChangeAdded(Arc::clone(&change));
        effects.push(Effect::Announce(added.into()));
        let mut wanted = self.schedulers.on_change(&change, out.moment());
        ops.push(Op::ChangeOffered {
            change: number,
            decisions: std::mem::take(&mut wanted.decisions),
        });
        self.take_effects(out, wanted, ops, effects);
        number
    }
}

/// Of the states of a scheduler, only the last one of a transaction counts. With many changes that
/// wait in one tree, the others would be most of what is written.
fn keep_last_states(ops: &mut Vec<Op>) {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::with_capacity(ops.len());
    for op in std::mem::take(ops).into_iter().rev() {
        if let Op::SchedulerState { scheduler, .. } = &op
            && !seen.insert(scheduler.clone())
        {
            continue;
        }
        kept.push(op);
    }
    kept.reverse();
    *ops = kept;
}
