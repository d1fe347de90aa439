//! Tests of steps, and their history.

use super::*;
use crate::model::{
    Pruned, TestHash, TestName, TestOutcome, TestRow, TestTable, TestsReport, ToldTest,
};
use TestOutcome::{Error, Failed, Passed};

pub(super) fn name(test: &str) -> TestName {
    TestName::new(["suite", test])
}

/// Build `number` of `quick`, and its report with these outcomes, compared with the state.
fn build_with(dir: &Path, number: u64, tests: &[(&str, TestOutcome)], is_complete: bool) {
    begin(dir, number);
    let report = report(dir, number, tests, is_complete);
    apply_all(
        dir,
        &[
            Op::TestsReported(Box::new(report)),
            finished(number, Results::Success),
        ],
    );
}

fn begin(dir: &Path, number: u64) {
    let set = a_set(number, number, &["quick"], vec![a_change(1)]);
    apply_all(
        dir,
        &[
            Op::SetSubmitted(set),
            started(number, "quick", number, &[number]),
            step_started(number, 0, "check"),
        ],
    );
}

pub(super) fn report(
    dir: &Path,
    number: u64,
    tests: &[(&str, TestOutcome)],
    is_complete: bool,
) -> TestsReport {
    let rows = tests.iter().map(|(test, outcome)| TestRow {
        hash: name(test).hash(),
        outcome: *outcome,
        millis: Some(12),
    });
    let table = TestTable::new(rows.collect());
    let state = open_state(dir);
    let of = BuildId(number);
    let compared = state.compare_tests(of, "check", &table, is_complete);
    let (compared, unknown) = compared.unwrap();
    let names = tests.iter().map(|(test, _)| name(test));
    let told = tests.iter().filter(|(_, outcome)| outcome.is_bad());
    TestsReport {
        build: of,
        index: 0,
        step: "check".to_owned(),
        counts: Default::default(),
        is_complete,
        notes: Vec::new(),
        told: told
            .map(|(test, outcome)| ToldTest {
                name: name(test),
                outcome: *outcome,
                message: Some("why".to_owned()),
                place: None,
                attempts: 1,
                is_flaky: false,
            })
            .collect(),
        names: names
            .filter(|name| unknown.contains(&name.hash()))
            .collect(),
        table,
        compared: Some(compared),
        at: at(350),
    }
}

fn a_state() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    reopen(dir.path());
    apply_all(dir.path(), &[Op::ChangeAdded(a_change(1))]);
    dir
}

/// The builds at which the outcome of a test became another, the newest first.
fn history(dir: &Path, test: &str) -> Vec<(u64, Option<TestOutcome>)> {
    let changes = open_state(dir)
        .test_history(name(test).hash(), 1000)
        .unwrap();
    let changes = changes.into_iter();
    changes
        .map(|change| (change.number.0, change.outcome))
        .collect()
}

#[test]
fn tst_09_a_test_has_a_row_when_its_outcome_changes() {
    let dir = a_state();
    let dir = dir.path();
    build_with(dir, 1, &[("a", Passed), ("b", Failed)], true);
    build_with(dir, 2, &[("a", Passed), ("b", Failed), ("c", Passed)], true);
    build_with(dir, 3, &[("a", Error), ("c", Passed)], false);
    build_with(dir, 4, &[("a", Error), ("c", Passed)], true);
    assert_eq!(history(dir, "a"), [(3, Some(Error)), (1, Some(Passed))]);
    // An incomplete report says nothing of what it lacks.
    assert_eq!(history(dir, "b"), [(4, None), (1, Some(Failed))]);
    assert_eq!(history(dir, "c"), [(2, Some(Passed))]);
    let state = open_state(dir);
    assert_eq!(state.test_name(name("a").hash()).unwrap(), Some(name("a")));
    assert_eq!(state.test_name(TestHash(7)).unwrap(), None);
    let tests = state.tests_of_build(BuildId(4)).unwrap();
    let told = &tests[0].told[0];
    assert_eq!(
        (&told.test.name, told.since),
        (&name("a"), Some(BuildNumber(3)))
    );
    let all: Vec<_> = tests[0].all.iter().map(|(name, ..)| name.shown()).collect();
    assert_eq!(all, ["suite.a", "suite.c"]);
}

