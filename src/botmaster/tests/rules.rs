//! Expressions and windows of builders and slaves, from outside (CFL-79, CFL-120 to CFL-134,
//! CFL-145, CFL-155).

use super::*;
use crate::config::expression::{Expression, Mode};
use crate::config::{Condition, Hold, QueueRules};
use crate::model::SourceStamp;

fn expressions(texts: &[&str]) -> Vec<Expression> {
    let compile = |text: &&str| Expression::compile(text, Mode::Core, "`it` of builder `b`");
    texts.iter().map(|text| compile(text).unwrap()).collect()
}

/// Slaves "r", "s" and "t" for builder "b", of which each runs one build.
fn three_slaves(change: impl FnOnce(&mut BuilderConfig)) -> Config {
    let mut config = config(&[("b", &["r", "s", "t"])]);
    change(builder_of(&mut config, 0));
    config
}

fn slave_if(text: &str) -> Config {
    let condition = expressions(&[text]).remove(0);
    three_slaves(|builder| builder.slave_rules.slave_if = Some(Condition::If(condition)))
}

fn ordered(texts: &[&str]) -> Config {
    three_slaves(|builder| builder.queue.request_order = expressions(texts))
}

impl Harness {
    fn attach_three(&mut self) {
        for slave in ["r", "s", "t"] {
            self.attach(slave);
        }
    }

    /// A request for a builder whose property `board` names a slave.
    fn force_on(&mut self, builder: &str, slave: &str) {
        let reply = self.new_reply();
        let mut properties = Properties::new();
        properties.set("board", slave, "Force");
        let forced = Box::new(Forced {
            builder: builder.into(),
            scheduler: None,
            soon: false,
            stamps: SourceStamp::default().into(),
            reason: String::new(),
            properties,
            priority: 0,
        });
        let ask = Ask::Force(forced);
        self.input(Input::Asked { ask, reply });
        self.persisted();
    }

    fn texts(&self, request: u64) -> Vec<String> {
        let why = self.core.why(RequestId(request), &[]).unwrap();
        why.into_iter().map(|blocker| blocker.text).collect()
    }

    fn failures(&mut self) -> Vec<(String, u64)> {
        let failed = self.out.drain(..).filter_map(|command| match command {
            Command::Announce(Event::Master(MasterEvent::ExpressionFailed {
                why, count, ..
            })) => Some((why, count)),
            _ => None,
        });
        failed.collect()
    }
}

#[test]
fn cfl_130_and_155_only_a_slave_that_may_take_a_request_gets_it() {
    let mut h = Harness::new(slave_if("slave.name == 's'"));
    h.attach_three();
    h.change("b");
    let plan = h.run();
    assert_eq!(plan.slave.as_str(), "s");
    h.change("b");
    let [may_not, busy] = h.texts(2).try_into().unwrap();
    let said = "slaves r and t may not take it: slave_if of builder b is false: slave.name == 's'";
    assert_eq!(may_not, said);
    assert!(busy.starts_with("slave s is busy with b/0"), "{busy}");
    let why = h.core.why(RequestId(2), &[]).unwrap();
    assert_eq!(why[0].kind, BlockerKind::SlaveIf);
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.run().slave.as_str(), "s");
}

#[test]
fn cfl_130_a_condition_that_fails_is_false_and_told_once() {
    let mut h = Harness::new(slave_if("prop.level + 1 > 2"));
    h.attach_three();
    h.out.clear();
    h.change("b");
    h.change("b");
    let said =
        "slaves r, s and t may not take it: slave_if of builder b failed: `prop.level` is not set";
    assert_eq!(h.texts(2).last().unwrap(), said);
    assert_eq!(h.failures(), [("`prop.level` is not set".to_owned(), 1)]);
    h.reconfigure(slave_if("prop.level is defined"));
    assert_eq!(h.failures(), [(String::new(), 3)]);
}

#[test]
fn cfl_131_a_slave_that_comes_again_with_another_version_is_asked_again() {
    let mut h = Harness::new(slave_if("slave.version == '2'"));
    h.change("b");
    let session = h.attach("s");
    assert_eq!(h.core.queued(&"b".into()), [RequestId(1)]);
    let why = "gone".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    let session = h.log_in("s");
    let info = BTreeMap::from([("version".to_owned(), "2".to_owned())]);
    h.input(SlaveInput::Described { info: info.into() }.of(session));
    h.attach_builders(session, vec!["b".into()]);
    assert_eq!(h.run().slave.as_str(), "s");
}

