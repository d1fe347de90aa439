//! The cases of the file, and histories in any order.

#![expect(clippy::unwrap_used, reason = "tests")]

mod on_slaves;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt as _, SeedableRng};
use serde::Deserialize;

use self::on_slaves::said;
use super::*;
use crate::model::{BuildId, ChangeNumber, ProblemNumber};

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(tag = "area", rename_all = "snake_case")]
enum Case {
    Fingerprint(Lines),
    Problem(History),
}

#[derive(Deserialize)]
struct Lines {
    id: String,
    given: GivenLines,
    expect: ExpectedLines,
}

#[derive(Deserialize)]
struct GivenLines {
    lines: Vec<String>,
}

#[derive(Deserialize)]
struct ExpectedLines {
    same: bool,
    prints: Vec<String>,
}

#[derive(Deserialize)]
struct History {
    id: String,
    given: Given,
    expect: Expect,
}

#[derive(Deserialize)]
struct Given {
    changes: Vec<Suspect>,
    evidence: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    build: u64,
    point: u64,
    outcome: String,
    #[serde(default)]
    symptoms: Vec<String>,
}

#[derive(Deserialize)]
struct Expect {
    told: Vec<Vec<String>>,
    flaky: bool,
    problems: Vec<ExpectedProblem>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ExpectedProblem {
    number: u64,
    sole_suspect: Option<String>,
    first: u64,
    last: u64,
    after: Option<u64>,
    symptoms: Vec<String>,
    suspects: Vec<u64>,
    state: String,
    #[serde(default)]
    doubt: Option<String>,
    #[serde(default)]
    unseen_since: Option<u64>,
    #[serde(default)]
    fixed_in: Vec<u64>,
}

/// A subject, as the store has it.
#[derive(Default)]
struct Subject {
    changes: Vec<Suspect>,
    evidence: Vec<Evidence>,
    flaky_for: u32,
    problems: BTreeMap<ProblemNumber, Problem>,
    /// How often nothing had to be read while it was flaky.
    unread: usize,
}

impl Subject {
    /// Takes one more answer; gives what is told.
    fn hear(&mut self, evidence: Evidence) -> Vec<String> {
        self.evidence.push(evidence);
        self.judge(ChangeNumber(0))
    }

    /// Takes one more answer as the store does, which reads no more than it must.
    fn hear_shortly(&mut self, new: Evidence) {
        let open = self.problems.values();
        let open = open.filter(|one| one.state == ProblemState::Open);
        let open: Vec<_> = open.map(|one| (one.number, one.found.clone())).collect();
        let mut newest = self.evidence.clone();
        newest.sort_by_key(|one| std::cmp::Reverse((one.point, one.build)));
        newest.truncate(2);
        let scope = scope(self.flaky_for, &open, &newest, &new);
        let is_answer = new.answer != Answer::Absent;
        self.evidence.push(new);
        match scope {
            Scope::AsBefore => {
                self.flaky_for -= self.flaky_for.min(is_answer.into());
                self.unread += 1;
            }
            Scope::GoesOn(number, found) => {
                self.problems.get_mut(&number).unwrap().found = found;
                self.flaky_for -= self.flaky_for.min(1);
            }
            Scope::From(from) if !read(&self.since(from)).is_flaky() => {
                self.judge(from);
            }
            Scope::From(_) | Scope::All => {
                self.judge(ChangeNumber(0));
            }
        }
    }

    fn since(&self, from: ChangeNumber) -> Vec<Evidence> {
        let all = self.evidence.iter();
        all.filter(|one| one.point >= from).cloned().collect()
    }

    /// Judges the evidence from a point on.
    fn judge(&mut self, from: ChangeNumber) -> Vec<String> {
        let reading = read(&self.since(from));
        let known = self
            .problems
            .values()
            .filter(|one| one.found.first >= from || one.state == ProblemState::Open);
        let known: Vec<_> = known.cloned().collect();
        let next = self.problems.len() as u64 + 1;
        let changes_in = |after: Option<ChangeNumber>, to: ChangeNumber| {
            let from = after.map_or(to, ChangeNumber::next);
            let all = self.changes.iter();
            let within = all.filter(|one| (from..=to).contains(&one.change));
            Ok::<_, Infallible>(within.cloned().collect())
        };
        let of = (from, &reading);
        let ways = Ways {
            changes_in,
            is_unsure: |_, _| Ok(false),
        };
        let Ok(judged) = judge(&known, of, ProblemNumber(next), &ways);
        for problem in judged.problems {
            self.problems.insert(problem.number, problem);
        }
        let told = judged.events.iter();
        let mut told: Vec<_> = told
            .map(|(number, event)| format!("{number} {}", event.as_str()))
            .collect();
        if reading.is_flaky() && self.flaky_for == 0 {
            told.push("subject flaky".to_owned());
        }
        self.flaky_for = reading.flaky_for;
        told
    }

