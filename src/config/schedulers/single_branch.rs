//! `type = "Scheduler"`: one branch (section 4).

use serde::Serialize;

use super::kind::SchedulerSettings;
use super::tree_stable::TreeStable;
use crate::config::reader::{Table, Value};

/// Settings of `Scheduler`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SingleBranchConfig {
    /// Its branch; absent is the default branch.
    pub branch: Option<String>,
    /// How it waits and what for.
    #[serde(flatten)]
    pub tree_stable: TreeStable,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &["branch", "absolute"];

impl SchedulerSettings for SingleBranchConfig {}

impl SingleBranchConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let branch = table.take("branch");
        self.tree_stable.read(table, branch.as_ref());
        self.tree_stable.codebases.read_absolute(table, true);
        self.branch = branch.as_ref().and_then(Value::text).map(str::to_owned);
    }
}
