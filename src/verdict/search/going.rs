//! What a search on record does next (SRH-14).

use std::collections::BTreeMap;

use super::{LONG_RECORD, Next, Search};
use crate::model::{Said, SearchRecord, Verdict};

/// What a search does next. `known` is what other builds have answered at its points, `asks` the
/// points that it has asked for, in that order, with what was said; absent while that is not known.
/// It asks for no points while it waits for answers.
#[must_use]
pub fn go_on(
    record: &SearchRecord,
    known: &BTreeMap<usize, Said>,
    asks: &[(usize, Option<Said>)],
) -> Next {
    let (search, answers, unfinished) = so_far(record, known, asks);
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
    let (search, answers, _) = so_far(record, known, asks);
    let (good, bad) = search.span(&answers);
    Verdict::Stopped { good, bad }
}

/// The search, its answers, and the points that need more builds for one (SRH-19). The search for a
/// fix is one for a culprit with pass and failure exchanged (SRH-18).
fn so_far(
    record: &SearchRecord,
    known: &BTreeMap<usize, Said>,
    asks: &[(usize, Option<Said>)],
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
        width: usize::try_from(record.width).unwrap_or(1).max(1),
        is_one_by_one: false,
        passed_before: match runs {
            1 => record.passed_before,
            _ => LONG_RECORD,
        },
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
            symptoms: Vec::new(),
            points: (0..=changes).map(|n| ChangeNumber(10 + n)).collect(),
            width: 1,
            runs: 1,
            max_builds: None,
            passed_before: LONG_RECORD,
            seeks_fix: false,
            who: String::new(),
            at: Timestamp(0),
        }
    }

    fn found(good: usize, bad: usize) -> Next {
        Next::Over(Verdict::Found {
            good,
            bad,
            is_not_monotone: false,
        })
    }

    /// All rounds until the verdict; a point fails from `first` on.
    fn run(record: &SearchRecord, fails: impl Fn(usize) -> bool) -> (usize, Next) {
        let mut asks = Vec::new();
        loop {
            match go_on(record, &BTreeMap::new(), &asks) {
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
            go_on(&record, &BTreeMap::new(), &ends),
            Next::Ask(Vec::new())
        );
        let red_passes = [(4, Some(Said::Pass)), (0, None)];
        assert_eq!(
            go_on(&record, &BTreeMap::new(), &red_passes),
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
    fn srh_18_the_first_change_that_passes_is_found() {
        let record = SearchRecord {
            seeks_fix: true,
            ..record(9)
        };
        assert_eq!(run(&record, |point| point < 7).1, found(6, 7));
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
