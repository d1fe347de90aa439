#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::verdict::{Found, Suspect};

const CASES: &str = include_str!("../../../tests/data/pester-cases.json");

const HOUR: i64 = 3600;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Problems of one person while time goes by.
struct Story<'a> {
    /// What the problems are at a time.
    affairs: &'a dyn Fn(i64) -> Vec<Affair>,
    rules: TellingRules,
}

impl Story<'_> {
    /// What they are told until then: when, and what in each letter.
    fn told(&self, until: i64) -> Vec<(i64, Due)> {
        let mut said: BTreeMap<(ProblemNumber, String), Vec<Say>> = BTreeMap::new();
        let mut written: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
        let mut letters = Vec::new();
        for now in (0..until).step_by(60) {
            let affairs = (self.affairs)(now);
            for (person, items) in due(&affairs, &said, &written, &self.rules, at(now)) {
                for (number, say) in &items {
                    let known = said.entry((*number, person.clone())).or_default();
                    known.push(*say);
                }
                written.entry(person).or_default().push(at(now));
                letters.push((now, items));
            }
        }
        letters
    }
}

fn affair(number: u64, opened: i64, state: ProblemState, standing: Standing) -> Affair {
    Affair {
        number: ProblemNumber(number),
        opened_at: at(opened),
        state,
        people: [("ann".to_owned(), standing)].into(),
    }
}

fn standing(role: Role) -> Standing {
    Standing {
        role,
        is_muted: false,
        reminders: Reminders::All,
    }
}

fn at_once() -> TellingRules {
    TellingRules {
        gather: Duration::ZERO,
        ..TellingRules::default()
    }
}

fn cases() -> Vec<Value> {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    cases["cases"].as_array().unwrap().clone()
}

#[test]
fn esc_02_esc_04_esc_05_esc_06_cases_001_to_006_of_pestering() {
    for case in &cases()[..6] {
        let given = &case["given"];
        let holds: Vec<(i64, i64)> = serde_json::from_value(given["holds"].clone()).unwrap();
        let affairs = |now: i64| {
            let is_held = holds.iter().any(|(from, to)| (*from..*to).contains(&now));
            let guilty = Standing {
                reminders: if is_held {
                    Reminders::Later
                } else {
                    Reminders::All
                },
                ..standing(Role::Guilty)
            };
            vec![affair(1, 0, ProblemState::Open, guilty)]
        };
        let story = Story {
            affairs: &affairs,
            rules: at_once(),
        };
        let letters = story.told(given["until"].as_i64().unwrap());
        let letters = letters.iter().map(|(at, due)| {
            assert_eq!(due.len(), 1);
            json!({"at": at, "harshness": due[0].1.harshness()})
        });
        let letters: Vec<_> = letters.collect();
        assert_eq!(json!(letters), case["expect"]["messages"], "{}", case["id"]);
    }
}

