//! Why a request waits (MAS-10): each blocker of BLD-04, locks, merging, the stop of the master.

use super::locks::{exclusive, lock, step};
use super::*;
use crate::model::Refusal;

/// The day of the harness; its clock begins at 13:46:40.
const DAY: &str = "1970-01-12T";

impl Harness {
    /// The sentences on a request, without the day.
    fn why(&self, request: u64) -> Vec<String> {
        self.why_with(request, &[])
    }

    /// The same when these connections were refused.
    fn why_with(&self, request: u64, refusals: &[Refusal]) -> Vec<String> {
        let why = self.core.why(RequestId(request), refusals);
        let text = |blocker: Blocker| blocker.text.replace(DAY, "");
        why.into_iter().flatten().map(text).collect()
    }

    fn kinds(&self, request: u64) -> Vec<BlockerKind> {
        let why = self.core.why(RequestId(request), &[]).unwrap();
        why.iter().map(|blocker| blocker.kind).collect()
    }
}

fn one_slave(change: impl FnOnce(&mut Config)) -> Harness {
    let mut config = config(&[("b", &["s"])]);
    change(&mut config);
    Harness::new(config)
}

#[test]
fn a_request_that_is_not_open_has_no_blockers() {
    let mut h = one_slave(|_| {});
    assert_eq!(h.core.why(RequestId(1), &[]), None);
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.core.why(RequestId(1), &[]), None);
}

#[test]
fn a_request_that_is_not_on_disk_says_so() {
    let mut h = one_slave(|_| {});
    h.submit("b");
    h.pass(2);
    assert_eq!(
        h.why(1),
        ["request 1 is being written to disk since 13:46:40.000Z"]
    );
    assert_eq!(h.kinds(1), [BlockerKind::NotDurable]);
}

#[test]
fn a_slave_that_is_away_is_told_apart_from_one_that_never_came() {
    let mut h = Harness::new(config(&[("b", &["r", "s", "t"])]));
    let session = h.attach("s");
    h.pass(10);
    let why = "cut".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    h.pass(10);
    h.change("b");
    let never = "slaves r and t have never been connected";
    assert_eq!(
        h.why(1),
        [never, "slave s is not connected since 13:46:50.000Z"]
    );
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[1].since, Some(Timestamp::from_secs(1_000_010)));
    assert_eq!(why[1].slaves, ["s".into()]);
}

/// A refusal a minute after the beginning.
fn refused(name: Option<&str>, why: &str, times: u64) -> Refusal {
    Refusal {
        name: name.map(str::to_owned),
        address: "10.0.0.1".to_owned(),
        why: why.to_owned(),
        first_at: Timestamp::from_secs(1_000_030),
        last_at: Timestamp::from_secs(1_000_060),
        times,
    }
}

#[test]
fn a_slave_that_was_refused_says_so_in_one_sentence() {
    let mut h = one_slave(|_| {});
    h.change("b");
    h.pass(100);
    let wrong = refused(Some("s"), "wrong password", 1);
    let sentence = "slave s has never been connected; its login as \"s\" from 10.0.0.1 was rejected at \
                    13:47:40.000Z: wrong password";
    assert_eq!(h.why_with(1, &[wrong]), [sentence]);
    let again = refused(Some("s"), "wrong password", 7);
    let sentence = "slave s has never been connected; its login as \"s\" from 10.0.0.1 was rejected 7 times \
                    since 13:47:10.000Z, the last time at 13:47:40.000Z: wrong password";
    let refusals = [refused(None, "it speaks TLS", 1), again];
    assert_eq!(h.why_with(1, &refusals), [sentence]);
    let why = h.core.why(RequestId(1), &refusals).unwrap();
    assert_eq!(
        (why[0].kind, &why[0].who[..]),
        (BlockerKind::Refused, &["10.0.0.1".to_owned()][..])
    );
    // It concerns only a slave that is not there.
    h.attach("s");
    assert!(!h.why_with(1, &refusals)[0].contains("refused"));
}

#[test]
fn a_peer_without_a_slaves_name_may_be_any_slave_for_a_quarter_of_an_hour() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    h.change("b");
    h.pass(100);
    let tls = [refused(None, "it speaks TLS", 1)];
    let sentence = "slaves s and t have never been connected; a connection from 10.0.0.1 was rejected at \
                    13:47:40.000Z: it speaks TLS";
    assert_eq!(h.why_with(1, &tls), [sentence]);
    let unknown = [refused(Some("S"), "no such slave", 1)];
    let sentence = "slaves s and t have never been connected; a login as \"S\" from 10.0.0.1 was rejected at \
                    13:47:40.000Z: no such slave";
    assert_eq!(h.why_with(1, &unknown), [sentence]);
    let other = [refused(Some("t"), "wrong password", 1)];
    assert_eq!(
        h.why_with(1, &other).len(),
        2,
        "another slave's is not this one's"
    );
    h.pass(900);
    assert_eq!(
        h.why_with(1, &tls),
        ["slaves s and t have never been connected"]
    );
}

