//! How often searches are right where tests fail by accident (section 14).

#![expect(clippy::print_stderr, reason = "tests")]

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};

use super::tests::run;
use super::{Past, Search};
use crate::model::{BuildId, ChangeNumber, Said, Verdict};
use crate::verdict::{Answer, Evidence, read};

/// How much is tried; more with `SLOW_TESTS`.
fn times(usual: u64, slow: u64) -> u64 {
    match std::env::var_os("SLOW_TESTS") {
        Some(_) => slow,
        None => usual,
    }
}

/// How often something is as it should be, with a doubt, or wrong without one.
#[derive(Debug, Default)]
struct Score {
    all: u64,
    right: u64,
    doubtful: u64,
    wrong: u64,
}

#[test]
fn srh_05_among_64_changes_a_test_that_fails_by_accident_is_no_obstacle() {
    let (mut score, mut builds) = (Score::default(), 0);
    let mut random = StdRng::seed_from_u64(64);
    for _ in 0..times(1_000, 100_000) {
        let guilty = random.random_range(1..=64);
        let mut past = Past::default();
        for _ in 0..200 {
            past.hear(&match random.random_bool(0.1) {
                true => Answer::Fail(BTreeSet::new()),
                false => Answer::Pass,
            });
        }
        let search = Search {
            changes: 64,
            width: 1,
            passed_before: past.passed,
            has_failed_alone: past.has_failed_alone,
            ..Search::default()
        };
        let noise: Vec<Vec<bool>> = (0..64)
            .map(|_| (0..40).map(|_| random.random_bool(0.1)).collect())
            .collect();
        let truth = |point: usize, before: usize| match point < guilty && !noise[point][before] {
            true => Said::Pass,
            false => Said::Fail,
        };
        let (_, cost, verdict) = run(&search, truth);
        score.all += 1;
        builds += cost;
        if let Verdict::Found {
            bad,
            is_not_monotone,
            is_flaky,
            ..
        } = verdict
        {
            let is_sure = !is_not_monotone && !is_flaky;
            score.right += u64::from(bad == guilty);
            score.doubtful += u64::from(!is_sure);
            score.wrong += u64::from(bad != guilty && is_sure);
        }
    }
    eprintln!("64 changes, 10 % by accident: {score:?}, {builds} builds");
    assert!(score.right * 100 >= score.all * 95, "{score:?}");
    // Of 100 000, a few: the same accident five times in a row, and no other.
    assert!(score.wrong * 2_000 <= score.all && (score.all > 1_000 || score.wrong == 0));
}

/// The history of a line whose builds fail by accident: changes break it and mend it, builds take
/// several changes or say nothing.
struct History {
    random: StdRng,
    rate: f64,
    /// For each change from 0 on: the change that has broken the tree that it makes, if it is
    /// broken.
    broken: Vec<Option<usize>>,
    evidence: Vec<Evidence>,
    builds: u64,
    score: Score,
    searched: BTreeSet<(ChangeNumber, Option<ChangeNumber>)>,
}

impl History {
    fn new(rate: f64, seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            rate,
            broken: vec![None],
            evidence: Vec::new(),
            builds: 0,
            score: Score::default(),
            searched: BTreeSet::new(),
        }
    }

    /// Some changes, and a build of the newest.
    fn go_on(&mut self) {
        for _ in 0..self.random.random_range(1..=6) {
            let now = self.broken[self.broken.len() - 1];
            let next = match now {
                None => self.random.random_bool(0.01).then_some(self.broken.len()),
                Some(_) if self.random.random_bool(0.1) => None,
                Some(by) => Some(by),
            };
            self.broken.push(next);
        }
        // An outage says nothing.
        if !self.random.random_bool(0.03) {
            self.build(self.broken.len() - 1);
        }
        let excess = self.evidence.len().saturating_sub(400);
        self.evidence.drain(..excess);
    }

    /// A build of the tree with this change.
    fn build(&mut self, at: usize) -> Said {
        let fails = self.broken[at].is_some() || self.random.random_bool(self.rate);
        self.builds += 1;
        self.evidence.push(Evidence {
            build: BuildId(self.builds),
            point: number(at),
            answer: match fails {
                true => Answer::Fail(["no".to_owned()].into()),
                false => Answer::Pass,
            },
            slave: None,
        });
        if fails { Said::Fail } else { Said::Pass }
    }

    /// Searches for the cause of a problem that is there without a doubt, as the master does.
    fn search(&mut self) {
        let newest = self.evidence.last();
        if newest.is_none_or(|newest| newest.answer == Answer::Pass) {
            return;
        }
        let reading = read(&self.evidence);
        let open = reading.problems.last().filter(|found| found.end.is_none());
        let Some(found) = open.filter(|found| found.doubt.is_none()).cloned() else {
            return;
        };
        let Some(after) = found.after else { return };
        if !self.searched.insert((found.first, found.after)) {
            return;
        }
        let (good, bad) = (place(after), place(found.first));
        let past = self.past(after);
        let search = Search {
            changes: bad - good,
            width: 1,
            passed_before: past.passed,
            has_failed_alone: past.has_failed_alone,
            ..Search::default()
        };
        let mut answers = Vec::new();
        let verdict = loop {
            match search.next(&answers) {
                super::Next::Over(verdict) => break verdict,
                super::Next::Ask(points) => {
                    for point in points {
                        answers.push((point, self.build(good + point)));
                    }
                }
            }
        };
        let now = read(&self.evidence);
        let is_open = now
            .problems
            .last()
            .is_some_and(|now| now.end.is_none() && now.doubt.is_none() && now.last >= found.first);
        self.score.all += 1;
        if let Verdict::Found {
            bad: at,
            is_not_monotone: false,
            is_flaky: false,
            ..
        } = verdict
            && is_open
        {
            let is_right = self.broken[good + at] == Some(good + at);
            self.score.right += u64::from(is_right);
            self.score.wrong += u64::from(!is_right);
        } else {
            self.score.doubtful += 1;
        }
    }

    /// What the builds up to a point tell.
    fn past(&self, to: ChangeNumber) -> Past {
        let mut earlier: Vec<_> = self.evidence.iter().filter(|one| one.point <= to).collect();
        earlier.sort_by_key(|one| std::cmp::Reverse(one.build));
        let mut past = Past::default();
        for one in earlier.iter().take(200) {
            past.hear(&one.answer);
        }
        past
    }
}

fn number(at: usize) -> ChangeNumber {
    ChangeNumber(u64::try_from(at).unwrap_or_default())
}

fn place(change: ChangeNumber) -> usize {
    usize::try_from(change.0).unwrap_or_default()
}

#[test]
fn prb_08_hardly_anybody_is_accused_by_accident() {
    // The rate of accidents, and how many of 1000 accusations may be wrong. In full, each line has
    // 60 000 points.
    for (rate, most) in [(0.0, 0), (0.003, 0), (0.01, 5), (0.03, 5), (0.1, 30)] {
        let mut score = Score::default();
        for seed in 0..times(2, 60) {
            let mut history = History::new(rate, seed);
            for _ in 0..1_000 {
                history.go_on();
                history.search();
            }
            score.all += history.score.all;
            score.right += history.score.right;
            score.doubtful += history.score.doubtful;
            score.wrong += history.score.wrong;
        }
        eprintln!("{rate}: {score:?}");
        let accused = score.right + score.wrong;
        assert!(score.wrong * 1_000 <= accused * most, "{rate}: {score:?}");
    }
}
