//! Decisions of schedulers about changes, stored to explain why a change was built or not.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The decision of a scheduler about a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The change counts and is built when the timer fires; other changes may restart the timer
    /// (SCH-04).
    TimerRuns {
        /// When the timer fires.
        until: Timestamp,
    },
    /// The change counts and is built at once (SCH-12).
    BuiltAtOnce,
    /// The change counts and is built by the next run (NIG-12, PER-06).
    KeptForRun {
        /// Time of the run; absent if there is none within the limit (NIG-06).
        at: Option<Timestamp>,
    },
    /// The change is unimportant and is built together with the next important change (SCH-03,
    /// SCH-10).
    Remembered {
        /// Time of that build, if an important change is already pending.
        until: Option<Timestamp>,
    },
    /// The change is unimportant, and the scheduler drops unimportant changes (SCH-12).
    Dropped,
    /// The change is on another branch (SCH-02).
    OffBranch,
    /// The scheduler does not list the branch of the change (ANY-02).
    BranchNotListed,
    /// The scheduler lists codebases, and not the one of the change (CBS-03).
    CodebaseNotListed,
    /// The filter of the scheduler rejects the change (SCH-12).
    Filtered {
        /// The first field that the filter rejects.
        by: FilterField,
    },
    /// The filter has an expression that could not be worked out for the change (CFL-142).
    Failed {
        /// Why.
        why: String,
    },
    /// The scheduler ignores changes.
    LooksAtNone {
        /// What the scheduler waits for instead.
        instead: Instead,
    },
    /// The scheduler is stopped (SCH-11).
    Stopped,
}

/// A field of a change that filters can match.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterField {
    /// The project.
    Project,
    /// The repository.
    Repository,
    /// The category.
    Category,
    /// The codebase.
    Codebase,
    /// The branch.
    Branch,
    /// The author.
    Who,
    /// The files.
    Files,
    /// The whole change, by the expression `when`.
    When,
}

/// What a scheduler that ignores changes waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// The successes of another scheduler (DEP-03).
    Upstream,
    /// The clock (PER-04, NIG-07).
    Clock,
    /// A step of another build.
    Trigger,
    /// Try jobs (TRY-01).
    TryJobs,
    /// Users who force builds (FRC-01).
    Users,
}

impl Decision {
    /// Whether the change is a reason to build.
    #[must_use]
    pub const fn counts(&self) -> bool {
        match self {
            Self::TimerRuns { .. } | Self::BuiltAtOnce | Self::KeptForRun { .. } => true,
            Self::Remembered { .. }
            | Self::Dropped
            | Self::OffBranch
            | Self::BranchNotListed
            | Self::CodebaseNotListed
            | Self::Filtered { .. }
            | Self::Failed { .. }
            | Self::LooksAtNone { .. }
            | Self::Stopped => false,
        }
    }

