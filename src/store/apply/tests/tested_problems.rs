//! Problems of tests, as reports of steps tell them.

use super::of_tests::{name, report};
use super::problems::{Farm, suspects};
use super::*;
use crate::model::journal::StepFinish;
use crate::model::{
    BuildNumber, ProblemSubject, StepOutcome, TestCounts, TestOutcome, TestsReport,
};
use crate::store::read::ProblemRow;
use crate::verdict::{Doubt, ProblemState};
use TestOutcome::{Failed, Passed, Skipped};

impl Farm {
    /// A build of the change `point`, whose step `check` reports these outcomes.
    fn tested(&mut self, point: u64, tests: &[(&str, TestOutcome)]) {
        self.tested_with(point, tests, true, |_| {});
    }

    fn tested_with(
        &mut self,
        point: u64,
        tests: &[(&str, TestOutcome)],
        is_complete: bool,
        change: impl FnOnce(&mut TestsReport),
    ) {
        self.builds += 1;
        let id = self.builds;
        let Op::BuildStarted(start) = started(id, "quick", id, &[id]) else {
            panic!("it starts");
        };
        let mut start = Arc::unwrap_or_clone(start);
        start.changes = vec![ChangeNumber(point)];
        let ops = [
            Op::SetSubmitted(a_set(id, id, &["quick"], vec![a_change(point)])),
            Op::BuildStarted(Arc::new(start)),
            step_started(id, 0, "check"),
        ];
        apply_all(self.dir.path(), &ops);
        let failed = tests.iter().filter(|(_, outcome)| outcome.is_bad()).count();
        let result = match failed {
            0 => Results::Success,
            _ => Results::Failure,
        };
        let mut report = report(self.dir.path(), id, tests, is_complete);
        report.counts = TestCounts {
            failed: failed as u64,
            ..TestCounts::default()
        };
        change(&mut report);
        let outcome = StepOutcome {
            contribution: Some(result),
            ..StepOutcome::default()
        };
        let ops = [
            Op::TestsReported(Box::new(report)),
            Op::StepFinished(StepFinish {
                build: BuildId(id),
                index: 0,
                result,
                text: vec![],
                outcome: Box::new(outcome),
                at: at(350),
            }),
            finished(id, result),
        ];
        apply_all(self.dir.path(), &ops);
    }

    /// Changes by these people, and a build of the last one with these outcomes.
    fn pushed(&mut self, people: &[&str], tests: &[(&str, TestOutcome)]) {
        let mut point = 0;
        for who in people {
            point = self.change(who);
        }
        self.tested(point, tests);
    }

    fn only(&self) -> ProblemRow {
        let mut problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }
}

fn of_test(test: &str) -> ProblemSubject {
    ProblemSubject::of_step("check".to_owned(), Some(name(test)))
}

#[test]
fn prb_04_failing_tests_of_a_complete_report_answer_for_their_step() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("a", Passed), ("b", Passed)]);
    assert_eq!(farm.subjects(), 0, "what passes is not followed");
    farm.pushed(&["bob"], &[("a", Failed), ("b", Skipped)]);
    let problem = farm.only();
    assert_eq!(problem.subject, of_test("a"));
    assert_eq!(suspects(&problem), [2]);
    assert_eq!(problem.problem.sole_suspect(), Some("bob"));
    farm.pushed(&["cid"], &[("a", Failed), ("b", Passed)]);
    farm.pushed(&["dan"], &[("a", Passed), ("b", Passed)]);
    let problem = farm.only();
    assert_eq!(problem.problem.state, ProblemState::Resolved);
    assert_eq!(problem.problem.fixed_in[0].who, "dan");
}

#[test]
fn prb_04_an_incomplete_report_leaves_the_step_to_answer_and_says_nothing_of_absent_tests() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("a", Passed)]);
    let point = farm.change("bob");
    farm.tested_with(point, &[("a", Failed)], false, |_| {});
    let problems = farm.problems();
    let mut kinds: Vec<_> = problems.iter().map(|one| one.subject.kind()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["step", "test"]);
    for _ in 0..6 {
        let point = farm.change("cid");
        farm.tested_with(point, &[], false, |_| {});
    }
    let of_test = |one: &&ProblemRow| one.subject.test().is_some();
    let problems = farm.problems();
    let problem = problems.iter().find(of_test).unwrap();
    assert_eq!(problem.problem.state, ProblemState::Open);
}

#[test]
fn prb_10_a_test_that_first_appears_failing_is_suspected_from_the_last_report_without_it() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("a", Passed)]);
    farm.pushed(&["bob"], &[("a", Passed)]);
    farm.pushed(&["cid", "dan"], &[("a", Passed), ("new", Failed)]);
    let problem = farm.only();
    assert_eq!(suspects(&problem), [3, 4]);
    assert_eq!(problem.problem.found.doubt, None);
}

#[test]
fn prb_11_a_red_test_that_moves_to_another_file_is_one_problem() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("x", Passed), ("a", Passed)]);
    farm.pushed(&["bob"], &[("x", Passed), ("a", Failed)]);
    let point = farm.change("cid");
    // The message is the same one, and so is the last part of the name of the third.
    farm.tested_with(point, &[("x", Passed), ("b", Failed)], true, |_| {});
    let problem = farm.only();
    assert_eq!(problem.subject, of_test("b"));
    assert_eq!(suspects(&problem), [2]);
    assert!(
        farm.events(1).iter().any(|event| event.contains("name")),
        "{:?}",
        farm.events(1)
    );
    farm.pushed(&["dan"], &[("x", Passed), ("b", Passed)]);
    assert_eq!(farm.only().problem.state, ProblemState::Resolved);
}

