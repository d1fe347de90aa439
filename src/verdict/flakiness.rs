//! How flaky a subject is (FLK-08).

use std::collections::BTreeMap;

use super::evidence::{Answer, Evidence};
use super::reading::Reading;
use crate::model::{BuildId, ChangeNumber};

/// Contradictions that are told.
const MOST: usize = 10;

/// How flaky a subject is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Flakiness {
    /// How many of the answers outside of its problems are failures.
    pub failing: usize,
    /// How many answers there are outside of its problems.
    pub answers: usize,
    /// The last points with both answers, the newest first.
    pub contradictions: Vec<Contradiction>,
}

/// A point with both answers (FLK-01).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contradiction {
    /// The point.
    pub point: ChangeNumber,
    /// The last build that fails there; one that needed several attempts fails and passes.
    pub failing: BuildId,
    /// The last build that passes there.
    pub passing: BuildId,
}

/// How flaky the subject is about which this is the evidence, which says `reading`.
#[must_use]
pub fn flakiness(evidence: &[Evidence], reading: &Reading) -> Flakiness {
    let is_in_problem = |one: &&Evidence| {
        let mut problems = reading.problems.iter();
        problems.any(|found| (found.first..=found.last).contains(&one.point))
    };
    let outside = evidence.iter().filter(|one| !is_in_problem(one));
    let answers = outside.filter(|one| one.answer != Answer::Absent);
    let is_failure = |one: &&Evidence| matches!(one.answer, Answer::Fail(_) | Answer::Mixed);
    let mut both: BTreeMap<ChangeNumber, (Option<BuildId>, Option<BuildId>)> = BTreeMap::new();
    for one in evidence {
        let (fails, passes) = both.entry(one.point).or_default();
        match one.answer {
            Answer::Fail(_) => *fails = (*fails).max(Some(one.build)),
            Answer::Pass => *passes = (*passes).max(Some(one.build)),
            Answer::Mixed => {
                *fails = (*fails).max(Some(one.build));
                *passes = (*passes).max(Some(one.build));
            }
            Answer::Absent => {}
        }
    }
    let contradictions = both
        .into_iter()
        .rev()
        .filter_map(|(point, (fails, passes))| {
            Some(Contradiction {
                point,
                failing: fails?,
                passing: passes?,
            })
        });
    Flakiness {
        failing: answers.clone().filter(is_failure).count(),
        answers: answers.count(),
        contradictions: contradictions.take(MOST).collect(),
    }
}