#[test]
fn tst_09_a_report_is_compared_again_if_another_has_come_between() {
    let dir = a_state();
    let dir = dir.path();
    begin(dir, 1);
    begin(dir, 2);
    // Both are compared with a line that has no reports.
    let reports = [1, 2].map(|number| report(dir, number, &[("a", Passed)], true));
    let ops = reports.map(|report| Op::TestsReported(Box::new(report)));
    apply_all(dir, &ops);
    assert_eq!(history(dir, "a"), [(1, Some(Passed))]);
}

#[test]
fn tst_09_an_older_build_does_not_move_its_line() {
    let dir = a_state();
    let dir = dir.path();
    begin(dir, 1);
    build_with(dir, 2, &[("a", Passed)], true);
    let late = report(dir, 1, &[("a", Failed)], true);
    apply_all(dir, &[Op::TestsReported(Box::new(late))]);
    assert_eq!(history(dir, "a"), [(2, Some(Passed))]);
    assert_eq!(open_state(dir).tests_of_build(BuildId(1)).unwrap().len(), 1);
}

#[test]
fn tst_09_the_newest_two_hundred_reports_keep_all_outcomes() {
    let dir = a_state();
    let dir = dir.path();
    for number in 1..=202 {
        build_with(dir, number, &[("a", Passed)], true);
    }
    let kept = |number| {
        let tests = open_state(dir).tests_of_build(BuildId(number)).unwrap();
        tests[0].all.len()
    };
    assert_eq!([1, 2, 3, 202].map(kept), [0, 0, 1, 1]);
}

#[test]
fn tst_11_reports_of_tries_are_kept_with_the_build_only() {
    let dir = a_state();
    let dir = dir.path();
    begin_try(dir);
    let of_try = report(dir, 1, &[("a", Failed)], true);
    apply_all(dir, &[Op::TestsReported(Box::new(of_try))]);
    assert_eq!(history(dir, "a"), []);
    let tests = open_state(dir).tests_of_build(BuildId(1)).unwrap();
    assert_eq!(tests[0].told[0].since, None);
    assert_eq!(tests[0].all.len(), 1);
}

/// Begins build 1 of `quick` for a try.
fn begin_try(dir: &Path) {
    let mut set = BuildSet::clone(&a_set(1, 1, &["quick"], vec![]));
    let stamp = SourceStamp {
        patch: Some(Patch {
            level: 1,
            subdir: None,
            who: None,
            comment: None,
            body: PatchBody::Kept(SetId(1)),
        }),
        ..SourceStamp::default()
    };
    set.stamps = Arc::new(stamp.into());
    apply_all(
        dir,
        &[
            Op::SetSubmitted(Arc::new(set)),
            Op::PatchKept {
                set: SetId(1),
                body: PatchBody::Given("diff".into()),
            },
            started(1, "quick", 1, &[1]),
            step_started(1, 0, "check"),
        ],
    );
}

#[test]
fn tst_09_reports_go_with_their_builds_and_a_line_with_its_last_build() {
    let dir = a_state();
    let dir = dir.path();
    build_with(dir, 1, &[("a", Failed)], true);
    build_with(dir, 2, &[("a", Passed)], true);
    let prune = |build| {
        let pruned = Pruned::Builds(vec![BuildId(build)]);
        apply_all(dir, &[Op::Pruned(pruned)]);
    };
    prune(1);
    assert_eq!(open_state(dir).tests_of_build(BuildId(1)).unwrap(), []);
    assert_eq!(history(dir, "a").len(), 2);
    sweep(dir);
    // The outcome at the oldest build is kept.
    assert_eq!(history(dir, "a"), [(2, Some(Passed))]);
    assert!(!open_state(dir).has_dead_test_lines().unwrap());
    prune(2);
    sweep(dir);
    assert_eq!(history(dir, "a"), []);
    assert_eq!(open_state(dir).test_name(name("a").hash()).unwrap(), None);
}

