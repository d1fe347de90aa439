//! What people say of a problem, and what they do about it by hand (PRB-16, PRB-20 to PRB-22).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProblemNumber, Timestamp};

/// What somebody has said of a problem. Remarks are kept as they came; what follows from them at a
/// time is read from all of them (`verdict::Hands`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Remark {
    /// The problem.
    pub problem: ProblemNumber,
    /// What was said.
    pub kind: RemarkKind,
    /// The name of the person whom it is about; empty if it is about nobody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// The other names by which the suspected changes know this person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// When it is over; absent: with the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The reason, the note, or the address of the ticket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Who has said it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What is said of a problem.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkKind {
    /// The person sees to it (PRB-20).
    Claim,
    /// The person does not see to it any more.
    Release,
    /// The person wants to hear no more of it (PRB-22).
    Mute,
    /// The person wants to hear of it again.
    Unmute,
    /// Nobody is to hear of it.
    MuteAll,
    /// Others hear of it again.
    UnmuteAll,
    /// It need not be mended, for this reason (PRB-16).
    Dismiss,
    /// It is to be mended after all.
    Reopen,
    /// The person is guilty of it.
    Guilty,
    /// The person is not guilty of it.
    NotGuilty,
    /// The person says that it is not theirs (PRB-21).
    NotMine,
    /// A note.
    Note,
    /// The ticket that follows it elsewhere; without a text there is none any more.
    Ticket,
}

impl RemarkKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Claim,
        Self::Release,
        Self::Mute,
        Self::Unmute,
        Self::MuteAll,
        Self::UnmuteAll,
        Self::Dismiss,
        Self::Reopen,
        Self::Guilty,
        Self::NotGuilty,
        Self::NotMine,
        Self::Note,
        Self::Ticket,
    ];

    /// Its name, also in the state.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Release => "release",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::MuteAll => "mute-all",
            Self::UnmuteAll => "unmute-all",
            Self::Dismiss => "dismiss",
            Self::Reopen => "reopen",
            Self::Guilty => "guilty",
            Self::NotGuilty => "not-guilty",
            Self::NotMine => "not-mine",
            Self::Note => "note",
            Self::Ticket => "ticket",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it is about a person: the one who is named, or else the one who says it.
    #[must_use]
    pub const fn is_of_person(self) -> bool {
        match self {
            Self::Claim
            | Self::Release
            | Self::Mute
            | Self::Unmute
            | Self::Guilty
            | Self::NotGuilty
            | Self::NotMine => true,
            Self::MuteAll
            | Self::UnmuteAll
            | Self::Dismiss
            | Self::Reopen
            | Self::Note
            | Self::Ticket => false,
        }
    }

    /// Whether anybody who has logged in may say it of themselves (PRB-21, PRB-22).
    #[must_use]
    pub const fn is_own(self) -> bool {
        matches!(self, Self::Mute | Self::Unmute | Self::NotMine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_the_state_are_those_of_programs() {
        for kind in RemarkKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.as_str());
            assert_eq!(RemarkKind::named(kind.as_str()), Some(kind));
        }
        assert_eq!(RemarkKind::named("shout"), None);
    }
}
