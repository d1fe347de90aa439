//! What people are told of problems (ESC-01 to ESC-12).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BuildNumber, BuilderName, ChangeNumber, ProblemNumber, Timestamp};

/// What a problem makes of a person, the strongest first (PRB-19, ESC-01).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is proved that a change of theirs has caused it.
    Guilty,
    /// Only they can have caused it, and that is not proved.
    SoleSuspect,
    /// One of their changes may have caused it, as changes of others may.
    Suspect,
    /// They care for what is broken.
    Responsible,
    /// They want to know.
    Interested,
}

/// What a person is told of a problem.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// That it has begun, and what it made of them.
    Opened(Role),
    /// That it is proved that they have caused it, after they were one of several suspects: how
    /// many reminders were due before that, which they do not get (ESC-02).
    Proved(u8),
    /// That it is there still: how often they were reminded by then, from 1 (ESC-02).
    Reminder(u8),
    /// That it is there still, once a day, from 1.
    Daily(u16),
    /// That they are suspected no longer (PRB-12).
    Cleared,
    /// That it is over.
    Ended,
}

/// How people are told of problems.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TellingRules {
    /// How long problems gather before anybody is told (PRB-17): 5 min.
    pub gather: Duration,
    /// When the guilty are reminded, after the begin; then once a day (ESC-02): 1, 4 and 24 h.
    pub reminders: Vec<Duration>,
    /// How often they are reminded: 7 times.
    pub most_reminders: u8,
    /// Least time between two letters to one person (ESC-07): 30 min.
    pub pause: Duration,
    /// Most letters to one person in 24 h: 10.
    pub most_a_day: u32,
    /// Whether reminders wait for the morning: from 20 to 8 o'clock and at weekends (ESC-06).
    pub quiet_hours: bool,
}

impl Default for TellingRules {
    fn default() -> Self {
        Self {
            gather: Duration::from_secs(300),
            reminders: [1, 4, 24].map(|h| Duration::from_secs(h * 3600)).to_vec(),
            most_reminders: 7,
            pause: Duration::from_secs(1800),
            most_a_day: 10,
            quiet_hours: true,
        }
    }
}

/// A problem in a letter.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProblemFacts {
    /// Its number.
    pub problem: ProblemNumber,
    /// What is said of it.
    pub say: Say,
    /// Why the person is told.
    pub role: Role,
    /// What fails.
    pub what: String,
    /// The builder.
    pub builder: BuilderName,
    /// The branch; absent for the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The first build that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_build: Option<BuildNumber>,
    /// The last build before that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_build: Option<BuildNumber>,
    /// The changes that may have caused it, with who made them, as far as they are told.
    pub suspects: Vec<(ChangeNumber, String)>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_suspects: u64,
    /// How it ended, in a word; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// When it was found.
    pub since: Timestamp,
}

/// What one person is told of problems, in one letter.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProblemsTold {
    /// The person, as the changes or the register name them.
    pub person: String,
    /// The problems, those first of which most is said.
    pub problems: Vec<ProblemFacts>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: u64,
    /// Who reads along: owners and the sheriff, from the third reminder on (ESC-02).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_along: Vec<String>,
    /// The first problem of the cause: its letters are one thread (MAL-09).
    pub thread: ProblemNumber,
    /// A suspect who is not reachable, in whose place the person is told (ESC-09).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Role {
    /// Whether a change of theirs is suspected.
    #[must_use]
    pub const fn is_accused(self) -> bool {
        matches!(self, Self::Guilty | Self::SoleSuspect | Self::Suspect)
    }
}

impl Say {
    /// How urgent it is, from 0 to 4 (ESC-02).
    #[must_use]
    pub const fn harshness(self) -> u8 {
        match self {
            Self::Reminder(times) => {
                if times < 4 {
                    times
                } else {
                    4
                }
            }
            Self::Opened(_) | Self::Proved(_) | Self::Daily(_) | Self::Cleared | Self::Ended => 0,
        }
    }
}

impl ProblemsTold {
    /// The harshest that is said.
    #[must_use]
    pub fn harshness(&self) -> u8 {
        let all = self.problems.iter().map(|one| one.say.harshness());
        all.max().unwrap_or_default()
    }
}
