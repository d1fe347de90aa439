//! What a search has seen of its points.

use std::collections::BTreeMap;

use super::Search;
use crate::model::{Said, Verdict};

/// All answers of a search, by their points.
pub(super) struct Seen<'a> {
    search: &'a Search,
    /// What its own builds say.
    asked: BTreeMap<usize, Tally>,
}

/// What the builds of one point have said, by how many of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) passes: usize,
    pub(super) fails: usize,
    pub(super) unclear: usize,
}

impl<'a> Seen<'a> {
    pub(super) fn new(search: &'a Search, answers: &[(usize, Said)]) -> Self {
        let mut asked: BTreeMap<usize, Tally> = BTreeMap::new();
        for (point, said) in answers {
            asked.entry(*point).or_default().count(*said);
        }
        Self { search, asked }
    }

    /// What the builds of the search say of a point.
    pub(super) fn asked(&self, point: usize) -> Tally {
        self.asked.get(&point).copied().unwrap_or_default()
    }

    /// All that is known of a point. What was known of the ends before is in question itself.
    pub(super) fn at(&self, point: usize) -> Tally {
        let mut tally = self.asked(point);
        let is_end = point == 0 || point >= self.search.changes;
        if let Some(said) = self.search.known.get(&point).filter(|_| !is_end) {
            tally.count(*said);
        }
        tally
    }

    /// The points between the ends of which something is known, with what is said there.
    fn told(&self) -> impl DoubleEndedIterator<Item = (usize, Said)> {
        let inner = 1..self.search.changes;
        inner.filter_map(|point| Some((point, self.at(point).said()?)))
    }

    /// The last point that passes, and the first one after it that fails.
    pub(super) fn span(&self) -> (usize, usize) {
        let mut passing = self.told().rev().filter(|(_, said)| *said == Said::Pass);
        let good = passing.next().map_or(0, |(point, _)| point);
        let fails = |(point, said): &(usize, Said)| *point > good && *said == Said::Fail;
        let bad = self.told().find(fails).map(|(point, _)| point);
        (good, bad.unwrap_or(self.search.changes))
    }

    /// Whether a point has both passed and failed.
    pub(super) fn is_mixed(&self) -> bool {
        let points = self.asked.keys().map(|point| self.at(*point));
        let mut points = points.filter(|at| at.passes > 0 && at.fails > 0);
        points.next().is_some()
    }

    /// The verdict that the change at `bad` is guilty.
    pub(super) fn found(&self, good: usize, bad: usize) -> Verdict {
        let fails_before = |(point, said): (usize, Said)| point < good && said == Said::Fail;
        Verdict::Found {
            good,
            bad,
            is_not_monotone: self.told().any(fails_before),
            is_flaky: self.is_mixed(),
        }
    }
}

impl Tally {
    const fn count(&mut self, said: Said) {
        match said {
            Said::Pass => self.passes += 1,
            Said::Fail => self.fails += 1,
            Said::Unclear => self.unclear += 1,
        }
    }

    pub(super) const fn builds(self) -> usize {
        self.passes + self.fails + self.unclear
    }

    /// What they say together. Where something is broken it fails each time, so that one success
    /// shows that it is not; a point with both answers is a proof of accidents.
    pub(super) const fn said(self) -> Option<Said> {
        if self.passes > 0 {
            Some(Said::Pass)
        } else if self.fails > 0 {
            Some(Said::Fail)
        } else if self.unclear > 0 {
            Some(Said::Unclear)
        } else {
            None
        }
    }
}