#[test]
fn prb_15_a_test_that_is_absent_from_five_complete_reports_is_gone() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("x", Passed), ("a", Passed)]);
    farm.pushed(&["bob"], &[("x", Passed), ("a", Failed)]);
    for _ in 0..4 {
        farm.pushed(&["cid"], &[("x", Passed)]);
    }
    assert_eq!(farm.only().problem.state, ProblemState::Open);
    farm.pushed(&["cid"], &[("x", Passed)]);
    let problem = farm.only();
    assert_eq!(problem.problem.state, ProblemState::Gone);
    assert!(problem.problem.fixed_in.is_empty());
}

#[test]
fn prb_17_more_than_two_hundred_tests_that_newly_fail_are_one_problem_of_the_step() {
    let names: Vec<_> = (0..201).map(|number| format!("t{number}")).collect();
    let all = |outcome| -> Vec<_> { names.iter().map(|name| (name.as_str(), outcome)).collect() };
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &all(Passed));
    farm.pushed(&["bob"], &all(Failed));
    farm.pushed(&["cid"], &all(Failed));
    let problem = farm.only();
    assert_eq!(problem.subject, ProblemSubject::Step("check".to_owned()));
    assert_eq!(suspects(&problem), [2]);
    farm.pushed(&["dan"], &all(Passed));
    assert_eq!(farm.only().problem.state, ProblemState::Resolved);
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &all(Passed)[..200]);
    farm.pushed(&["bob"], &all(Failed)[..200]);
    let problems = farm.problems();
    assert_eq!(problems.len(), 200);
    assert!(problems.iter().all(|one| suspects(one) == [2]));
}

#[test]
fn flk_06_a_test_that_passes_at_the_second_attempt_is_flaky_and_its_failures_accuse_nobody() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("a", Passed)]);
    let point = farm.change("bob");
    farm.tested_with(point, &[("a", Passed)], true, |report| {
        report.told.push(crate::model::ToldTest {
            name: name("a"),
            outcome: Passed,
            message: None,
            place: None,
            attempts: 2,
            is_flaky: true,
        });
    });
    assert_eq!((farm.problems().len(), farm.subjects()), (0, 1));
    for _ in 0..2 {
        farm.pushed(&["cid"], &[("a", Failed)]);
        assert_eq!(farm.problems(), [], "it failed fewer than three times");
    }
    farm.pushed(&["cid"], &[("a", Failed)]);
    let problem = farm.only();
    assert_eq!(problem.problem.found.doubt, Some(Doubt::Flaky));
    assert_eq!(problem.problem.sole_suspect(), None);
    let state = open_state(farm.dir.path());
    let flaky_on = |test: &str| state.flaky_on(&"quick".into(), None, test).unwrap();
    let flaky = flaky_on(name("a").as_stored());
    assert_eq!(flaky.len(), 1);
    assert_eq!((flaky[0].failing, flaky[0].answers), (1, 2), "flk_08");
    let contradiction = (ChangeNumber(2), BuildNumber(2), BuildNumber(2));
    assert_eq!(flaky[0].contradictions, [contradiction]);
    assert_eq!(flaky_on("b"), []);
}

#[test]
fn prb_02_a_build_of_the_newest_revision_has_the_point_of_the_revision_that_it_got() {
    let mut farm = Farm::new();
    farm.pushed(&["ann"], &[("a", Passed)]);
    farm.change("bob");
    farm.builds += 1;
    let forced = |farm: &Farm, got: &str| {
        let id = farm.builds;
        let Op::BuildStarted(start) = started(id, "quick", id, &[id]) else {
            panic!("it starts");
        };
        let mut start = Arc::unwrap_or_clone(start);
        start.changes = vec![];
        let mut set = Arc::unwrap_or_clone(a_set(id, id, &["quick"], vec![]));
        let like = (*a_set(9, 9, &["quick"], vec![a_change(1)])).clone();
        let mut stamp = like.stamps.first().clone();
        (stamp.changes, stamp.revision) = (Default::default(), None);
        set.stamps = Arc::new(stamp.into());
        let Op::BuildFinished(mut end) = finished(id, Results::Failure) else {
            panic!("it ends");
        };
        end.properties.set_runtime("got_revision", got, "Source");
        let outcome = StepOutcome {
            contribution: Some(Results::Failure),
            ..StepOutcome::default()
        };
        let ops = [
            Op::SetSubmitted(Arc::new(set)),
            Op::BuildStarted(Arc::new(start)),
            step_started(id, 0, "check"),
            Op::StepFinished(StepFinish {
                build: BuildId(id),
                index: 0,
                result: Results::Failure,
                text: vec![],
                outcome: Box::new(outcome),
                at: at(350),
            }),
            Op::BuildFinished(end),
        ];
        apply_all(farm.dir.path(), &ops);
    };
    forced(&farm, "unknown");
    assert_eq!(farm.problems(), [], "its point is not known");
    farm.builds += 1;
    forced(&farm, "r2");
    let problem = farm.only();
    assert_eq!(
        (suspects(&problem), problem.problem.found.first),
        (vec![2], ChangeNumber(2))
    );
    // What the build in between has built is not known (PRB-12).
    assert_eq!(problem.problem.found.doubt, Some(Doubt::PointUnknown));
}
