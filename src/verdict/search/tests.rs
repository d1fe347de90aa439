//! The cases of the file, and lines in any state.

#![expect(clippy::unwrap_used, reason = "tests")]

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use serde_json::{Value, json};

use super::*;

fn said(letter: char) -> Said {
    match letter {
        'S' => Said::Pass,
        'F' => Said::Fail,
        'X' => Said::Unclear,
        other => panic!("{other}"),
    }
}

/// The rounds of a search, and its verdict. `truth` is asked for a point and how often it was asked
/// before.
pub(super) fn run(
    search: &Search,
    truth: impl Fn(usize, usize) -> Said,
) -> (Vec<Vec<usize>>, usize, Verdict) {
    let (mut rounds, mut answers) = (Vec::new(), Vec::new());
    loop {
        let asked = match search.next(&answers) {
            Next::Over(verdict) => return (rounds, answers.len(), verdict),
            Next::Ask(asked) => asked,
        };
        assert!(!asked.is_empty() && answers.len() < 1_000);
        for &point in &asked {
            let before = answers.iter().filter(|(at, _)| *at == point).count();
            answers.push((point, truth(point, before)));
        }
        rounds.push(asked);
    }
}

/// How many random lines are searched: with `SLOW_TESTS`, 100 000.
fn seeds() -> u64 {
    match std::env::var_os("SLOW_TESTS") {
        Some(_) => 100_000,
        None => 1_000,
    }
}

fn search_of(given: &Value) -> Search {
    let number = |key: &str| given[key].as_u64().map(|n| usize::try_from(n).unwrap());
    let known = given["known"].as_object().into_iter().flatten();
    let letter = |value: &Value| said(value.as_str().unwrap().chars().next().unwrap());
    Search {
        changes: number("points").or(number("suspects")).unwrap(),
        known: known
            .map(|(at, value)| (at.parse().unwrap(), letter(value)))
            .collect(),
        width: number("width").unwrap_or(1),
        is_one_by_one: given["parallel_ends"] == false,
        passed_before: given["passed_in_a_row_before"]
            .as_u64()
            .unwrap_or(LONG_RECORD),
        max_builds: number("max_builds"),
        ..Search::default()
    }
}

/// What the case expects, made of what has come out.
fn outcome((rounds, builds, verdict): (Vec<Vec<usize>>, usize, Verdict)) -> Value {
    let mut found = json!({ "asked": rounds, "builds": builds });
    let members = match verdict {
        Verdict::Found {
            good,
            bad,
            is_not_monotone,
            is_flaky,
        } => {
            assert!(!is_flaky, "no case has accidents");
            let mut found = json!({"verdict": "found", "change": bad, "good": good, "bad": bad});
            if is_not_monotone {
                found["note"] = "not monotone".into();
            }
            found
        }
        Verdict::Range { good, bad } => {
            let changes: Vec<_> = (good + 1..=bad).collect();
            json!({"verdict": "range", "changes": changes, "good": good, "bad": bad})
        }
        Verdict::Flaky => {
            json!({"verdict": "flaky", "why": "the red end passed when it was built again"})
        }
        Verdict::Environment => {
            let why = "the green end fails now, with the same sources";
            json!({"verdict": "environment", "why": why})
        }
        Verdict::Unknown { end } => {
            let end = if end == 0 { "green" } else { "red" };
            let why = format!("the {end} end could not be built again");
            json!({"verdict": "unknown", "why": why})
        }
        Verdict::Stopped { good, bad } => {
            let changes: Vec<_> = (good + 1..=bad).collect();
            json!({"verdict": "stopped", "why": "budget", "changes": changes,
                   "good": good, "bad": bad})
        }
    };
    let members = members.as_object().unwrap().clone();
    found.as_object_mut().unwrap().extend(members);
    found
}

