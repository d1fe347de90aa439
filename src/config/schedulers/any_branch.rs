//! `type = "AnyBranch"`: each branch for itself (section 5).

use serde::Serialize;

use super::kind::SchedulerSettings;
use super::tree_stable::TreeStable;
use crate::config::reader::{Table, Value};

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

/// A list of branches, among which `false` is the default branch (ANY-02).
fn read_branches(value: &Value<'_>) -> Option<Vec<Option<String>>> {
    let entries = value.list()?;
    if entries.is_empty() {
        let message = format!("{} has no branches", value.label);
        let help = "it starts nothing; without `branches` it builds every branch";
        value.sink.warning(value.span(), message, help);
    }
    let text = |entry: &Value<'_>| match entry.is_false() {
        true => Some(None),
        false if entry.raw().is_str() => entry.text().map(|t| Some(t.to_owned())),
        false => entry.expected("a string", "a string, or `false` for the default branch"),
    };
    let texts: Vec<_> = entries.iter().map(text).collect();
    texts.into_iter().collect()
}
