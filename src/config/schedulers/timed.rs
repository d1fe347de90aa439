//! What schedulers build that look at the clock (NIG-12, PER-06).

use serde::{Serialize, Serializer};

use super::codebases::Codebases;
use super::rules::ChangeRules;
use crate::config::reader::{Table, Value};

/// What a scheduler builds when its time has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TimedBuild {
    /// Its branch; absent is the default branch.
    pub branch: Option<String>,
    /// The codebases that have a stamp each in its sets; empty: the branch alone.
    #[serde(flatten)]
    pub codebases: Codebases,
    /// It builds changes, and only if an important one has arrived since the last time (NIG-12,
    /// PER-06); absent: the latest there is, always.
    #[serde(flatten, serialize_with = "condition")]
    pub only_if_changed: Option<ChangeRules>,
}

/// The keys of what is built, with those of the rules.
pub(super) const KEYS: &[&str] = &[
    "branch",
    "codebases",
    "absolute",
    "only_if_changed",
    "separate",
    "important_if",
    "only_important",
    "important_files",
    "filter",
];

impl TimedBuild {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let branch = table.take("branch");
        let mut only_if_changed = false;
        table.set("only_if_changed", &mut only_if_changed, Value::flag);
        if only_if_changed {
            let mut rules = ChangeRules::default();
            rules.read(table, branch.as_ref());
            self.only_if_changed = Some(rules);
        }
        self.branch = branch.as_ref().and_then(Value::text).map(str::to_owned);
        self.codebases.read(table, self.branch.as_deref());
        self.codebases.read_absolute(table, only_if_changed);
    }
}

/// Whether there are rules, and these beside it.
fn condition<S: Serializer>(
    only_if_changed: &Option<ChangeRules>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Condition<'a> {
        only_if_changed: bool,
        #[serde(flatten)]
        rules: Option<&'a ChangeRules>,
    }
    let rules = only_if_changed.as_ref();
    let only_if_changed = rules.is_some();
    Condition {
        only_if_changed,
        rules,
    }
    .serialize(serializer)
}
