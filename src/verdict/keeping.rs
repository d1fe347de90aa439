//! Which evidence is needed further, so that what is kept of a subject does not grow (GRD-08).

use std::collections::BTreeSet;

use super::evidence::{Answer, Evidence, PROBED_POINTS};
use super::reading::{Found, Reading};
use super::runs::End;
use crate::model::ChangeNumber;

/// How much evidence of a subject is kept at most; twice as much while it comes.
const MOST: usize = 2 * PROBED_POINTS;

/// How many points at the begin of a problem are kept: those that open one of a flaky subject.
const AT_THE_BEGIN: usize = 3;

/// What is kept of a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Nothing: it has been well for long.
    Nothing,
    /// All from this point on.
    Since(ChangeNumber),
    /// The answers at these points.
    Points(BTreeSet<ChangeNumber>),
}

/// Which of the evidence, which says `reading`, is needed further.
#[must_use]
pub fn kept(evidence: &[Evidence], reading: &Reading) -> Kept {
    let since = needed_from(evidence, &reading.problems);
    let is_later = |found: &Found| Some(found.last) >= since;
    if since.is_some() && !reading.is_flaky() && !reading.problems.iter().any(is_later) {
        return Kept::Nothing;
    }
    let since = since.unwrap_or_default();
    let points: BTreeSet<_> = evidence.iter().map(|one| one.point).collect();
    let points = points.range(since..);
    if evidence.len() <= 2 * MOST {
        return Kept::Since(since);
    }
    let mut needed: BTreeSet<_> = points.clone().rev().take(MOST).copied().collect();
    needed.insert(since);
    for found in reading.problems.iter().filter(|found| is_later(found)) {
        let resolved = match found.end {
            Some(End::Resolved(at)) => Some(at),
            Some(End::Gone) | None => None,
        };
        let marks = [found.after, found.unseen_since, resolved];
        needed.extend(marks.into_iter().flatten());
        needed.insert(found.last);
        let begin = points.clone().filter(|point| **point >= found.first);
        needed.extend(begin.take(AT_THE_BEGIN));
        if found.slave.is_some() {
            needed.extend(contradicted(evidence, found).take(AT_THE_BEGIN));
        }
    }
    Kept::Points(needed)
}

/// The point before which evidence is not needed: a passing one, with enough points after it, that
/// is before all problems that are open or reach into these points. Absent if all is needed.
fn needed_from(evidence: &[Evidence], problems: &[Found]) -> Option<ChangeNumber> {
    let points: BTreeSet<_> = evidence.iter().map(|one| one.point).collect();
    let mut limit = *points.iter().rev().nth(PROBED_POINTS)?;
    loop {
        let begins = needed(problems, limit).map(|found| found.after.unwrap_or_default());
        match begins.min() {
            Some(begin) if begin < limit => limit = begin,
            Some(_) | None => break,
        }
    }
    let passes = |point: &ChangeNumber| {
        let mut at = evidence.iter().filter(|one| one.point == *point);
        at.all(|one| one.answer == Answer::Pass)
    };
    let mut back = points.range(..=limit).rev();
    back.find(|point| passes(point)).copied()
}

/// The points of a problem at which others pass, the newest first.
fn contradicted(evidence: &[Evidence], found: &Found) -> impl Iterator<Item = ChangeNumber> {
    let range = found.first..=found.last;
    let passing = evidence.iter().filter(|one| one.answer == Answer::Pass);
    let passing: BTreeSet<_> = passing.map(|one| one.point).collect();
    let failing = evidence
        .iter()
        .filter(|one| matches!(one.answer, Answer::Fail(_)));
    let failing: BTreeSet<_> = failing.map(|one| one.point).collect();
    let both: BTreeSet<_> = passing.intersection(&failing).copied().collect();
    both.into_iter()
        .rev()
        .filter(move |point| range.contains(point))
}

/// The problems of which all evidence is needed, if all from `limit` on is: what is left of one
/// would be another problem. That a problem is of a slave, one of its runs and the one before prove
/// together (FLK-05).
fn needed(problems: &[Found], limit: ChangeNumber) -> impl Iterator<Item = &Found> {
    let is_needed = move |found: &&Found| found.end.is_none() || found.last >= limit;
    let of_slave = problems.iter().rev().filter(|found| found.slave.is_some());
    let proofs = match of_slave.clone().any(|found| is_needed(&found)) {
        true => 2,
        false => 0,
    };
    let needed = problems.iter().filter(is_needed);
    needed.chain(of_slave.take(proofs))
}
