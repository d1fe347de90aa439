//! `AnyBranch`: the changes of each branch, apart from each other (section 5).

use std::collections::BTreeSet;

use crate::config::{AnyBranchConfig, TreeStable};
use crate::model::{Change, Decision};
use crate::schedulers::codebases;
use crate::schedulers::trees::{Trees, Wanted};
use crate::schedulers::waiting;

/// The trees of these branches, or of all; each branch has a sub-scheduler.
#[derive(Debug)]
pub(super) struct AnyBranch {
    branches: Option<Vec<Option<String>>>,
}

impl Trees<AnyBranch> {
    /// An `AnyBranch` without a past.
    pub(super) fn new(config: &AnyBranchConfig) -> Self {
        let branches = config.branches.clone();
        Self::with(AnyBranch { branches }, config.tree_stable.clone())
    }
}

impl Wanted for AnyBranch {
    fn check(&self, settings: &TreeStable, change: &Change) -> Result<(), Decision> {
        codebases::branch_in(&settings.codebases, change, None)?;
        match &self.branches {
            Some(listed) if !listed.contains(&change.branch) => Err(Decision::BranchNotListed),
            Some(_) | None => waiting::check_filter(&settings.rules, change),
        }
    }

    fn mixes_branches(&self) -> bool {
        false
    }

    /// The name of the sub-scheduler for a branch (ANY-03).
    fn name_for(&self, name: &str, branch: Option<&str>) -> String {
        let branch = branch.filter(|b| !b.is_empty()).unwrap_or("<default>");
        format!("{name}.{branch}")
    }

    fn sub_schedulers(&self, name: &str, branches: BTreeSet<Option<&str>>) -> Vec<String> {
        let branches = branches.into_iter();
        branches.map(|branch| self.name_for(name, branch)).collect()
    }
}