/// Prunes what is known of tests, as the daemon does.
fn sweep(dir: &Path) {
    while open_state(dir).has_dead_test_lines().unwrap() {
        apply_all(dir, &[Op::Pruned(Pruned::TestLines)]);
    }
    for page in [State::prunable_test_changes, State::prunable_test_names] {
        let mut next = Some(0);
        while let Some(from) = next {
            let found = page(&open_state(dir), from).unwrap();
            next = found.next;
            if let Some(pruned) = found.found {
                apply_all(dir, &[Op::Pruned(pruned)]);
            }
        }
    }
}

#[test]
fn tst_09_old_changes_go_but_the_outcomes_at_the_oldest_build_and_later_ones() {
    let dir = a_state();
    let dir = dir.path();
    for (number, outcome) in [Passed, Failed, Passed, Failed, Passed]
        .into_iter()
        .enumerate()
    {
        let tests = [("a", outcome), ("b", Passed)];
        build_with(dir, number as u64 + 1, &tests, true);
    }
    let gone = Pruned::Builds(vec![BuildId(1), BuildId(2)]);
    apply_all(dir, &[Op::Pruned(gone)]);
    sweep(dir);
    let left = [(5, Some(Passed)), (4, Some(Failed)), (3, Some(Passed))];
    assert_eq!(history(dir, "a"), left);
    // It has not changed since a build that is gone.
    assert_eq!(history(dir, "b"), [(1, Some(Passed))]);
    assert!(
        open_state(dir)
            .test_name(name("b").hash())
            .unwrap()
            .is_some()
    );
}

#[test]
fn tst_09_names_of_tests_of_tries_are_kept_with_their_reports() {
    let dir = a_state();
    let dir = dir.path();
    begin_try(dir);
    let of_try = report(dir, 1, &[("a", Passed)], true);
    apply_all(dir, &[Op::TestsReported(Box::new(of_try))]);
    sweep(dir);
    let tests = open_state(dir).tests_of_build(BuildId(1)).unwrap();
    assert_eq!(tests[0].all.len(), 1);
    apply_all(dir, &[Op::Pruned(Pruned::Builds(vec![BuildId(1)]))]);
    sweep(dir);
    assert_eq!(open_state(dir).test_name(name("a").hash()).unwrap(), None);
}

#[test]
fn tst_11_a_builder_shows_what_fails_what_is_flaky_and_what_is_slow() {
    let dir = a_state();
    let dir = dir.path();
    for (number, outcome) in [Passed, Failed, Passed, Failed].into_iter().enumerate() {
        let tests = [("a", outcome), ("b", Failed), ("c", Passed)];
        build_with(dir, number as u64 + 1, &tests, true);
    }
    let standing = open_state(dir).test_standing(&"quick".into(), 2).unwrap();
    let [line] = standing.as_slice() else {
        panic!("{standing:?}");
    };
    assert_eq!((line.step.as_str(), line.last), ("check", BuildNumber(4)));
    assert_eq!((line.tests, line.failing), (3, 2));
    let bad = [
        (name("a"), Failed, BuildNumber(4)),
        (name("b"), Failed, BuildNumber(1)),
    ];
    assert_eq!(line.bad, bad);
    assert_eq!(line.flaky, [(name("a"), 2)]);
    assert_eq!(line.slow.len(), 2);
    assert!(line.slow.iter().all(|(_, millis)| *millis == 12));
    assert_eq!(
        open_state(dir).test_standing(&"slow".into(), 2).unwrap(),
        []
    );
}