    /// The problems that there are, without their numbers.
    fn state(&self) -> Vec<(Found, Vec<Suspect>, Vec<Suspect>)> {
        let all = self
            .problems
            .values()
            .filter(|one| one.state < ProblemState::Flaky);
        let mut all: Vec<_> = all
            .map(|one| {
                (
                    one.found.clone(),
                    one.suspects.clone(),
                    one.fixed_in.clone(),
                )
            })
            .collect();
        all.sort_by_key(|(found, ..)| (found.first, found.symptoms.clone()));
        all
    }
}

fn expected(problem: &Problem) -> ExpectedProblem {
    let numbers = |all: &[Suspect]| all.iter().map(|one| one.change.0).collect();
    let found = &problem.found;
    ExpectedProblem {
        number: problem.number.0,
        sole_suspect: problem.sole_suspect().map(ToOwned::to_owned),
        first: found.first.0,
        last: found.last.0,
        after: found.after.map(|point| point.0),
        symptoms: found.symptoms.iter().cloned().collect(),
        suspects: numbers(&problem.suspects),
        state: problem.state.as_str().to_owned(),
        doubt: found.doubt.map(|doubt| doubt.as_str().to_owned()),
        unseen_since: found.unseen_since.map(|point| point.0),
        fixed_in: numbers(&problem.fixed_in),
    }
}

fn answer(said: &Said) -> Option<Answer> {
    Some(match said.outcome.as_str() {
        "pass" => Answer::Pass,
        "fail" => Answer::Fail(said.symptoms.iter().cloned().collect()),
        "absent" => Answer::Absent,
        "none" => return None,
        other => panic!("{other}"),
    })
}

fn run(case: &History) {
    let mut subject = Subject {
        changes: case.given.changes.clone(),
        ..Subject::default()
    };
    for (said, expected) in case.given.evidence.iter().zip(&case.expect.told) {
        let told = answer(said).map(|answer| {
            subject.hear(Evidence {
                build: BuildId(said.build),
                point: ChangeNumber(said.point),
                answer,
                slave: None,
            })
        });
        let told = told.unwrap_or_default();
        assert_eq!(told, *expected, "{} after build {}", case.id, said.build);
    }
    assert_eq!(subject.flaky_for > 0, case.expect.flaky, "{}", case.id);
    let problems = subject.problems.values();
    let there = problems.filter(|one| one.state < ProblemState::Flaky);
    let there: Vec<_> = there.map(expected).collect();
    assert_eq!(there, case.expect.problems, "{}", case.id);
}

#[test]
fn all_cases_of_problems_and_fingerprints() {
    let file = include_str!("../../tests/data/problem-cases.json");
    let cases: Cases = serde_json::from_str(file).unwrap();
    assert_eq!(cases.cases.len(), 41);
    for case in &cases.cases {
        match case {
            Case::Fingerprint(Lines { id, given, expect }) => {
                let prints: Vec<_> = given.lines.iter().map(|line| fingerprint(line)).collect();
                assert_eq!(prints, expect.prints, "{id}");
                assert_eq!(prints[0] == prints[1], expect.same, "{id}");
            }
            Case::Problem(case) => run(case),
        }
    }
}

#[test]
fn prb_06_problems_do_not_depend_on_the_order_of_the_evidence() {
    let histories = if std::env::var_os("SLOW_TESTS").is_some() {
        100_000
    } else {
        1_000
    };
    for seed in 0..histories {
        let mut random = StdRng::seed_from_u64(seed);
        let count = random.random_range(1..15);
        let is_accident = random.random_bool(0.1);
        let mut evidence: Vec<_> = (1..=count)
            .map(|build| {
                let point = ChangeNumber(random.random_range(1..12));
                let passes = match is_accident {
                    true => random.random_bool(0.5),
                    false => point.0 % 5 < 3,
                };
                let mut symptoms = vec!["a", "b", "c"];
                symptoms.retain(|_| random.random_bool(0.4));
                let symptoms = symptoms.into_iter().map(ToOwned::to_owned);
                let answer = match passes {
                    _ if random.random_bool(0.1) => Answer::Absent,
                    true => Answer::Pass,
                    false => Answer::Fail(symptoms.collect()),
                };
                Evidence {
                    build: BuildId(build),
                    point,
                    answer,
                    slave: None,
                }
            })
            .collect();
        let changes: Vec<_> = (1..12)
            .map(|change| Suspect {
                change: ChangeNumber(change),
                who: format!("author {}", change % 3),
            })
            .collect();
        let mut states = Vec::new();
        for _ in 0..10 {
            evidence.shuffle(&mut random);
            let mut subject = Subject {
                changes: changes.clone(),
                ..Subject::default()
            };
            for one in &evidence {
                subject.hear(one.clone());
            }
            states.push((subject.flaky_for, subject.state()));
        }
        assert!(states.windows(2).all(|two| two[0] == two[1]), "{seed}");
    }
}

#[test]
fn prb_26_the_short_way_to_judge_an_answer_comes_to_what_the_long_way_does() {
    let mut shorter = 0;
    for seed in 0..1_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut short, mut long) = (Subject::default(), Subject::default());
        let changes = (1..60).map(|change| Suspect {
            change: ChangeNumber(change),
            who: format!("author {}", change % 3),
        });
        short.changes = changes.collect();
        long.changes.clone_from(&short.changes);
        let (mut point, mut passes, mut symptoms) = (1, true, vec!["a"]);
        for build in 1..40 {
            if random.random_bool(0.3) {
                passes = !passes;
            }
            if random.random_bool(0.1) {
                symptoms = vec!["a", "b", "c", "d", "e"];
                symptoms.retain(|_| random.random_bool(0.3));
            }
            point += u64::from(random.random_bool(0.95));
            let is_late = random.random_bool(0.03);
            let new = Evidence {
                build: BuildId(build),
                point: ChangeNumber(if is_late {
                    random.random_range(1..=point)
                } else {
                    point
                }),
                answer: match passes {
                    _ if random.random_bool(0.05) => Answer::Absent,
                    true => Answer::Pass,
                    false => Answer::Fail(symptoms.iter().map(|&one| one.to_owned()).collect()),
                },
                slave: None,
            };
            long.hear(new.clone());
            short.hear_shortly(new);
            assert_eq!(short.problems, long.problems, "{seed}, build {build}");
            assert_eq!(short.flaky_for, long.flaky_for, "{seed}, build {build}");
            shorter += usize::from(short.flaky_for == 0);
        }
    }
    assert!(shorter > 10_000, "{shorter} of steady subjects");
}

