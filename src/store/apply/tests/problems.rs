//! Problems, as builds open and end them.

use super::*;
use crate::model::journal::StepFinish;
use crate::model::{
    BRANCHED_FROM, BuildNumber, Judgement, Patch, PatchBody, ProblemNumber, Pruned, Remark,
    RemarkKind, SourceStamp, SourceStamps, StepOutcome,
};
use crate::store::read::{ProblemFilter, ProblemRow};
use crate::verdict::{Doubt, ProblemState};

/// A farm of one builder, which builds one change after the other.
pub(super) struct Farm {
    pub(super) dir: tempfile::TempDir,
    pub(super) builds: u64,
    changes: u64,
    slave: &'static str,
    is_try: bool,
}

impl Farm {
    pub(super) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            builds: 0,
            changes: 0,
            slave: "bot",
            is_try: false,
        }
    }

    /// A change by this person arrives.
    pub(super) fn change(&mut self, who: &str) -> u64 {
        self.changes += 1;
        let mut change = Arc::unwrap_or_clone(a_change(self.changes));
        change.content.who = who.to_owned();
        apply_all(self.dir.path(), &[Op::ChangeAdded(Arc::new(change))]);
        self.changes
    }

    /// A build of the change `point`, whose step `test` ends like this with these errors.
    pub(super) fn build(&mut self, point: u64, result: Results, errors: &[&str]) {
        self.build_with(point, result, errors, false);
    }

    pub(super) fn build_with(
        &mut self,
        point: u64,
        result: Results,
        errors: &[&str],
        is_source: bool,
    ) {
        self.build_of(a_change(point), (result, errors), is_source);
    }

    /// A change on a new branch that begins at this revision.
    fn branch_off(&mut self, branch: &str, from: &str) -> Arc<Change> {
        self.changes += 1;
        let mut change = Arc::unwrap_or_clone(a_change(self.changes));
        change.content.branch = Some(branch.to_owned());
        let properties = &mut change.content.properties;
        properties.set(BRANCHED_FROM, from, "Change");
        let change = Arc::new(change);
        apply_all(self.dir.path(), &[Op::ChangeAdded(Arc::clone(&change))]);
        change
    }

    fn build_of(
        &mut self,
        change: Arc<Change>,
        (result, errors): (Results, &[&str]),
        is_source: bool,
    ) {
        self.builds += 1;
        let id = self.builds;
        let Op::BuildStarted(start) = started(id, "quick", id, &[id]) else {
            panic!("it starts");
        };
        let mut start = Arc::unwrap_or_clone(start);
        start.changes = vec![change.number];
        start.slave = self.slave.into();
        let mut set = Arc::unwrap_or_clone(a_set(id, id, &["quick"], vec![change]));
        if self.is_try {
            set.stamps = Arc::new(SourceStamps::from(SourceStamp {
                patch: Some(Patch {
                    level: 1,
                    body: PatchBody::Given(Default::default()),
                    subdir: None,
                    who: None,
                    comment: None,
                }),
                ..set.stamps.first().clone()
            }));
        }
        let outcome = StepOutcome {
            contribution: Some(result),
            symptoms: errors.iter().map(|&error| error.to_owned()).collect(),
            is_infrastructure: is_source,
            ..StepOutcome::default()
        };
        let ops = [
            Op::SetSubmitted(Arc::new(set)),
            Op::BuildStarted(Arc::new(start)),
            step_started(id, 0, "test"),
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

    /// A change by `who`, and a build of it.
    pub(super) fn commit(&mut self, who: &str, result: Results, errors: &[&str]) {
        let point = self.change(who);
        self.build(point, result, errors);
    }

    pub(super) fn problems(&self) -> Vec<ProblemRow> {
        let wanted = ProblemFilter {
            all: true,
            ..ProblemFilter::default()
        };
        let mut problems = open_state(self.dir.path()).problems(&wanted, 1000).unwrap();
        problems.reverse();
        problems
    }

    pub(super) fn events(&self, problem: u64) -> Vec<String> {
        let number = ProblemNumber(problem);
        let events = open_state(self.dir.path()).problem_events(number).unwrap();
        events.into_iter().map(|one| one.event).collect()
    }

    pub(super) fn subjects(&self) -> i64 {
        let state = open_state(self.dir.path());
        let count = |conn: &Connection| {
            conn.query_row("SELECT count(*) FROM subject", [], |row| row.get(0))
        };
        state.read(count).unwrap()
    }
}

pub(super) fn suspects(problem: &ProblemRow) -> Vec<u64> {
    let all = problem.problem.suspects.iter();
    all.map(|suspect| suspect.change.0).collect()
}

#[test]
fn prb_01_a_problem_lasts_from_the_first_failure_to_the_next_success() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    assert_eq!((farm.problems().len(), farm.subjects()), (0, 0));
    farm.change("bob");
    farm.commit("bob", Results::Failure, &["a.c:#: error"]);
    farm.commit("cid", Results::Failure, &["a.c:#: error"]);
    let [problem] = &farm.problems()[..] else {
        panic!("one problem");
    };
    assert_eq!(problem.problem.state, ProblemState::Open);
    assert_eq!(problem.problem.sole_suspect(), Some("bob"));
    assert_eq!(suspects(problem), [2, 3]);
    let builds = [problem.good_build, problem.first_build, problem.last_build];
    assert_eq!(builds.map(|build| build.unwrap().0), [1, 2, 3]);
    assert_eq!(
        (problem.subject.step(), problem.branch.as_deref()),
        (Some("test"), Some(""))
    );
    farm.commit("dan", Results::Success, &[]);
    let [problem] = &farm.problems()[..] else {
        panic!("one problem");
    };
    assert_eq!(problem.problem.state, ProblemState::Resolved);
    assert_eq!(problem.problem.fixed_in[0].who, "dan");
    assert!(problem.ended_at.is_some());
    assert_eq!(farm.events(1), ["opened", "resolved"]);
}