#[test]
fn a_slave_that_is_being_attached_is_on_its_way() {
    let mut h = one_slave(|_| {});
    h.change("b");
    let session = h.log_in("s");
    let attaching = ["slave s is connected since 13:46:40.000Z and being attached"];
    assert_eq!(h.why(1), attaching);
    h.describe(session);
    assert_eq!(h.why(1), attaching);
    h.finish_attach(session);
    assert_eq!(
        h.why(1),
        ["request 1 is being started on slave s: the slave is pinged since 13:46:40.000Z"]
    );
}

#[test]
fn each_stage_of_a_start_is_told() {
    let mut h = one_slave(|_| {});
    h.attach("s");
    h.change("b");
    h.pass(1);
    h.pong(true);
    assert_eq!(
        h.why(1),
        [
            "request 1 is being started on slave s: the slave is asked to start the build since 13:46:41.000Z"
        ]
    );
    h.started(Ok(()));
    assert_eq!(
        h.why(1),
        [
            "request 1 is being started on slave s: its start is being written to disk since 13:46:41.000Z"
        ]
    );
    h.persisted();
    assert_eq!(
        h.why(1),
        ["request 1 is being built as b/0 on slave s since 13:46:41.000Z"]
    );
    assert_eq!(h.kinds(1), [BlockerKind::Building]);
}

#[test]
fn a_busy_slave_and_the_older_ones_in_the_queue_are_named() {
    let mut h = one_slave(|_| {});
    h.attach("s");
    h.change("b");
    h.run();
    h.pass(1);
    h.change("b");
    h.pass(1);
    h.change("b");
    h.change("b");
    let busy = "slave s is busy with b/0 since 13:46:40.000Z";
    assert_eq!(h.why(2), [busy]);
    assert_eq!(
        h.why(3),
        [
            "1 other request goes first on builder b, the next (request 2) waiting since 13:46:41.000Z",
            busy
        ]
    );
    assert_eq!(
        h.why(4),
        [
            "2 other requests go first on builder b, the next (request 2) waiting since 13:46:41.000Z",
            busy
        ]
    );
    let why = h.core.why(RequestId(3), &[]).unwrap();
    assert_eq!(why[0].who, ["request 2"]);
    assert_eq!(why[1].who, ["b/0"]);
}

