//! Changes become builds: order, durability, starts that fail, retries, stops and cancels.

use super::*;
use crate::model::journal::{BuildFinish, RecoveredSet};
use crate::model::{BuildNumber, BuildSet, ChangeNumber};

#[test]
fn a_build_lasts_as_long_as_it_does_whatever_is_done_to_the_clock() {
    for step in [-HOUR, HOUR] {
        let mut h = Harness::new(config(&[("b", &["s"])]));
        h.attach("s");
        h.submit("b");
        h.persisted();
        let plan = h.run();
        let started = h.out.iter().find_map(|command| match command {
            Command::Announce(Event::Build(BuildEvent::Started(start))) => Some(start.at),
            _ => None,
        });
        h.pass(10);
        h.now.wall = Timestamp(h.now.wall.0 + step);
        h.pass(20);
        h.finish(plan.build, Results::Success, None);
        let ended = h.out.iter().find_map(|command| match command {
            Command::Persist { ops, .. } => ops.iter().find_map(|op| match op {
                Op::BuildFinished(BuildFinish { at, .. }) => Some(*at),
                _ => None,
            }),
            _ => None,
        });
        let lasted = Duration::from_secs(30);
        assert_eq!(ended, started.map(|started| started + lasted), "{step}");
    }
}

/// In microseconds.
const HOUR: i64 = 3_600_000_000;

#[test]
fn a_change_becomes_a_build_and_nothing_is_seen_before_it_is_durable() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.told();
    h.submit("b");
    assert_eq!(h.told(), ["write change 1, set 1"]);
    h.persisted();
    assert_eq!(
        h.told()[..],
        [
            "reply 1: change 1",
            "change 1",
            "set 1",
            "queued 1",
            "b is building",
            "ping 1 b"
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
    assert_eq!(h.told(), ["start 1 b"]);
    h.input(
        SlaveInput::BuildStartAnswered {
            builder: "b".into(),
            epoch: Epoch(1),
            ok: Ok(()),
        }
        .of(SessionId(1)),
    );
    assert_eq!(h.told(), ["write build 0 started"]);
    h.persisted();
    assert_eq!(h.told(), ["started b 0", "run b 0 on 1"]);
    h.input(
        BuildInput::Finished {
            outcome: BuildOutcome {
                text: vec!["failed".to_owned()],
                ..outcome(Results::Failure, None)
            },
        }
        .of(BuildId(1)),
    );
    assert_eq!(
        h.told(),
        [
            "write build id 1 failure, request 1 failure, set 1 failure",
            "b is idle"
        ]
    );
    h.persisted();
    assert_eq!(
        h.told(),
        [
            "finished b 0 failure",
            "set 1 has a failure",
            "set 1 failure"
        ]
    );
}

#[test]
fn sb_02_merged_requests_go_back_in_their_old_order() {
    let mut config = config(&[("b", &["s"])]);
    builder_of(&mut config, 0).merging.rule = MergeRule::Compatible;
    config.schedulers.push(scheduler("all", vec!["b".into()]));
    let mut h = Harness::new(config);
    h.change("b");
    h.pass(1);
    h.change("b");
    h.pass(1);
    h.change("all");
    let submitted = |h: &Harness| {
        let requests = (1..=4).filter_map(|id| h.core.intake.request(RequestId(id)));
        requests
            .map(|open| open.request.submitted_at)
            .collect::<Vec<_>>()
    };
    let before = submitted(&h);
    h.attach("s");
    assert_eq!(h.queued("b"), [3, 4]);
    h.pong(false);
    assert_eq!(h.queued("b"), [1, 2, 3, 4]);
    assert_eq!(submitted(&h), before);
}

#[test]
fn sb_11_cancelling_the_last_open_request_finishes_the_set() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["t"])]));
    h.attach("s");
    h.change("all");
    let plan = h.run();
    h.finish(plan.build, Results::Success, None);
    h.told();
    let reply = h.new_reply();
    h.input(Input::Asked {
        ask: Ask::Cancel {
            request: RequestId(2),
            reason: String::new(),
        },
        reply,
    });
    assert_eq!(h.told(), ["write request 2 failure, set 1 failure"]);
    h.persisted();
    assert_eq!(
        h.told(),
        [
            "reply 2: done",
            "cancelled 2",
            "set 1 has a failure",
            "set 1 failure"
        ]
    );
}