/// What the problem of a case makes of the person at a time, and until when it is followed.
fn scene(case: &str, now: i64) -> (ProblemState, Standing, i64) {
    use ProblemState::{Flaky, Open, Resolved};
    let day = 24 * HOUR;
    let open_until = |end: i64, state| if now < end { Open } else { state };
    let one = Standing {
        reminders: Reminders::One,
        ..standing(Role::SoleSuspect)
    };
    match case {
        "pester-007" => (
            open_until(3 * day, Resolved),
            standing(Role::Interested),
            4 * day,
        ),
        "pester-009" => (Open, one, 5 * day),
        "pester-010" => {
            let role = if now < 1200 {
                Role::SoleSuspect
            } else {
                Role::Guilty
            };
            (Open, standing(role), 5 * HOUR)
        }
        "pester-011" => (Open, standing(Role::Suspect), 5 * day),
        "pester-012" => (Open, standing(Role::Responsible), 3 * day + 60),
        "pester-013" => (
            open_until(HOUR / 2 + 60, Flaky),
            standing(Role::Guilty),
            day,
        ),
        "pester-014" => {
            let muted = Standing {
                is_muted: now > 0,
                ..standing(Role::Guilty)
            };
            (open_until(day, Resolved), muted, 2 * day)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn esc_01_esc_03_prb_22_cases_007_to_014_of_pestering() {
    for case in &cases()[6..14] {
        let id = case["id"].as_str().unwrap();
        let count = |word: &str| {
            let all = case["expect"]["messages"].as_array().unwrap();
            let count = all
                .iter()
                .filter(|message| message.as_str().unwrap().contains(word));
            count.count()
        };
        let letters = match id {
            "pester-008" => {
                // After two hours the search has found somebody else.
                let affairs = |now: i64| {
                    let mut all = affair(1, 0, ProblemState::Open, standing(Role::Suspect));
                    if now >= 2 * HOUR {
                        all.people.clear();
                    }
                    vec![all]
                };
                let rules = at_once();
                let story = Story {
                    affairs: &affairs,
                    rules,
                };
                story.told(24 * HOUR)
            }
            _ => {
                let until = scene(id, 0).2;
                let affairs = |now: i64| {
                    let (state, standing, _) = scene(id, now);
                    vec![affair(1, 0, state, standing)]
                };
                let rules = at_once();
                let story = Story {
                    affairs: &affairs,
                    rules,
                };
                story.told(until)
            }
        };
        let said: Vec<_> = letters.iter().flat_map(|(_, due)| due).collect();
        let is = |wanted: fn(&Say) -> bool| said.iter().filter(|(_, say)| wanted(say)).count();
        assert_eq!(
            said.len(),
            case["expect"]["messages"].as_array().unwrap().len(),
            "{id}"
        );
        assert!(matches!(said[0].1, Say::Opened(_)), "{id}");
        assert_eq!(
            is(|say| matches!(say, Say::Reminder(_))),
            count("reminder"),
            "{id}"
        );
        assert_eq!(is(|say| matches!(say, Say::Daily(_))), count("day"), "{id}");
        assert_eq!(is(|say| *say == Say::Cleared), count("cleared"), "{id}");
        assert_eq!(is(|say| *say == Say::Ended), count("resolved"), "{id}");
    }
}

#[test]
fn esc_07_cases_015_and_016_of_pestering() {
    // Twelve problems of one cause, then twelve of twelve causes within ten minutes.
    for (case, apart, lists) in [("pester-015", 0, vec![12]), ("pester-016", 50, vec![1, 11])] {
        let affairs = |now: i64| {
            let all = (0..12).filter(|place| place * apart <= now);
            let all = all.map(|place| {
                let number = u64::try_from(place).unwrap() + 1;
                affair(
                    number,
                    place * apart,
                    ProblemState::Open,
                    standing(Role::Guilty),
                )
            });
            all.collect()
        };
        let rules = at_once();
        let story = Story {
            affairs: &affairs,
            rules,
        };
        let letters = story.told(3000);
        let found: Vec<_> = letters.iter().map(|(_, due)| due.len()).collect();
        assert_eq!(found, lists, "{case}");
        let cases = cases();
        let expected = cases.iter().find(|one| one["id"] == case).unwrap();
        assert_eq!(
            json!(letters.len()),
            expected["expect"]["messages"],
            "{case}"
        );
    }
}

#[test]
fn esc_07_nobody_gets_more_than_ten_letters_a_day() {
    let affairs = |now: i64| {
        let all = (0..=now / HOUR).map(|hour| {
            let number = u64::try_from(hour).unwrap() + 1;
            affair(
                number,
                hour * HOUR,
                ProblemState::Open,
                standing(Role::Suspect),
            )
        });
        all.collect()
    };
    let story = Story {
        affairs: &affairs,
        rules: at_once(),
    };
    assert_eq!(story.told(24 * HOUR).len(), 10);
    let all = story.told(48 * HOUR);
    let told: usize = all.iter().map(|(_, due)| due.len()).sum();
    assert!(told >= 34, "what waited is in one letter: {told}");
}

#[test]
fn prb_17_nobody_is_told_before_a_cause_has_gathered() {
    let affairs = |now: i64| match now {
        // It was gone before anybody was told.
        600.. => vec![affair(
            1,
            400,
            ProblemState::Resolved,
            standing(Role::Suspect),
        )],
        400.. => vec![affair(1, 400, ProblemState::Open, standing(Role::Suspect))],
        _ => vec![],
    };
    let story = Story {
        affairs: &affairs,
        rules: TellingRules::default(),
    };
    assert_eq!(story.told(24 * HOUR), []);
}

#[test]
fn prb_17_problems_with_the_same_suspects_are_one_cause() {
    let problem = |number, changes: &[u64]| Problem {
        number: ProblemNumber(number),
        found: Found {
            first: ChangeNumber(9),
            last: ChangeNumber(9),
            after: None,
            symptoms: Default::default(),
            end: None,
            doubt: None,
            unseen_since: None,
            slave: None,
        },
        suspects: changes
            .iter()
            .map(|change| Suspect {
                change: ChangeNumber(*change),
                who: "ann".to_owned(),
            })
            .collect(),
        fixed_in: vec![],
        state: ProblemState::Open,
    };
    let all = [
        problem(1, &[]),
        problem(2, &[7, 8]),
        problem(3, &[]),
        problem(4, &[7, 8]),
        problem(5, &[8]),
        problem(6, &[6, 7, 8]),
    ];
    let mut problems: Vec<_> = all.iter().map(|one| (one, None)).collect();
    // A search has found the guilty change of the last one.
    problems[5].1 = Some(ChangeNumber(8));
    let causes = causes(&problems);
    let causes: Vec<_> = causes.iter().map(|(one, cause)| (one.0, cause.0)).collect();
    assert_eq!(causes, [(1, 1), (2, 2), (3, 3), (4, 2), (5, 5), (6, 5)]);
}

#[test]
fn infra_009_thirty_tests_that_fail_at_once_are_one_letter() {
    let affairs = |_: i64| {
        let all = (1..=30).map(|n| affair(n, 0, ProblemState::Open, standing(Role::SoleSuspect)));
        all.collect()
    };
    let story = Story {
        affairs: &affairs,
        rules: TellingRules::default(),
    };
    let letters = story.told(HOUR);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].1.len(), 30);
}

#[test]
fn esc_02_one_of_several_who_is_proved_guilty_hears_it_once_and_without_a_backlog() {
    let affairs = |now: i64| {
        // The search takes from the evening to the next noon.
        let role = match now < 18 * HOUR {
            true => Role::Suspect,
            false => Role::Guilty,
        };
        vec![affair(1, 0, ProblemState::Open, standing(role))]
    };
    let story = Story {
        affairs: &affairs,
        rules: at_once(),
    };
    let told = story.told(49 * HOUR);
    let told: Vec<_> = told.iter().map(|(at, due)| (*at, due[0].1)).collect();
    assert_eq!(
        told,
        [
            (0, Say::Opened(Role::Suspect)),
            (18 * HOUR, Say::Proved(2)),
            (24 * HOUR, Say::Reminder(3)),
            (48 * HOUR, Say::Reminder(4)),
        ]
    );
}
