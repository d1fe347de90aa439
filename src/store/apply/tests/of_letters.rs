//! Letters about builds and sets, in the transaction of the end.

use super::*;
use crate::model::{
    BuildTold, Judgement, Letter, LetterFacts, LetterOp, LetterState, NewsMode, PreviousBuild,
    ProblemNumber, ProblemsTold, Told,
};
use crate::store::read::{LetterFilter, LetterRow};

/// The end of a build of `quick`, of which this target is told.
fn told(build: u64, modes: &[NewsMode], (previous, by_set): (PreviousBuild, bool)) -> Op {
    let told = Told {
        target: "MailNotifier".to_owned(),
        modes: modes.to_vec(),
        previous,
        by_set,
        events: Vec::new(),
    };
    let ended = BuildTold {
        build: BuildId(build),
        told: vec![told],
        at: at(400),
    };
    Op::Letter(Box::new(LetterOp::BuildEnded(ended)))
}

fn set_ended(set: u64) -> Op {
    Op::Letter(Box::new(LetterOp::SetEnded {
        set: SetId(set),
        targets: vec!["MailNotifier".to_owned()],
        at: at(401),
    }))
}

/// Build `number` of `quick`, of a set of its own on this branch, from its start to its end.
fn a_build(number: u64, branch: &str, result: Results) -> Vec<Op> {
    let mut set = (*a_set(number, number, &["quick"], vec![])).clone();
    let stamp = SourceStamp {
        branch: Some(branch.to_owned()),
        ..SourceStamp::default()
    };
    set.stamps = Arc::new(stamp.into());
    vec![
        Op::SetSubmitted(Arc::new(set)),
        started(number, "quick", number, &[number]),
        finished(number, result),
    ]
}

fn letters(dir: &Path) -> Vec<LetterRow> {
    let mut letters = open_state(dir)
        .letters(&LetterFilter::default(), 100)
        .unwrap();
    letters.reverse();
    letters
}

#[test]
fn out_02_a_letter_has_what_the_end_and_the_build_before_it_say() {
    let dir = tempfile::tempdir().unwrap();
    let usual = (PreviousBuild::Line, false);
    let mut ops = vec![Op::ChangeAdded(a_change(1))];
    for (number, result) in [
        (1, Results::Success),
        (2, Results::Failure),
        (3, Results::Failure),
    ] {
        ops.extend(a_build(number, "main", result));
        ops.push(told(number, &[NewsMode::Problem], usual));
    }
    ops.extend(a_build(4, "main", Results::Retry));
    ops.push(told(4, &[NewsMode::Change, NewsMode::Failing], usual));
    ops.extend(a_build(5, "main", Results::Success));
    ops.push(told(5, &[NewsMode::Fixed], usual));
    apply_all(dir.path(), &ops);
    let letters = letters(dir.path());
    let said = letters.iter().map(|letter| match &letter.facts {
        LetterFacts::Build(facts) => {
            assert_eq!(facts.set, Some(SetId(facts.number.0)));
            let ending = facts.ending;
            (facts.number.0, ending.previous, ending.judgement)
        }
        LetterFacts::BuildSet { .. }
        | LetterFacts::SlaveMissing { .. }
        | LetterFacts::IrcCode { .. }
        | LetterFacts::Commit(_)
        | LetterFacts::Problems(_)
        | LetterFacts::QuarantineEnds { .. }
        | LetterFacts::Digest { .. } => panic!("{letter:?}"),
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            (2, Some(Results::Success), Some(Judgement::New)),
            (5, Some(Results::Failure), Some(Judgement::Fixed)),
        ]
    );
    assert_eq!(letters[0].order, "builder quick");
}