    /// Whether the scheduler keeps the change for a later build.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        match self {
            Self::TimerRuns { .. } | Self::KeptForRun { .. } | Self::Remembered { .. } => true,
            Self::BuiltAtOnce
            | Self::Dropped
            | Self::OffBranch
            | Self::BranchNotListed
            | Self::CodebaseNotListed
            | Self::Filtered { .. }
            | Self::Failed { .. }
            | Self::LooksAtNone { .. }
            | Self::Stopped => false,
        }
    }

    /// The time in the decision, if it has one.
    #[must_use]
    pub const fn time(&self) -> Option<Timestamp> {
        match self {
            Self::TimerRuns { until } => Some(*until),
            Self::KeptForRun { at: time } | Self::Remembered { until: time } => *time,
            Self::BuiltAtOnce
            | Self::Dropped
            | Self::OffBranch
            | Self::BranchNotListed
            | Self::CodebaseNotListed
            | Self::Filtered { .. }
            | Self::Failed { .. }
            | Self::LooksAtNone { .. }
            | Self::Stopped => None,
        }
    }

    /// The name of the decision in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TimerRuns { .. } => "timer_runs",
            Self::BuiltAtOnce => "built_at_once",
            Self::KeptForRun { .. } => "kept_for_run",
            Self::Remembered { .. } => "remembered",
            Self::Dropped => "dropped",
            Self::OffBranch => "off_branch",
            Self::BranchNotListed => "branch_not_listed",
            Self::CodebaseNotListed => "codebase_not_listed",
            Self::Filtered { .. } => "filtered",
            Self::Failed { .. } => "failed",
            Self::LooksAtNone { .. } => "looks_at_none",
            Self::Stopped => "stopped",
        }
    }

    /// The decision in words. `show` formats times.
    pub fn sentence(&self, show: impl Fn(Timestamp) -> String) -> String {
        match self {
            Self::TimerRuns { until } => {
                format!("counted: the timer runs until {}", show(*until))
            }
            Self::BuiltAtOnce => "counted: built at once".to_owned(),
            Self::KeptForRun { at: Some(at) } => {
                format!("counted: kept for the run at {}", show(*at))
            }
            Self::KeptForRun { at: None } => {
                "counted: kept for the next run, of which no time is known".to_owned()
            }
            Self::Remembered { until: Some(at) } => {
                format!(
                    "unimportant: goes along with what is built at {}",
                    show(*at)
                )
            }
            Self::Remembered { until: None } => {
                "unimportant: goes along with the next important change".to_owned()
            }
            Self::Dropped => "unimportant: not built".to_owned(),
            Self::OffBranch => "not counted: on another branch".to_owned(),
            Self::BranchNotListed => "not counted: its branch is not listed".to_owned(),
            Self::CodebaseNotListed => "not counted: its codebase is not listed".to_owned(),
            Self::Filtered {
                by: FilterField::When,
            } => "not counted: the filter's `when` is false".to_owned(),
            Self::Failed { why } => format!("not counted: the filter's `when` failed: {why}"),
            Self::Filtered { by } => {
                let what = match by {
                    FilterField::Who => "author",
                    FilterField::Project
                    | FilterField::Repository
                    | FilterField::Category
                    | FilterField::Codebase
                    | FilterField::Branch
                    | FilterField::Files
                    | FilterField::When => by.name(),
                };
                format!("not counted: the filter rejects its {what}")
            }
            Self::LooksAtNone { instead } => match instead {
                Instead::Upstream => "looks at no changes: waits for its upstream",
                Instead::Clock => "looks at no changes: builds by the clock",
                Instead::Trigger => "looks at no changes: waits for a Trigger step",
                Instead::TryJobs => "looks at no changes: waits for try jobs",
                Instead::Users => "looks at no changes: waits for users who force builds",
            }
            .to_owned(),
            Self::Stopped => "not counted: the scheduler was stopped".to_owned(),
        }
    }
}

impl FilterField {
    /// The name of the field in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Repository => "repository",
            Self::Category => "category",
            Self::Codebase => "codebase",
            Self::Branch => "branch",
            Self::Who => "who",
            Self::Files => "files",
            Self::When => "when",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_stored_form_stays_as_it_is_and_has_the_name_that_programs_read() {
        let at = Timestamp(5);
        for (decision, stored) in [
            (
                Decision::TimerRuns { until: at },
                json!({"timer_runs": {"until": 5}}),
            ),
            (Decision::BuiltAtOnce, json!("built_at_once")),
            (
                Decision::KeptForRun { at: Some(at) },
                json!({"kept_for_run": {"at": 5}}),
            ),
            (
                Decision::Remembered { until: None },
                json!({"remembered": {"until": null}}),
            ),
            (Decision::Dropped, json!("dropped")),
            (Decision::OffBranch, json!("off_branch")),
            (Decision::BranchNotListed, json!("branch_not_listed")),
            (Decision::CodebaseNotListed, json!("codebase_not_listed")),
            (
                Decision::Filtered {
                    by: FilterField::Category,
                },
                json!({"filtered": {"by": "category"}}),
            ),
            (
                Decision::LooksAtNone {
                    instead: Instead::TryJobs,
                },
                json!({"looks_at_none": {"instead": "try_jobs"}}),
            ),
            (
                Decision::Filtered {
                    by: FilterField::When,
                },
                json!({"filtered": {"by": "when"}}),
            ),
            (
                Decision::Failed { why: "x".into() },
                json!({"failed": {"why": "x"}}),
            ),
            (Decision::Stopped, json!("stopped")),
        ] {
            assert_eq!(serde_json::to_value(&decision).unwrap(), stored);
            assert_eq!(
                serde_json::from_value::<Decision>(stored.clone()).unwrap(),
                decision
            );
            let name = stored.as_str().map(str::to_owned);
            let name = name.or_else(|| stored.as_object()?.keys().next().cloned());
            assert_eq!(name.as_deref(), Some(decision.name()));
        }
    }
}
