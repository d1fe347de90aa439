//! What schedulers share that wait until the tree has been still for a while (SCH-01, SCH-12).

use std::time::Duration;

use serde::Serialize;

use super::codebases::Codebases;
use super::rules::ChangeRules;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};

/// When a scheduler builds that waits until the tree has been still for a while (SCH-01, SCH-12).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TreeStable {
    /// How long the tree must be still; absent: a set for each important change at once.
    pub tree_stable_timer: Option<Duration>,
    /// Whether the timer counts from the arrival of a change instead of its own time (SCH-12).
    #[serde(rename = "timer_from")]
    pub timer_from_arrival: bool,
    /// Whether unimportant changes restart a running timer (SCH-09).
    pub unimportant_resets_timer: bool,
    /// How long an important change waits at the most.
    pub longest_wait: LongestWait,
    /// The codebases that wait together with one timer, and have a stamp each in its sets; empty:
    /// each tree for itself.
    #[serde(flatten)]
    pub codebases: Codebases,
    /// Which changes it builds.
    #[serde(flatten)]
    pub rules: ChangeRules,
}

/// How long the first important change that waits is held back by those that follow it (TIM-05).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum LongestWait {
    /// An hour or ten timers, whichever is longer.
    #[default]
    Usual,
    /// So long.
    AtMost(Duration),
    /// As long as changes keep coming.
    Unlimited,
}

/// The keys of the wait and of the rules.
pub(super) const KEYS: &[&str] = &[
    "separate",
    "codebases",
    "tree_stable_timer",
    "timer_from",
    "longest_wait",
    "unimportant_resets_timer",
    "important_if",
    "only_important",
    "important_files",
    "filter",
];

impl LongestWait {
    const USUAL: Duration = Duration::from_secs(3600);

    /// The limit for a scheduler with this tree-stable timer.
    #[must_use]
    pub fn limit(self, timer: Duration) -> Option<Duration> {
        match self {
            Self::Usual => Some(timer.saturating_mul(10).max(Self::USUAL)),
            Self::AtMost(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

impl TreeStable {
    /// Takes what the table has; `branch` is the setting that a filter on the branch takes the
    /// place of.
    pub(super) fn read(&mut self, table: &mut Table<'_>, branch: Option<&Value<'_>>) {
        table.set("tree_stable_timer", &mut self.tree_stable_timer, |v| {
            v.optional_duration(Duration::ZERO..=LONGEST)
        });
        let timer = self.tree_stable_timer;
        table.set("longest_wait", &mut self.longest_wait, |v| {
            read_longest_wait(v, timer)
        });
        table.set("timer_from", &mut self.timer_from_arrival, |v| {
            Some(v.one_of(&["change", "arrival"])? == "arrival")
        });
        table.set(
            "unimportant_resets_timer",
            &mut self.unimportant_resets_timer,
            Value::flag,
        );
        let own = branch.and_then(|branch| branch.data().as_str());
        self.codebases.read(table, own);
        self.rules.read(table, branch);
    }
}

/// A time that is not shorter than the timer, or `false` (TIM-05).
fn read_longest_wait(value: &Value<'_>, timer: Option<Duration>) -> Option<LongestWait> {
    let Some(limit) = value.optional_duration(SHORTEST..=LONGEST)? else {
        return Some(LongestWait::Unlimited);
    };
    if timer.is_some_and(|timer| timer > limit) {
        let help = "the timer, which is longer, runs to its end in any case";
        value.error("is shorter than `tree_stable_timer`", help);
        return None;
    }
    Some(LongestWait::AtMost(limit))
}
