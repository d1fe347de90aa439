//! Problems of the infrastructure.

use super::problems::Farm;
use super::*;
use crate::model::ProblemSubject;
use crate::verdict::ProblemState;

impl Farm {
    /// A build of the change 1 on `slave` that ends without a step.
    fn silent(&mut self, builder: &str, slave: &str, result: Results, stop: Option<&str>) {
        self.builds += 1;
        let id = self.builds;
        let Op::BuildStarted(start) = started(id, builder, id, &[id]) else {
            panic!("it starts");
        };
        let mut start = Arc::unwrap_or_clone(start);
        start.slave = slave.into();
        let Op::BuildFinished(mut end) = finished(id, result) else {
            panic!("it ends");
        };
        end.stop_reason = stop.map(str::to_owned);
        let ops = [
            Op::SetSubmitted(a_set(id, id, &[builder], vec![a_change(1)])),
            Op::BuildStarted(Arc::new(start)),
            Op::BuildFinished(end),
        ];
        apply_all(self.dir.path(), &ops);
    }

    fn states(&self) -> Vec<(ProblemSubject, ProblemState)> {
        let all = self.problems().into_iter();
        all.map(|one| (one.subject, one.problem.state)).collect()
    }
}

fn a_farm() -> Farm {
    let mut farm = Farm::new();
    farm.change("ann");
    farm
}

#[test]
fn inf_02_two_builds_in_a_row_that_say_nothing_are_a_problem_until_one_says_something() {
    use ProblemState::{Open, Resolved};
    let mut farm = a_farm();
    farm.silent("quick", "bot", Results::Exception, None);
    assert_eq!(farm.states(), []);
    // People stopped this one.
    farm.silent("quick", "bot", Results::Exception, Some("stopped"));
    farm.silent("quick", "bot", Results::Success, None);
    farm.build_with(1, Results::Failure, &[], true);
    assert_eq!(farm.states(), []);
    farm.build_with(1, Results::Failure, &[], true);
    assert_eq!(farm.states(), [(ProblemSubject::Builder, Open)]);
    assert!(farm.problems()[0].problem.suspects.is_empty());
    farm.build(1, Results::Success, &[]);
    assert_eq!(farm.states(), [(ProblemSubject::Builder, Resolved)]);
    assert_eq!(farm.events(1), ["opened", "resolved"]);
}

#[test]
fn inf_03_builders_that_fail_on_one_slave_are_a_problem_of_the_slave() {
    use ProblemState::{Open, Resolved, Withdrawn};
    let mut farm = a_farm();
    let slave = || ProblemSubject::Slave("s1".into());
    farm.silent("quick", "s1", Results::Retry, None);
    farm.silent("quick", "s1", Results::Retry, None);
    assert_eq!(farm.states(), [(ProblemSubject::Builder, Open)]);
    farm.silent("full", "s1", Results::Retry, None);
    let both = |state| [(slave(), state), (ProblemSubject::Builder, Withdrawn)];
    let sorted = |farm: &Farm| {
        let mut states = farm.states();
        states.reverse();
        states
    };
    assert_eq!(sorted(&farm), both(Open));
    farm.silent("full", "s2", Results::Success, None);
    assert_eq!(sorted(&farm), both(Open));
    farm.silent("full", "s1", Results::Failure, None);
    assert_eq!(sorted(&farm), both(Resolved));
}

#[test]
fn inf_01_a_master_that_is_started_again_is_nobodys_problem() {
    let mut farm = a_farm();
    for _ in 0..3 {
        farm.builds += 1;
        let id = farm.builds;
        let ops = [
            Op::SetSubmitted(a_set(id, id, &["quick"], vec![a_change(1)])),
            started(id, "quick", id, &[id]),
        ];
        apply_all(farm.dir.path(), &ops);
        restart(farm.dir.path(), at(500));
    }
    assert_eq!(farm.states(), []);
}