#[test]
fn prb_09_without_a_build_that_passes_nobody_is_accused() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Failure, &[]);
    let [problem] = &farm.problems()[..] else {
        panic!("one problem");
    };
    assert_eq!(problem.problem.found.doubt, Some(Doubt::NeverSeenPassing));
    assert_eq!(
        (suspects(problem), problem.problem.sole_suspect()),
        (vec![1], None)
    );
}

#[test]
fn flk_01_the_same_sources_with_both_answers_end_a_problem_as_flaky() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["x"]);
    farm.build(2, Results::Success, &[]);
    assert_eq!(farm.problems()[0].problem.state, ProblemState::Flaky);
    // Single failures open nothing any more.
    farm.commit("cid", Results::Failure, &["x"]);
    farm.commit("dan", Results::Success, &[]);
    assert_eq!(farm.problems().len(), 1);
    assert_eq!(farm.events(1), ["opened", "flaky"]);
}

#[test]
fn prb_06_an_older_build_that_comes_late_narrows_the_suspects() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    let first = farm.change("bob");
    farm.commit("cid", Results::Failure, &[]);
    farm.build(first, Results::Success, &[]);
    let problems = farm.problems();
    assert_eq!(suspects(&problems[0]), [3]);
    assert_eq!(problems[0].good_build.unwrap().0, 3);
    assert_eq!(farm.events(1), ["opened", "narrowed"]);
}

#[test]
fn inf_01_a_checkout_that_fails_answers_nothing() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    let point = farm.change("bob");
    farm.build_with(point, Results::Failure, &["no route to host"], true);
    assert_eq!((farm.problems().len(), farm.subjects()), (0, 0));
    farm.build(point, Results::Exception, &[]);
    assert_eq!(farm.subjects(), 0);
    assert!(
        farm.problems()
            .iter()
            .all(|one| one.subject.is_infrastructure())
    );
}

#[test]
fn mas_08_problems_are_pruned_that_have_ended_and_whose_step_is_not_followed() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &[]);
    farm.commit("cid", Results::Success, &[]);
    let later = at(1_000_000);
    let prune = |farm: &Farm| {
        apply_all(farm.dir.path(), &[Op::Pruned(Pruned::Problems(later))]);
        let state = open_state(farm.dir.path());
        (
            farm.problems().len(),
            state.has_old_problems(later).unwrap(),
        )
    };
    assert_eq!(prune(&farm), (1, false));
    while farm.subjects() > 0 {
        farm.commit("cid", Results::Success, &[]);
    }
    let state = open_state(farm.dir.path());
    assert!(state.has_old_problems(later).unwrap());
    assert!(!state.has_old_problems(at(0)).unwrap());
    assert_eq!(prune(&farm), (0, false));
    assert_eq!(farm.events(1), [""; 0]);
}

