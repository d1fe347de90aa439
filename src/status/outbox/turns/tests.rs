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
