//! Builds trigger others, and may wait for them.

use super::*;
use crate::config::TriggerableConfig;
use crate::model::journal::{OpenBuild, RecoveredSet};
use crate::model::{BuildNumber, BuildSet, ParentBuild, SetId, SourceStamp, SourceStamps};

/// A builder `parent`, and two that schedulers of their names build when they are triggered;
/// `later` keeps that until its time.
fn triggering() -> Config {
    let mut config = config(&[("parent", &["s"]), ("one", &["t"]), ("two", &["u"])]);
    let of = |name: &str, builders: &[&str], kind| {
        Arc::new(SchedulerConfig {
            name: name.into(),
            builders: builders.iter().map(|&b| b.into()).collect(),
            kind,
            ..SchedulerConfig::default()
        })
    };
    let later = SchedulerKind::NightlyTriggerable(Box::default());
    let triggered = [
        of(
            "unit",
            &["one"],
            SchedulerKind::Triggerable(TriggerableConfig::default()),
        ),
        of(
            "both",
            &["one", "two"],
            SchedulerKind::Triggerable(TriggerableConfig::default()),
        ),
        of(
            "none",
            &[],
            SchedulerKind::Triggerable(TriggerableConfig::default()),
        ),
        of("later", &["one"], later),
    ];
    config.schedulers.extend(triggered);
    config
}

impl Harness {
    fn trigger(&mut self, build: BuildId, wait: bool, wanted: &[&str]) {
        let wishes = wanted.iter().map(|&name| TriggerWish {
            what: match name.strip_prefix("builders ") {
                Some(pattern) => Wished::Builders(BuilderPattern {
                    names: vec![pattern.to_owned()],
                    tags: Vec::new(),
                }),
                None => Wished::Scheduler(name.into()),
            },
            stamps: Arc::new(SourceStamps::from(SourceStamp {
                revision: Some("r1".to_owned()),
                ..SourceStamp::default()
            })),
            properties: {
                let mut properties = Properties::new();
                properties.set("who", "parent", "Trigger");
                properties
            },
        });
        let trigger = Box::new(Trigger {
            step: 3,
            wait,
            wishes: wishes.collect(),
        });
        self.input(BuildInput::TriggerWanted { trigger }.of(build));
    }

    fn stop(&mut self, builder: &str, number: u64) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::StopBuild {
                builder: builder.into(),
                number: BuildNumber(number),
                reason: "enough".to_owned(),
            },
            reply,
        });
    }

    /// Looks at what has come out, and forgets it.
    fn says(&mut self, lines: &[&str]) {
        let told: Vec<_> = self.out.iter().filter_map(short).collect();
        self.quiet();
        for line in lines {
            assert!(
                told.iter().any(|told| told == line),
                "{line:?} in {told:#?}"
            );
        }
    }
}

/// A build of `parent` that runs, with all slaves there.
fn parent() -> (Harness, BuildId) {
    let mut h = Harness::new(triggering());
    for slave in ["s", "t", "u"] {
        h.attach(slave);
    }
    h.change("parent");
    let plan = h.run();
    h.quiet();
    (h, plan.build)
}

#[test]
fn a_step_hears_of_its_sets_when_they_are_on_disk() {
    let (mut h, build) = parent();
    h.trigger(build, false, &["unit", "builders t*"]);
    assert_eq!(h.told(), ["write set 2, set 3"]);
    h.persisted();
    h.says(&[
        "triggered 1: 2, 3",
        "set 2",
        "queued 2",
        "set 3",
        "queued 3",
    ]);
    let plan = h.core.intake.request(RequestId(2)).unwrap();
    assert_eq!(plan.request.stamps.first().revision.as_deref(), Some("r1"));
    let who = plan
        .request
        .properties
        .iter()
        .find(|(name, _)| *name == "who");
    assert_eq!(who.unwrap().1.source, "Trigger");
    assert_eq!(h.core.intake.awaited(), 0, "nobody waits");
}

#[test]
fn a_step_that_waits_hears_once_of_the_end_of_each_set() {
    let (mut h, build) = parent();
    h.trigger(build, true, &["both", "none"]);
    h.persisted();
    h.says(&["triggered 1: 2, 3", "over 1: set 3 success"]);
    // A reconfiguration meanwhile leaves that as it is, without the scheduler too.
    let mut config = Config::clone(&h.config);
    config.schedulers.retain(|s| s.name.as_str() != "both");
    h.reconfigure(config);
    h.quiet();
    let (first, second) = (h.run_next(), h.run_next());
    h.finish(first, Results::Success, None);
    let told = h.told();
    assert!(
        !told.iter().any(|line| line.starts_with("over")),
        "{told:?}"
    );
    h.finish(second, Results::Failure, None);
    h.says(&["over 1: set 2 failure one/0 success two/0 failure"]);
    assert_eq!(h.core.intake.awaited(), 0);
}