#[test]
fn prb_24_a_step_that_has_been_well_for_long_is_forgotten_and_its_problems_are_not() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &[]);
    for _ in 0..100 {
        farm.commit("cid", Results::Success, &[]);
    }
    assert_eq!(farm.subjects(), 1);
    // Answers that nothing needs are deleted at every 32nd answer.
    let later = (1..=32).find(|_| {
        farm.commit("cid", Results::Success, &[]);
        farm.subjects() == 0
    });
    assert!(later.is_some());
    farm.commit("dan", Results::Failure, &[]);
    let problems = farm.problems();
    let states = problems.iter().map(|one| one.problem.state);
    assert_eq!(
        states.collect::<Vec<_>>(),
        [ProblemState::Resolved, ProblemState::Open]
    );
    assert_eq!(problems[1].problem.sole_suspect(), Some("dan"));
}

/// Somebody says something of problem 1.
fn remark(kind: RemarkKind, person: &str, until: Option<Timestamp>) -> Op {
    Op::ProblemRemarked(Box::new(Remark {
        problem: ProblemNumber(1),
        kind,
        person: person.to_owned(),
        also: Vec::new(),
        until,
        text: "why".to_owned(),
        by: "ann".to_owned(),
        at: at(400),
    }))
}

#[test]
fn prb_16_a_problem_that_changes_keeps_what_people_have_said_of_it() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    let first = farm.change("bob");
    farm.commit("cid", Results::Failure, &[]);
    let said = [
        remark(RemarkKind::Claim, "ann", Some(at(500))),
        remark(RemarkKind::Dismiss, "", None),
    ];
    apply_all(farm.dir.path(), &said);
    let open = || {
        let state = open_state(farm.dir.path());
        state
            .problems(&ProblemFilter::default(), 100)
            .unwrap()
            .len()
    };
    assert_eq!(open(), 0);
    apply_all(farm.dir.path(), &[remark(RemarkKind::Reopen, "", None)]);
    assert_eq!(open(), 1);
    farm.build(first, Results::Success, &[]);
    farm.commit("dan", Results::Success, &[]);
    let problem = farm.problems().remove(0);
    assert_eq!(problem.problem.state, ProblemState::Resolved);
    assert_eq!((suspects(&problem), problem.remarks.len()), (vec![3], 3));
    assert_eq!(problem.remarks[0].until, Some(at(500)));
    assert_eq!(problem.remarks[1].text, "why");
}

#[test]
fn prb_16_remarks_go_with_their_problem() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["x"]);
    apply_all(farm.dir.path(), &[remark(RemarkKind::Note, "", None)]);
    apply_all(farm.dir.path(), &[Op::Pruned(Pruned::Problems(at(1)))]);
    let count = |farm: &Farm| {
        let state = open_state(farm.dir.path());
        let count = "SELECT count(*) FROM problem_remark";
        let count = |conn: &Connection| conn.query_row(count, [], |row| row.get::<_, i64>(0));
        state.read(count).unwrap()
    };
    assert_eq!(count(&farm), 1);
    while farm.subjects() > 0 {
        farm.commit("ann", Results::Success, &[]);
    }
    apply_all(farm.dir.path(), &[Op::Pruned(Pruned::Problems(at(9_999)))]);
    assert_eq!((farm.problems().len(), count(&farm)), (0, 0));
    // Whoever says something of it now is too late.
    apply_all(farm.dir.path(), &[remark(RemarkKind::Note, "", None)]);
    assert_eq!(count(&farm), 0);
}

/// What the problems are for the build of this number.
pub(super) fn of_build(farm: &Farm, number: u64) -> Vec<(Judgement, u64)> {
    let state = open_state(farm.dir.path());
    let build = state
        .build(&"quick".into(), BuildNumber(number))
        .unwrap()
        .unwrap();
    let origin = state.origin(&build).unwrap().unwrap();
    let problems = state.build_problems(&build, &origin).unwrap().problems;
    let problems = problems.into_iter();
    problems
        .map(|(news, row)| (news, row.problem.number.0))
        .collect()
}

