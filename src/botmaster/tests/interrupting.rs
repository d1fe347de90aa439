//! People stop builds (BUI-10, BUI-11), once or again, at any stage.

use super::*;
use crate::model::BuildNumber;
use crate::model::journal::BuildFinish;

const REASON: &str = "wrong branch";

impl Harness {
    fn stop_request(&mut self, request: u64) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::StopRequest {
                request: RequestId(request),
                reason: REASON.to_owned(),
            },
            reply,
        });
    }

    fn stop_number(&mut self, number: u64, reason: &str) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::StopBuild {
                builder: "b".into(),
                number: BuildNumber(number),
                reason: reason.to_owned(),
            },
            reply,
        });
    }

    /// Why requests ended, as it is written; forgets what has come out.
    fn reasons(&mut self) -> Vec<(u64, Option<String>)> {
        let written = self.out.drain(..).filter_map(|command| match command {
            Command::Persist { ops, .. } => Some(ops),
            _ => None,
        });
        let ended = written.flatten().filter_map(|op| match op {
            Op::RequestFinished { request, why, .. } => Some((request.0, why)),
            _ => None,
        });
        ended.collect()
    }
}

fn asked() -> Harness {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    h
}

fn building() -> (Harness, BuildId) {
    let mut h = asked();
    let plan = h.run();
    h.told();
    (h, plan.build)
}

#[test]
fn bui_10_a_build_is_stopped_while_it_is_prepared() {
    let mut h = asked();
    h.told();
    h.stop_request(1);
    let written = ["write request 1 exception, set 1 failure", "b is idle"];
    assert_eq!(h.told(), written, "no failed start is told");
    h.persisted();
    assert_eq!(
        h.told(),
        [
            "cancelled 1",
            "set 1 has a failure",
            "set 1 failure",
            "reply 2: done",
            "a build of b is stopped: wrong branch",
        ]
    );
    h.input(
        SlaveInput::PingAnswered {
            builder: "b".into(),
            ping: PingId(1),
            ok: true,
        }
        .of(SessionId(1)),
    );
    assert_eq!(h.told(), [""; 0], "the ping ends for itself");
}

#[test]
fn bui_11_the_reason_is_on_record_also_of_a_build_that_never_had_a_number() {
    let why = |why: &str| Some(format!("stopped before its build began: {why}"));
    let mut h = asked();
    h.stop_request(1);
    assert_eq!(h.reasons(), [(1, why(REASON))], "while the slave is pinged");

    let mut h = asked();
    h.pong(true);
    h.stop_request(1);
    h.started(Err("no".to_owned()));
    assert_eq!(h.reasons(), [(1, why(REASON))], "when its start has failed");

    let (mut h, build) = building();
    h.stop_number(0, REASON);
    h.finish(build, Results::Exception, Some(REASON));
    assert_eq!(h.reasons(), [(1, None)], "the build has it");
}

#[test]
fn bui_10_a_stop_is_answered_when_it_outlasts_a_kill() {
    let (mut h, build) = building();
    h.stop_number(0, REASON);
    assert_eq!(
        h.told(),
        ["interrupt 1: wrong branch", "write build id 1 stopped"]
    );
    h.persisted();
    assert_eq!(h.told(), ["reply 2: done", "b 0 is stopped: wrong branch"]);
    h.finish(build, Results::Exception, Some(REASON));
    assert!(h.is_told("finished b 0 exception"));
}

#[test]
fn bui_10_each_stop_interrupts_what_the_build_does_then_and_the_first_reason_counts() {
    let (mut h, build) = building();
    h.stop_number(0, REASON);
    h.stop_number(0, "too slow");
    h.input(Input::Shutdown { clean: false });
    let told = h.told();
    let interrupts: Vec<_> = told.iter().filter(|l| l.starts_with("interrupt")).collect();
    assert_eq!(
        interrupts,
        [
            "interrupt 1: wrong branch",
            "interrupt 1: too slow",
            "interrupt 1: master shutdown"
        ]
    );
    h.finish(build, Results::Exception, Some(REASON));
    assert!(h.is_told("finished b 0 exception"), "it is not built again");
}

#[test]
fn bui_10_what_people_stop_while_the_master_stops_is_not_built_again() {
    let (mut h, build) = building();
    h.input(Input::Shutdown { clean: false });
    h.stop_number(0, REASON);
    h.told();
    let outcome = outcome(Results::Exception, Some("master shutdown"));
    h.input(BuildInput::Finished { outcome }.of(build));
    let ended = h.out.iter().find_map(|command| match command {
        Command::Persist { ops, .. } => ops.iter().find_map(|op| match op {
            Op::BuildFinished(BuildFinish {
                result,
                stop_reason,
                ..
            }) => Some((*result, stop_reason.clone())),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(ended, Some((Results::Exception, Some(REASON.to_owned()))));
}

#[test]
fn a_build_stopped_while_its_start_is_written_is_on_record_and_never_runs() {
    let mut h = asked();
    h.pong(true);
    h.started(Ok(()));
    h.stop_number(0, "no");
    assert!(h.is_told("write build id 1 stopped"));
    h.persisted();
    assert_eq!(
        h.told(),
        [
            "started b 0",
            "write build id 1 exception, request 1 exception, set 1 failure",
            "reply 2: done",
            "b 0 is stopped: no",
            "b is idle",
        ]
    );
}

#[test]
fn a_build_stopped_before_its_slave_agreed_is_on_record_as_stopped() {
    let mut h = asked();
    h.pong(true);
    h.stop_request(1);
    h.persisted();
    h.started(Ok(()));
    let told = h.told();
    assert!(!told.contains(&"reply 2: done".to_owned()), "{told:?}");
    assert_eq!(
        told.last().unwrap(),
        "write build 0 started, build id 1 stopped"
    );
    h.persisted();
    assert_eq!(
        h.told(),
        [
            "started b 0",
            "write build id 1 exception, request 1 exception, set 1 failure",
            "reply 2: done",
            "a build of b is stopped: wrong branch",
            "b is idle",
        ]
    );
}

#[test]
fn a_stop_that_nobody_could_write_down_before_the_master_ended_is_answered_so() {
    let mut h = asked();
    h.pong(true);
    h.stop_request(1);
    h.told();
    h.input(Input::Shutdown { clean: false });
    assert_eq!(
        h.told(),
        [
            "reply 2: the master stopped before it could be stored",
            "exit"
        ]
    );
}
