//! Compares what the evidence says with the problems that are known (PRB-06, PRB-08, PRB-13 to
//! PRB-15).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Doubt, Found, Reading};
use super::runs::End;
use crate::model::{ChangeNumber, ProblemNumber};

/// A change that may have caused a problem.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Suspect {
    /// The change.
    pub change: ChangeNumber,
    /// Who made it.
    pub who: String,
}

/// A problem that has a number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Its number, which is never used again.
    pub number: ProblemNumber,
    /// What the evidence said last.
    pub found: Found,
    /// The changes that may have caused it, oldest first (PRB-08).
    pub suspects: Vec<Suspect>,
    /// The changes of which one has mended it (PRB-13).
    pub fixed_in: Vec<Suspect>,
    /// How far it is.
    pub state: ProblemState,
}

/// How far a problem is.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProblemState {
    /// It is there.
    Open,
    /// It passes again.
    Resolved,
    /// The step no longer runs.
    Gone,
    /// It was an accident of a flaky subject.
    Flaky,
    /// Later evidence has made it a part of another problem, or has taken it away.
    Withdrawn,
    /// It is there, but somebody has dismissed it (PRB-16). It is stored as open; what people have
    /// said of it tells (`Hands`).
    Dismissed,
}

impl ProblemState {
    /// All that are stored, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Resolved,
        Self::Gone,
        Self::Flaky,
        Self::Withdrawn,
    ];

    /// The number by which it is stored.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Gone => "gone",
            Self::Flaky => "flaky",
            Self::Withdrawn => "withdrawn",
            Self::Dismissed => "dismissed",
        }
    }
}

/// What has happened to a problem.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemEvent {
    /// It is new.
    Opened,
    /// It passes again.
    Resolved,
    /// What closed it turned out not to hold (PRB-14).
    OpenAgain,
    /// The step no longer runs.(PRB-15).
    Gone,
    /// It was an accident of a flaky subject.
    Flaky,
    /// It is a part of another problem, or none.
    Withdrawn,
    /// Fewer changes are suspected.
    Narrowed,
    /// More changes are suspected, or others.
    Widened,
    /// Who was suspected alone no longer is (PRB-12).
    Cleared,
    /// It is the same test under another name (PRB-11).
    Renamed,
}

/// What became of the problems of a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judged {
    /// Those that are new or have changed, by their numbers.
    pub problems: Vec<Problem>,
    /// What has happened, in order.
    pub events: Vec<(ProblemNumber, ProblemEvent)>,
}

impl ProblemEvent {
    /// The event in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Resolved => "resolved",
            Self::OpenAgain => "open again",
            Self::Gone => "gone",
            Self::Flaky => "flaky",
            Self::Withdrawn => "withdrawn",
            Self::Narrowed => "narrowed",
            Self::Widened => "widened",
            Self::Cleared => "cleared",
            Self::Renamed => "the test has another name",
        }
    }
}

impl Problem {
    /// The one person who can have caused it. Only without a doubt (PRB-08).
    #[must_use]
    pub fn sole_suspect(&self) -> Option<&str> {
        let mut all = self.suspects.iter().map(|suspect| suspect.who.as_str());
        let first = all.next()?;
        let is_sole = self.found.doubt.is_none() && all.all(|other| other == first);
        is_sole.then_some(first)
    }

    const fn is_over(&self) -> bool {
        !matches!(self.state, ProblemState::Open | ProblemState::Dismissed)
    }
}

/// What is asked of the history of the line.
#[derive(Debug)]
pub struct Ways<C, U> {
    /// The changes of the line after one point up to another one; without a first point, those of
    /// the first failing build.
    pub changes_in: C,
    /// Whether a build between those of the last good point and of the first bad one was of unknown
    /// sources (PRB-12).
    pub is_unsure: U,
}

/// Compares a reading of the evidence with the problems that are `known` of the subject. New ones
/// get numbers from `next` on.
///
/// Evidence of points before `since` is no longer there: problems that are over and began before
/// it stay as they are.
///
/// # Errors
/// Those of the `ways`.
pub fn judge<E>(
    known: &[Problem],
    (since, reading): (ChangeNumber, &Reading),
    next: ProblemNumber,
    ways: &Ways<
        impl Fn(Option<ChangeNumber>, ChangeNumber) -> Result<Vec<Suspect>, E>,
        impl Fn(ChangeNumber, ChangeNumber) -> Result<bool, E>,
    >,
) -> Result<Judged, E> {
    let is_settled = |old: &Problem| old.is_over() && old.found.first < since;
    let mut known: Vec<&Problem> = known.iter().filter(|old| !is_settled(old)).collect();
    known.sort_by_key(|old| old.number);
    let mut same: Vec<Option<&Problem>> = vec![None; reading.problems.len()];
    let (mut lost, mut judged) = (Vec::new(), Vec::new());
    for old in known {
        match place(old, &reading.problems, &same) {
            Some(place) => same[place] = Some(old),
            None if old.is_over() && old.state >= ProblemState::Flaky => {}
            None => lost.push(old),
        }
    }
    let mut events = Vec::new();
    for old in lost {
        let (state, event) = match reading.is_flaky() {
            true => (ProblemState::Flaky, ProblemEvent::Flaky),
            false => (ProblemState::Withdrawn, ProblemEvent::Withdrawn),
        };
        let is_joined = reading.problems.iter().any(|found| touches(old, found));
        let (state, event) = match is_joined {
            true => (ProblemState::Withdrawn, ProblemEvent::Withdrawn),
            false => (state, event),
        };
        events.push((old.number, event));
        judged.push(Problem {
            state,
            ..old.clone()
        });
    }
    let mut next = next;
    let mut opened = Vec::new();
    for (found, old) in reading.problems.iter().zip(same) {
        let number = old.map_or(next, |old| old.number);
        let problem = problem(number, found, old, ways)?;
        match old {
            Some(old) => changed(old, &problem, &mut events),
            None => {
                next = next.next();
                opened.push((number, ProblemEvent::Opened));
                let end = event_of_end(problem.state);
                opened.extend(end.map(|event| (number, event)));
            }
        }
        if old != Some(&problem) {
            judged.push(problem);
        }
    }
    events.extend(opened);
    judged.sort_by_key(|problem| problem.number);
    Ok(Judged {
        problems: judged,
        events,
    })
}

