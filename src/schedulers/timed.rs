//! What schedulers build that look at the clock: the latest of their branch, or the changes since
//! the last time (NIG-12, PER-06).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codebases::{self, Newest, Sources};
use super::waiting::{self, Arrival, StoredChanges, Waiting};
use crate::config::{ChangeRules, TimedBuild};
use crate::model::{
    Change, ChangeNumber, Decision, Instead, Moment, SourceStamp, SourceStamps, Timestamp,
    WaitingChange,
};

/// Changes that wait for the time to come; none unless the scheduler builds changes.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    waiting: Waiting,
    newest: Newest,
}

/// What is to be remembered after a change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Remember {
    /// Nothing new.
    Nothing,
    /// That one more change waits.
    Waits(WaitingChange),
    /// The state.
    State,
}

/// The form in which they are stored.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct StoredGathered {
    #[serde(flatten)]
    changes: StoredChanges,
    #[serde(default, skip_serializing_if = "Newest::is_empty")]
    newest: Newest,
}

impl Gathered {
    /// Takes a change into account that arrives `now`, which may wait for the next run then, at
    /// `at`. Says also whether there is anything new to remember.
    pub(super) fn on_change(
        &mut self,
        what: &TimedBuild,
        change: &Arc<Change>,
        now: Moment,
        at: Option<Timestamp>,
    ) -> (Decision, Remember) {
        let Some(rules) = &what.only_if_changed else {
            let instead = Instead::Clock;
            return (Decision::LooksAtNone { instead }, Remember::Nothing);
        };
        if let Err(why) = check(what, rules, change) {
            return (why, Remember::Nothing);
        }
        let is_newest = self.newest.note(&what.codebases, change);
        let decision = self.keep(rules, change, now, at);
        let remember = match (is_newest, decision.keeps()) {
            (true, _) => Remember::State,
            (false, true) => match self.waiting.one_more() {
                Some(waits) => Remember::Waits(waits),
                None => Remember::State,
            },
            (false, false) => Remember::Nothing,
        };
        (decision, remember)
    }

    /// Lets a change wait that is wanted.
    fn keep(
        &mut self,
        rules: &ChangeRules,
        change: &Arc<Change>,
        now: Moment,
        at: Option<Timestamp>,
    ) -> Decision {
        let important = waiting::is_important(rules, change);
        if !important && rules.only_important {
            return Decision::Dropped;
        }
        self.waiting
            .add(Arrival::now(change, now.steady), important);
        match important {
            true => Decision::KeptForRun { at },
            false => Decision::Remembered {
                until: at.filter(|_| self.waiting.has_important()),
            },
        }
    }

    /// What to build now; a forced build is of the latest if there are no changes that matter.
    pub(super) fn take_sets(&mut self, what: &TimedBuild, forced: bool) -> Vec<SourceStamps> {
        let separate = what.only_if_changed.as_ref().is_none_or(|r| r.separate);
        let sources = Sources {
            codebases: &what.codebases,
            newest: &self.newest,
        };
        let sets = self.waiting.take_sets(separate, sources);
        if sets.is_empty() && (forced || what.only_if_changed.is_none()) {
            if !sources.is_empty() {
                return vec![sources.set(|_| None)];
            }
            let stamp = SourceStamp {
                branch: what.branch.clone(),
                ..SourceStamp::default()
            };
            return vec![stamp.into()];
        }
        sets
    }

    /// Takes over what was stored, as far as it is still wanted.
    pub(super) fn restore(
        &mut self,
        what: &TimedBuild,
        stored: StoredGathered,
        known: &BTreeMap<ChangeNumber, Arrival>,
    ) -> Result<(), String> {
        let rules = what.only_if_changed.as_ref();
        let wanted = |c: &Change| rules.is_some_and(|rules| check(what, rules, c).is_ok());
        let missing = self.waiting.restore(&stored.changes, known, wanted);
        self.newest = stored.newest.kept(&what.codebases);
        if missing.is_empty() {
            return Ok(());
        }
        Err(waiting::gone(&missing))
    }

    /// The changes that wait.
    pub(super) const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.newest.is_empty()
    }

    /// What must be remembered.
    pub(super) fn stored(&self) -> StoredGathered {
        StoredGathered {
            changes: self.waiting.stored(),
            newest: self.newest.clone(),
        }
    }
}

/// Why `change` is not wanted, if it is not.
fn check(what: &TimedBuild, rules: &ChangeRules, change: &Change) -> Result<(), Decision> {
    let branch = codebases::branch_in(&what.codebases, change, what.branch.as_deref())?;
    waiting::check(branch, rules, change)
}