#[test]
fn prb_15_what_leaves_the_configuration_is_gone() {
    let gone = |builders: &[(&str, Option<&[&str]>)]| {
        let mut farm = Farm::new();
        farm.commit("ann", Results::Success, &[]);
        farm.commit("bob", Results::Failure, &["a.c:#: error"]);
        let builders = builders.iter().map(|(name, steps)| {
            let steps = steps.map(|all| all.iter().map(|&step| step.to_owned()).collect());
            ((*name).into(), steps)
        });
        let op = Op::StepsConfigured {
            builders: builders.collect(),
            at: at(400),
        };
        apply_all(farm.dir.path(), &[op]);
        let problem = farm.problems().remove(0);
        let state = problem.problem.state;
        assert_eq!(problem.ended_at.is_some(), state == ProblemState::Gone);
        assert_eq!(farm.subjects() == 0, state == ProblemState::Gone);
        (state, farm)
    };
    for there in [Some(&["make", "test"][..]), None] {
        assert_eq!(gone(&[("quick", there)]).0, ProblemState::Open);
    }
    assert_eq!(gone(&[("quick", Some(&["make"]))]).0, ProblemState::Gone);
    let (state, mut farm) = gone(&[("other", None)]);
    assert_eq!(state, ProblemState::Gone);
    assert_eq!(farm.events(1), ["opened", "gone"]);
    // The builder is back, and so is the problem.
    farm.commit("cid", Results::Failure, &["a.c:#: error"]);
    assert_eq!(farm.events(1), ["opened", "gone", "open again"]);
}

#[test]
fn prb_25_a_builder_with_another_name_has_the_problems_of_the_old_one() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["a.c:#: error"]);
    let before = farm.problems().remove(0);
    let renamed = Op::BuilderRenamed {
        was: "quick".into(),
        name: "fast".into(),
    };
    apply_all(farm.dir.path(), &[renamed.clone(), renamed]);
    let after = farm.problems().remove(0);
    assert_eq!(after.builder, "fast".into());
    assert_eq!(
        (after.problem, after.first_build, after.opened_at),
        (before.problem, before.first_build, before.opened_at)
    );
    let state = open_state(farm.dir.path());
    let build = state.build(&"fast".into(), BuildNumber(2)).unwrap();
    assert_eq!(build.unwrap().result, Some(Results::Failure));
    assert!(
        state
            .build(&"quick".into(), BuildNumber(2))
            .unwrap()
            .is_none()
    );
}

#[test]
fn prb_06_late_evidence_from_before_the_last_good_point_counts() {
    use Results::{Failure, Success};
    let builds = [
        (1, Success),
        (6, Success),
        (7, Failure),
        (4, Failure),
        (3, Failure),
        (2, Success),
        (5, Success),
    ];
    let told = |order: &[usize]| {
        let mut farm = Farm::new();
        for who in ["ann", "bob", "cid", "dan", "eve", "fay", "gus"] {
            farm.change(who);
        }
        for &place in order {
            let (point, result) = builds[place];
            farm.build(point, result, &["a.c:#: error"]);
        }
        let mut all: Vec<_> = farm
            .problems()
            .iter()
            .map(|row| {
                let found = &row.problem.found;
                let span = (found.after, found.first, found.last, found.end);
                (span, row.problem.state, suspects(row))
            })
            .collect();
        all.sort_by_key(|((_, first, ..), ..)| *first);
        all
    };
    let in_order = told(&[0, 5, 4, 3, 6, 1, 2]);
    assert_eq!(in_order.len(), 2);
    assert_eq!(in_order[0].2, [3], "narrowed by the build of 2");
    assert_eq!(told(&[0, 1, 2, 3, 4, 5, 6]), in_order);
    assert_eq!(told(&[0, 1, 2, 5, 6, 4, 3]), in_order);
}