#[test]
fn prb_03_a_fingerprint_is_short_and_there_are_few_of_them() {
    assert_eq!(fingerprint(&"é".repeat(1000)).chars().count(), 300);
    let lines: Vec<_> = (0..100)
        .map(|n| format!("{} failed", "x".repeat(n)))
        .collect();
    assert_eq!(symptoms(lines.iter().map(String::as_str)).len(), 50);
    assert_eq!(symptoms(["", "\x1b[0m", "  "]).len(), 0);
    for (line, print) in [
        ("12:01:07.123 E gone", "E gone"),
        ("(2024-05-01 12:00:00,5) lost", "lost"),
        (
            "see http://example.org/a/b.c:3",
            "see http://example.org/a/b.c:#",
        ),
        ("a /b c", "a /b c"),
        ("cafe deadbeef facade", "cafe deadbeef facade"),
        ("/", "/"),
    ] {
        assert_eq!(fingerprint(line), print);
    }
}

#[test]
fn flk_01_evidence_is_kept_back_to_a_passing_point_before_the_last_hundred() {
    let at = |point, answer| Evidence {
        build: BuildId(point),
        point: ChangeNumber(point),
        answer,
        slave: None,
    };
    let fail = || Answer::Fail(["x".to_owned()].into());
    let mut evidence = vec![at(1, Answer::Pass), at(2, fail()), at(3, Answer::Pass)];
    let kept = |evidence: &[Evidence]| kept(evidence, &read(evidence));
    assert_eq!(kept(&evidence), Kept::Since(ChangeNumber(0)));
    evidence.extend((4..=102).map(|point| at(point, Answer::Pass)));
    // The point before the last hundred fails.
    assert_eq!(kept(&evidence), Kept::Since(ChangeNumber(1)));
    evidence.push(at(103, Answer::Pass));
    assert_eq!(kept(&evidence), Kept::Nothing);
    // A proof of flakiness is kept for as long as it counts, and then a point before it.
    evidence.push(at(50, fail()));
    assert_eq!(kept(&evidence), Kept::Since(ChangeNumber(3)));
}

