//! Which builds a culprit search asks for, and what it concludes (SRH-04 to SRH-10, SRH-14).
//!
//! The state of a search is the list of its answers: [`Search::next`] says what to ask after them,
//! or the verdict. So a search goes on after any end of the master, and asks again what was not
//! answered.

mod choosing;
mod going;

use std::collections::{BTreeMap, BTreeSet};

pub use self::choosing::{Candidate, Limits, Underway, choose};
pub use self::going::{go_on, stopped};
use crate::model::{Said, Verdict};

/// A step that has passed fewer times in a row may have failed by accident: both ends of a search
/// are built twice (SRH-05).
const LONG_RECORD: u64 = 50;

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
        let (red, green) = (self.end(answers, self.changes), self.end(answers, 0));
        match (&red, &green) {
            (End::Said(Said::Pass), _) => return Next::Over(Verdict::Flaky),
            (_, End::Said(Said::Fail)) => return Next::Over(Verdict::Environment),
            (End::Said(Said::Unclear), _) => {
                let end = self.changes;
                return Next::Over(Verdict::Unknown { end });
            }
            (_, End::Said(Said::Unclear)) => return Next::Over(Verdict::Unknown { end: 0 }),
            (End::Said(Said::Fail) | End::Open, _) => {}
        }
        let (good, bad) = self.span(answers);
        let left = self.most().saturating_sub(answers.len());
        let mut ask = Vec::new();
        ask.extend((red == End::Open).then_some(self.changes));
        if green == End::Open && !(self.is_one_by_one && red == End::Open) {
            ask.push(0);
        }
        if ask.is_empty() {
            if bad - good == 1 {
                let is_not_monotone = self.has_failed_before(good, answers);
                return Next::Over(Verdict::Found {
                    good,
                    bad,
                    is_not_monotone,
                });
            }
            ask = self.between(good, bad, answers);
            if ask.is_empty() {
                return Next::Over(Verdict::Range { good, bad });
            }
        }
        ask.truncate(left);
        match ask.is_empty() {
            true => Next::Over(Verdict::Stopped { good, bad }),
            false => Next::Ask(ask),
        }
    }

    /// How often each end is built (SRH-05).
    #[must_use]
    pub const fn runs_of_ends(&self) -> usize {
        if self.passed_before < LONG_RECORD {
            2
        } else {
            1
        }
    }

    /// Most builds: those that are needed where all points can be told, and three more. A wide
    /// search trades builds for time.
    fn most(&self) -> usize {
        let halvings = usize::BITS - self.changes.saturating_sub(1).leading_zeros();
        let halvings = usize::try_from(halvings).unwrap_or(usize::MAX);
        let default = 2 * self.runs_of_ends() + self.width * halvings + 3;
        self.max_builds.unwrap_or(default)
    }

    /// What the builds of an end say together. One that cannot be told is built once more.
    fn end(&self, answers: &[(usize, Said)], point: usize) -> End {
        let expected = if point == 0 { Said::Pass } else { Said::Fail };
        let said = answers.iter().filter(|(at, _)| *at == point);
        let (mut as_expected, mut unclear) = (0, 0);
        for (_, said) in said {
            match said {
                Said::Unclear => unclear += 1,
                Said::Pass | Said::Fail if *said == expected => as_expected += 1,
                Said::Pass | Said::Fail => return End::Said(*said),
            }
        }
        if as_expected >= self.runs_of_ends() {
            End::Said(expected)
        } else if unclear > 1 {
            End::Said(Said::Unclear)
        } else {
            End::Open
        }
    }

    /// All that is known about points between the ends.
    fn told<'a>(
        &'a self,
        answers: &'a [(usize, Said)],
    ) -> impl Iterator<Item = (usize, Said)> + 'a {
        let known = self.known.iter().map(|(point, said)| (*point, *said));
        let all = known.chain(answers.iter().copied());
        all.filter(|(point, _)| (1..self.changes).contains(point))
    }

    /// The last point that passes, and the first one after it that fails.
    fn span(&self, answers: &[(usize, Said)]) -> (usize, usize) {
        let with = |wanted| self.told(answers).filter(move |(_, said)| *said == wanted);
        let good = with(Said::Pass).map(|(point, _)| point).max().unwrap_or(0);
        let later = with(Said::Fail).map(|(point, _)| point);
        let bad = later.filter(|point| *point > good).min();
        (good, bad.unwrap_or(self.changes))
    }

    fn has_failed_before(&self, good: usize, answers: &[(usize, Said)]) -> bool {
        let mut told = self.told(answers);
        told.any(|(point, said)| said == Said::Fail && point < good)
    }

    /// Points that divide the span evenly. In place of one that was tried, the nearest one that was
    /// not, below before above (SRH-06, SRH-07).
    fn between(&self, good: usize, bad: usize, answers: &[(usize, Said)]) -> Vec<usize> {
        let tried: BTreeSet<_> = self.told(answers).map(|(point, _)| point).collect();
        let mut free: BTreeSet<_> = (good + 1..bad).filter(|p| !tried.contains(p)).collect();
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

/// What is known of an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Said(Said),
    /// It is to be built once more.
    Open,
}

#[cfg(test)]
mod tests;
