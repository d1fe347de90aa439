//! The master stops, at once or when its builds have ended.

use super::*;

fn building() -> (Harness, BuildId) {
    let mut h = Harness::new(config(&[("b", &["s"]), ("c", &["t"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.told();
    (h, plan.build)
}

const INTERRUPTED: [&str; 2] = [
    "b 0 is stopped: master shutdown",
    "interrupt 1: master shutdown",
];

#[test]
fn mas_05_a_stop_interrupts_builds_and_keeps_their_requests() {
    let (mut h, build) = building();
    h.input(Input::Shutdown { clean: false });
    assert_eq!(h.told(), INTERRUPTED);
    h.submit("b");
    assert_eq!(h.told(), ["reply 2: the master is shutting down"]);
    h.finish(build, Results::Exception, Some("master shutdown"));
    assert_eq!(
        h.told(),
        [
            "write build id 1 retry, request 1 retries 0",
            "b is idle",
            "finished b 0 retry",
            "queued 1",
            "exit"
        ]
    );
}

#[test]
fn a_build_that_ended_by_itself_during_the_stop_keeps_its_result() {
    let (mut h, build) = building();
    h.input(Input::Shutdown { clean: false });
    h.finish(build, Results::Success, None);
    assert!(h.is_told("finished b 0 success"));
}

#[test]
fn a_stop_waits_three_seconds_at_most() {
    let (mut h, _) = building();
    h.input(Input::Shutdown { clean: false });
    h.told();
    h.pass(2);
    assert_eq!(h.told(), [""; 0]);
    h.pass(1);
    assert_eq!(h.told(), ["exit"]);
    h.pass(100);
    h.submit("b");
    assert_eq!(h.told(), ["reply 2: the master is shutting down"]);
}

#[test]
fn an_idle_master_stops_at_once() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.persisted();
    h.told();
    h.input(Input::Shutdown { clean: false });
    assert_eq!(h.told(), ["exit"]);
}

#[test]
fn a_change_that_is_being_written_is_answered_before_the_exit() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.submit("b");
    h.input(Input::Shutdown { clean: false });
    h.told();
    h.persisted();
    assert_eq!(
        h.told(),
        ["reply 1: change 1", "change 1", "set 1", "queued 1", "exit"]
    );
}

#[test]
fn a_clean_shutdown_waits_for_builds_and_starts_none() {
    let (mut h, build) = building();
    h.attach("t");
    h.input(Input::Shutdown { clean: true });
    h.told();
    h.submit("c");
    assert_eq!(h.told(), ["reply 2: the master is shutting down"]);
    h.pass(1000);
    h.finish(build, Results::Success, None);
    assert!(h.is_told("exit"));
}

#[test]
fn a_cancelled_clean_shutdown_lets_work_go_on() {
    let (mut h, _) = building();
    h.change("c");
    h.input(Input::Shutdown { clean: true });
    h.attach("t");
    assert_eq!(h.queued("c"), [2], "nothing new starts");
    h.cancel_shutdown();
    assert_eq!(h.queued("c"), [0; 0]);
}

#[test]
fn a_build_that_was_being_started_goes_back_to_the_queue() {
    let mut h = Harness::new(config(&[("b", &["s"]), ("c", &["t"])]));
    h.attach("s");
    h.attach("t");
    h.change("b");
    h.run();
    h.change("c");
    h.input(Input::Shutdown { clean: true });
    assert_eq!(h.queued("c"), [2]);
    h.pong(true);
    assert_eq!(h.queued("c"), [2]);
    h.cancel_shutdown();
    assert_eq!(h.queued("c"), [0; 0]);
}

#[test]
fn a_stop_hastens_a_clean_one() {
    let (mut h, _) = building();
    h.input(Input::Shutdown { clean: true });
    h.input(Input::Shutdown { clean: false });
    assert_eq!(h.told(), INTERRUPTED);
    h.pass(3);
    assert_eq!(h.told(), ["exit"]);
}

#[test]
fn mas_05_only_a_clean_shutdown_that_is_under_way_can_be_cancelled() {
    let (mut h, build) = building();
    h.cancel_shutdown();
    assert_eq!(h.told(), ["reply 2: the master is not shutting down"]);
    h.input(Input::Shutdown { clean: true });
    h.cancel_shutdown();
    assert_eq!(h.told(), ["reply 3: done"]);
    h.input(Input::Shutdown { clean: false });
    h.told();
    h.cancel_shutdown();
    assert_eq!(h.told(), ["reply 4: it is too late: the master is ending"]);
    h.finish(build, Results::Exception, Some("master shutdown"));
    assert!(h.is_told("exit"));
    h.cancel_shutdown();
    assert_eq!(h.told(), ["reply 5: the master is shutting down"]);
}
