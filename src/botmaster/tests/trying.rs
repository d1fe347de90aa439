//! Try jobs in the core: a set at once, or an answer that says why not.

use super::*;
use crate::config::{TryJobdirConfig, TryUserpassConfig};
use crate::model::journal::RecoveredSet;
use crate::model::{
    BuildSet, Decision, Instead, Patch, PatchBody, SetId, SourceStamp, SourceStamps, TryJob,
};

/// A slave with builders a and b, and a try scheduler for `builders`.
fn try_config(builders: &[&str]) -> Config {
    let mut config = config(&[("a", &["s"]), ("b", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(1);
    for builder in 0..2 {
        builder_of(&mut config, builder).merging.rule = MergeRule::Compatible;
    }
    config.schedulers = vec![Arc::new(SchedulerConfig {
        name: "try".into(),
        builders: builders.iter().map(|&b| b.into()).collect(),
        kind: SchedulerKind::TryUserpass(TryUserpassConfig::default()),
        ..SchedulerConfig::default()
    })];
    config
}

fn job(builders: &[&str]) -> TryJob {
    TryJob {
        id: "id1".to_owned(),
        patch: b"diff".to_vec(),
        builders: builders.iter().map(|&b| b.into()).collect(),
        ..TryJob::default()
    }
}

impl Harness {
    fn hand_in(&mut self, scheduler: &str, job: TryJob) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::SubmitTry {
                scheduler: scheduler.into(),
                job: Box::new(job),
                user: Some("alice".to_owned()),
            },
            reply,
        });
    }

    fn answer(&mut self) -> Result<Answer, String> {
        let is_reply = |c: &Command| matches!(c, Command::Reply { .. });
        let at = self.out.iter().position(is_reply).expect("an answer");
        match self.out.remove(at) {
            Some(Command::Reply { result, .. }) => result,
            _ => unreachable!("it is at this place"),
        }
    }
}

#[test]
fn a_try_job_is_answered_with_its_set_when_that_is_durable() {
    let mut harness = Harness::new(try_config(&["a", "b"]));
    harness.persisted();
    harness.told();
    harness.hand_in("try", job(&["b"]));
    assert_eq!(
        harness.told(),
        ["write set 1, patch of set 1: Given(4 bytes)"]
    );
    assert_eq!(harness.queued("b"), [0; 0]);
    harness.persisted();
    let Answer::Set(set) = harness.answer().unwrap() else {
        panic!("a set");
    };
    assert_eq!(set.external_id.as_deref(), Some("id1"), "TJD-11");
    assert_eq!(set.scheduler, Some("try".into()));
    assert_eq!(set.reason, "'try' job from user alice");
    assert_eq!(set.requests, [(RequestId(1), "b".into())]);
    assert_eq!(harness.queued("b"), [1]);
}

#[test]
fn sb_09_a_refused_job_is_answered_with_the_reason_and_nothing_is_queued() {
    let mut harness = Harness::new(try_config(&["a"]));
    harness.persisted();
    harness.told();
    for (scheduler, builders, expected) in [
        (
            "try",
            &["a", "b"][..],
            "builder b is not one of those that try may try: a",
        ),
        ("tri", &["a"], "there is no try scheduler tri"),
    ] {
        harness.hand_in(scheduler, job(builders));
        assert_eq!(harness.answer(), Err(expected.to_owned()));
    }
    assert_eq!(harness.told(), [""; 0], "nothing is written");
    // The next job works.
    harness.hand_in("try", job(&["a"]));
    harness.persisted();
    assert!(harness.answer().is_ok());
    assert_eq!(harness.queued("a"), [1]);
}

#[test]
fn try_08_without_a_try_scheduler_no_job_is_taken() {
    let mut harness = Harness::new(config(&[("a", &["s"])]));
    harness.hand_in("a", job(&["a"]));
    let answer = harness.answer();
    assert_eq!(answer, Err("there is no try scheduler a".to_owned()));
}

#[test]
fn a_job_for_a_builder_that_is_gone_is_refused_as_a_whole() {
    let mut harness = Harness::new(try_config(&["a", "gone"]));
    harness.hand_in("try", job(&[]));
    let answer = harness.answer();
    assert_eq!(answer, Err("builder gone does not exist".to_owned()));
    assert_eq!(harness.queued("a"), [0; 0]);
}

#[test]
fn a_master_that_shuts_down_takes_no_job_and_says_so() {
    let mut harness = Harness::new(try_config(&["a"]));
    harness.input(Input::Shutdown { clean: false });
    harness.hand_in("try", job(&["a"]));
    let answer = harness.answer();
    assert_eq!(answer, Err("the master is shutting down".to_owned()));
}