#[test]
fn brq_05_a_cancel_during_the_start_counts_if_the_start_fails() {
    for ok in [true, false] {
        let mut h = Harness::new(config(&[("b", &["s"])]));
        h.attach("s");
        h.change("b");
        let reply = h.new_reply();
        h.input(Input::Asked {
            ask: Ask::Cancel {
                request: RequestId(1),
                reason: String::new(),
            },
            reply,
        });
        assert!(
            h.out
                .iter()
                .any(|c| matches!(c, Command::Reply { to, result: Err(_) } if *to == reply))
        );
        h.pong(ok);
        if ok {
            h.started(Ok(()));
            h.persisted();
            assert!(h.take_run().is_some());
        } else {
            assert_eq!(h.queued("b"), [0; 0]);
            h.persisted();
            assert!(h.is_told("set 1 failure"));
        }
    }
}

#[test]
fn sb_13_a_build_that_outlives_its_connection_counts_as_building() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    assert_eq!(h.state("b"), "offline");
    let session = h.attach("s");
    h.attach("t");
    assert_eq!(h.state("b"), "idle");
    h.change("b");
    assert_eq!(h.state("b"), "building");
    let plan = h.run();
    let why = "cut".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    assert!(h.is_told("slave gone 1"));
    assert_eq!(h.state("b"), "building");
    h.finish(plan.build, Results::Retry, None);
    assert_eq!(h.queued("b"), [0; 0], "built again on the other slave");
    assert_eq!(h.state("b"), "building");
    let plan = h.run();
    assert_eq!(plan.slave, "t".into());
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.state("b"), "idle");
    assert!(h.is_told("set 1 success"));
}

#[test]
fn sb_14_a_set_without_builders_finishes_at_once() {
    let mut config = config(&[("b", &["s"])]);
    config.schedulers.push(scheduler("none", Vec::new()));
    let mut h = Harness::new(config);
    h.submit("none");
    assert_eq!(
        h.told(),
        ["b is offline", "write change 1, set 1, set 1 success"]
    );
    h.persisted();
    assert_eq!(
        h.told(),
        ["reply 1: change 1", "change 1", "set 1", "set 1 success"]
    );
}

