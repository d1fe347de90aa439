//! What has happened, as programs and pages hear it (STA-01).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BigState, BuildNumber, BuilderName, ChangeNumber, ProblemNumber, RequestId, Results,
    SchedulerName, SetId, SlaveName, Timestamp,
};

/// Something that has happened and is on record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Happening {
    /// The number. Numbers grow by one with each happening, and none is used twice on one state.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub name: HappeningName,
    /// What it is about.
    pub facts: Facts,
}

/// What happened: a thing and a participle.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HappeningName {
    /// A change was accepted.
    ChangeAdded,
    /// A build set was submitted.
    SetSubmitted,
    /// The first request of a build set has failed.
    SetFirstFailure,
    /// A build set has finished.
    SetFinished,
    /// A request is in the queue, for the first time or again.
    RequestQueued,
    /// A build of a request has started.
    RequestStarted,
    /// A request has ended without a build that answers for it.
    RequestCancelled,
    /// A request has finished.
    RequestFinished,
    /// A builder is configured that was not.
    BuilderAdded,
    /// A builder is not configured any more.
    BuilderRemoved,
    /// The big state of a builder has changed.
    BuilderState,
    /// A builder was paused.
    BuilderPaused,
    /// A builder builds again.
    BuilderResumed,
    /// A build has started.
    BuildStarted,
    /// A user has stopped a build, which may still run for a moment.
    BuildStopped,
    /// A build has finished.
    BuildFinished,
    /// A step has started.
    StepStarted,
    /// A step has finished.
    StepFinished,
    /// The text, the links or the locks of a step have changed.
    StepText,
    /// A step has opened a log.
    LogOpened,
    /// A log is complete.
    LogClosed,
    /// A slave has connected.
    SlaveConnected,
    /// A slave has disconnected.
    SlaveDisconnected,
    /// A slave was paused.
    SlavePaused,
    /// A slave takes builds again.
    SlaveResumed,
    /// Somebody has claimed a problem, muted it, dismissed it, or said something else of it.
    ProblemTaken,
    /// Somebody in the register of people has changed.
    UserChanged,
    /// The state of a scheduler has changed: its timer, or the changes that it keeps.
    SchedulerTimer,
    /// A configuration is in force, perhaps another one.
    MasterConfigured,
    /// A master has started on the state.
    MasterStarted,
}

/// What something that happened is about. Members that do not apply are missing.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Facts {
    /// The builder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builder: Option<BuilderName>,
    /// The number of the build within the builder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildNumber>,
    /// The name of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The name of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The slave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slave: Option<SlaveName>,
    /// The scheduler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<SchedulerName>,
    /// The change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeNumber>,
    /// The build set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<SetId>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemNumber>,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Results>,
    /// The big state of the builder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<BigState>,
    /// In words: the text of the step, or why the request or the build was ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl HappeningName {
    /// All names.
    pub const ALL: [Self; 30] = [
        Self::ChangeAdded,
        Self::SetSubmitted,
        Self::SetFirstFailure,
        Self::SetFinished,
        Self::RequestQueued,
        Self::RequestStarted,
        Self::RequestCancelled,
        Self::RequestFinished,
        Self::BuilderAdded,
        Self::BuilderRemoved,
        Self::BuilderState,
        Self::BuilderPaused,
        Self::BuilderResumed,
        Self::BuildStarted,
        Self::BuildStopped,
        Self::BuildFinished,
        Self::StepStarted,
        Self::StepFinished,
        Self::StepText,
        Self::LogOpened,
        Self::LogClosed,
        Self::SlaveConnected,
        Self::SlaveDisconnected,
        Self::SlavePaused,
        Self::SlaveResumed,
        Self::ProblemTaken,
        Self::UserChanged,
        Self::SchedulerTimer,
        Self::MasterConfigured,
        Self::MasterStarted,
    ];

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangeAdded => "change_added",
            Self::SetSubmitted => "set_submitted",
            Self::SetFirstFailure => "set_first_failure",
            Self::SetFinished => "set_finished",
            Self::RequestQueued => "request_queued",
            Self::RequestStarted => "request_started",
            Self::RequestCancelled => "request_cancelled",
            Self::RequestFinished => "request_finished",
            Self::BuilderAdded => "builder_added",
            Self::BuilderRemoved => "builder_removed",
            Self::BuilderState => "builder_state",
            Self::BuilderPaused => "builder_paused",
            Self::BuilderResumed => "builder_resumed",
            Self::BuildStarted => "build_started",
            Self::BuildStopped => "build_stopped",
            Self::BuildFinished => "build_finished",
            Self::StepStarted => "step_started",
            Self::StepFinished => "step_finished",
            Self::StepText => "step_text",
            Self::LogOpened => "log_opened",
            Self::LogClosed => "log_closed",
            Self::SlaveConnected => "slave_connected",
            Self::SlaveDisconnected => "slave_disconnected",
            Self::SlavePaused => "slave_paused",
            Self::SlaveResumed => "slave_resumed",
            Self::ProblemTaken => "problem_taken",
            Self::UserChanged => "user_changed",
            Self::SchedulerTimer => "scheduler_timer",
            Self::MasterConfigured => "master_configured",
            Self::MasterStarted => "master_started",
        }
    }

    /// The name that reads like this.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_read_as_they_are_serialized() {
        for name in HappeningName::ALL {
            let text = serde_json::to_string(&name).unwrap();
            assert_eq!(text, format!("\"{}\"", name.as_str()));
            assert_eq!(HappeningName::named(name.as_str()), Some(name));
        }
        assert_eq!(HappeningName::named("nothing"), None);
    }
}
