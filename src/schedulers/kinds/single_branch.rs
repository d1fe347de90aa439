//! `Scheduler`: the changes of one branch (section 4).

use std::collections::BTreeSet;

use crate::config::{ChangeRules, SingleBranchConfig};
use crate::model::{Change, Decision};
use crate::schedulers::trees::{Trees, Wanted};
use crate::schedulers::waiting;

/// The trees of one branch, or of those that the filter says. What it mixes waits together,
/// whatever the branch.
#[derive(Debug)]
pub(super) struct SingleBranch {
    branch: Option<String>,
}

impl Trees<SingleBranch> {
    /// A `Scheduler` without a past.
    pub(super) fn new(config: &SingleBranchConfig) -> Self {
        let branch = config.branch.clone();
        Self::with(SingleBranch { branch }, config.tree_stable.clone())
    }
}

impl Wanted for SingleBranch {
    fn check(&self, rules: &ChangeRules, change: &Change) -> Result<(), Decision> {
        waiting::check(self.branch.as_deref(), rules, change)
    }

    fn mixes_branches(&self) -> bool {
        true
    }

    fn name_for(&self, name: &str, _branch: Option<&str>) -> String {
        name.to_owned()
    }

    fn sub_schedulers(&self, _name: &str, _branches: BTreeSet<Option<&str>>) -> Vec<String> {
        Vec::new()
    }
}
