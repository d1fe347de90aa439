#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::{LetterFacts, LetterId, LetterState};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn letter(id: u64, order: &str) -> LetterRow {
    LetterRow {
        id: LetterId(id),
        target: "mail".to_owned(),
        order: order.to_owned(),
        facts: LetterFacts::SlaveMissing {
            slave: "bot".into(),
            since: NOW,
            why: None,
            admin: String::new(),
        },
        made_at: NOW,
        next_at: NOW,
        tries: 0,
        error: None,
        state: LetterState::Waiting,
        ended_at: None,
        recipient: None,
    }
}

fn ids(letters: &[LetterRow]) -> Vec<u64> {
    letters.iter().map(|letter| letter.id.0).collect()
}

fn later(letter: &LetterRow, now: Timestamp) -> Fate {
    fate(Err(Failure::Later("down".to_owned())), letter, now)
}

#[test]
fn out_07_four_letters_of_a_target_are_on_their_way_and_one_of_an_order() {
    let mut turns = Turns::default();
    let orders = ["a", "b", "c", "d", "e"];
    let heads: Vec<_> = (1..)
        .zip(orders)
        .map(|(id, order)| letter(id, order))
        .collect();
    assert_eq!(ids(&turns.take(&heads, NOW)), [1, 2, 3, 4]);
    assert_eq!(ids(&turns.take(&heads, NOW)), Vec::<u64>::new());
    let mut other = letter(9, "a");
    other.target = "irc".to_owned();
    assert_eq!(ids(&turns.take(&[other], NOW)), [9]);
    turns.ended(&heads[1], &Fate::Delivered);
    assert_eq!(
        ids(&turns.take(&[letter(6, "a"), letter(7, "f")], NOW)),
        [7]
    );
    assert!(turns.are_sending());
}

#[test]
fn out_05_pauses_double_to_an_hour_and_end_after_three_days() {
    let mut waiting = letter(3, "a");
    let mut pauses = Vec::new();
    for tries in 0..12 {
        waiting.tries = tries;
        let Fate::Later { next_at, .. } = later(&waiting, NOW) else {
            panic!("{tries}");
        };
        pauses.push(next_at.since(NOW));
    }
    let usual = (0..12).map(|n| (5_u64 << n).min(3600));
    for (pause, usual) in pauses.iter().zip(usual) {
        let usual = Duration::from_secs(usual);
        assert!(
            *pause >= usual * 4 / 5 && *pause <= usual * 6 / 5,
            "{pause:?}"
        );
    }
    let after = NOW + Duration::from_secs(3 * 86_400 + 1);
    let why = "down".to_owned();
    assert_eq!(later(&waiting, after), Fate::Dead { why });
}

#[test]
fn out_06_what_will_never_be_taken_is_dead_at_once() {
    let why = "no such user".to_owned();
    let dead = fate(Err(Failure::Never(why.clone())), &letter(1, "a"), NOW);
    assert_eq!(dead, Fate::Dead { why });
    assert_eq!(fate(Ok(None), &letter(1, "a"), NOW), Fate::Delivered);
}

#[test]
fn out_14_a_target_that_fails_five_times_is_probed_by_one_letter() {
    let mut turns = Turns::default();
    let heads: Vec<_> = (1..=5).map(|id| letter(id, &id.to_string())).collect();
    let mut last = NOW;
    for failed in &heads {
        turns.take(std::slice::from_ref(failed), NOW);
        let fate = later(failed, NOW);
        turns.ended(failed, &fate);
        if let Fate::Later { next_at, .. } = fate {
            last = next_at;
        }
    }
    let more = [letter(6, "x"), letter(7, "y")];
    assert_eq!(ids(&turns.take(&more, NOW)), Vec::<u64>::new());
    assert_eq!(turns.pause(&more, NOW), Some(last.since(NOW)));
    assert_eq!(ids(&turns.take(&more, last)), [6]);
    turns.ended(&more[0], &Fate::Delivered);
    assert_eq!(ids(&turns.take(&more, last)), [6, 7]);
}

