//! How much of the evidence a new answer asks for (PRB-26).
//!
//! Builds mostly come in order, and say what the build before them said. Then the last run of the
//! subject tells all: what is older stays as it was read before.

use super::evidence::{Answer, Evidence};
use super::reading::{Doubt, Found};
use crate::model::{ChangeNumber, ProblemNumber};

/// How much has to be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Nothing: this problem continues as it was.
    GoesOn(ProblemNumber, Found),
    /// The evidence from this point on, and the problems since.
    From(ChangeNumber),
    /// All that is kept.
    All,
}

/// How much has to be read to judge the answer `new` about a subject that was not flaky, whose
/// problems `open` are there. `newest` are the last two answers so far, the newest point first.
#[must_use]
pub fn scope(open: &[(ProblemNumber, Found)], newest: &[Evidence], new: &Evidence) -> Scope {
    let before = match newest {
        [before] => before,
        [before, older] if older.point != before.point => before,
        [..] => return Scope::All,
    };
    let is_plain =
        !matches!(new.answer, Answer::Mixed) && open.iter().all(|(_, found)| plain(found));
    if new.point <= before.point || !is_plain {
        return Scope::All;
    }
    match (open, &before.answer) {
        ([(number, found)], Answer::Fail(_))
            if before.answer == new.answer && found.last == before.point =>
        {
            let last = new.point;
            Scope::GoesOn(
                *number,
                Found {
                    last,
                    ..found.clone()
                },
            )
        }
        ([], Answer::Pass | Answer::Absent) => Scope::From(before.point),
        ([], Answer::Fail(_) | Answer::Mixed) => Scope::All,
        ([..], _) => {
            let begins = open.iter().map(|(_, found)| found.after);
            let first = begins.min().flatten();
            first.map_or(Scope::All, Scope::From)
        }
    }
}

/// Whether a problem is one of its run alone: not of a slave, and not of several symptoms.
fn plain(found: &Found) -> bool {
    let is_of_many = matches!(
        found.doubt,
        Some(Doubt::Flaky | Doubt::UnstableSymptom | Doubt::OnlyOnOneSlave)
    );
    !is_of_many && found.slave.is_none() && found.end.is_none()
}
