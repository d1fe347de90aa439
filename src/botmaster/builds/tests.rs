//! Builds alone: their numbers and what a stop makes of their ends.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::botmaster::Command;
use crate::botmaster::dispatch::Way;
use crate::botmaster::ids::SlaveIx;
use crate::botmaster::testing::{commands, out, outcome, persisted};
use crate::botmaster::tests::config;
use crate::model::RequestId;

/// Builds of builder "b" on slave "s".
struct Table {
    builds: Builds,
    out: Out,
}

impl Table {
    fn new() -> Self {
        Self {
            builds: Builds::new(&NextNumbers::default(), BTreeMap::new()),
            out: out(config(&[("b", &["s"])])),
        }
    }

    fn begin(&mut self) -> AttemptId {
        let found = Match {
            builder: BuilderIx(0),
            slave: SlaveIx(0),
            way: Way::Attached,
            requests: vec![RequestId(1)],
            choice: String::new(),
        };
        let session = Some(SessionId(1));
        let builds = &mut self.builds;
        builds.begin(&self.out, found, (Stage::Pinging, session), false)
    }

    /// Lets the slave agree to the build; answers with the plan.
    fn accept(&mut self, id: AttemptId) -> Box<BuildPlan> {
        let info = Arc::default();
        self.builds.record_start(&mut self.out, id, &[], &info);
        let effects = persisted(&mut self.out).into_iter();
        let mut runs = effects.filter_map(|effect| match effect {
            Effect::Run(_, plan) => Some(plan),
            Effect::Reply(..)
            | Effect::Announce(_)
            | Effect::Queue(_)
            | Effect::Tell(..)
            | Effect::StartInstance(..) => None,
        });
        runs.next().unwrap()
    }

    /// The end of a build that ends like this.
    fn end(&mut self, id: AttemptId, result: Results, stop_reason: Option<&str>) -> Option<Ended> {
        self.builds.finish(id, outcome(result, stop_reason))
    }
}

#[test]
fn bld_11_a_start_that_fails_takes_no_number() {
    let mut t = Table::new();
    let failed = t.begin();
    assert!(t.builds.give_up(failed).is_some());
    let id = t.begin();
    assert_eq!(t.accept(id).number, BuildNumber(0));
    assert_eq!(t.builds.of_number(BuilderIx(0), BuildNumber(0)), Some(id));
}

#[test]
fn a_build_ends_once_and_not_before_it_runs() {
    let mut t = Table::new();
    let id = t.begin();
    let plan = t.accept(id);
    assert!(
        t.end(id, Results::Success, None).is_none(),
        "it is being recorded"
    );
    assert!(t.builds.on_recorded(&mut t.out, id, plan).is_none());
    let ended = t.end(id, Results::Success, None).unwrap();
    assert_eq!(
        (ended.number, ended.result),
        (BuildNumber(0), Results::Success)
    );
    assert!(t.end(id, Results::Success, None).is_none());
    assert!(t.builds.none_numbered());
}

#[test]
fn what_comes_between_record_and_run_ends_the_build_without_a_run() {
    let runs = |t: &mut Table| {
        let commands = commands(&mut t.out).into_iter();
        let is_run = |c: Command| {
            matches!(
                c,
                Command::Build {
                    what: BuildCommand::Run { .. },
                    ..
                }
            )
        };
        commands.map(is_run).filter(|is| *is).count()
    };
    let end = |prepare: &dyn Fn(&mut Table, AttemptId)| {
        let mut t = Table::new();
        let id = t.begin();
        let plan = t.accept(id);
        prepare(&mut t, id);
        let outcome = t.builds.on_recorded(&mut t.out, id, plan);
        (outcome.map(|outcome| outcome.result), runs(&mut t))
    };
    assert_eq!(end(&|_, _| ()), (None, 1));
    let lose = |t: &mut Table, id| {
        let stage = t.builds.on_slave_lost(&mut t.out, id, "gone");
        assert!(matches!(stage, Some(Stage::Recording(..))));
    };
    assert_eq!(end(&lose), (Some(Results::Retry), 0));
    let stop = |t: &mut Table, id| assert!(t.builds.stop(id, "enough").is_some());
    assert_eq!(end(&stop), (Some(Results::Exception), 0));
    let shut_down = |t: &mut Table, id| assert!(t.builds.shut_down(id));
    assert_eq!(end(&shut_down), (Some(Results::Retry), 0));
}

#[test]
fn bui_10_what_people_stop_is_not_built_again_and_what_the_master_interrupts_is() {
    use Results::{Exception, Failure, Retry, Success};
    let end = |prepare: &dyn Fn(&mut Builds, AttemptId), result, reason| {
        let mut t = Table::new();
        let id = t.begin();
        let plan = t.accept(id);
        assert!(t.builds.on_recorded(&mut t.out, id, plan).is_none());
        prepare(&mut t.builds, id);
        let ended = t.end(id, result, reason).unwrap();
        assert_eq!(ended.text, [ended.result.as_str()]);
        (ended.result, ended.stop_reason)
    };
    let asked = |builds: &mut Builds, id| {
        assert!(builds.stop(id, "first").is_some() && builds.stop(id, "second").is_some());
    };
    let first = || Some("first".to_owned());
    assert_eq!(end(&asked, Retry, None), (Exception, first()));
    assert_eq!(end(&asked, Failure, Some("x")), (Failure, first()));
    assert_eq!(end(&asked, Success, None), (Success, None));
    let shut_down = |builds: &mut Builds, id| assert!(builds.shut_down(id));
    let reason = || Some("x".to_owned());
    assert_eq!(end(&shut_down, Exception, Some("x")), (Retry, reason()));
    assert_eq!(end(&shut_down, Success, None), (Success, None));
    let both = |builds: &mut Builds, id| {
        assert!(builds.stop(id, "first").is_some() && !builds.shut_down(id));
    };
    assert_eq!(end(&both, Retry, None), (Exception, first()));
}
