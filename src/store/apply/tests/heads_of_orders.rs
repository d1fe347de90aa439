//! Which letters can be sent: the first of each order, whatever becomes of them (OUT-07, OUT-13).

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::model::{Fate, Letter, LetterFacts, LetterId, LetterOp, LetterState};
use crate::store::read::{LetterFilter, LetterRow};

const TARGETS: [&str; 3] = ["chat", "mail", "web"];

fn letter(target: &str, order: u32, replaces: bool, time: i64) -> Letter {
    Letter {
        target: target.to_owned(),
        order: format!("order {order}"),
        facts: LetterFacts::Digest {
            count: 1,
            last: "x".to_owned(),
        },
        replaces,
        at: at(time),
    }
}

/// What may happen to one of the first `written` letters.
fn happens(random: &mut StdRng, time: i64, written: u64) -> LetterOp {
    let letter = LetterId(random.random_range(1..=written));
    let (why, now) = ("why".to_owned(), at(time));
    let tried = |fate| LetterOp::Tried {
        letter,
        fate,
        at: now,
    };
    match random.random_range(0..7) {
        0 | 1 => tried(Fate::Delivered),
        2 => tried(Fate::Dead { why }),
        3 => tried(Fate::Split {
            to: vec!["ann".to_owned(), "bob".to_owned()],
        }),
        4 => tried(Fate::Later {
            why,
            next_at: at(time + 500),
        }),
        5 => LetterOp::Retried {
            letters: vec![letter],
            at: now,
        },
        _ => LetterOp::Dropped {
            letters: vec![letter],
            at: now,
        },
    }
}

/// The first letter of each order, in the order in which they are to be tried.
fn heads(all: &[LetterRow]) -> Vec<LetterId> {
    let mut heads: BTreeMap<_, &LetterRow> = BTreeMap::new();
    let waiting = all.iter().filter(|one| one.state == LetterState::Waiting);
    for one in waiting {
        heads.entry((&one.target, &one.order)).or_insert(one);
    }
    let mut heads: Vec<_> = heads.into_values().collect();
    heads.sort_by_key(|one| (one.next_at, one.id));
    heads.iter().map(|one| one.id).collect()
}

#[test]
fn out_07_the_first_letter_of_each_order_can_be_sent() {
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        apply_all(dir.path(), &[]);
        for time in 1..60 {
            let state = letters(dir.path());
            let written = state.iter().map(|one| one.id.0).max().unwrap_or(0);
            let op = match written == 0 || random.random_bool(0.5) {
                true => {
                    let target = TARGETS[random.random_range(0..TARGETS.len())];
                    let order = random.random_range(0..3);
                    let replaces = random.random_bool(0.1);
                    LetterOp::Written(letter(target, order, replaces, time))
                }
                false => happens(&mut random, time, written),
            };
            apply_all(dir.path(), &[Op::Letter(Box::new(op.clone()))]);
            let found = open_state(dir.path()).letters_to_send(100).unwrap();
            let found: Vec<_> = found.iter().map(|one| one.id).collect();
            assert_eq!(found, heads(&letters(dir.path())), "{seed}: {op:?}");
        }
    }
}

/// All letters, the oldest first.
fn letters(dir: &Path) -> Vec<LetterRow> {
    let wanted = LetterFilter::default();
    let mut all = open_state(dir).letters(&wanted, 1000).unwrap();
    all.reverse();
    all
}

#[test]
fn out_13_no_target_hides_what_waits_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let many = (0..20).map(|order| letter("mail", order, false, 1));
    let all = many.chain([letter("web", 0, false, 2)]);
    let ops = all.map(|letter| Op::Letter(Box::new(LetterOp::Written(letter))));
    apply_all(dir.path(), &ops.collect::<Vec<_>>());
    let found = open_state(dir.path()).letters_to_send(8).unwrap();
    let targets: BTreeSet<_> = found.iter().map(|one| one.target.as_str()).collect();
    assert_eq!((found.len(), targets), (9, ["mail", "web"].into()));
}