#[test]
fn prb_24_what_is_kept_of_a_long_failure_is_bounded_and_says_the_same() {
    let mut evidence = vec![Evidence {
        build: BuildId(1),
        point: ChangeNumber(1),
        answer: Answer::Pass,
        slave: None,
    }];
    for point in 2..3000 {
        let symptom = if point < 1000 { "first" } else { "second" };
        evidence.push(Evidence {
            build: BuildId(point),
            point: ChangeNumber(point),
            answer: Answer::Fail([symptom.to_owned()].into()),
            slave: None,
        });
        let before = read(&evidence);
        if let Kept::Points(points) = kept(&evidence, &before) {
            evidence.retain(|one| points.contains(&one.point));
            assert!(evidence.len() < 220, "{}", evidence.len());
            assert_eq!(read(&evidence), before, "{point}");
        }
        assert!(evidence.len() <= 400);
    }
    let problems = read(&evidence).problems;
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[1].first, ChangeNumber(1000));
    assert_eq!(problems[0].unseen_since, Some(ChangeNumber(1000)));
}

#[test]
fn prb_12_a_test_that_fails_with_another_message_than_at_first_is_in_doubt() {
    let fails = |print: &str| {
        let print = Some(print).filter(|print| !print.is_empty());
        Answer::Fail(print.map(ToOwned::to_owned).into_iter().collect())
    };
    for (prints, doubt) in [
        (["a", "a"], None),
        (["a", ""], None),
        (["", "a"], None),
        (["a", "b"], Some(Doubt::SymptomChanged)),
    ] {
        let evidence = [
            said(1, 1, "s", Answer::Pass),
            said(2, 2, "s", fails(prints[0])),
            said(3, 3, "s", fails(prints[1])),
        ];
        let problems = read_test(&evidence).problems;
        assert_eq!(problems.len(), 1, "a test is its own symptom");
        assert_eq!(problems[0].doubt, doubt, "{prints:?}");
    }
}

#[test]
fn prb_12_a_build_of_unknown_sources_in_between_is_a_doubt() {
    let evidence = [
        said(1, 1, "s", Answer::Pass),
        said(2, 3, "s", Answer::Fail(BTreeSet::new())),
    ];
    let judged = |known: &[Problem], is_unsure: bool| {
        let ways = Ways {
            changes_in: |_, _| Ok::<_, Infallible>(Vec::new()),
            is_unsure: |_, _| Ok(is_unsure),
        };
        let Ok(judged) = judge(
            known,
            (ChangeNumber(0), &read(&evidence)),
            ProblemNumber(1),
            &ways,
        );
        judged
    };
    assert_eq!(judged(&[], false).problems[0].found.doubt, None);
    let unsure = judged(&[], true).problems;
    assert_eq!(unsure[0].found.doubt, Some(Doubt::PointUnknown));
    assert!(
        judged(&unsure, false).problems.is_empty(),
        "it stays in doubt"
    );
}

#[test]
fn flk_08_a_flaky_subject_has_a_rate_and_contradictions() {
    let fail = || Answer::Fail(BTreeSet::new());
    let mut evidence = vec![said(1, 1, "s", Answer::Pass), said(2, 1, "s", fail())];
    evidence.extend((2..=12).map(|point| said(point + 1, point, "s", Answer::Mixed)));
    // A problem of its own is not a part of the rate.
    evidence.extend((13..=15).map(|point| said(point + 1, point, "s", fail())));
    evidence.push(said(17, 16, "s", Answer::Absent));
    let flaky = flakiness(&evidence, &read(&evidence));
    assert_eq!((flaky.failing, flaky.answers), (12, 13));
    let points: Vec<_> = flaky.contradictions.iter().map(|one| one.point.0).collect();
    assert_eq!(points, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    assert_eq!(flaky.contradictions[0].failing, BuildId(13));
}
