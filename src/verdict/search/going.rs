//! What a search on record does next (SRH-14).

use std::collections::{BTreeMap, BTreeSet};

use super::seen::Seen;
use super::{LONG_RECORD, Next, Search};
use crate::model::{MOST_RUNS, MOST_WIDTH, Said, SearchRecord, Verdict};

/// What a search does next. `known` is what other builds have answered at its points, `asks` the
/// points that it has asked for, in that order, with what was said; absent while that is not known.
/// `idle` is how many slaves could build for it now. It asks for no points while it waits for
/// answers.
#[must_use]
pub fn go_on(
    record: &SearchRecord,
    known: &BTreeMap<usize, Said>,
    asks: &[(usize, Option<Said>)],
    idle: usize,
) -> Next {
    let (search, answers, unfinished) = so_far(record, known, asks, idle);
    match search.next(&answers) {
        over @ Next::Over(_) => over,
        Next::Ask(_) if asks.iter().any(|(_, said)| said.is_none()) => Next::Ask(Vec::new()),
        Next::Ask(_) if !unfinished.is_empty() => Next::Ask(unfinished),
        ask @ Next::Ask(_) => ask,
    }
}

/// The verdict about a search that is stopped after these answers.
#[must_use]
pub fn stopped(
    record: &SearchRecord,
    known: &BTreeMap<usize, Said>,
    asks: &[(usize, Option<Said>)],
) -> Verdict {
    let (search, answers, _) = so_far(record, known, asks, 1);
    let (good, bad) = Seen::new(&search, &answers).span();
    Verdict::Stopped { good, bad }
}

/// How many builds a search asks for at most, after these answers (SRH-10).
#[must_use]
pub fn most_builds(
    record: &SearchRecord,
    known: &BTreeMap<usize, Said>,
    asks: &[(usize, Option<Said>)],
) -> usize {
    let (search, answers, _) = so_far(record, known, asks, 1);
    let points = search.most(&Seen::new(&search, &answers));
    let runs = usize::try_from(record.runs).unwrap_or(1).max(1);
    points.saturating_mul(runs)
}

/// The search, its answers, and the points that need more builds for one (SRH-19). The search for a
/// fix is one for a culprit with pass and failure exchanged (SRH-18).
fn so_far(
    record: &SearchRecord,
    known: &BTreeMap<usize, Said>,
    asks: &[(usize, Option<Said>)],
    idle: usize,
) -> (Search, Vec<(usize, Said)>, Vec<usize>) {
    let seen = |said| match (record.seeks_fix, said) {
        (true, Said::Pass) => Said::Fail,
        (true, Said::Fail) => Said::Pass,
        (_, said) => said,
    };
    let runs = usize::try_from(record.runs).unwrap_or(1).max(1);
    let search = Search {
        changes: record.points.len().saturating_sub(1).max(1),
        known: known.iter().map(|(&at, &said)| (at, seen(said))).collect(),
        width: match record.width {
            Some(width) => usize::try_from(width).unwrap_or(1).max(1),
            None => idle.clamp(1, usize::try_from(MOST_WIDTH).unwrap_or(1)),
        },
        is_one_by_one: false,
        passed_before: match runs {
            1 => record.passed_before,
            _ => LONG_RECORD,
        },
        has_failed_alone: runs == 1 && record.has_failed_alone,
        guess: record
            .guess
            .and_then(|change| record.points.binary_search(&change).ok()),
        max_builds: record
            .max_builds
            .and_then(|most| usize::try_from(most).ok()),
    };
    let mut said: BTreeMap<usize, Vec<Said>> = BTreeMap::new();
    for (point, one) in asks {
        said.entry(*point).or_default().extend(one);
    }
    let (mut answers, mut unfinished) = (Vec::new(), Vec::new());
    for (point, said) in said {
        let (settled, is_settled) = settle(&said, runs);
        answers.extend(settled.into_iter().map(|said| (point, seen(said))));
        unfinished.extend((!is_settled).then_some(point));
    }
    (search, answers, unfinished)
}

