//! `type = "AnyBranch"`: each branch for itself (section 5).

use serde::Serialize;

use super::branches::read_branches;
use super::kind::SchedulerSettings;
use super::tree_stable::TreeStable;
use crate::config::reader::Table;

/// Settings of `AnyBranch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AnyBranchConfig {
    /// Its branches, among which `None` is the default branch; absent: every branch (ANY-02).
    pub branches: Option<Vec<Option<String>>>,
    /// How it waits and what for.
    #[serde(flatten)]
    pub tree_stable: TreeStable,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &["branches"];

impl SchedulerSettings for AnyBranchConfig {}

impl AnyBranchConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let branches = table.take("branches");
        self.tree_stable.read(table, branches.as_ref());
        self.branches = branches.as_ref().and_then(read_branches);
    }
}