#[test]
fn sb_15_builds_start_until_none_can() {
    let mut config = config(&[("a", &["s"]), ("b", &["s"]), ("c", &["s"]), ("d", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(3);
    let mut h = Harness::new(config);
    for branch in ["a", "b", "c", "d", "a"] {
        h.change(branch);
    }
    h.told();
    h.attach("s");
    let pings = |h: &mut Harness| -> Vec<String> {
        let told = h.told();
        told.into_iter().filter(|t| t.starts_with("ping")).collect()
    };
    assert_eq!(pings(&mut h), ["ping 1 a", "ping 1 b", "ping 1 c"]);
    assert_eq!(h.queued("d"), [4]);
}

#[test]
fn brq_02_the_oldest_request_of_all_builders_goes_first() {
    let mut config = config(&[("a", &["s"]), ("b", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(1);
    let mut h = Harness::new(config);
    for branch in ["b", "a", "b"] {
        h.change(branch);
        h.pass(10);
    }
    h.attach("s");
    let mut order = Vec::new();
    for _ in 0..3 {
        let plan = h.run();
        order.push(plan.builder.name.to_string());
        h.finish(plan.build, Results::Success, None);
    }
    assert_eq!(order, ["b", "a", "b"]);
}

#[test]
fn bld_11_brq_06_starts_that_fail_are_counted_and_have_no_number() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    for _ in 0..3 {
        h.pong(true);
        h.started(Err("no".to_owned()));
        h.pass(2);
    }
    let on_record = h.out.iter().filter(|command| match command {
        Command::Persist { ops, .. } => ops.iter().any(|op| matches!(op, Op::StartFailed { .. })),
        _ => false,
    });
    assert_eq!(on_record.count(), 3);
    let plan = h.run();
    assert_eq!(plan.number, BuildNumber(0));
    let open = h.core.intake.request(RequestId(1)).unwrap();
    assert_eq!(open.request.start_count, 4);
}

#[test]
fn bld_10_an_unanswered_ping_fails_after_ten_seconds() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    h.told();
    h.pass(9);
    assert_eq!(h.told(), [""; 0]);
    h.pass(1);
    assert_eq!(
        h.told(),
        [
            "drop 1: it did not answer a ping",
            "start failed b s",
            "queued 1",
            "note slave s false",
            "b is offline"
        ]
    );
}

impl Harness {
    /// The slave comes, is given a build, and is lost.
    fn cut_short(&mut self) {
        let session = self.attach("s");
        let plan = self.run();
        self.told();
        let why = "cut".to_owned();
        self.input(SlaveInput::Lost { why }.of(session));
        self.finish(plan.build, Results::Retry, None);
    }
}

#[test]
fn bui_14_a_build_that_kills_its_slaves_ends_as_exception() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.change("b");
    for round in 0..6 {
        h.cut_short();
        if round < 5 {
            assert_eq!(h.queued("b"), [1], "retry {round}");
        }
    }
    assert_eq!(h.queued("b"), [0; 0]);
    let told = h.told();
    assert!(
        told.contains(&"finished b 5 exception".to_owned()),
        "{told:?}"
    );
    assert!(told.contains(&"set 1 failure".to_owned()));
}

#[test]
fn bui_02_a_build_is_on_record_as_it_will_be_then_told_then_runs_and_only_then_takes_locks() {
    let mut config = config(&[("b", &["s"])]);
    config.locks = vec![locks::lock("disk", 1, true)];
    let mut h = Harness::new(config);
    let session = h.attach("s");
    h.change("b");
    h.pong(true);
    h.started(Ok(()));
    let start = h.out.iter().find_map(|command| match command {
        Command::Persist { ops, .. } => ops.iter().find_map(|op| match op {
            Op::BuildStarted(start) => Some(Arc::clone(start)),
            _ => None,
        }),
        _ => None,
    });
    let start = start.unwrap();
    assert_eq!(start.slave.as_str(), "s");
    assert_eq!(start.properties.get("slavename"), Some(&"s".into()));
    assert_eq!(start.properties.get("buildnumber"), Some(&0.into()));
    let told = h.told();
    assert_eq!(told.last().unwrap(), "write build 0 started");
    assert!(!told.contains(&"started b 0".to_owned()), "{told:?}");
    h.persisted();
    let plan = h.out.iter().find_map(|command| match command {
        Command::Build {
            what: BuildCommand::Run { plan, .. },
            ..
        } => Some(plan.clone()),
        _ => None,
    });
    let plan = plan.unwrap();
    assert_eq!(plan.properties, start.properties);
    assert_eq!(h.told(), ["started b 0", "run b 0 on 1"]);
    // Its locks are those of its slave, whose connection is watched.
    h.wants(&plan, LockUser::Build, locks::exclusive("disk"));
    h.wants(&plan, locks::step(), locks::exclusive("disk"));
    let waits = "step test of build b/0 waits for lock disk of slave s, held by b/0, place 1";
    assert_eq!(h.told(), ["grant 1 build", waits]);
    let why = "cut".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    assert!(h.is_told("slave gone 1"));
}

#[test]
fn bui_03_after_a_build_that_could_not_be_made_the_next_one_runs() {
    for abandoned_command in [false, true] {
        let mut h = Harness::new(config(&[("b", &["s"])]));
        h.attach("s");
        h.change("b");
        h.change("b");
        let plan = h.run();
        h.told();
        // What a build's own code that panics comes to.
        let outcome = BuildOutcome {
            text: ["build", "exception"].map(str::to_owned).into(),
            abandoned_command,
            ..outcome(Results::Exception, None)
        };
        let build = plan.build;
        h.input(BuildInput::Finished { outcome }.of(build));
        h.persisted();
        let told: Vec<_> = h.out.iter().filter_map(short).collect();
        for line in ["finished b 0 exception", "set 1 failure"] {
            assert!(told.contains(&line.to_owned()), "{told:?}");
        }
        if abandoned_command {
            let dropped = "drop 1: a command on it was given up".to_owned();
            assert!(told.contains(&dropped), "{told:?}");
            h.out.clear();
            h.attach("s");
        }
        assert_eq!(h.run().number, BuildNumber(1));
    }
}

#[test]
fn bui_14_of_merged_requests_each_has_its_own_retries() {
    let mut config = config(&[("b", &["s"])]);
    builder_of(&mut config, 0).merging.rule = MergeRule::Compatible;
    config.max_retries = 1;
    let mut h = Harness::new(config);
    for _ in 0..2 {
        // The second request joins in the second build.
        h.change("b");
        h.cut_short();
    }
    let written = "write build id 2 retry, request 1 exception, set 1 failure, request 2 retries 1";
    assert!(h.is_told(written));
    assert_eq!(h.queued("b"), [2]);
}

#[test]
fn bst_09_requests_of_builders_that_are_gone_at_the_start_have_their_grace_as_well() {
    for grace in [0, 60] {
        let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
        h.change("all");
        let requests = OpenSets::requests_of(&set_of(&h)).collect::<Vec<_>>();
        let recovered = Recovered {
            sets: vec![RecoveredSet {
                set: set_of(&h),
                finished: Vec::new(),
            }],
            requests,
            ..Recovered::default()
        };
        let mut without = config(&[("a", &["s"])]);
        without.orphan_request_grace = Duration::from_secs(grace);
        let mut h = Harness::recovered(without, recovered.clone());
        if grace > 0 {
            h.pass(grace - 1);
            assert!(!h.is_told("write request 2 failure"));
            assert_eq!(h.queued("b"), [2]);
        }
        h.pass(grace.min(1));
        h.persisted();
        assert!(h.is_told("write request 2 failure"));
        assert_eq!(h.queued("a"), [1]);
        h.attach("s");
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        assert!(h.is_told("set 1 failure"));
    }
}

#[test]
fn bst_09_a_builder_that_is_back_in_time_after_a_restart_builds_its_requests() {
    let both = || {
        let mut both = config(&[("a", &["s"]), ("b", &["s"])]);
        both.orphan_request_grace = Duration::from_secs(60);
        both
    };
    let mut h = Harness::new(both());
    h.change("b");
    let requests = OpenSets::requests_of(&set_of(&h)).collect::<Vec<_>>();
    let recovered = Recovered {
        sets: vec![RecoveredSet {
            set: set_of(&h),
            finished: Vec::new(),
        }],
        requests,
        ..Recovered::default()
    };
    let mut without = both();
    without.builders.pop();
    let mut h = Harness::recovered(without, recovered);
    h.pass(59);
    h.told();
    h.reconfigure(both());
    assert!(h.is_told("b is offline"));
    h.pass(100);
    h.attach("s");
    assert_eq!(h.run().requests, [RequestId(1)]);
}

fn set_of(h: &Harness) -> Arc<BuildSet> {
    let sets = h.out.iter().filter_map(|c| match c {
        Command::Announce(Event::Intake(IntakeEvent::SetSubmitted(set))) => Some(Arc::clone(set)),
        _ => None,
    });
    sets.max_by_key(|set| set.id).unwrap()
}

#[test]
fn chg_06_the_time_of_a_change_is_its_own_or_that_of_its_arrival() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    let reply = h.new_reply();
    let change = NewChange {
        when: Some(Timestamp(7)),
        ..NewChange::default()
    };
    h.input(Input::Offered {
        offer: Box::new(AdmittedOffer::of_one(change)),
        reply,
    });
    h.submit("b");
    h.persisted();
    let changes: Vec<_> = h
        .out
        .iter()
        .filter_map(|c| match c {
            Command::Announce(Event::Intake(IntakeEvent::ChangeAdded(change))) => {
                Some((change.number, change.when))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [
            (ChangeNumber(1), Timestamp(7)),
            (ChangeNumber(2), h.now.wall)
        ]
    );
}