#[test]
fn cfl_132_and_158_the_greatest_slave_goes_first_and_a_build_says_so() {
    let mut h = Harness::new(three_slaves(|builder| {
        builder.slave_rules.slave_order = expressions(&["slave.used_last", "slave.name == 't'"]);
    }));
    h.attach_three();
    h.change("b");
    let attempt = h.core.builds.iter().next().unwrap().1;
    assert_eq!(attempt.choice, "slave_order [0, 1], first of 3");
    let first = h.run();
    assert_eq!(first.slave.as_str(), "t");
    h.change("b");
    let second = h.run();
    assert_eq!(second.slave.as_str(), "r", "t is busy");
    h.finish(first.build, Results::Success, None);
    h.finish(second.build, Results::Success, None);
    h.change("b");
    assert_eq!(h.run().slave.as_str(), "r", "the last build ran there");
}

#[test]
fn cfl_132_where_the_last_build_ran_is_known_after_a_restart() {
    let order = |builder: &mut BuilderConfig| {
        builder.slave_rules.slave_order = expressions(&["slave.used_last"]);
    };
    let recovered = Recovered {
        used_last: [("b".into(), "t".into()), ("gone".into(), "s".into())].into(),
        ..Recovered::default()
    };
    let mut h = Harness::recovered(three_slaves(order), recovered);
    h.attach_three();
    h.change("b");
    assert_eq!(h.run().slave.as_str(), "t");
}

#[test]
fn cfl_120_and_155_a_request_says_who_goes_first_and_by_what() {
    let mut h = Harness::new(ordered(&["request.number"]));
    for _ in 0..3 {
        h.change("b");
    }
    assert_eq!(h.queued("b"), [3, 2, 1]);
    let said = "2 other requests go first on builder b (request_order), the next (request 3) waiting since \
                1970-01-12T13:46:40.000Z";
    assert_eq!(h.texts(1)[0], said);
}

#[test]
fn cfl_79_another_order_counts_for_all_that_wait_and_submit_times_stay() {
    const REQUESTS: u64 = 10_000;
    let mut h = Harness::new(ordered(&[]));
    for _ in 0..REQUESTS {
        h.submit("b");
    }
    h.persisted();
    let times = |h: &Harness| -> Vec<Timestamp> {
        let ids = (1..=REQUESTS).map(RequestId);
        ids.map(|id| h.core.intake.request(id).unwrap().request.submitted_at)
            .collect()
    };
    let before = times(&h);
    h.pass(5);
    h.reconfigure(ordered(&["request.number % 2", "-request.number"]));
    let odd = (1..=REQUESTS).filter(|n| n % 2 == 1);
    let even = (1..=REQUESTS).filter(|n| n % 2 == 0);
    assert_eq!(h.queued("b"), odd.chain(even).collect::<Vec<_>>());
    assert_eq!(times(&h), before);
    h.reconfigure(ordered(&[]));
    assert_eq!(h.queued("b"), (1..=REQUESTS).collect::<Vec<_>>());
}

#[test]
fn cfl_123_a_build_takes_at_most_so_many_and_a_request_says_so() {
    let mut h = Harness::new(three_slaves(|builder| {
        builder.merging.rule = MergeRule::Compatible;
        builder.queue = QueueRules {
            merge_limit: Some(2),
            ..QueueRules::default()
        };
    }));
    for _ in 0..3 {
        h.change("b");
    }
    let said = "a build of builder b takes at most 2 requests (merge_limit), and 2 that it could share one with go \
                first";
    assert_eq!(h.texts(3)[1], said);
    let why = h.core.why(RequestId(3), &[]).unwrap();
    assert_eq!(why[1].kind, BlockerKind::MergeLimit);
    assert!(
        h.texts(1)
            .contains(&"it will share a build with request 2".to_owned())
    );
    h.attach("s");
    assert_eq!(h.run().requests, [RequestId(1), RequestId(2)]);
}

