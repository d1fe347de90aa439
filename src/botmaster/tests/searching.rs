//! Builds of culprit searches never make anybody wait (SRH-03, SRH-11).

use super::locks::{exclusive, lock};
use super::*;
use crate::config::StepConfig;
use crate::model::{Effort, Expectations, SearchNumber, SearchOp, SourceStamps};

impl Harness {
    /// A search asks for a build on `builder`, whose last step is "test".
    fn probe(&mut self, builder: &str, point: u32) {
        let reply = self.new_reply();
        let probe = Probe {
            search: SearchNumber(7),
            point,
            builder: builder.into(),
            stamps: SourceStamps::default(),
            step: Some("test".to_owned()),
        };
        let ask = Ask::Probe(Box::new(probe));
        self.input(Input::Asked { ask, reply });
        self.persisted();
    }

    /// How often builds were told to stop what they are doing; forgets what has come out.
    fn interrupts(&mut self) -> usize {
        let is_interrupt = |command: &Command| {
            matches!(
                command,
                Command::Build {
                    what: BuildCommand::Interrupt { .. },
                    ..
                }
            )
        };
        self.out.drain(..).filter(is_interrupt).count()
    }
}

/// One slave that takes one build at a time, for builders "a" and "b".
fn narrow() -> Config {
    let mut config = config(&[("a", &["s"]), ("b", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(1);
    config
}

/// The same with the steps "test" and "publish", which are expected to take 600 s each.
fn timed() -> Harness {
    let mut config = narrow();
    let steps = ["test", "publish"].map(|name| StepConfig {
        name: name.to_owned(),
        ..StepConfig::default()
    });
    let factory = FactoryConfig {
        steps: steps.to_vec(),
        ..FactoryConfig::default()
    };
    builder_of(&mut config, 0).factory = Arc::new(factory);
    let effort = || Effort {
        secs: 600.0,
        ..Effort::default()
    };
    let expected = ["test", "publish"].map(|name| (name.to_owned(), effort()));
    let mut recovered = Recovered::default();
    let expected = Expectations(expected.into_iter().collect());
    recovered.expectations.insert("a".into(), expected);
    Harness::recovered(config, recovered)
}

/// A search builds on the only slave.
fn probing() -> (Harness, Box<BuildPlan>) {
    let mut h = timed();
    h.attach("s");
    h.probe("a", 3);
    let plan = h.run();
    h.interrupts();
    (h, plan)
}

#[test]
fn srh_11_requests_of_searches_stand_behind_all_others() {
    let mut h = Harness::new(narrow());
    h.probe("a", 0);
    h.pass(1_000);
    h.change("a");
    h.change("b");
    assert_eq!(h.queued("a"), [2, 1]);
    h.attach("s");
    let order = (0..3).map(|_| {
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        plan.requests.iter().map(|id| id.0).collect::<Vec<_>>()
    });
    let order: Vec<_> = order.collect();
    assert_eq!(order, [[2], [3], [1]]);
}

#[test]
fn srh_14_what_is_asked_is_on_record_with_its_set() {
    let mut h = Harness::new(narrow());
    h.probe("a", 5);
    let mut tickets = h.out.drain(..).filter_map(|command| match command {
        Command::Persist { ops, .. } => Some(ops),
        _ => None,
    });
    let with_set = |ops: &Vec<Op>| ops.iter().any(|op| matches!(op, Op::SetSubmitted(_)));
    let ops = tickets.rfind(with_set).unwrap();
    let asked = Op::Search(SearchOp::Asked {
        search: SearchNumber(7),
        point: 5,
        request: RequestId(1),
    });
    assert!(ops.contains(&asked), "{ops:?}");
}

#[test]
fn srh_03_the_steps_up_to_the_one_in_question_are_planned() {
    let (_, plan) = probing();
    assert_eq!(plan.properties.get("search"), Some(&true.into()));
    assert_eq!(plan.properties.last_step(), Some("test"));
}

#[test]
fn srh_11_a_build_of_a_search_makes_way_and_is_repeated_twice() {
    let (mut h, mut plan) = probing();
    for repeat in 0..3 {
        h.pass(10);
        assert_eq!(h.interrupts(), 0, "nobody waits");
        h.change("b");
        assert_eq!(h.interrupts(), 1);
        h.finish(plan.build, Results::Exception, Some("yields"));
        let other = h.run();
        assert_eq!(other.builder.name.as_str(), "b", "{repeat}");
        h.finish(other.build, Results::Success, None);
        if repeat < 2 {
            plan = h.run();
            assert!(plan.properties.are_of_search());
            h.interrupts();
        }
    }
    assert_eq!(h.queued("a"), Vec::<u64>::new(), "it has ended");
}

#[test]
fn srh_11_a_build_past_half_of_its_time_goes_on() {
    let (mut h, plan) = probing();
    h.pass(301);
    h.change("b");
    assert_eq!(h.interrupts(), 0);
    assert_eq!(h.queued("b"), [2]);
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.run().builder.name.as_str(), "b");
}

impl Harness {
    /// The search of this request is over.
    fn end_probe(&mut self, request: u64) {
        let reply = self.new_reply();
        let ask = Ask::EndProbe {
            request: RequestId(request),
            reason: "its search is over".to_owned(),
        };
        self.input(Input::Asked { ask, reply });
    }
}

#[test]
fn srh_13_what_an_ended_search_has_asked_for_is_stopped_unless_it_is_past_half_of_its_time() {
    let (mut h, _) = probing();
    h.probe("a", 4);
    assert_eq!(h.queued("a"), [2]);
    h.end_probe(2);
    assert_eq!(h.queued("a"), Vec::<u64>::new());
    h.pass(301);
    h.end_probe(1);
    assert_eq!(h.interrupts(), 0, "it is past half of 600 s");
    let (mut h, _) = probing();
    h.pass(299);
    h.end_probe(1);
    assert_eq!(h.interrupts(), 1);
}

#[test]
fn srh_08_a_search_has_room_on_slaves_that_are_idle() {
    let mut config = config(&[("a", &["s", "t"]), ("b", &["s", "t"])]);
    for at in 0..2 {
        slave_of(&mut config, at).max_builds = Some(1);
    }
    let mut h = Harness::new(config);
    let room = |h: &mut Harness| {
        let reply = h.new_reply();
        let builder = "a".into();
        let ask = Ask::RoomForSearch { builder };
        h.input(Input::Asked { ask, reply });
        h.out.drain(..).find_map(|command| match command {
            Command::Reply {
                result: Ok(Answer::Count(count)),
                ..
            } => Some(count),
            _ => None,
        })
    };
    assert_eq!(room(&mut h), Some(0));
    h.attach("s");
    h.attach("t");
    assert_eq!(room(&mut h), Some(2));
    h.change("b");
    h.run();
    assert_eq!(room(&mut h), Some(1));
}

#[test]
fn srh_11_one_request_interrupts_one_build() {
    let mut config = config(&[("a", &["s", "t"])]);
    for at in 0..2 {
        slave_of(&mut config, at).max_builds = Some(1);
    }
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    h.probe("a", 0);
    h.run();
    h.probe("a", 1);
    h.run();
    h.interrupts();
    h.change("a");
    assert_eq!(h.interrupts(), 1);
    h.pass(1);
    assert_eq!(h.interrupts(), 0);
}

#[test]
fn srh_11_a_search_asks_for_no_lock_that_is_held() {
    let mut config = config(&[("a", &["s"]), ("b", &["t"])]);
    config.locks = vec![lock("l", 1, false)];
    for at in 0..2 {
        builder_of(&mut config, at).locks = vec![exclusive("l")];
    }
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    h.change("b");
    let plan = h.run();
    let user = LockUser::Build;
    h.wants(&plan, user, exclusive("l"));
    h.probe("a", 0);
    assert_eq!(h.queued("a"), [2]);
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.run().builder.name.as_str(), "a");
}

#[test]
fn srh_11_the_last_free_slave_is_left_to_a_builder_that_reserves_it() {
    let mut config = config(&[("a", &["s", "t"]), ("b", &["s", "t"])]);
    for at in 0..2 {
        slave_of(&mut config, at).max_builds = Some(1);
    }
    builder_of(&mut config, 1).reserve = true;
    let mut h = Harness::new(config);
    h.attach("s");
    h.probe("a", 0);
    assert_eq!(h.queued("a"), [1], "b would have no slave");
    h.attach("t");
    assert_eq!(h.run().builder.name.as_str(), "a");
}

#[test]
fn srh_20_why_says_that_it_is_of_a_search_and_what_it_waits_for() {
    let mut h = Harness::new(narrow());
    h.probe("a", 0);
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[0].kind, BlockerKind::Search);
    assert!(why[0].text.contains("culprit search 7"), "{}", why[0].text);
    assert_eq!(why[0].search, Some(SearchNumber(7)));
    assert!(why.len() > 1, "the slave is not connected");
}

