#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::BranchRules;

fn refs(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    let named = all
        .iter()
        .map(|(name, tip)| (format!("refs/heads/{name}"), (*tip).to_owned()));
    named.collect()
}

fn cursor(all: &[(&str, &str)]) -> Cursor {
    Cursor {
        url: String::new(),
        selection: selection(&GitPollerConfig::default()),
        refs: refs(all),
    }
}

/// What is looked at, what is remembered, and what is noted.
fn planned(before: &[(&str, &str)], now: &[(&str, &str)]) -> (Vec<String>, Cursor, Vec<String>) {
    let plan = plan(
        Some(&cursor(before)),
        &refs(now),
        &GitPollerConfig::default(),
    );
    let look = |m: &Move| match &m.kind {
        MoveKind::Tip => format!("{} tip", short(&m.name)),
        MoveKind::Since(id) => format!("{} since {id}", short(&m.name)),
        MoveKind::Appeared => format!("{} new", short(&m.name)),
        MoveKind::Moved(old) => format!("{} from {old}", short(&m.name)),
    };
    (
        plan.moves.iter().map(look).collect(),
        plan.cursor,
        plan.notes,
    )
}

#[test]
fn pol_06_only_what_is_new_or_has_moved_is_looked_at() {
    let before = [("a", "1"), ("b", "2"), ("c", "3")];
    let (moves, stored, notes) = planned(&before, &[("a", "1"), ("b", "4"), ("d", "5")]);
    assert_eq!(moves, ["b from 2", "d new"]);
    assert_eq!(stored, cursor(&[("a", "1"), ("b", "2")]));
    assert_eq!(notes, ["c is gone"]);
}

#[test]
fn pol_06_a_rename_is_one_gone_and_one_new_at_the_same_commit() {
    let (moves, stored, notes) = planned(&[("a", "1"), ("b", "2")], &[("a", "1"), ("c", "2")]);
    assert!(moves.is_empty());
    assert_eq!(stored, cursor(&[("a", "1"), ("c", "2")]));
    assert_eq!(notes, ["b is now c"]);
    // It cannot be told which of the two it is.
    let (moves, _, notes) = planned(&[("b", "2")], &[("c", "2"), ("d", "2")]);
    assert_eq!(
        (moves.len(), notes.as_slice()),
        (2, ["b is gone".to_owned()].as_slice())
    );
    // A branch beside it is a new one.
    let (moves, ..) = planned(&[("b", "2")], &[("b", "2"), ("c", "2")]);
    assert_eq!(moves, ["c new"]);
}

#[test]
fn pol_06_into_an_empty_repository_the_first_branch_is_one_change() {
    let (moves, ..) = planned(&[], &[("main", "9")]);
    assert_eq!(moves, ["main tip"]);
}

#[test]
fn pol_07_a_named_branch_that_is_missing_is_noted() {
    let config = GitPollerConfig {
        branches: BranchRules::from_globs(&["main", "gone", "rel-*"]).unwrap(),
        ..GitPollerConfig::default()
    };
    let plan = plan(None, &refs(&[("main", "1"), ("other", "2")]), &config);
    assert_eq!(plan.missing, ["gone".to_owned()].into());
    assert_eq!(plan.cursor.refs, refs(&[("main", "1")]));
}

#[test]
fn pol_06_what_other_branches_have_is_not_new_on_a_branch_that_appears() {
    let before = cursor(&[("a", "1"), ("b", "2")]);
    let now = refs(&[("a", "3"), ("b", "2"), ("c", "4"), ("d", "5")]);
    let plan = plan(Some(&before), &now, &GitPollerConfig::default());
    let appeared = plan.moves.iter().find(|m| m.tip == "4").unwrap();
    let known = appeared.known(&before, &plan.cursor, &plan.moves);
    assert_eq!(known, ["1", "2", "3"].into());
}

fn node(id: &str, parents: &[&str]) -> Node {
    Node {
        id: id.to_owned(),
        parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
    }
}

#[test]
fn int_05_older_commits_than_were_asked_for_are_one_change() {
    let moved = Move {
        name: "refs/heads/main".to_owned(),
        tip: "9".to_owned(),
        kind: MoveKind::Moved("1".to_owned()),
    };
    let answers = Answers {
        new: vec![node("9", &["8"]), node("8", &["7"])],
        all: 8,
        loses: false,
        knows_old: true,
    };
    let work = work(&moved, answers, &GitPollerConfig::default());
    let commits: Vec<_> = work
        .commits
        .iter()
        .map(|c| (c.id.as_str(), c.stands_for))
        .collect();
    assert_eq!(commits, [("8", 6), ("9", 0)]);
    assert!(!work.forced);
}
