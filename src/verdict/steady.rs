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
    /// Nothing: the problems are what they were.
    AsBefore,
    /// Nothing: this problem continues as it was.
    GoesOn(ProblemNumber, Found),
    /// The evidence from this point on, and the problems since.
    From(ChangeNumber),
    /// All that is kept.
    All,
}

/// How much has to be read to judge the answer `new` about a subject that was flaky for `flaky_for`
/// more points, whose problems `open` are there. `newest` are the last two answers so far, the
/// newest point first.
#[must_use]
pub fn scope(
    flaky_for: u32,
    open: &[(ProblemNumber, Found)],
    newest: &[Evidence],
    new: &Evidence,
) -> Scope {
    let (before, older) = match newest {
        [before] => (before, None),
        [before, older] if older.point != before.point => (before, Some(older)),
        [..] => return Scope::All,
    };
    if new.point <= before.point || matches!(new.answer, Answer::Mixed) {
        return Scope::All;
    }
    match flaky_for {
        0 if open.iter().all(|(_, found)| plain(found)) => of_steady(open, before, new),
        // After this point it may not be flaky any more.
        0 | 1 => Scope::All,
        _ => of_flaky(open, (before, older), new),
    }
}

fn of_steady(open: &[(ProblemNumber, Found)], before: &Evidence, new: &Evidence) -> Scope {
    match (open, &before.answer) {
        ([(number, found)], Answer::Fail(_))
            if before.answer == new.answer && found.last == before.point =>
        {
            goes_on(*number, found, new)
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

fn goes_on(number: ProblemNumber, found: &Found, new: &Evidence) -> Scope {
    let last = new.point;
    Scope::GoesOn(
        number,
        Found {
            last,
            ..found.clone()
        },
    )
}

/// Of a flaky subject, three points in a row begin or end a problem.
fn of_flaky(
    open: &[(ProblemNumber, Found)],
    (before, older): (&Evidence, Option<&Evidence>),
    new: &Evidence,
) -> Scope {
    let fails = |one: &Evidence| matches!(one.answer, Answer::Fail(_));
    match open {
        // No run is long enough yet, and this cannot be the third point of one.
        [] if !fails(new) || before.answer == Answer::Pass => Scope::AsBefore,
        [(number, found)] if found.doubt == Some(Doubt::Flaky) && found.end.is_none() => {
            let is_its = |one: &Evidence| fails(one) && one.point == found.last;
            let began =
                is_its(before) || (before.answer == Answer::Pass && older.is_some_and(is_its));
            match &new.answer {
                Answer::Fail(_) if is_its(before) && before.answer == new.answer => {
                    goes_on(*number, found, new)
                }
                // It is the first or the second in a row.
                Answer::Pass if began => Scope::AsBefore,
                Answer::Fail(_) | Answer::Pass | Answer::Absent | Answer::Mixed => Scope::All,
            }
        }
        [..] => Scope::All,
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
