//! What a machine of the core works with: the present, the configuration as it is laid out, and
//! what is to come of the input at hand.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::failures::{Failures, Owner};
use super::ids::{BuilderIx, SlaveIx};
use super::layout::Layout;
use super::ledger::{Effect, Ledger};
use super::outcome::{Act, Outcome};
use super::timers::{Timer, Timers};
use super::{Answer, BuilderEvent, BuilderPoint, Command, Event, ReplyId};
use crate::config::expression::Expression;
use crate::model::audit::Outcome as AuditOutcome;
use crate::model::{AuditRecord, Moment, Mono, Now, Op, Ticket};

/// Handed to each machine with each call. Commands are in the order in which they were given.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) now: Now,
    /// Who may build where.
    pub(super) layout: Layout,
    pub(super) timers: Timers,
    /// What is still to be put into the audit log of the act at hand.
    pub(super) audit: Option<Box<AuditRecord>>,
    /// Expressions that could not be worked out.
    failures: Failures,
    /// When this master began.
    began: Now,
    commands: VecDeque<Command>,
    ledger: Ledger,
    /// Effects whose cause is on disk.
    due: VecDeque<Effect>,
    outcomes: VecDeque<Outcome>,
    acts: VecDeque<Act>,
    /// Slaves, and pairs of slaves and builders, that have changed and are to be settled.
    touched: BTreeSet<SlaveIx>,
    touched_pairs: BTreeSet<(SlaveIx, BuilderIx)>,
}

impl Out {
    /// Without commands; the master begins `now`.
    pub(super) fn new(layout: Layout, now: Now) -> Self {
        Self {
            now,
            layout,
            timers: Timers::default(),
            audit: None,
            failures: Failures::default(),
            began: now,
            commands: VecDeque::new(),
            ledger: Ledger::default(),
            due: VecDeque::new(),
            outcomes: VecDeque::new(),
            acts: VecDeque::new(),
            touched: BTreeSet::new(),
            touched_pairs: BTreeSet::new(),
        }
    }

    /// Adds a command.
    pub(super) fn send(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    /// Takes the first command.
    pub(super) fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Tells the subscribers.
    pub(super) fn announce(&mut self, event: impl Into<Event>) {
        self.send(Command::Announce(event.into()));
    }

    /// An expression could not be worked out: the first time, that is told (CFL-145).
    pub(super) fn note_failure(&mut self, owner: Owner, expression: &Expression, why: &str) {
        if let Some(event) = self.failures.note(owner, expression, why) {
            self.announce(event);
        }
    }

    /// The configuration ends: tells of the expressions that have failed several times.
    pub(super) fn finish_failures(&mut self) {
        for event in self.failures.finish() {
            self.announce(event);
        }
    }

    /// Announces a point event of a builder (BLD-15).
    pub(super) fn point(&mut self, builder: BuilderIx, slave: Option<SlaveIx>, what: BuilderPoint) {
        let builder = self.layout.builder_name(builder);
        let slave = slave.map(|slave| self.layout.slave_name(slave));
        self.announce(BuilderEvent::Point {
            builder,
            slave,
            what,
        });
    }

    /// Answers a question.
    pub(super) fn reply(&mut self, to: ReplyId, result: Result<Answer, String>) {
        if let (Some(audit), Err(why)) = (&mut self.audit, &result) {
            audit.outcome = AuditOutcome::Failed(why.clone());
        }
        self.send(Command::Reply { to, result });
    }

    /// Puts the act at hand into the audit log, if nothing that was stored for it has done so.
    pub(super) fn finish_audit(&mut self) {
        let ops = self.audit.take().map(Op::Audited);
        if let Some(op) = ops {
            self.persist(vec![op]);
        }
    }

    /// Stores `ops` with the next transaction.
    pub(super) fn persist(&mut self, mut ops: Vec<Op>) {
        ops.extend(self.audit.take().map(Op::Audited));
        self.send(Command::Persist { ticket: None, ops });
    }

    /// Stores `ops`; `effects` are due when all that was handed in so far is on disk.
    pub(super) fn persist_then(&mut self, mut ops: Vec<Op>, effects: Vec<Effect>) {
        ops.extend(self.audit.take().map(Op::Audited));
        if ops.is_empty() {
            let due = self.ledger.join(effects);
            self.due.extend(due.into_iter().flatten());
            return;
        }
        let ticket = Some(self.ledger.open(effects));
        self.send(Command::Persist { ticket, ops });
    }

    /// All that was handed in up to `ticket` is on disk.
    pub(super) fn on_persisted(&mut self, ticket: Ticket) {
        while let Some(effects) = self.ledger.confirm(ticket) {
            self.due.extend(effects);
        }
    }

    /// Takes the first effect that is due.
    pub(super) fn next_due(&mut self) -> Option<Effect> {
        self.due.pop_front()
    }

    /// The master ends before `effects` and what waits for the disk can happen: those who wait for
    /// an answer are told that what they want was not stored.
    pub(super) fn give_up(&mut self, effects: Vec<Effect>) {
        let due = std::mem::take(&mut self.due);
        let mut given_up: Vec<_> = due.into_iter().chain(effects).collect();
        while let Some(effects) = self.ledger.confirm(Ticket(u64::MAX)) {
            given_up.extend(effects);
        }
        for effect in given_up {
            match effect {
                Effect::Reply(to, _) => {
                    let why = "the master stopped before it could be stored";
                    self.reply(to, Err(why.to_owned()));
                }
                Effect::Announce(_)
                | Effect::Queue(_)
                | Effect::Tell(..)
                | Effect::Run(..)
                | Effect::StartInstance(..) => {}
            }
        }
    }

    /// Passes on what a machine has come to.
    pub(super) fn pass(&mut self, outcome: Outcome) {
        self.outcomes.push_back(outcome);
    }

    /// Takes the first outcome that was not passed on yet.
    pub(super) fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Has something done after all that has changed is settled.
    pub(super) fn act_later(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    /// Takes the first act that was put off; only when all else is settled.
    pub(super) fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// A slave, or its instance, has changed.
    pub(super) fn touch(&mut self, slave: SlaveIx) {
        self.touched.insert(slave);
    }

    /// What a slave does for a builder has changed.
    pub(super) fn touch_pair(&mut self, slave: SlaveIx, builder: BuilderIx) {
        self.touched_pairs.insert((slave, builder));
        self.touch(slave);
    }

    /// Takes a pair that has changed.
    pub(super) fn next_pair(&mut self) -> Option<(SlaveIx, BuilderIx)> {
        self.touched_pairs.pop_first()
    }

    /// Takes a slave that has changed.
    pub(super) fn next_slave(&mut self) -> Option<SlaveIx> {
        self.touched.pop_first()
    }

    /// Whether nothing waits for the disk.
    pub(super) fn is_durable(&self) -> bool {
        self.ledger.is_empty()
    }

    /// Sets a timer that fires after `wait`.
    pub(super) fn set_timer(&mut self, timer: Timer, wait: Duration) -> Mono {
        let at = self.now.mono + wait;
        self.timers.set(timer, at);
        at
    }

    /// The present as schedulers count it: the monotonic clock says how much time has passed.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            steady: self.began.wall + self.now.mono.since(self.began.mono),
            wall: self.now.wall,
        }
    }
}