/// How surely a search with several builds of each point is right (SRH-19).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Risk {
    /// The chance that it is wrong, from 0 to 1: that a point has passed each time by accident.
    pub chance: f64,
    /// How many builds of each point would make it 1 % or less; absent: more than ten.
    pub runs_needed: Option<u32>,
}

/// The chance that the change at the point `bad` is the wrong one, from the rate at which the
/// points from there on fail. Absent for a search with one build of each point.
#[must_use]
pub fn risk(record: &SearchRecord, bad: usize, asks: &[(usize, Option<Said>)]) -> Option<Risk> {
    if record.runs < 2 {
        return None;
    }
    let (fails, passes) = match record.seeks_fix {
        false => (Said::Fail, Said::Pass),
        true => (Said::Pass, Said::Fail),
    };
    let from_bad = asks.iter().filter(|(point, _)| *point >= bad);
    let count = |wanted: Said| {
        from_bad
            .clone()
            .filter(|(_, said)| *said == Some(wanted))
            .count()
    };
    // As if there had been a failure and a success more: a few builds prove no certainty.
    let spared = (real(count(passes)) + 1.0) / (real(count(fails) + count(passes)) + 2.0);
    let good = asks.iter().filter(|(point, _)| *point < bad);
    let good: BTreeSet<_> = good.map(|(point, _)| *point).collect();
    let chance = |runs: u32| {
        let of_one = (0..runs).fold(1.0, |chance, _| chance * spared);
        (real(good.len()) * of_one).min(1.0)
    };
    Some(Risk {
        chance: chance(record.runs),
        runs_needed: (1..=MOST_RUNS).find(|runs| chance(*runs) <= 0.01),
    })
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// What builds of one point say together: with several runs it fails if one of them does, and
/// passes when all have passed. Answers whether that is settled.
fn settle(said: &[Said], runs: usize) -> (Vec<Said>, bool) {
    if runs == 1 {
        return (said.to_vec(), true);
    }
    let count = |wanted: Said| said.iter().filter(|said| **said == wanted).count();
    if count(Said::Fail) > 0 {
        return (vec![Said::Fail], true);
    }
    let (passes, unclear) = (count(Said::Pass), count(Said::Unclear));
    let mut settled = vec![Said::Unclear; unclear];
    settled.extend((passes >= runs).then_some(Said::Pass));
    (settled, passes == 0 || passes >= runs || unclear > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeNumber, Line, SearchNumber, Timestamp};

    fn record(changes: u64) -> SearchRecord {
        SearchRecord {
            number: SearchNumber(1),
            problem: None,
            builder: "full".into(),
            line: Line::default(),
            step: Some("test".to_owned()),
            test: None,
            is_absent_before: false,
            symptoms: Vec::new(),
            points: (0..=changes).map(|n| ChangeNumber(10 + n)).collect(),
            width: Some(1),
            runs: 1,
            max_builds: None,
            passed_before: LONG_RECORD,
            has_failed_alone: false,
            seeks_fix: false,
            guess: None,
            inside: None,
            who: String::new(),
            at: Timestamp(0),
        }
    }

    fn found(good: usize, bad: usize) -> Next {
        Next::Over(Verdict::Found {
            good,
            bad,
            is_not_monotone: false,
            is_flaky: false,
        })
    }

    /// All rounds until the verdict; a point fails from `first` on.
    fn run(record: &SearchRecord, fails: impl Fn(usize) -> bool) -> (usize, Next) {
        let mut asks = Vec::new();
        loop {
            match go_on(record, &BTreeMap::new(), &asks, 3) {
                Next::Ask(points) => {
                    assert!(!points.is_empty() && asks.len() < 1_000, "{asks:?}");
                    for point in points {
                        let said = if fails(point) { Said::Fail } else { Said::Pass };
                        asks.push((point, Some(said)));
                    }
                }
                over @ Next::Over(_) => return (asks.len(), over),
            }
        }
    }

    #[test]
    fn srh_14_a_search_waits_for_what_it_has_asked() {
        let record = record(4);
        let ends = [(4, Some(Said::Fail)), (0, None)];
        assert_eq!(
            go_on(&record, &BTreeMap::new(), &ends, 3),
            Next::Ask(Vec::new())
        );
        let red_passes = [(4, Some(Said::Pass)), (0, None)];
        assert_eq!(
            go_on(&record, &BTreeMap::new(), &red_passes, 3),
            Next::Over(Verdict::Flaky)
        );
    }

    #[test]
    fn srh_14_a_stopped_search_says_how_far_it_has_come() {
        let asks = [
            (8, Some(Said::Fail)),
            (0, Some(Said::Pass)),
            (4, Some(Said::Fail)),
            (2, None),
        ];
        let verdict = stopped(&record(8), &BTreeMap::new(), &asks);
        assert_eq!(verdict, Verdict::Stopped { good: 0, bad: 4 });
    }

    #[test]
    fn srh_10_a_search_says_how_many_builds_it_may_ask_for() {
        let most = |record: &SearchRecord| most_builds(record, &BTreeMap::new(), &[]);
        assert_eq!(most(&record(8)), 2 + 3 + 3);
        let thrice = SearchRecord {
            runs: 3,
            ..record(8)
        };
        assert_eq!(most(&thrice), 3 * most(&record(8)));
        let limited = SearchRecord {
            max_builds: Some(1),
            ..record(8)
        };
        assert_eq!(most(&limited), 1);
    }

    #[test]
    fn srh_18_the_first_change_that_passes_is_found() {
        let record = SearchRecord {
            seeks_fix: true,
            ..record(9)
        };
        assert_eq!(run(&record, |point| point < 7).1, found(6, 7));
    }

    #[test]
    fn srh_08_as_many_points_are_asked_as_there_are_idle_slaves() {
        let record = SearchRecord {
            width: None,
            ..record(16)
        };
        let ends = [(16, Some(Said::Fail)), (0, Some(Said::Pass))];
        let next = |idle| go_on(&record, &BTreeMap::new(), &ends, idle);
        assert_eq!(next(3), Next::Ask(vec![4, 8, 12]));
        assert_eq!(next(0), Next::Ask(vec![8]), "one waits for a slave");
    }

    #[test]
    fn srh_19_the_chance_that_a_verdict_is_wrong_comes_from_the_rate_at_failing_points() {
        let record = SearchRecord {
            runs: 3,
            ..record(4)
        };
        let risk_of = |record: &SearchRecord, of: &[(usize, Said)]| {
            let asks: Vec<_> = of.iter().map(|(at, said)| (*at, Some(*said))).collect();
            risk(record, 3, &asks)
        };
        // Two failures of two: a rate of 3/4. Points 0 and 2 have passed three times.
        let mut asks = vec![(4, Said::Fail), (3, Said::Fail)];
        asks.extend([(0, Said::Pass); 3]);
        asks.extend([(2, Said::Pass); 3]);
        let clear = Risk {
            chance: 2.0 / 64.0,
            runs_needed: Some(4),
        };
        assert_eq!(risk_of(&record, &asks), Some(clear));
        asks.extend([(4, Said::Pass); 2]);
        let rare = Risk {
            chance: 2.0 / 8.0,
            runs_needed: Some(8),
        };
        assert_eq!(risk_of(&record, &asks), Some(rare));
        let once = SearchRecord { runs: 1, ..record };
        assert_eq!(risk_of(&once, &asks), None);
    }

    #[test]
    fn srh_19_a_point_passes_when_all_its_runs_have() {
        let record = SearchRecord {
            runs: 3,
            ..record(4)
        };
        let (builds, next) = run(&record, |point| point >= 3);
        assert_eq!(next, found(2, 3));
        // The red end and point 3 fail at once; the green end and point 2 pass three times.
        assert_eq!(builds, 1 + 3 + 3 + 1);
    }
}
