//! What the checks of builders have said of slaves, by what was asked and answered alone.

use std::collections::{BTreeMap, BTreeSet};

use buildmaster::botmaster::{CheckAnswer, CheckId, CheckWanted};
use buildmaster::model::{BuilderName, SlaveName};

type Pair = (BuilderName, SlaveName);

/// Of a master that runs.
#[derive(Debug, Default)]
pub(super) struct Checks {
    asked: BTreeMap<CheckId, Pair>,
    last: BTreeMap<Pair, bool>,
    /// Of which pairs a build may start, or has perhaps begun to start.
    passed: BTreeSet<Pair>,
}

impl Checks {
    /// A question about a pair takes the place of an older one, whose answer does not count any
    /// more: the check or the slave is another one.
    pub(super) fn ask(&mut self, check: CheckId, what: &CheckWanted) {
        let pair = (what.builder.clone(), what.slave.clone());
        self.asked.retain(|_, older| *older != pair);
        let old = self.asked.insert(check, pair);
        assert_eq!(old, None, "one question, one number");
    }

    /// `is_idle` says whether no build of the pair is about to start.
    pub(super) fn answer(
        &mut self,
        check: CheckId,
        answer: &CheckAnswer,
        is_idle: impl FnOnce(&Pair) -> bool,
    ) {
        let Some(pair) = self.asked.remove(&check) else {
            return;
        };
        let is_yes = *answer == CheckAnswer::Yes;
        self.last.insert(pair.clone(), is_yes);
        if is_yes {
            self.passed.insert(pair);
        } else if is_idle(&pair) {
            self.passed.remove(&pair);
        }
    }

    /// Whether a request that could start there may wait: the check has not said yes yet.
    pub(super) fn may_wait(&self, builder: &BuilderName, slave: &SlaveName) -> bool {
        let pair = (builder.clone(), slave.clone());
        self.last.get(&pair) == Some(&false) || self.asked.values().any(|asked| *asked == pair)
    }

    /// Whether a build may start there.
    pub(super) fn has_passed(&self, builder: &BuilderName, slave: &SlaveName) -> bool {
        self.passed.contains(&(builder.clone(), slave.clone()))
    }
}
