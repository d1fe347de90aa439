//! Evidence: what builds have answered about one subject (PRB-04).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{BuildId, ChangeNumber, SlaveName};

/// How many answered points make a subject flaky if one of them has both answers (FLK-01).
pub const PROBED_POINTS: usize = 100;

/// What one build says about a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// The build.
    pub build: BuildId,
    /// Its point: the newest change in the tree that was built (PRB-02).
    pub point: ChangeNumber,
    /// The answer.
    pub answer: Answer,
    /// The slave that built it, if that is known.
    pub slave: Option<SlaveName>,
}

/// The answer of a build. A build that says nothing gives none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It passes.
    Pass,
    /// It fails with these fingerprints; empty if it has none of its own. Of a test, they are those
    /// of its message.
    Fail(BTreeSet<String>),
    /// A complete report does not have it.
    Absent,
    /// One report has both: it failed, was tried again, and passed (FLK-06).
    Mixed,
}

/// All answers at one point.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum At {
    Pass,
    Fail(BTreeSet<String>),
    /// Both: no answer, and a proof that the subject is flaky (FLK-01).
    Mixed,
    Absent,
}

impl At {
    /// Adds what another build says at the same point.
    pub(super) fn with(self, answer: &Answer) -> Self {
        match (self, answer) {
            (Self::Mixed, _)
            | (_, Answer::Mixed)
            | (Self::Pass, Answer::Fail(_))
            | (Self::Fail(_), Answer::Pass) => Self::Mixed,
            (Self::Fail(mut symptoms), Answer::Fail(more)) => {
                symptoms.extend(more.iter().cloned());
                Self::Fail(symptoms)
            }
            (Self::Absent, answer) => Self::of(answer),
            (at @ (Self::Pass | Self::Fail(_)), _) => at,
        }
    }

    pub(super) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Pass => Self::Pass,
            Answer::Fail(symptoms) => Self::Fail(symptoms.clone()),
            Answer::Absent => Self::Absent,
            Answer::Mixed => Self::Mixed,
        }
    }
}