#[test]
fn flk_05_a_failure_on_one_slave_accuses_nobody() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    for who in ["bob", "cid"] {
        let point = farm.change(who);
        for (slave, result) in [("s1", Results::Failure), ("s2", Results::Success)] {
            farm.slave = slave;
            farm.build(point, result, &["no space"]);
        }
    }
    let open = |farm: &Farm| {
        let problems = farm.problems().into_iter();
        let open = problems.filter(|row| row.problem.state == ProblemState::Open);
        open.collect::<Vec<_>>()
    };
    let [problem] = &open(&farm)[..] else {
        panic!("{:?}", farm.problems());
    };
    let found = &problem.problem.found;
    assert_eq!(found.doubt, Some(Doubt::OnlyOnOneSlave));
    assert_eq!(found.slave, Some("s1".into()));
    assert_eq!(problem.problem.sole_suspect(), None);
    farm.slave = "s1";
    farm.commit("dan", Results::Success, &[]);
    assert!(open(&farm).is_empty());
}

#[test]
fn prb_18_pester_020_a_try_is_compared_with_its_base() {
    let cases: Value =
        serde_json::from_str(include_str!("../../../../tests/data/pester-cases.json")).unwrap();
    let mut cases = cases["cases"].as_array().unwrap().iter();
    let case = cases.find(|case| case["id"] == "pester-020").unwrap();
    assert_eq!(case["expect"]["accused"], json!([]));
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["a.c:#: error"]);
    farm.commit("bob", Results::Success, &[]);
    let before = farm.problems();
    farm.is_try = true;
    let mut tried = |point, errors: &[&str]| {
        farm.build(point, Results::Failure, errors);
        let known = of_build(&farm, farm.builds);
        let state = open_state(farm.dir.path());
        let number = BuildNumber(farm.builds);
        let build = state.build(&"quick".into(), number).unwrap().unwrap();
        let origin = state.origin(&build).unwrap().unwrap();
        let own = state.build_problems(&build, &origin).unwrap().yours;
        let own: Vec<_> = own.iter().map(ToString::to_string).collect();
        (known, own)
    };
    let known = (vec![(Judgement::Still, 1)], vec![]);
    let own = (vec![], vec!["test".to_owned()]);
    assert_eq!(tried(2, &["a.c:#: error"]), known, "as its base does");
    assert_eq!(tried(2, &["b.c:#: error"]), own);
    assert_eq!(tried(1, &["a.c:#: error"]), own, "it was well then");
    assert_eq!(tried(3, &["a.c:#: error"]), own, "and is again");
    assert_eq!(farm.problems(), before, "a try is not evidence");
}

#[test]
fn prb_09_what_failed_where_a_new_branch_begins_is_that_problem() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["x"]);
    farm.commit("cid", Results::Failure, &["x"]);
    farm.commit("dan", Results::Success, &[]);
    // What the branch has from revision r3, and what it does with it.
    let at_origin = |farm: &mut Farm, branch: &str, from: &str, error: &str| {
        let change = farm.branch_off(branch, from);
        farm.build_of(change, (Results::Failure, &[error]), false);
        let found = farm.problems().pop().unwrap();
        assert_eq!(found.branch.as_deref(), Some(branch));
        let state = open_state(farm.dir.path());
        state.problem_at_origin(&found).unwrap()
    };
    assert_eq!(at_origin(&mut farm, "a", "r3", "x"), Some(ProblemNumber(1)));
    assert_eq!(
        at_origin(&mut farm, "b", "r3", "y"),
        None,
        "it fails otherwise"
    );
    assert_eq!(
        at_origin(&mut farm, "c", "r4", "x"),
        None,
        "it was well there"
    );
    assert_eq!(
        at_origin(&mut farm, "d", "r9", "x"),
        None,
        "it is not known"
    );
    let state = open_state(farm.dir.path());
    let first = &farm.problems()[0];
    assert_eq!(state.problem_at_origin(first).unwrap(), None);
}

#[test]
fn prb_14_a_new_run_is_linked_to_the_problem_that_is_back() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["x"]);
    farm.commit("cid", Results::Success, &[]);
    assert_eq!(farm.events(1), ["opened", "resolved"]);
    let again = |farm: &Farm, place: usize| {
        let found = farm.problems().swap_remove(place);
        open_state(farm.dir.path()).problem_before(&found).unwrap()
    };
    farm.commit("dan", Results::Failure, &["x"]);
    assert_eq!(again(&farm, 0), None);
    assert_eq!(again(&farm, 1), Some(ProblemNumber(1)));
    farm.commit("eve", Results::Success, &[]);
    farm.commit("fay", Results::Failure, &["y"]);
    assert_eq!(again(&farm, 2), None, "it fails otherwise");
}
