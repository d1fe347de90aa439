//! What schedulers will do: the registry under a clock that jumps from event to event.
//!
//! [`Foresight`] drives the very [`Registry`] of the daemon, in the order in which the core does:
//! timers that are due, those of one moment in the order of the configuration; then the change that
//! comes at that moment; what follows from sets after the sets. A test of the core compares the
//! two. The clocks here are never wrong, and each set has finished with success when it is
//! submitted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;

use super::effects::{Effects, SchedulerIx, Submission};
use super::kind::Due;
use super::registry::Registry;
use crate::config::SchedulerConfig;
use crate::model::{Change, ChangeNumber, Decision, SchedulerName, Timestamp};

/// What schedulers do from a start to an end, one thing after the other. Nothing is worked out
/// before it is asked for, so that the end may be far.
#[derive(Debug)]
pub struct Foresight<I: Iterator<Item = Arc<Change>>> {
    registry: Registry,
    now: Timestamp,
    until: Timestamp,
    /// Those to come.
    changes: Peekable<I>,
    /// When each scheduler is due, earliest first; a scheduler stands in it once at most.
    agenda: BTreeSet<(Timestamp, SchedulerIx)>,
    /// Where each scheduler stands in the agenda.
    listed: Vec<Option<Timestamp>>,
    /// Sets that are to be submitted now.
    wanted: VecDeque<Submission>,
    /// The change that came last, and what schedulers have decided on it that was not told yet.
    last: Option<ChangeNumber>,
    decisions: VecDeque<(SchedulerName, Decision)>,
    /// What is to be told now.
    problems: VecDeque<(SchedulerName, String)>,
}

/// Something that schedulers will do.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Outlook,
}

/// What schedulers do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outlook {
    /// A scheduler has decided on a change.
    Decided {
        /// The change.
        change: ChangeNumber,
        /// Which scheduler.
        scheduler: SchedulerName,
        /// What it makes of it.
        decision: Decision,
    },
    /// A set is submitted.
    Set(Submission),
    /// A scheduler has something to complain about.
    Problem {
        /// Which scheduler.
        scheduler: SchedulerName,
        /// About what.
        why: String,
    },
}

impl<I: Iterator<Item = Arc<Change>>> Foresight<I> {
    /// Starts `configs` at `from` without a past; ends at `until`, inclusive. The `changes` come in
    /// order of their arrival.
    pub fn new(
        configs: &[Arc<SchedulerConfig>],
        changes: impl IntoIterator<IntoIter = I>,
        from: Timestamp,
        until: Timestamp,
    ) -> Self {
        let (registry, effects) =
            Registry::new(configs, &BTreeMap::new(), &BTreeMap::new(), from.into());
        let mut foresight = Self {
            listed: vec![None; registry.len()],
            registry,
            now: from,
            until,
            changes: changes.into_iter().peekable(),
            agenda: BTreeSet::new(),
            wanted: VecDeque::new(),
            last: None,
            decisions: VecDeque::new(),
            problems: VecDeque::new(),
        };
        foresight.carry_out(effects);
        foresight
    }

    /// Goes on to the next event, if there is one before the end.
    fn advance(&mut self) -> bool {
        let timer = self.agenda.first().copied();
        let change = self.changes.peek().map(|change| change.arrived_at);
        if let Some((due, ix)) = timer
            && due <= self.until
            && change.is_none_or(|at| due <= at)
        {
            self.agenda.pop_first();
            if let Some(listed) = self.listed.get_mut(ix) {
                *listed = None;
            }
            self.now = self.now.max(due);
            let effects = self.registry.on_timer(ix, self.now.into());
            self.carry_out(effects);
            self.arm(ix);
            return true;
        }
        let Some(change) = self.changes.next_if(|c| c.arrived_at <= self.until) else {
            return false;
        };
        self.now = self.now.max(change.arrived_at);
        self.last = Some(change.number);
        let effects = self.registry.on_change(&change, self.now.into());
        self.carry_out(effects);
        true
    }

    fn carry_out(&mut self, effects: Effects) {
        self.decisions.extend(effects.decisions);
        self.problems.extend(effects.problems);
        self.wanted.extend(effects.submissions);
        for ix in effects.touched {
            self.arm(ix);
        }
    }

    fn arm(&mut self, ix: SchedulerIx) {
        let due = match self.registry.next_due(ix) {
            Some(Due::Steady(due) | Due::Wall(due)) => Some(due),
            None => None,
        };
        let Some(listed) = self.listed.get_mut(ix) else {
            return;
        };
        let old = std::mem::replace(listed, due);
        if old != due {
            if let Some(old) = old {
                self.agenda.remove(&(old, ix));
            }
            if let Some(due) = due {
                self.agenda.insert((due, ix));
            }
        }
    }
}

impl<I: Iterator<Item = Arc<Change>>> Iterator for Foresight<I> {
    type Item = Foreseen;

    fn next(&mut self) -> Option<Foreseen> {
        loop {
            let at = self.now;
            if let (Some(change), Some((scheduler, decision))) =
                (self.last, self.decisions.pop_front())
            {
                let event = Outlook::Decided {
                    change,
                    scheduler,
                    decision,
                };
                return Some(Foreseen { at, event });
            }
            if let Some((scheduler, why)) = self.problems.pop_front() {
                let event = Outlook::Problem { scheduler, why };
                return Some(Foreseen { at, event });
            }
            if let Some(set) = self.wanted.pop_front() {
                let follows =
                    self.registry
                        .on_set_finished(&set.scheduler, &set.stamps, true, at.into());
                self.carry_out(follows);
                let event = Outlook::Set(set);
                return Some(Foreseen { at, event });
            }
            if !self.advance() {
                return None;
            }
        }
    }
}