/// The problem that `old` is now: the one with its begin, or one that touches it. The older of two
/// that are one comes first, and keeps its number.
fn place(old: &Problem, found: &[Found], taken: &[Option<&Problem>]) -> Option<usize> {
    let free = |place: &usize| taken[*place].is_none() && touches(old, &found[*place]);
    let has_begin = |place: &usize| {
        let now = &found[*place];
        (now.first..=now.last).contains(&old.found.first)
    };
    let places = || (0..found.len()).filter(free);
    places().find(has_begin).or_else(|| places().next())
}

/// Whether they share points and a symptom.
fn touches(old: &Problem, now: &Found) -> bool {
    let old = &old.found;
    let shares_points = old.first <= now.last && now.first <= old.last;
    shares_points && !old.symptoms.is_disjoint(&now.symptoms)
}

fn problem<E>(
    number: ProblemNumber,
    found: &Found,
    old: Option<&Problem>,
    ways: &Ways<
        impl Fn(Option<ChangeNumber>, ChangeNumber) -> Result<Vec<Suspect>, E>,
        impl Fn(ChangeNumber, ChangeNumber) -> Result<bool, E>,
    >,
) -> Result<Problem, E> {
    let changes_in = &ways.changes_in;
    let as_before = old.filter(|old| {
        let old = &old.found;
        (old.after, old.first) == (found.after, found.first)
    });
    let suspects = match as_before {
        Some(old) => old.suspects.clone(),
        None => changes_in(found.after, found.first)?,
    };
    let (state, fixed_in) = match found.end {
        None => (ProblemState::Open, Vec::new()),
        Some(End::Gone) => (ProblemState::Gone, Vec::new()),
        Some(End::Resolved(at)) => {
            let is_known =
                |old: &&Problem| (old.found.end, old.found.last) == (found.end, found.last);
            let fixed_in = match old.filter(is_known) {
                Some(old) => old.fixed_in.clone(),
                None => changes_in(Some(found.last), at)?,
            };
            (ProblemState::Resolved, fixed_in)
        }
    };
    let doubt = match (found.doubt, found.after, as_before) {
        (None, Some(_), Some(old)) if old.found.doubt == Some(Doubt::PointUnknown) => {
            old.found.doubt
        }
        (None, Some(after), None) if (ways.is_unsure)(after, found.first)? => {
            Some(Doubt::PointUnknown)
        }
        (doubt, ..) => doubt,
    };
    Ok(Problem {
        number,
        found: Found {
            doubt,
            ..found.clone()
        },
        suspects,
        fixed_in,
        state,
    })
}

/// What is different about a problem that was known.
fn changed(old: &Problem, now: &Problem, events: &mut Vec<(ProblemNumber, ProblemEvent)>) {
    let mut tell = |event| events.push((now.number, event));
    if old.state != now.state {
        tell(event_of_end(now.state).unwrap_or(ProblemEvent::OpenAgain));
    }
    if old.suspects != now.suspects {
        let before: BTreeSet<_> = old.suspects.iter().map(|one| one.change).collect();
        let is_narrower = now.suspects.iter().all(|one| before.contains(&one.change));
        tell(match is_narrower {
            true => ProblemEvent::Narrowed,
            false => ProblemEvent::Widened,
        });
    }
    if old.sole_suspect().is_some() && old.sole_suspect() != now.sole_suspect() {
        tell(ProblemEvent::Cleared);
    }
}

const fn event_of_end(state: ProblemState) -> Option<ProblemEvent> {
    match state {
        ProblemState::Open | ProblemState::Dismissed => None,
        ProblemState::Resolved => Some(ProblemEvent::Resolved),
        ProblemState::Gone => Some(ProblemEvent::Gone),
        ProblemState::Flaky => Some(ProblemEvent::Flaky),
        ProblemState::Withdrawn => Some(ProblemEvent::Withdrawn),
    }
}