/// The harness begins on a Monday at 13:46:40.
fn until_ten_to_two() -> Hold {
    Hold::daily([(13 * 60, 13 * 60 + 50)])
}

#[test]
fn cfl_134_a_request_waits_for_the_end_of_a_window_and_starts_in_that_turn() {
    let hold = until_ten_to_two();
    let mut h = Harness::new(three_slaves(|builder| builder.hold = hold));
    h.attach_three();
    h.change("b");
    let said = "builder b starts no builds until 1970-01-12T13:50:00.000Z: hold 13:00-13:50 UTC";
    assert_eq!(h.texts(1)[0], said);
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[0].kind, BlockerKind::Hold);
    let end = Timestamp::from_secs(1_000_200);
    assert_eq!(why[0].until, Some(end));
    h.pass(185);
    let deadline = h.core.poll_timeout().unwrap();
    assert_eq!(deadline.since(h.now.mono), Duration::from_secs(15));
    assert_eq!(h.queued("b"), [1]);
    h.pass(15);
    assert!(h.queued("b").is_empty());
    assert_eq!(h.run().slave.as_str(), "r");
}

#[test]
fn cfl_133_no_build_starts_on_a_slave_in_a_window_and_running_ones_go_on() {
    let held = |h: bool| {
        let mut config = three_slaves(|_| ());
        for at in 0..2 {
            let hold = if h {
                until_ten_to_two()
            } else {
                Hold::default()
            };
            slave_of(&mut config, at).hold = hold;
        }
        config
    };
    let mut h = Harness::new(held(false));
    h.attach("r");
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.reconfigure(held(true));
    h.change("b");
    let said = "slaves r and s take no builds until 1970-01-12T13:50:00.000Z: hold 13:00-13:50 UTC";
    assert!(h.texts(2).contains(&said.to_owned()), "{:?}", h.texts(2));
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.queued("b"), [2]);
    h.reconfigure(held(false));
    assert!(h.queued("b").is_empty());
}

#[test]
fn a_builder_runs_at_most_so_many_builds_on_all_slaves_and_a_request_says_so() {
    let limited = |max| three_slaves(|builder| builder.max_builds = max);
    let mut h = Harness::new(limited(Some(2)));
    h.attach_three();
    h.change("b");
    h.change("b");
    h.change("b");
    let first = h.run();
    let second = h.run();
    assert_eq!(h.queued("b"), [3]);
    let said = "builder b is full with b/0 and b/1 (max_builds 2)";
    assert_eq!(h.texts(3)[0], said);
    let why = h.core.why(RequestId(3), &[]).unwrap();
    assert_eq!(why[0].kind, BlockerKind::BuilderFull);
    h.finish(first.build, Results::Success, None);
    let third = h.run();
    h.change("b");
    assert_eq!(h.queued("b"), [4]);
    h.reconfigure(limited(Some(1)));
    h.finish(second.build, Results::Success, None);
    assert_eq!(h.queued("b"), [4], "one still runs");
    h.finish(third.build, Results::Success, None);
    h.run();
    h.change("b");
    assert_eq!(h.queued("b"), [5]);
    h.reconfigure(limited(None));
    assert!(h.queued("b").is_empty());
}

#[test]
fn a_request_goes_to_the_slave_that_its_property_names() {
    let mut h = Harness::new(three_slaves(|builder| {
        builder.slave_rules.slave_property = Some("board".to_owned());
    }));
    h.attach("r");
    h.attach("s");
    h.force_on("b", "s");
    let plan = h.run();
    assert_eq!(plan.slave.as_str(), "s");
    h.force_on("b", "s");
    h.force_on("b", "t");
    h.force_on("b", "nobody");
    let [others, busy] = h.texts(2).try_into().unwrap();
    assert_eq!(
        others,
        "slaves r and t may not take it: its property board names slave s"
    );
    assert!(busy.starts_with("slave s is busy with b/0"), "{busy}");
    let why = h.texts(3);
    let away = why
        .iter()
        .any(|text| text == "slave t has never been connected");
    assert!(away, "{why:?}");
    let none = "slaves r, s and t may not take it: its property board names slave nobody";
    assert_eq!(h.texts(4).last().unwrap(), none);
    h.force_on("b", "");
    assert_eq!(h.run().slave.as_str(), "r", "it goes to any");
}