#[test]
fn nothing_is_triggered_if_not_all_can_be() {
    let (mut h, build) = parent();
    h.trigger(build, true, &["unit", "parent", "nobody"]);
    h.says(&[r#"not triggered 1: Unknown([SchedulerName("parent"), SchedulerName("nobody")])"#]);
    h.trigger(build, true, &["unit", "builders x*"]);
    h.says(&[r#"not triggered 1: Refused("no builder matches name \"x*\"")"#]);
    assert_eq!(h.queued("one"), [0; 0]);
}

#[test]
fn a_nightly_triggerable_keeps_it_for_later() {
    let (mut h, build) = parent();
    h.trigger(build, true, &["later"]);
    h.says(&["write scheduler later"]);
    h.persisted();
    assert_eq!(h.told(), ["triggered 1: later"]);
    h.pass(3700);
    h.persisted();
    let told = h.told();
    assert!(told.iter().any(|line| line == "set 2"), "{told:?}");
}

#[test]
fn a_stopped_parent_stops_its_children() {
    let (mut h, build) = parent();
    // One child runs, the other waits for a slave.
    h.input(
        SlaveInput::Lost {
            why: "gone".to_owned(),
        }
        .of(SessionId(3)),
    );
    h.trigger(build, true, &["both"]);
    h.persisted();
    let child = h.run_next();
    h.quiet();
    h.stop("parent", 0);
    h.says(&[
        "interrupt 1: enough",
        "interrupt 2: build parent/0 waited for it and was stopped",
        "write request 3 failure",
    ]);
    h.persisted();
    assert_eq!(h.queued("two"), [0; 0]);
    h.finish(child, Results::Retry, Some("stopped"));
    h.says(&["finished one 0 exception"]);
    assert_eq!(h.queued("one"), [0; 0]);
    h.finish(build, Results::Exception, Some("enough"));
    let told = h.told();
    assert!(
        !told.iter().any(|line| line.starts_with("over")),
        "{told:?}"
    );
}

#[test]
fn a_parent_that_is_stopped_before_its_sets_are_on_disk_leaves_none_in_a_queue() {
    let (mut h, build) = parent();
    h.trigger(build, true, &["both"]);
    h.stop("parent", 0);
    h.persisted();
    h.persisted();
    assert_eq!((h.queued("one"), h.queued("two")), (Vec::new(), Vec::new()));
    h.says(&["set 2 failure"]);
}

#[test]
fn a_parent_that_is_built_again_triggers_anew() {
    let (mut h, build) = parent();
    h.trigger(build, true, &["unit"]);
    h.persisted();
    let child = h.run_next();
    h.quiet();
    h.input(
        SlaveInput::Lost {
            why: "gone".to_owned(),
        }
        .of(SessionId(1)),
    );
    h.says(&["interrupt 2: build parent/0 waited for it and has lost its slave"]);
    h.finish(build, Results::Retry, None);
    h.finish(child, Results::Exception, Some("stopped"));
    h.attach("s");
    let again = h.run_next();
    assert_ne!(again, build);
    h.quiet();
    h.trigger(again, true, &["unit"]);
    h.persisted();
    h.says(&["triggered 3: 3"]);
}

#[test]
fn sets_that_nobody_waits_for_go_on_without_their_parent() {
    let (mut h, build) = parent();
    h.trigger(build, false, &["unit"]);
    h.persisted();
    let child = h.run_next();
    h.quiet();
    h.stop("parent", 0);
    h.persisted();
    h.finish(build, Results::Exception, Some("enough"));
    let told = h.told();
    assert!(
        !told.iter().any(|line| line.contains("interrupt 2")),
        "{told:?}"
    );
    h.finish(child, Results::Success, None);
    h.says(&["set 2 success"]);
}

#[test]
fn a_build_for_others_too_is_not_stopped_and_its_request_is_not_built_again() {
    let mut config = triggering();
    builder_of(&mut config, 1).merging.rule = MergeRule::Compatible;
    let mut h = Harness::new(config);
    for slave in ["s", "t"] {
        h.attach(slave);
    }
    h.change("parent");
    let build = h.run().build;
    // Both sets are there before the slave is asked.
    h.trigger(build, false, &["unit"]);
    h.trigger(build, true, &["unit"]);
    h.persisted();
    let child = h.run_next();
    h.quiet();
    h.stop("parent", 0);
    h.persisted();
    let told = h.told();
    assert!(
        !told.iter().any(|line| line.contains("interrupt 2")),
        "{told:?}"
    );
    h.finish(child, Results::Retry, None);
    h.says(&["set 3 failure"]);
    assert_eq!(
        h.queued("one").len() + h.pings(),
        1,
        "the other's is built again"
    );
}

#[test]
fn a_clean_stop_does_not_wait_for_what_cannot_start() {
    let (mut h, build) = parent();
    h.trigger(build, true, &["both"]);
    h.persisted();
    let (first, second) = (h.run_next(), h.run_next());
    h.quiet();
    h.input(Input::Shutdown { clean: true });
    assert_eq!(h.told(), [""; 0], "both children run");
    h.finish(first, Results::Success, None);
    h.quiet();
    h.finish(second, Results::Retry, None);
    h.says(&["interrupt 1: master shutdown"]);
    h.finish(build, Results::Exception, Some("master shutdown"));
    h.says(&["finished parent 0 retry", "exit"]);
}

#[test]
fn after_a_kill_what_a_build_has_waited_for_is_cancelled_and_the_rest_goes_on() {
    let set = |id: u64, waits: bool| BuildSet {
        id: SetId(id),
        external_id: None,
        scheduler: Some("unit".into()),
        stamps: Arc::default(),
        reason: String::new(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(RequestId(id), "one".into())],
        parent: Some(ParentBuild {
            build: BuildId(1),
            builder: "parent".into(),
            number: BuildNumber(0),
            step: 3,
            waits,
        }),
    };
    let sets = [set(2, true), set(3, false)].map(Arc::new);
    let requests = sets.iter().flat_map(|set| OpenSets::requests_of(set));
    let mut recovered = Recovered {
        requests: requests.collect(),
        sets: sets
            .iter()
            .map(|set| RecoveredSet {
                set: Arc::clone(set),
                finished: Vec::new(),
            })
            .collect(),
        open_builds: vec![OpenBuild {
            build: BuildId(1),
            builder: "parent".into(),
            number: BuildNumber(0),
            requests: Vec::new(),
            stop_reason: None,
            properties: Properties::new(),
            last_at: Timestamp(0),
            steps: Vec::new(),
            logs: Vec::new(),
        }],
        ..Recovered::default()
    };
    recovered.next.set = SetId(4);
    recovered.next.request = RequestId(4);
    let mut h = Harness::recovered(triggering(), recovered);
    h.persisted();
    assert_eq!(h.queued("one"), [3]);
    h.says(&["cancelled 2", "set 2 failure"]);
}

#[test]
fn a_step_cancels_older_requests_and_stops_older_builds_of_the_same_branch() {
    let related = |same, only_older, waiting, running: bool| Related {
        step: 0,
        builders: vec!["b*".to_owned()],
        same,
        properties: Vec::new(),
        only_older,
        waiting,
        running: running.then(|| "newer".to_owned()),
    };
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["t"]), ("c", &["u"])]));
    h.attach("t");
    // An older build of `b` runs, and another request waits; `c` is another builder.
    h.change("all");
    let older = h.run_next();
    h.change("all");
    h.attach("s");
    let build = h.run_next();
    h.quiet();
    let branch = || vec![StampField::Branch, StampField::Project];
    let ask = |h: &mut Harness, related| {
        let related = Box::new(related);
        h.input(BuildInput::RelatedFound { related }.of(build));
    };
    // The oldest request of `a` is older than the second of `b`.
    ask(&mut h, related(branch(), true, true, false));
    h.says(&["ended 2: 0 cancelled, 0 stopped"]);
    ask(&mut h, related(branch(), false, true, false));
    h.says(&["ended 2: 1 cancelled, 0 stopped", "write request 5 failure"]);
    assert_eq!(h.queued("c").len(), 2);
    ask(
        &mut h,
        related(vec![StampField::Revision], false, false, true),
    );
    h.says(&["ended 2: 0 cancelled, 1 stopped", "interrupt 1: newer"]);
    h.persisted();
    h.finish(older, Results::Retry, Some("newer"));
    h.says(&["finished b 0 exception"]);
    assert_eq!(h.queued("b"), [0; 0]);
}

impl Harness {
    /// Lets the next build begin; gives its number over all builders.
    fn run_next(&mut self) -> BuildId {
        self.run().build
    }

    /// Forgets what has come out but pings.
    fn quiet(&mut self) {
        self.out.retain(is_ping);
    }

    fn pings(&self) -> usize {
        self.out.iter().filter(|command| is_ping(command)).count()
    }
}
