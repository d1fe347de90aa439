//! What schedulers build that look at the clock: the latest of their branch, or the changes since
//! the last time (NIG-12, PER-06).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::waiting::{self, Arrival, StoredChanges, Waiting};
use crate::config::{ChangeRules, TimedBuild};
use crate::model::{
    Change, ChangeNumber, Decision, Instead, Moment, SourceStamp, SourceStamps, Timestamp,
};

/// Changes that wait for the time to come; none unless the scheduler builds changes.
#[derive(Debug, Default)]
pub(super) struct Gathered(Waiting);

impl Gathered {
    /// Takes a change into account that arrives `now`, which may wait for the next run then, at
    /// `at`.
    pub(super) fn on_change(
        &mut self,
        what: &TimedBuild,
        change: &Arc<Change>,
        now: Moment,
        at: Option<Timestamp>,
    ) -> Decision {
        let Some(rules) = &what.only_if_changed else {
            let instead = Instead::Clock;
            return Decision::LooksAtNone { instead };
        };
        if let Err(why) = check(what, rules, change) {
            return why;
        }
        let important = waiting::is_important(rules, change);
        if !important && rules.only_important {
            return Decision::Dropped;
        }
        self.0.add(Arrival::now(change, now.steady), important);
        match important {
            true => Decision::KeptForRun { at },
            false => Decision::Remembered {
                until: at.filter(|_| self.0.has_important()),
            },
        }
    }

    /// What to build now; a forced build is of the latest if there are no changes that matter.
    pub(super) fn take_sets(&mut self, what: &TimedBuild, forced: bool) -> Vec<SourceStamps> {
        let separate = what.only_if_changed.as_ref().is_none_or(|r| r.separate);
        let sets = self.0.take_sets(separate, &what.codebases);
        if sets.is_empty() && (forced || what.only_if_changed.is_none()) {
            if !what.codebases.is_empty() {
                return vec![waiting::set_without_changes(&what.codebases)];
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
        stored: &StoredChanges,
        known: &BTreeMap<ChangeNumber, Arrival>,
    ) -> Result<(), String> {
        let rules = what.only_if_changed.as_ref();
        let wanted = |c: &Change| rules.is_some_and(|rules| check(what, rules, c).is_ok());
        let missing = self.0.restore(stored, known, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        Err(waiting::gone(&missing))
    }

    /// The changes that wait.
    pub(super) const fn waiting(&self) -> &Waiting {
        &self.0
    }

    /// What must be remembered.
    pub(super) fn stored(&self) -> StoredChanges {
        self.0.stored()
    }
}

/// Why `change` is not wanted, if it is not.
fn check(what: &TimedBuild, rules: &ChangeRules, change: &Change) -> Result<(), Decision> {
    let branch = waiting::branch_in(&what.codebases, change, what.branch.as_deref())?;
    waiting::check(branch, rules, change)
}