#[test]
fn a_letter_of_a_clock_that_was_wrong_does_not_wait_for_years() {
    let mut turns = Turns::default();
    let mut waiting = letter(1, "a");
    waiting.next_at = NOW + Duration::from_secs(365 * 86_400);
    assert_eq!(ids(&turns.take(&[waiting], NOW)), [1]);
}

fn cases() -> Vec<serde_json::Value> {
    let cases = include_str!("../../../../tests/data/outbox-cases.json");
    let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
    cases["cases"].as_array().unwrap().clone()
}

#[test]
fn out_05_all_cases_of_tries_and_pauses() {
    let mut count = 0;
    for case in cases() {
        let (given, expect) = (&case["given"], &case["expect"]);
        if let Some(asked) = given["retry_after"].as_u64() {
            let failure = Failure::Pause {
                why: String::new(),
                pause: Duration::from_secs(asked),
            };
            let Fate::Later { next_at, .. } = fate(Err(failure), &letter(1, "a"), NOW) else {
                panic!("{}", case["id"]);
            };
            assert_eq!(
                expect["next_try"],
                next_at.since(NOW).as_secs(),
                "{}",
                case["id"]
            );
        } else if given.get("target_up_after").is_some() {
            let up = given["target_up_after"].as_u64();
            let (mut at, mut tries) = (0, Vec::new());
            let end = loop {
                tries.push(at);
                match up {
                    Some(up) if at >= up => break "delivered",
                    _ if at >= LONGEST.as_secs() => break "dead",
                    _ => {}
                }
                let tried = u32::try_from(tries.len()).unwrap() - 1;
                at = (at + PAUSES.nth(tried).as_secs()).min(LONGEST.as_secs());
            };
            let first: Vec<_> = tries.iter().take(12).collect();
            assert_eq!(expect["tries"], serde_json::json!(first), "{}", case["id"]);
            assert_eq!(expect["end"], end, "{}", case["id"]);
            assert_eq!(expect["at"], at, "{}", case["id"]);
        } else {
            continue;
        }
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn out_09_a_letter_that_is_too_old_is_dropped_unsent() {
    let letter = letter(1, "a");
    let old = letter.made_at + Duration::from_secs(7 * 86_400);
    assert_eq!(stale(&letter, old), None);
    let failure = stale(&letter, old + Duration::from_secs(1)).unwrap();
    let fate = fate(Err(failure), &letter, old);
    assert!(matches!(fate, Fate::Dropped { .. }), "{fate:?}");
}

#[test]
fn out_11_letters_of_a_target_that_is_gone_wait_a_day_for_its_return() {
    let letter = letter(1, "a");
    let mut turns = Turns::default();
    let since = turns.gone_since("mail", NOW);
    let day = Duration::from_secs(86_400);
    let at = |pause: Duration| fate(Err(Failure::Gone(since)), &letter, NOW + pause);
    assert!(matches!(at(day / 2), Fate::Later { .. }));
    assert!(matches!(at(day), Fate::Dropped { .. }));
    assert_eq!(turns.gone_since("mail", NOW + day / 2), since);
    assert_eq!(turns.returned(|_| false), [""; 0]);
    assert_eq!(turns.returned(|name| name == "mail"), ["mail"]);
    assert_eq!(turns.returned(|_| true), [""; 0]);
    assert_eq!(turns.gone_since("mail", NOW + day), NOW + day);
}

#[test]
fn out_09_letters_for_channels_are_stale_after_ten_minutes() {
    let letter = letter(1, Letter::CHANNELS);
    let fresh = NOW + Duration::from_secs(599);
    assert_eq!(stale(&letter, fresh), None);
    let failure = stale(&letter, NOW + Duration::from_secs(600)).unwrap();
    let dropped = fate(Err(failure), &letter, NOW);
    assert!(matches!(dropped, Fate::Dropped { why } if why.contains("10 minutes")));
}
