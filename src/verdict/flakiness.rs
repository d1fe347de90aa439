//! How flaky a subject is (FLK-04, FLK-07, FLK-08).

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Answer, At, Evidence};
use super::reading::{Reading, points_of};
use super::runs::End;
use crate::model::{BuildId, ChangeNumber};

/// Contradictions that are told.
const MOST: usize = 10;

/// The number of points that answer which are looked at for a suspicion.
const SUSPECTED_AMONG: usize = 30;

/// The number of problems that make a subject suspect if they ended by themselves.
const SUSPICIOUS: usize = 3;

/// A problem of more failing points did not end by itself.
const MOST_FAILING: usize = 2;

/// A test is put in quarantine once this number of the last points prove it to be flaky.
const PROOFS: usize = 5;
const PROVED_AMONG: usize = 50;

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

/// The newest failing point of a subject that may be flaky: lately several of its problems have
/// ended by themselves (FLK-04). That point is built once more; absent if it was already, or if
/// nothing is suspected.
#[must_use]
pub fn suspicion(evidence: &[Evidence], reading: &Reading) -> Option<ChangeNumber> {
    if reading.is_flaky() {
        return None;
    }
    let points = points_of(evidence.iter());
    let answered = points.iter().filter(|(_, at)| **at != At::Absent);
    let early = answered.rev().take(SUSPECTED_AMONG).last();
    let since = early.map(|(point, _)| *point)?;
    let fails = |point: &ChangeNumber| matches!(points.get(point), Some(At::Fail(_)));
    let short = reading.problems.iter().filter_map(|found| {
        let Some(End::Resolved(at)) = found.end else {
            return None;
        };
        let range = points.range(found.first..=found.last);
        let failing = range.filter(|(point, _)| fails(point)).count();
        (found.first >= since && failing <= MOST_FAILING).then_some(at)
    });
    // Of one run, several symptoms count once.
    if short.collect::<BTreeSet<_>>().len() < SUSPICIOUS {
        return None;
    }
    let newest = points.keys().rev().find(|point| fails(point)).copied()?;
    let builds = evidence.iter().filter(|one| one.point == newest).count();
    (builds == 1).then_some(newest)
}

/// Whether a test is proved to be flaky so often that it is put in quarantine (FLK-07).
#[must_use]
pub fn is_for_quarantine(evidence: &[Evidence]) -> bool {
    let points = points_of(evidence.iter());
    let answered = points.values().rev().filter(|at| **at != At::Absent);
    let proofs = answered.take(PROVED_AMONG).filter(|at| **at == At::Mixed);
    proofs.count() >= PROOFS
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::read;

    /// Evidence of one build a point from 1 on: `p` passes, `f` fails, `x` does both, and `-` is
    /// absent.
    fn evidence(answers: &str) -> Vec<Evidence> {
        let one = |(point, answer)| Evidence {
            build: BuildId(point),
            point: ChangeNumber(point),
            answer: match answer {
                'f' => Answer::Fail(BTreeSet::new()),
                'x' => Answer::Mixed,
                '-' => Answer::Absent,
                _ => Answer::Pass,
            },
            slave: None,
        };
        (1..).zip(answers.chars()).map(one).collect()
    }

    fn suspected(evidence: &[Evidence]) -> Option<u64> {
        suspicion(evidence, &read(evidence)).map(|point| point.0)
    }

    #[test]
    fn flk_04_three_short_problems_that_ended_by_themselves_are_suspicious() {
        assert_eq!(suspected(&evidence("pfpffpfp")), Some(7));
        assert_eq!(suspected(&evidence("pfpffp")), None, "two are not enough");
        let long = evidence("pfpfffpfp");
        assert_eq!(suspected(&long), None, "one lasted for three points");
        let open = evidence("pfpfpf");
        assert_eq!(suspected(&open), None, "one is not over");
    }

    #[test]
    fn flk_04_only_the_last_thirty_points_that_answer_count() {
        let passing = |count| "p".repeat(count);
        let within = format!("pf{}fpfp", passing(25));
        assert_eq!(suspected(&evidence(&within)), Some(30));
        let beyond = format!("pf{}fpfp", passing(26));
        assert_eq!(suspected(&evidence(&beyond)), None);
        let absent = format!("pf{}{}fpfp", passing(25), "-".repeat(20));
        assert_eq!(suspected(&evidence(&absent)), Some(50));
    }

    #[test]
    fn flk_04_a_point_is_built_once_more_and_what_is_proved_is_not_suspected() {
        let mut twice = evidence("pfpfpfp");
        twice.push(Evidence {
            build: BuildId(20),
            ..twice[5].clone()
        });
        assert_eq!(suspected(&twice), None);
        assert_eq!(suspected(&evidence("pfpfpfpxp")), None);
    }

    #[test]
    fn flk_07_five_proofs_in_fifty_points_put_a_test_in_quarantine() {
        assert!(!is_for_quarantine(&evidence("xpxpxpxp")));
        assert!(is_for_quarantine(&evidence("xpxpxpxpx")));
        let old = format!("x{}xxxx", "p".repeat(46));
        assert!(!is_for_quarantine(&evidence(&old)));
        let absent = format!("x{}{}xxxx", "p".repeat(45), "-".repeat(9));
        assert!(is_for_quarantine(&evidence(&absent)));
    }
}
