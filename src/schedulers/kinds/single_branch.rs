//! `Scheduler`: the changes of one branch (section 4).

use std::collections::BTreeSet;

use crate::config::{SingleBranchConfig, TreeStable};
use crate::model::{Change, Decision};
use crate::schedulers::codebases;
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
    fn check(&self, settings: &TreeStable, change: &Change) -> Result<(), Decision> {
        let branch = self.branch.as_deref();
        let branch = codebases::branch_in(&settings.codebases, change, branch)?;
        waiting::check(branch, &settings.rules, change)
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