#[test]
fn a_slave_with_max_builds_names_what_it_runs() {
    let mut config = config(&[("a", &["s"]), ("b", &["s"]), ("c", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(2);
    let mut h = Harness::new(config);
    h.attach("s");
    h.change("a");
    h.run();
    h.pass(5);
    h.change("b");
    h.change("c");
    assert_eq!(
        h.why(3),
        [
            "slave s is full with a/0 and a build of b that is starting (max_builds 2) since 13:46:45.000Z"
        ]
    );
    assert_eq!(h.kinds(3), [BlockerKind::MaxBuilds]);
}

#[test]
fn a_slave_that_is_to_end_is_told_apart_from_one_that_was_told_to() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    let session = h.attach("s");
    h.change("a");
    let plan = h.run();
    h.pass(1);
    h.input(SlaveInput::WantsShutdown.of(session));
    h.change("b");
    let graceful = "slave s is to be shut down when idle and takes no builds since 13:46:41.000Z";
    assert_eq!(h.why(2), [graceful]);
    h.pass(1);
    h.finish(plan.build, Results::Success, None);
    let told = "slave s was told to shut down at 13:46:42.000Z";
    assert_eq!(h.why(2), [told, graceful]);
    assert_eq!(h.kinds(2), [BlockerKind::ToldToEnd, BlockerKind::Graceful]);
}

#[test]
fn a_slave_that_is_held_back_says_until_when() {
    let mut h = one_slave(|_| {});
    h.attach("s");
    h.change("b");
    for _ in 0..2 {
        h.pong(true);
        h.started(Err("no".to_owned()));
    }
    assert_eq!(
        h.why(1),
        [
            "slave s is held back until 13:46:41.000Z after a failure at 13:46:40.000Z: the slave rejected it: no"
        ]
    );
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[0].until, Some(Timestamp::from_secs(1_000_001)));
    h.pass(1);
    assert_eq!(h.kinds(1), [BlockerKind::Starting]);
}

#[test]
fn a_lock_of_a_slave_names_who_holds_it() {
    let mut config = config(&[("a", &["s"]), ("b", &["t"])]);
    config.locks = vec![lock("net", 1, false)];
    for at in 0..2 {
        slave_of(&mut config, at).locks = vec![exclusive("net")];
    }
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    h.change("a");
    h.run();
    h.change("b");
    assert_eq!(h.why(2), ["slave t needs lock net, held by a/0"]);
    assert_eq!(h.kinds(2), [BlockerKind::SlaveLock]);
}

#[test]
fn lck_11_a_build_that_waits_for_a_lock_names_holder_and_place() {
    let mut config = config(&[("a", &["s"]), ("b", &["t"])]);
    config.locks = vec![lock("disk", 1, false)];
    let mut h = Harness::new(config);
    let plans = [("a", "s"), ("b", "t")].map(|(builder, slave)| {
        h.attach(slave);
        h.change(builder);
        h.run()
    });
    h.wants(&plans[0], LockUser::Build, exclusive("disk"));
    h.pass(3);
    h.wants(&plans[1], step(), exclusive("disk"));
    assert_eq!(
        h.why(2),
        [
            "request 2 is being built as b/0 on slave t since 13:46:40.000Z",
            "its build waits for lock disk, held by a/0, place 1, since 13:46:43.000Z"
        ]
    );
    let why = h.core.why(RequestId(2), &[]).unwrap();
    assert_eq!(
        (why[1].kind, why[1].who.as_slice()),
        (BlockerKind::Lock, &["a/0".to_owned()][..])
    );
}

#[test]
fn requests_that_share_a_build_name_each_other() {
    let mut h = one_slave(|config| builder_of(config, 0).merging.rule = MergeRule::Compatible);
    for _ in 0..3 {
        h.change("b");
    }
    let never = "slave s has never been connected";
    assert_eq!(
        h.why(3),
        ["it will share a build with requests 1 and 2", never]
    );
    h.attach("s");
    h.run();
    assert_eq!(
        h.why(2),
        [
            "request 2 is being built as b/0 on slave s since 13:46:40.000Z",
            "it shares this build with requests 1 and 3"
        ]
    );
    assert_eq!(h.kinds(2), [BlockerKind::Building, BlockerKind::Merged]);
}

#[test]
fn a_master_that_stops_says_so_before_all_else() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    h.attach("s");
    h.change("a");
    h.run();
    h.pass(1);
    h.input(Input::Shutdown { clean: true });
    h.change("b");
    assert_eq!(h.why(2), [""; 0], "changes are refused by now");
    h.cancel_shutdown();
    h.change("a");
    h.pass(1);
    h.input(Input::Shutdown { clean: true });
    assert_eq!(
        h.why(2),
        [
            "the master starts no builds since 13:46:42.000Z: it stops when those that run have ended",
            "slave s is busy with a/0 since 13:46:40.000Z"
        ]
    );
    h.input(Input::Shutdown { clean: false });
    assert_eq!(
        h.why(2)[0],
        "the master is shutting down since 13:46:42.000Z"
    );
}

#[test]
fn a_builder_that_was_removed_is_the_only_reason() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    h.change("b");
    let mut without = config(&[("a", &["s"])]);
    without.orphan_request_grace = Duration::from_secs(60);
    let reply = h.new_reply();
    let config = Arc::new(without);
    h.input(Input::Reconfigured {
        config,
        dry_run: false,
        reply,
    });
    assert_eq!(h.kinds(1), [BlockerKind::BuilderRemoved]);
}

#[test]
fn a_slave_that_somebody_pings_is_not_mistaken_for_a_busy_one() {
    let mut h = one_slave(|_| {});
    h.attach("s");
    let reply = h.new_reply();
    let builder = "b".into();
    h.input(Input::Asked {
        ask: Ask::Ping { builder },
        reply,
    });
    h.change("b");
    assert_eq!(h.kinds(1), [BlockerKind::Pinging]);
}

#[test]
fn long_lists_are_cut_in_the_sentence_and_whole_in_the_data() {
    let mut h = one_slave(|config| builder_of(config, 0).merging.rule = MergeRule::Compatible);
    for _ in 0..20 {
        h.change("b");
    }
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[0].who.len(), 19);
    let end = "requests 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 9 more";
    assert!(why[0].text.ends_with(end), "{}", why[0].text);
}

#[test]
fn the_data_is_spelled_for_programs() {
    let mut h = one_slave(|_| {});
    h.attach("s");
    h.change("b");
    h.run();
    h.change("b");
    let why = h.core.why(RequestId(2), &[]).unwrap();
    assert_eq!(
        serde_json::to_value(&why).unwrap(),
        serde_json::json!([{
            "kind": "busy",
            "since": "1970-01-12T13:46:40.000Z",
            "until": null,
            "slaves": ["s"],
            "who": ["b/0"],
            "search": null,
            "text": "slave s is busy with b/0 since 1970-01-12T13:46:40.000Z",
        }])
    );
}