#[test]
fn all_cases_of_searches() {
    let file = include_str!("../../../tests/data/search-cases.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 28);
    for case in cases {
        let (given, expect) = (&case["given"], &case["expect"]);
        let search = search_of(given);
        let text = |key: &str| given[key].as_str().unwrap_or_default().to_owned();
        let truth = text("truth_of_points_1_to");
        let [red, green] = [text("red_again"), text("green_again")];
        let found = run(&search, |point, before| {
            let letter = match point {
                0 => green.chars().nth(before).unwrap_or('S'),
                point if point == search.changes => red.chars().nth(before).unwrap_or('F'),
                point => truth.chars().nth(point - 1).unwrap(),
            };
            said(letter)
        });
        if expect["ends_built"].is_array() {
            let of = |end| found.0.iter().flatten().filter(|at| **at == end).count();
            let ends = json!([of(0), of(search.changes)]);
            assert_eq!(ends, expect["ends_built"], "{}", case["id"]);
            continue;
        }
        assert_eq!(outcome(found), *expect, "{}", case["id"]);
    }
}

#[test]
fn srh_06_the_guilty_change_is_found_with_few_builds() {
    for seed in 0..seeds() {
        let mut random = StdRng::seed_from_u64(seed);
        let changes = random.random_range(1..200_usize);
        let guilty = random.random_range(1..=changes);
        let search = Search {
            changes,
            width: 1,
            passed_before: random.random_range(0..100),
            ..Search::default()
        };
        let truth = |point, _| {
            if point < guilty {
                Said::Pass
            } else {
                Said::Fail
            }
        };
        let (_, builds, verdict) = run(&search, truth);
        let found = Verdict::Found {
            good: guilty - 1,
            bad: guilty,
            is_not_monotone: false,
            is_flaky: false,
        };
        assert_eq!(verdict, found, "{seed}");
        let halvings = (1..).find(|power| changes <= 1 << power).unwrap_or(0);
        let halvings = if changes == 1 { 0 } else { halvings };
        assert!(
            builds <= 2 * search.runs_of_proof() + halvings,
            "{seed}: {builds}"
        );
    }
}

#[test]
fn srh_07_points_that_cannot_be_told_never_make_somebody_else_guilty() {
    for seed in 0..seeds() {
        let mut random = StdRng::seed_from_u64(seed);
        let changes = random.random_range(1..60_usize);
        let guilty = random.random_range(1..=changes);
        let unclear: BTreeSet<_> = (1..changes).filter(|_| random.random_bool(0.3)).collect();
        let search = Search {
            changes,
            width: random.random_range(1..4),
            passed_before: LONG_RECORD,
            max_builds: Some(200),
            ..Search::default()
        };
        let truth = |point, _| match point {
            _ if unclear.contains(&point) => Said::Unclear,
            point if point < guilty => Said::Pass,
            _ => Said::Fail,
        };
        match run(&search, truth).2 {
            Verdict::Found { bad, .. } => assert_eq!(bad, guilty, "{seed}"),
            Verdict::Range { good, bad } => {
                assert!(good < guilty && guilty <= bad, "{seed}");
                assert!(
                    (good + 1..bad).all(|point| unclear.contains(&point)),
                    "{seed}"
                );
            }
            other @ (Verdict::Flaky
            | Verdict::Environment
            | Verdict::Unknown { .. }
            | Verdict::Stopped { .. }) => panic!("{seed}: {other:?}"),
        }
    }
}

#[test]
fn srh_12_what_another_search_has_found_is_tried_first() {
    let search = Search {
        changes: 16,
        width: 1,
        guess: Some(11),
        passed_before: 3,
        ..Search::default()
    };
    let of = |guilty| {
        run(&search, move |point, _| match point < guilty {
            true => Said::Pass,
            false => Said::Fail,
        })
    };
    let found = |bad| Verdict::Found {
        good: bad - 1,
        bad,
        is_not_monotone: false,
        is_flaky: false,
    };
    let (rounds, builds, verdict) = of(11);
    assert_eq!((rounds, builds), (vec![vec![11, 10]], 2));
    assert_eq!(verdict, found(11));
    // It is another change, so the search goes on with what it has learned.
    let (rounds, _, verdict) = of(5);
    assert_eq!(rounds[..3], [vec![11, 10], vec![16, 0], vec![5]]);
    assert_eq!(verdict, found(5));
    assert_eq!(of(16).2, found(16));
}

#[test]
fn srh_05_an_accident_at_the_good_end_is_not_the_surroundings() {
    let search = Search {
        changes: 1,
        width: 1,
        passed_before: 12,
        ..Search::default()
    };
    let fails_once = |point, before| match (point, before) {
        (0, 1..) => Said::Pass,
        _ => Said::Fail,
    };
    let found = |is_flaky| Verdict::Found {
        good: 0,
        bad: 1,
        is_not_monotone: false,
        is_flaky,
    };
    assert_eq!(run(&search, fails_once).2, found(true));
    let fails = |_, _| Said::Fail;
    assert_eq!(run(&search, fails).2, Verdict::Environment);
}

#[test]
fn srh_14_a_search_asks_again_what_was_not_answered() {
    let search = Search {
        changes: 16,
        width: 3,
        passed_before: LONG_RECORD,
        ..Search::default()
    };
    let answered = [
        (16, Said::Fail),
        (0, Said::Pass),
        (4, Said::Pass),
        (12, Said::Fail),
    ];
    assert_eq!(search.next(&answered), Next::Ask(vec![6, 8, 10]));
    assert_eq!(search.next(&answered[..1]), Next::Ask(vec![0]));
}
