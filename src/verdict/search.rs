//! Which builds a culprit search asks for, and what it concludes (SRH-04 to SRH-10, SRH-14).
//!
//! The state of a search is the list of its answers: [`Search::next`] says what to ask after them,
//! or the verdict. So a search goes on after any end of the master, and asks again what was not
//! answered.

mod choosing;
mod going;
mod past;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

pub use self::choosing::{
    Candidate, Choice, Chosen, Limits, Underway, Waits, choose, is_same_failure,
};
pub use self::going::{Risk, go_on, most_builds, risk, stopped};
pub use self::past::Past;
use self::seen::Seen;
use crate::model::{Said, Verdict};

/// A subject that has passed fewer times in a row may have failed by accident: what the verdict
/// rests on is built twice (SRH-05).
const LONG_RECORD: u64 = 50;

/// How often the guilty point must fail where the subject is known to fail by accident.
const OFTEN: usize = 5;

/// A search among the changes of a line. Point 0 is the last one that passed, point `changes` the
/// first one that failed.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// How many changes are suspected, at least 1.
    pub changes: usize,
    /// What other builds have answered at points in between (SRH-04).
    pub known: BTreeMap<usize, Said>,
    /// How many points are asked at once, at least 1 (SRH-08).
    pub width: usize,
    /// Whether the red end is asked before the green one, as there is only one free slave.
    pub is_one_by_one: bool,
    /// How often the subject had passed in a row before it failed.
    pub passed_before: u64,
    /// Whether it had failed before that in one build between two that passed.
    pub has_failed_alone: bool,
    /// The point that is guilty on another builder: it and the one before are asked first
    /// (SRH-12).
    pub guess: Option<usize>,
    /// Most builds; absent for the default one (SRH-10).
    pub max_builds: Option<usize>,
}

/// What a search does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// It asks for builds at these points.
    Ask(Vec<usize>),
    /// It is over.
    Over(Verdict),
}

impl Search {
    /// What to do after these answers, each a point and what a build there said.
    #[must_use]
    pub fn next(&self, answers: &[(usize, Said)]) -> Next {
        let seen = Seen::new(self, answers);
        let ask = match self.check_guess(&seen) {
            Some(Next::Ask(points)) => points,
            Some(over) => return over,
            None => match self.ends(&seen) {
                Next::Ask(ends) if ends.is_empty() => match self.within(&seen) {
                    Next::Ask(points) => points,
                    over @ Next::Over(_) => return over,
                },
                Next::Ask(ends) => ends,
                over @ Next::Over(_) => return over,
            },
        };
        let left = self.most(&seen).saturating_sub(answers.len());
        let (good, bad) = seen.span();
        match left {
            0 => Next::Over(Verdict::Stopped { good, bad }),
            left => Next::Ask(ask.into_iter().take(left).collect()),
        }
    }

    /// The first point that fails on another builder, and the one before. If these answer here as
    /// they do there, the search is over (SRH-12).
    fn check_guess(&self, seen: &Seen<'_>) -> Option<Next> {
        let bad = self.guess.filter(|at| (1..=self.changes).contains(at))?;
        let good = bad - 1;
        let mut points = vec![bad, good];
        points.retain(|point| seen.asked(*point).builds() == 0);
        if !points.is_empty() {
            return Some(Next::Ask(points));
        }
        let is_it = seen.asked(good).passes > 0 && seen.asked(bad).said() == Some(Said::Fail);
        is_it.then(|| Next::Over(seen.found(good, bad)))
    }

    /// The ends that are to be built, none if both answer as they did (SRH-05).
    fn ends(&self, seen: &Seen<'_>) -> Next {
        let (red, green) = (seen.asked(self.changes), seen.asked(0));
        let is_red_again = red.fails > 0;
        let is_green_again = green.passes > 0;
        if red.passes > 0 {
            return Next::Over(Verdict::Flaky);
        }
        // Where the subject may fail by accident, once is not enough to blame the surroundings.
        if !is_green_again && green.fails >= self.runs_of_proof() {
            return Next::Over(Verdict::Environment);
        }
        if !is_red_again && red.unclear > 1 {
            let end = self.changes;
            return Next::Over(Verdict::Unknown { end });
        }
        if !is_green_again && green.unclear > 1 {
            return Next::Over(Verdict::Unknown { end: 0 });
        }
        let mut ask = Vec::new();
        ask.extend((!is_red_again).then_some(self.changes));
        let is_in_turn = is_red_again || !self.is_one_by_one;
        ask.extend((!is_green_again && is_in_turn).then_some(0));
        Next::Ask(ask)
    }

    /// Points between the ends, until one change is left and both points around it are sure.
    fn within(&self, seen: &Seen<'_>) -> Next {
        let (good, bad) = seen.span();
        if bad - good > 1 {
            let ask = self.between(good, bad, seen);
            return match ask.is_empty() {
                true => Next::Over(Verdict::Range { good, bad }),
                false => Next::Ask(ask),
            };
        }
        let (at_good, at_bad) = (seen.at(good), seen.at(bad));
        let mut ask = Vec::new();
        let is_sure = at_bad.fails >= self.fails_of_proof(seen);
        if !is_sure && at_bad.unclear > 1 {
            return Next::Over(Verdict::Range { good, bad });
        }
        ask.extend((!is_sure).then_some(bad));
        ask.extend((at_good.builds() < self.runs_of_proof()).then_some(good));
        match ask.is_empty() {
            true => Next::Over(seen.found(good, bad)),
            false => Next::Ask(ask),
        }
    }

    /// How often the two points of the verdict are built: with one suspected change, these are the
    /// ends (SRH-05).
    const fn runs_of_proof(&self) -> usize {
        if self.passed_before < LONG_RECORD || self.has_failed_alone {
            2
        } else {
            1
        }
    }

    /// How often the guilty point must have failed.
    fn fails_of_proof(&self, seen: &Seen<'_>) -> usize {
        match self.runs_of_proof() {
            2 if self.has_failed_alone || seen.is_mixed() => OFTEN,
            runs => runs,
        }
    }

    /// Most builds: those that are needed where all points can be told, and three more. A wide
    /// search trades builds for time. Accidents cost a halving more.
    fn most(&self, seen: &Seen<'_>) -> usize {
        let halvings = usize::BITS - self.changes.saturating_sub(1).leading_zeros();
        let halvings = self.width * usize::try_from(halvings).unwrap_or(usize::MAX);
        let accidents = match self.fails_of_proof(seen) {
            OFTEN => halvings + 2 * OFTEN,
            _ => 0,
        };
        let guess = if self.guess.is_some() { 2 } else { 0 };
        let default = 2 * self.runs_of_proof() + halvings + 3 + accidents + guess;
        self.max_builds.unwrap_or(default)
    }

    /// Points that divide the span evenly. In place of one that was tried, the nearest one that was
    /// not, below before above (SRH-06, SRH-07).
    fn between(&self, good: usize, bad: usize, seen: &Seen<'_>) -> Vec<usize> {
        let is_free = |point: &usize| seen.at(*point).builds() == 0;
        let mut free: BTreeSet<_> = (good + 1..bad).filter(is_free).collect();
        let mut ask = Vec::new();
        for nth in 1..=self.width {
            let wanted = good + (bad - good) * nth / (self.width + 1);
            let nearest = free
                .iter()
                .min_by_key(|point| (point.abs_diff(wanted), **point));
            if let Some(point) = nearest.copied() {
                free.remove(&point);
                ask.push(point);
            }
        }
        ask.sort_unstable();
        ask
    }
}

#[cfg(test)]
mod measured;
#[cfg(test)]
mod tests;
