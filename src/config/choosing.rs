//! The rules by which requests and slaves find each other: which slave builds, what is merged, who goes first.

use super::reader::{Table, Value};

/// Which of several idle slaves gets a build (BLD-05).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MergeRule {
    /// Those whose stamps are compatible (SST-05).
    #[default]
    Compatible,
    /// None.
    Never,
    /// Those for the same branch of the same project, repository and codebase, whatever their changes and revisions;
    /// not those with a patch, whose results belong to one person.
    SameBranch,
}

/// How the requests of a builder are merged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Merging {
    /// Which stamps go together.
    pub rule: MergeRule,
    /// Whether requests with different properties are kept apart (BRQ-09).
    pub compare_properties: bool,
}

impl Table<'_> {
    /// `merge_requests` and `merge_compare_properties`; what is not set is as in `otherwise`.
    pub(super) fn merging(&mut self, otherwise: Merging) -> Merging {
        let rule = self.take("merge_requests").and_then(|v| v.merge_rule());
        let compare = self.take("merge_compare_properties");
        let compare = compare.and_then(|v| v.flag());
        Merging {
            rule: rule.unwrap_or(otherwise.rule),
            compare_properties: compare.unwrap_or(otherwise.compare_properties),
        }
    }

    /// `priority`: what has a higher one goes first; 0 if it is not set (BRQ-09).
    pub(super) fn priority(&mut self) -> i32 {
        let priority = self.take("priority");
        let priority = priority.and_then(|v| v.integer(-HIGHEST_PRIORITY..=HIGHEST_PRIORITY));
        priority.unwrap_or_default()
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

/// Priorities go from minus this to this.
const HIGHEST_PRIORITY: i32 = 1_000_000;
