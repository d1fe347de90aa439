//! Programs of the user that say whether a slave may take a build of a builder (`slave_check`).
//!
//! A pair of a slave and a builder is asked about when the slave is idle, requests wait for the
//! builder, and there is no answer. The core goes on meanwhile: the answer is an input. It counts
//! for a while. Then it is forgotten, or, if it is still needed, asked for again, and the last one
//! counts until the next is there. A program that fails has said no.
//!
//! Invariant: if requests wait for a builder with a check, each of its idle slaves has an answer or
//! is being asked about.

use std::collections::BTreeMap;

use super::ids::{BuilderIx, SlaveIx};
use super::timers::Timer;
use super::{BotMaster, CheckAnswer, CheckId, CheckWanted, Command};
use crate::model::{Mono, Timestamp};

/// What is known of pairs of builders and slaves by their checks.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pairs: BTreeMap<(BuilderIx, SlaveIx), Check>,
    /// Of which pairs answers are to come.
    open: BTreeMap<CheckId, (BuilderIx, SlaveIx)>,
    next: u64,
}

/// One pair: asked about, or with an answer, or both.
#[derive(Debug, Default)]
pub(super) struct Check {
    /// Since when it is asked about.
    pub(super) asked: Option<(CheckId, Timestamp)>,
    /// The last answer, and until when it counts.
    pub(super) answer: Option<(CheckAnswer, Mono)>,
}

impl Checks {
    /// What is known of a pair.
    pub(super) fn get(&self, builder: BuilderIx, slave: SlaveIx) -> Option<&Check> {
        self.pairs.get(&(builder, slave))
    }

    fn forget(&mut self, pair: (BuilderIx, SlaveIx)) {
        let check = self.pairs.remove(&pair);
        if let Some((id, _)) = check.and_then(|check| check.asked) {
            self.open.remove(&id);
        }
    }
}

impl BotMaster {
    /// Whether the slave, which is idle, may take a build of the builder. Asks if that is not
    /// known and wanted.
    pub(super) fn passes_check(&mut self, builder: BuilderIx, slave: SlaveIx) -> bool {
        if !self.has_check(builder) {
            return true;
        }
        let known = self.checks.get(builder, slave);
        if known.is_none() && self.is_wanted(builder) {
            self.ask_check(builder, slave);
            return false;
        }
        let answer = known.and_then(|check| check.answer.as_ref());
        answer.is_some_and(|(answer, _)| *answer == CheckAnswer::Yes)
    }

    /// A check has said something.
    pub(super) fn on_checked(&mut self, id: CheckId, answer: CheckAnswer) {
        let Some((builder, slave)) = self.checks.open.remove(&id) else {
            return;
        };
        let Some(program) = &self.out.layout.builder(builder).config.slave_check else {
            return;
        };
        let wait = program.wait(!matches!(answer, CheckAnswer::Failed(_)));
        let until = self.out.set_timer(Timer::Check(builder, slave), wait);
        let check = Check {
            asked: None,
            answer: Some((answer, until)),
        };
        self.checks.pairs.insert((builder, slave), check);
        self.out.touch_pair(slave, builder);
    }

    /// An answer is old.
    pub(super) fn on_check_outdated(&mut self, builder: BuilderIx, slave: SlaveIx) {
        let is_needed = self.is_wanted(builder) && self.idle_way(slave, builder).is_some();
        if is_needed {
            self.ask_check(builder, slave);
        } else {
            self.forget_check(builder, slave);
        }
    }

    /// Requests begin to wait for a builder.
    pub(super) fn want_checks(&mut self, builder: BuilderIx) {
        if self.has_check(builder) {
            for &slave in &self.out.layout.builder(builder).slaves.clone() {
                self.out.touch_pair(slave, builder);
            }
        }
    }

    /// The check of a builder is another one.
    pub(super) fn forget_checks_of_builder(&mut self, builder: BuilderIx) {
        for &slave in &self.out.layout.builder(builder).slaves.clone() {
            self.forget_check(builder, slave);
        }
    }

    /// A slave is not what it was when it was asked about.
    pub(super) fn forget_checks_of_slave(&mut self, slave: SlaveIx) {
        for &builder in &self.out.layout.slave(slave).builders.clone() {
            if self.has_check(builder) {
                self.forget_check(builder, slave);
            }
        }
    }

    fn has_check(&self, builder: BuilderIx) -> bool {
        let config = &self.out.layout.builder(builder).config;
        config.slave_check.is_some()
    }

    fn is_wanted(&self, builder: BuilderIx) -> bool {
        self.dispatch.queue(builder).len() > 0
    }

    fn ask_check(&mut self, builder: BuilderIx, slave: SlaveIx) {
        let config = &self.out.layout.builder(builder).config;
        let Some(program) = config.slave_check.clone() else {
            return;
        };
        self.checks.next += 1;
        let id = CheckId(self.checks.next);
        let check = self.checks.pairs.entry((builder, slave)).or_default();
        check.asked = Some((id, self.out.now.wall));
        self.checks.open.insert(id, (builder, slave));
        let what = CheckWanted {
            program,
            builder: config.name.clone(),
            slave: self.out.layout.slave_name(slave),
            facts: self.dispatch.facts(slave),
        };
        self.out.send(Command::Check {
            check: id,
            what: Box::new(what),
        });
    }

    fn forget_check(&mut self, builder: BuilderIx, slave: SlaveIx) {
        self.checks.forget((builder, slave));
        self.out.timers.cancel(Timer::Check(builder, slave));
        self.out.touch_pair(slave, builder);
    }
}