#[test]
fn mal_03_the_previous_build_is_of_the_line_or_has_the_number_before() {
    let told_by = |rule: PreviousBuild| {
        let dir = tempfile::tempdir().unwrap();
        let mut ops = vec![Op::ChangeAdded(a_change(1))];
        let builds = [
            ("a", Results::Success),
            ("b", Results::Failure),
            ("b", Results::Failure),
            ("a", Results::Failure),
        ];
        for (number, (branch, result)) in (1..).zip(builds) {
            ops.extend(a_build(number, branch, result));
            ops.push(told(number, &[NewsMode::Problem], (rule, false)));
        }
        apply_all(dir.path(), &ops);
        let letters = letters(dir.path());
        letters
            .iter()
            .map(|letter| letter.facts.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told_by(PreviousBuild::Line),
        ["build quick/4 ended with failure"]
    );
    assert_eq!(
        told_by(PreviousBuild::Number),
        ["build quick/2 ended with failure"]
    );
}

#[test]
fn mal_13_a_letter_about_a_set_has_its_wanted_builds_and_comes_once() {
    let dir = tempfile::tempdir().unwrap();
    let by_set = (PreviousBuild::Line, true);
    let modes = [NewsMode::Failing];
    let mut ops = vec![
        Op::ChangeAdded(a_change(1)),
        Op::SetSubmitted(a_set(1, 1, &["quick", "full", "slow"], vec![a_change(1)])),
        started(1, "quick", 1, &[1]),
        finished(1, Results::Failure),
        told(1, &modes, by_set),
        started(2, "full", 1, &[2]),
        finished(2, Results::Success),
        told(2, &modes, by_set),
        started(3, "slow", 1, &[3]),
        finished(3, Results::Failure),
        told(3, &modes, by_set),
    ];
    apply_all(dir.path(), &ops);
    assert_eq!(letters(dir.path()), []);
    ops = vec![set_ended(1), set_ended(1)];
    apply_all(dir.path(), &ops);
    let letters = letters(dir.path());
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    let LetterFacts::BuildSet { set, builds, more } = &letter.facts else {
        panic!("{letter:?}");
    };
    let builders: Vec<_> = builds.iter().map(|build| build.builder.as_str()).collect();
    assert_eq!((set.0, builders, *more), (1, vec!["quick", "slow"], 0));
    assert_eq!(letter.order, "build set 1");
}

#[test]
fn out_01_the_facts_about_a_large_set_have_at_most_sixteen_kib() {
    let dir = tempfile::tempdir().unwrap();
    let by_set = (PreviousBuild::Line, true);
    let name = "a-builder-with-a-long-name-".repeat(8);
    let mut ops = vec![
        Op::SetSubmitted(a_set(1, 1, &[&name], vec![])),
        started(1, &name, 1, &[1]),
        finished(1, Results::Failure),
    ];
    ops.extend((0..200).map(|_| told(1, &[NewsMode::Failing], by_set)));
    ops.push(set_ended(1));
    apply_all(dir.path(), &ops);
    let letters = letters(dir.path());
    let LetterFacts::BuildSet { builds, more, .. } = &letters[0].facts else {
        panic!("{letters:?}");
    };
    assert_eq!(builds.len() as u64 + more, 200);
    let facts = serde_json::to_string(&letters[0].facts).unwrap();
    assert!(
        facts.len() <= 16 * 1024 && builds.len() > 20,
        "{}",
        facts.len()
    );
}

/// A letter about a slave, of this order.
fn a_letter(order: &str, replaces: bool) -> Op {
    let facts = LetterFacts::SlaveMissing {
        slave: order.into(),
        since: at(1),
        why: None,
        admin: String::new(),
    };
    let letter = Letter {
        target: "t".to_owned(),
        order: order.to_owned(),
        facts,
        replaces,
        at: at(500),
    };
    Op::Letter(Box::new(LetterOp::Written(letter)))
}

#[test]
fn out_08_a_letter_that_replaces_takes_out_the_older_ones_of_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let written = [("a", false), ("b", false), ("a", true), ("a", true)];
    let ops = written.map(|(order, replaces)| a_letter(order, replaces));
    apply_all(dir.path(), &ops);
    let letters = letters(dir.path());
    let states: Vec<_> = letters.iter().map(|letter| letter.state).collect();
    let (dropped, waiting) = (LetterState::Dropped, LetterState::Waiting);
    assert_eq!(states, [dropped, waiting, dropped, waiting]);
    assert_eq!(letters[0].error.as_deref(), Some("superseded"));
}

#[test]
fn out_10_beyond_ten_thousand_waiting_letters_new_ones_join_the_digest_of_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut ops: Vec<_> = (0..10_000).map(|_| a_letter("a", false)).collect();
    ops.extend(["a", "b", "a", "a"].map(|order| a_letter(order, false)));
    apply_all(dir.path(), &ops);
    let state = open_state(dir.path());
    let newest = state.letters(&LetterFilter::default(), 3).unwrap();
    let about: Vec<_> = newest
        .iter()
        .map(|letter| letter.facts.to_string())
        .collect();
    assert_eq!(
        about,
        [
            "slave b is missing",
            "slave a is missing, and 2 more like it",
            "slave a is missing"
        ]
    );
    assert_eq!(state.outbox().unwrap()[0].waiting, 10_002);
    let told = ProblemsTold {
        person: "ann".to_owned(),
        problems: Vec::new(),
        more: 0,
        read_along: Vec::new(),
        thread: ProblemNumber(1),
        instead_of: None,
    };
    let letter = Letter::of_problems("t", told, at(500));
    apply_all(
        dir.path(),
        &[Op::Letter(Box::new(LetterOp::Written(letter)))],
    );
    let newest = open_state(dir.path()).letters(&LetterFilter::default(), 1);
    let is_alone = matches!(newest.unwrap()[0].facts, LetterFacts::Problems(_));
    assert!(is_alone, "letters about problems do not join");
}