#[test]
fn sb_14_a_job_without_builders_runs_on_all_of_the_scheduler() {
    let mut harness = Harness::new(try_config(&["b", "a"]));
    harness.hand_in("try", job(&[]));
    harness.persisted();
    assert_eq!(
        (harness.queued("b"), harness.queued("a")),
        (vec![1], vec![2])
    );
}

#[test]
fn sb_14_bst_07_a_scheduler_without_builders_makes_a_set_that_is_over_at_once() {
    let mut harness = Harness::new(try_config(&[]));
    harness.persisted();
    harness.told();
    harness.hand_in("try", job(&[]));
    assert_eq!(
        harness.told(),
        ["write set 1, patch of set 1: Given(4 bytes), set 1 success"]
    );
    harness.persisted();
    assert!(matches!(harness.answer(), Ok(Answer::Set(set)) if set.requests.is_empty()));
    assert!(harness.is_told("set 1 success"));
}

#[test]
fn scb_02_a_builder_that_is_listed_twice_gets_one_request() {
    let mut harness = Harness::new(try_config(&["a", "a", "b"]));
    harness.hand_in("try", job(&["a", "a"]));
    harness.hand_in("try", job(&[]));
    harness.persisted();
    assert_eq!(harness.queued("a"), [1, 2]);
    assert_eq!(harness.queued("b"), [3]);

    let mut config = config(&[("a", &["s"]), ("b", &["s"])]);
    config.schedulers = vec![scheduler("x", vec!["a".into(), "a".into(), "b".into()])];
    let mut harness = Harness::new(config);
    harness.change("x");
    assert_eq!(
        (harness.queued("a"), harness.queued("b")),
        (vec![1], vec![2])
    );
}

#[test]
fn try_07_two_equal_jobs_are_two_builds_with_their_patch() {
    let mut harness = Harness::new(try_config(&["a"]));
    for _ in 0..2 {
        harness.hand_in("try", job(&["a"]));
    }
    harness.persisted();
    harness.attach("s");
    for request in [1, 2] {
        let plan = harness.run();
        assert_eq!(plan.requests, [RequestId(request)]);
        let patch = plan.stamps.first().patch.as_ref().unwrap();
        assert_eq!(patch.body, PatchBody::Kept(SetId(request)));
        harness.finish(plan.build, Results::Success, None);
    }
}

#[test]
fn a_recovered_try_job_is_built_with_the_very_same_patch() {
    let stamps = Arc::new(SourceStamps::from(SourceStamp {
        patch: Some(Patch {
            level: 1,
            body: PatchBody::Kept(SetId(1)),
            subdir: None,
            who: Some("alice".to_owned()),
            comment: None,
        }),
        ..SourceStamp::default()
    }));
    let set = BuildSet {
        id: SetId(1),
        external_id: Some("id1".to_owned()),
        scheduler: Some("try".into()),
        stamps: Arc::clone(&stamps),
        reason: String::new(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(RequestId(1), "a".into())],
        parent: None,
    };
    let mut recovered = Recovered {
        requests: OpenSets::requests_of(&set).collect(),
        sets: vec![RecoveredSet {
            set: Arc::new(set),
            finished: Vec::new(),
        }],
        ..Recovered::default()
    };
    recovered.next.set = SetId(2);
    recovered.next.request = RequestId(2);
    let mut harness = Harness::recovered(try_config(&["a"]), recovered);
    harness.attach("s");
    assert_eq!(*harness.run().stamps, *stamps);
}

#[test]
fn what_schedulers_make_of_a_change_is_one_transaction_with_it() {
    let mut config = try_config(&["a"]);
    config.schedulers.push(scheduler("x", vec!["a".into()]));
    config.schedulers.push(Arc::new(SchedulerConfig {
        kind: SchedulerKind::TryJobdir(TryJobdirConfig {
            jobdir: "jobs".into(),
            ..TryJobdirConfig::default()
        }),
        ..(*scheduler("jobs", vec!["a".into()])).clone()
    }));
    let mut harness = Harness::new(config);
    harness.out.clear();
    harness.submit("x");
    let Some(Command::Persist { ops, .. }) = harness.out.front() else {
        panic!("it is written");
    };
    let [
        Op::ChangeAdded(_),
        Op::ChangeOffered { change, decisions },
        Op::SetSubmitted(_),
        Op::OfferTaken(_),
    ] = &ops[..]
    else {
        panic!("{ops:?}");
    };
    assert_eq!(change.0, 1);
    let instead = Instead::TryJobs;
    let of_try = Decision::LooksAtNone { instead };
    assert_eq!(
        *decisions,
        [
            ("try".into(), of_try.clone()),
            ("x".into(), Decision::BuiltAtOnce),
            ("jobs".into(), of_try),
        ]
    );
}