#[test]
fn srh_10_why_names_the_search_that_has_the_slave_and_whether_it_makes_way() {
    let told = |h: &Harness| {
        let why = h.core.why(RequestId(2), &[]).unwrap();
        let its = why.iter().filter(|one| one.kind == BlockerKind::Search);
        let its: Vec<_> = its.map(|one| (one.search, one.text.clone())).collect();
        its
    };
    let said = |text: &str| {
        let text = format!("build a/0 of culprit search 7 on slave s {text}");
        [(Some(SearchNumber(7)), text)]
    };
    let (mut h, _) = probing();
    h.pass(301);
    h.change("b");
    assert_eq!(
        told(&h),
        said("goes on, as it is past half of its expected time")
    );
    let own = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(own[0].kind, BlockerKind::Building);
    assert_eq!(own[0].search, Some(SearchNumber(7)));
    let (mut h, _) = probing();
    h.change("b");
    assert_eq!(told(&h), said("is being stopped"));
}

#[test]
fn nobody_is_told_of_the_builds_of_a_search_and_nothing_is_learned_from_them() {
    let (mut h, plan) = probing();
    h.finish(plan.build, Results::Success, None);
    let written = h.out.drain(..).filter_map(|command| match command {
        Command::Persist { ops, .. } => Some(ops),
        _ => None,
    });
    let is_odd = |op: &Op| matches!(op, Op::StepsExpected { .. } | Op::Letter(_));
    assert_eq!(written.flatten().filter(is_odd).count(), 0);
}
