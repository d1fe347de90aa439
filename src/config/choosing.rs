//! The rules by which requests and slaves find each other: which slave builds, what is merged, who
//! goes first.

use serde::Serialize;

use super::reader::{Table, Value};

/// Which of several idle slaves gets a build (BLD-05).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum SlaveChoice {
    /// Each as likely.
    #[default]
    Random,
    /// The first in the order of the builder's `slaves`.
    First,
    /// One of those on which the fewest builds run, each of these as likely.
    LeastLoaded,
}

/// Which requests of a builder share a build (BLD-06, BRQ-09).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum MergeRule {
    /// Those whose stamps are compatible (SST-05).
    #[default]
    Compatible,
    /// None.
    Never,
    /// Those for the same branch of the same project, repository and codebase, whatever their
    /// changes and revisions; not those with a patch, whose results belong to one person.
    SameBranch,
}

/// How the requests of a builder are merged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Merging {
    /// Which stamps go together.
    #[serde(rename = "merge_requests")]
    pub rule: MergeRule,
    /// Whether requests with different properties are kept apart (BRQ-09).
    #[serde(rename = "merge_compare_properties")]
    pub compare_properties: bool,
}

impl Table<'_> {
    /// `merge_requests` and `merge_compare_properties`; what is not set is as in `otherwise`.
    pub(super) fn merging(&mut self, otherwise: Merging) -> Merging {
        let mut merging = otherwise;
        self.set("merge_requests", &mut merging.rule, Value::merge_rule);
        let compare = &mut merging.compare_properties;
        self.set("merge_compare_properties", compare, Value::flag);
        merging
    }

    /// `priority`: what has a higher one goes first; 0 if it is not set (BRQ-09).
    pub(super) fn priority(&mut self) -> i32 {
        let mut priority = 0;
        self.set("priority", &mut priority, |v| {
            v.integer(-HIGHEST_PRIORITY..=HIGHEST_PRIORITY)
        });
        priority
    }
}

impl Value<'_> {
    /// A rule for the choice of slaves.
    pub(super) fn slave_choice(&self) -> Option<SlaveChoice> {
        match self.one_of(&["random", "first", "least-loaded"])? {
            "first" => Some(SlaveChoice::First),
            "least-loaded" => Some(SlaveChoice::LeastLoaded),
            _ => Some(SlaveChoice::Random),
        }
    }

    /// `true` or `"compatible"`, `false` or `"never"`, or `"always-same-branch"`.
    fn merge_rule(&self) -> Option<MergeRule> {
        if !self.raw().is_str() {
            let merges = self.flag()?;
            return Some(if merges {
                MergeRule::Compatible
            } else {
                MergeRule::Never
            });
        }
        match self.one_of(&["compatible", "never", "always-same-branch"])? {
            "never" => Some(MergeRule::Never),
            "always-same-branch" => Some(MergeRule::SameBranch),
            _ => Some(MergeRule::Compatible),
        }
    }
}

/// Names by which builders and slaves are selected.
pub(super) fn read_tags(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.list()?;
    let tags = entries.iter().filter_map(Value::name);
    Some(tags.map(str::to_owned).collect())
}

/// Priorities go from minus this to this.
const HIGHEST_PRIORITY: i32 = 1_000_000;
