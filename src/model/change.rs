//! Changes to the source tree, as version control hooks and `sendchange` report them (section 1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ChangeNumber, Properties, Timestamp};

/// Maximum time by which a change may be dated after its arrival (TIM-02): clocks of senders are
/// off by minutes.
const MOST_AHEAD: Duration = Duration::from_secs(3600);

/// The beginning of the years 1 and 10000.
const YEARS: std::ops::Range<Timestamp> =
    Timestamp::from_secs(-62_135_596_800)..Timestamp::from_secs(253_402_300_800);

/// The property of a change on a new branch that names the commit where the branch begins.
pub const BRANCHED_FROM: &str = "branched_from";

/// The property of a change that stands for older commits that have none of their own: how many.
pub const STANDS_FOR: &str = "stands_for";

/// A change that the master has accepted (CHG-01). Default branch and empty branch differ (CHG-02).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Number, in order of arrival.
    pub number: ChangeNumber,
    /// Arrival time.
    pub arrived_at: Timestamp,
    /// Time that the sender gave explicitly, usable or not; the arrival time if the sender gave
    /// none (CHG-06).
    pub when: Timestamp,
    /// Data from the sender.
    #[serde(flatten)]
    pub content: NewChange,
}

/// Why the time from a sender is not used (TIM-02).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnusableTime {
    /// The time is outside the years 1 to 9999.
    NotATime,
    /// The time is more than an hour after the arrival of the change.
    TooFarAhead,
}

impl UnusableTime {
    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotATime => "not a time",
            Self::TooFarAhead => "too far ahead",
        }
    }
}

impl Change {
    /// The start of a tree-stable timer; times in the past are usable.
    ///
    /// # Errors The sender's time is not usable: the change is treated as a change without a time
    /// (TIM-02).
    pub fn usable_when(&self) -> Result<Timestamp, UnusableTime> {
        if !YEARS.contains(&self.when) {
            return Err(UnusableTime::NotATime);
        }
        if self.when > self.arrived_at + MOST_AHEAD {
            return Err(UnusableTime::TooFarAhead);
        }
        Ok(self.when)
    }
}

impl std::ops::Deref for Change {
    type Target = NewChange;

    fn deref(&self) -> &NewChange {
        &self.content
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A new change without a number.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NewChange {
    /// Author.
    pub who: String,
    /// Changed files, relative to the root of the tree.
    #[serde(default)]
    pub files: Vec<String>,
    /// Number of further changed files whose names were dropped because there were too many. A
    /// change with dropped names is important regardless of the rules for files, because a dropped
    /// name could match.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files_left_out: u64,
    /// Commit message.
    #[serde(default)]
    pub comments: String,
    /// Revision; absent if the sender gave none.
    pub revision: Option<String>,
    /// Branch; absent is the default branch, which is not the same as an empty name.
    pub branch: Option<String>,
    /// Time stamp given by the sender.
    #[serde(rename = "said_when")]
    pub when: Option<Timestamp>,
    /// Commit time according to the version control system. For display only (TIM-01).
    #[serde(default)]
    pub made_at: Option<Timestamp>,
    /// Project, empty by default.
    #[serde(default)]
    pub project: String,
    /// Repository, empty by default.
    #[serde(default)]
    pub repository: String,
    /// Codebase, empty by default.
    #[serde(default)]
    pub codebase: String,
    /// Category.
    pub category: Option<String>,
    /// Link to the revision, empty by default.
    #[serde(default)]
    pub revlink: String,
    /// Kind of version control, such as `git`.
    pub src: Option<String>,
    /// Properties, with source "Change".
    #[serde(default)]
    pub properties: Properties,
    /// What the master changed of what the sender said, or did not use, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether its message says that it need not be built (INT-10): it is unimportant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_skipped: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tim_02_a_time_far_ahead_or_outside_the_calendar_is_not_used() {
        let usable = |when: f64| {
            let change = Change {
                number: ChangeNumber(1),
                arrived_at: Timestamp::from_secs(1_700_000_000),
                when: Timestamp::from_secs_f64(when),
                content: NewChange::default(),
            };
            change.usable_when().map(Timestamp::as_secs_f64)
        };
        for good in [1_700_003_600.0, 1_700_000_000.0, 0.0, -5e9] {
            assert_eq!(usable(good), Ok(good));
        }
        let ahead = [1_700_003_601.0, 99_999_999_999.0];
        for far in ahead {
            assert_eq!(usable(far), Err(UnusableTime::TooFarAhead));
        }
        let nonsense = [
            1_700_000_000_000.0,
            1e18,
            -1e18,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        for wrong in nonsense {
            assert_eq!(usable(wrong), Err(UnusableTime::NotATime));
        }
    }
}
