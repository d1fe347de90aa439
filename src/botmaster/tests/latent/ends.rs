//! How instances of latent slaves end: by stops, losses and crashes.

use super::*;
use crate::config::{CommandInstance, InstanceKind};
use crate::model::journal::RecoveredSlave;
use crate::model::{InstanceRecord, InstanceStop, Refusal, StopMeans};

#[test]
fn lat_07_a_stop_of_the_master_stops_all_instances_before_it_ends() {
    for clean in [false, true] {
        let mut h = latent(&[("a", &["t"]), ("b", &["s"]), ("c", &["u"])], NEVER);
        let (_, plan) = h.build(1);
        h.change("a");
        h.persisted();
        h.told();
        h.input(Input::Shutdown { clean });
        h.persisted();
        assert!(h.is_told("stop instance 2 of t ()"));
        h.instance_stopped("t", 2, Ok(()));
        assert!(!h.is_told("exit"));
        let reason = (!clean).then_some("master shutdown");
        let result = if clean {
            Results::Success
        } else {
            Results::Retry
        };
        h.finish(plan.build, result, reason);
        let told = h.told();
        assert!(
            told.contains(&"stop instance 1 of s (i)".to_owned()),
            "{told:?}"
        );
        assert!(!told.contains(&"exit".to_owned()));
        h.instance_stopped("s", 1, Ok(()));
        assert!(h.is_told("exit"), "clean: {clean}");
    }
}

#[test]
fn lat_07_a_master_in_a_hurry_tells_instances_to_stop_and_leaves_them_on_record() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.build(1);
    h.input(Input::Shutdown { clean: false });
    h.told();
    h.pass(3);
    let told = h.told();
    assert_eq!(told[told.len() - 2..], ["stop instance 1 of s (i)", "exit"]);
}

#[test]
fn a_clean_stop_does_not_wait_for_an_instance_that_cannot_be_stopped() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    let (_, plan) = h.build(1);
    h.finish(plan.build, Results::Success, None);
    h.input(Input::Shutdown { clean: true });
    h.persisted();
    h.instance_stopped("s", 1, Err("no"));
    assert!(h.is_told("exit"));
}

/// A killed master has left an instance of slave s, which these stop.
fn left(means: StopMeans) -> Recovered {
    let (identity, limit) = ("old".to_owned(), Duration::from_secs(9));
    let stop = InstanceStop { means, limit };
    let instance = InstanceRecord { identity, stop };
    let known = RecoveredSlave {
        instance: Some(instance),
        ..RecoveredSlave::default()
    };
    Recovered {
        slaves: [("s".into(), known)].into(),
        ..Recovered::default()
    }
}

fn docker() -> StopMeans {
    let program = "podman".to_owned();
    StopMeans::Docker { program }
}

impl Harness {
    /// How instances were told to stop.
    fn stops(&mut self) -> Vec<InstanceStop> {
        let stop = |command: &Command| match command {
            Command::Instance {
                what: InstanceCommand::Stop { record, .. },
                ..
            } => Some(record.stop.clone()),
            _ => None,
        };
        self.out.iter().filter_map(stop).collect()
    }
}

#[test]
fn lat_07_and_slv_125_what_a_killed_master_has_left_is_stopped_before_anything_starts() {
    let config = latent_config(&[("b", &["s"])], Some(600));
    for means in [StopMeans::Process, docker()] {
        let mut h = Harness::recovered(config.clone(), left(means));
        assert_eq!(h.instances(), ["stop instance 1 of s (old)"]);
        h.change("b");
        h.persisted();
        assert_eq!(h.instances(), [""; 0]);
        h.instance_stopped("s", 1, Ok(()));
        assert!(h.is_told("start instance 2 of s"));
    }
}

#[test]
fn lat_07_what_a_killed_master_has_left_is_stopped_whatever_has_become_of_its_slave() {
    let config = latent_config(&[("b", &["s"])], Some(600));
    let mut local = config.clone();
    slave_of(&mut local, 0).kind = SlaveKind::Local;
    let without = self::config(&[("b", &["t"])]);
    for config in [&local, &without] {
        let mut h = Harness::recovered(config.clone(), left(docker()));
        assert_eq!(h.stops()[0].means, docker());
        assert_eq!(h.instances(), ["stop instance 1 of s (old)"]);
        h.instance_stopped("s", 1, Ok(()));
        assert!(h.is_told("note slave s has no instance"));
        assert_eq!(h.core.instances(), []);
    }
    // It comes back before that.
    let mut h = Harness::recovered(without.clone(), left(docker()));
    let mut again = without;
    again.slaves.push(Arc::clone(&config.slaves[0]));
    h.reconfigure(again);
    assert_eq!(h.instances(), ["stop instance 1 of s (old)"]);
    assert_eq!(h.instance_state("s"), (InstanceState::Stopping, 0));
}

#[test]
fn instances_are_stopped_as_the_configuration_says_now_if_their_type_is_the_same() {
    let by = |stop: &str| {
        let mut config = latent_config(&[("b", &["s"])], Some(600));
        if let SlaveKind::Latent(latent) = &mut slave_of(&mut config, 0).kind {
            latent.kind = InstanceKind::Command(CommandInstance {
                stop: vec![stop.to_owned()],
                ..CommandInstance::default()
            });
        }
        config
    };
    let words = |h: &mut Harness| match h.stops().pop().unwrap().means {
        StopMeans::Command { words } => words.concat(),
        StopMeans::Process | StopMeans::Docker { .. } => panic!("not by a command"),
    };
    // At the start of the master, and while it runs.
    let old = vec!["broken".to_owned()];
    let mut h = Harness::recovered(by("mended"), left(StopMeans::Command { words: old }));
    assert_eq!(words(&mut h), "mended");
    h.instance_stopped("s", 1, Err("no"));
    h.told();
    h.reconfigure(by("better"));
    assert!(h.is_told("note slave s has instance \"old\""));
    h.pass(1);
    assert_eq!(words(&mut h), "better");
    // By another type it is not stopped, but as it was started.
    h.instance_stopped("s", 1, Err("no"));
    h.told();
    h.reconfigure(latent_config(&[("b", &["s"])], Some(600)));
    h.pass(2);
    assert_eq!(words(&mut h), "better");
}

#[test]
fn a_slave_that_is_not_latent_any_more_connects_although_its_instance_cannot_be_stopped() {
    let mut local = latent_config(&[("b", &["s"])], Some(600));
    slave_of(&mut local, 0).kind = SlaveKind::Local;
    let mut h = Harness::recovered(local, left(docker()));
    let session = h.log_in("s");
    assert!(h.is_told(&format!("drop {session}: its instance is being stopped")));
    h.instance_stopped("s", 1, Err("no docker here"));
    h.attach("s");
    h.change("b");
    h.persisted();
    h.run();
}

#[test]
fn lat_09_a_build_that_waits_for_its_instance_can_be_stopped_at_once() {
    let mut h = latent(&[("a", &["s"]), ("b", &["s"])], Some(600));
    h.change("a");
    h.change("b");
    h.persisted();
    h.told();
    let stop = |h: &mut Harness, request: u64| {
        let reply = h.new_reply();
        h.input(Input::Asked {
            ask: Ask::StopRequest {
                request: RequestId(request),
                reason: "enough".to_owned(),
            },
            reply,
        });
        h.persisted();
        let told = h.told();
        assert!(
            told.contains(&format!(
                "write request {request} exception, set {request} failure"
            )) || told
                .iter()
                .any(|l| l.contains(&format!("request {request} exception"))),
            "{told:?}"
        );
        told
    };
    let told = stop(&mut h, 1);
    assert!(
        !told.contains(&"stop instance 1 of s ()".to_owned()),
        "b wants it"
    );
    let told = stop(&mut h, 2);
    assert!(
        told.contains(&"stop instance 1 of s ()".to_owned()),
        "{told:?}"
    );
    // Late answers change nothing.
    h.up("s", 1);
    assert_eq!(h.instance_state("s"), (InstanceState::Stopping, 0));
}

#[test]
fn lat_09_an_instance_that_is_not_on_record_yet_is_never_started() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.submit("b");
    h.persisted();
    let reply = h.new_reply();
    h.input(Input::Asked {
        ask: Ask::StopRequest {
            request: RequestId(1),
            reason: "enough".to_owned(),
        },
        reply,
    });
    h.persisted();
    let told = h.instances();
    assert_eq!(told.last().unwrap(), "note slave s has no instance");
    assert!(
        told.iter().all(|line| !line.contains("instance 1 of s")),
        "{told:?}"
    );
}

#[test]
fn lat_09_the_next_request_takes_over_an_instance_that_is_being_started() {
    let mut config = latent_config(&[("b", &["s"])], Some(600));
    slave_of(&mut config, 0).max_builds = Some(1);
    let mut h = Harness::new(config);
    h.change("b");
    h.change("b");
    h.persisted();
    let reply = h.new_reply();
    h.input(Input::Asked {
        ask: Ask::StopRequest {
            request: RequestId(1),
            reason: "enough".to_owned(),
        },
        reply,
    });
    assert_eq!(h.instance_state("s"), (InstanceState::Starting, 1));
    assert_eq!(h.queued("b"), [0; 0]);
}

#[test]
fn sb_21_and_row_26_a_lost_instance_is_stopped_and_another_one_serves() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    let (session, plan) = h.build(1);
    h.told();
    h.lose(session);
    let told = h.told();
    assert!(
        told.contains(&"stop instance 1 of s (i)".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&format!("slave gone {}", plan.build)),
        "{told:?}"
    );
    h.instance_stopped("s", 1, Ok(()));
    h.finish(plan.build, Results::Retry, None);
    h.persisted();
    assert!(h.is_told("start instance 2 of s"));
    h.attach("s");
    h.run();
}

#[test]
fn an_instance_that_is_never_stopped_may_come_back_by_itself() {
    let mut h = latent(&[("b", &["s"])], NEVER);
    let (session, plan) = h.build(1);
    h.finish(plan.build, Results::Success, None);
    h.lose(session);
    h.told();
    h.change("b");
    h.persisted();
    // The build waits for the instance that is there; none is started.
    assert_eq!(h.instances(), ["substantiating s for b"]);
    assert_eq!(h.instance_state("s"), (InstanceState::Up, 1));
    h.attach("s");
    assert!(h.take_ping().is_some());
    // Until it does not.
    let mut h = latent(&[("b", &["s"])], NEVER);
    let (session, plan) = h.build(1);
    h.finish(plan.build, Results::Success, None);
    h.lose(session);
    h.change("b");
    h.pass(1200);
    assert_eq!(h.instance_state("s"), (InstanceState::Stopping, 0));
}

#[test]
fn row_27_nothing_connects_that_was_not_started() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    let refused = |h: &mut Harness| {
        let session = h.log_in("s");
        let told = h.told();
        told.iter()
            .any(|line| line.starts_with(&format!("drop {session}")))
    };
    assert!(refused(&mut h), "down");
    h.submit("b");
    h.persisted();
    assert!(refused(&mut h), "not on record");
    h.persisted();
    h.input(Input::Shutdown { clean: true });
    h.cancel_shutdown();
    assert!(refused(&mut h), "stopping");
    let mut h = latent(&[("b", &["s"])], NEVER);
    h.change("b");
    h.told();
    let mut h = latent(&[("b", &["s"])], NEVER);
    h.attach("s");
    assert!(
        h.is_told("welcome 1"),
        "one that is never stopped may come uninvited"
    );
    h.change("b");
    h.run();
}

#[test]
fn a_stop_that_fails_is_tried_again_until_the_instance_is_gone() {
    let mut h = latent(&[("b", &["s"])], Some(0));
    let (_, plan) = h.build(1);
    h.finish(plan.build, Results::Success, None);
    h.change("b");
    for pause in [1, 2, 4] {
        assert!(h.is_told("stop instance 1 of s (i)"));
        h.instance_stopped("s", 1, Err("no"));
        assert_eq!(h.instances(), [format!("s runs on {pause}s")]);
        h.pass(pause);
    }
    h.instance_stopped("s", 1, Ok(()));
    assert_eq!(h.instance_state("s"), (InstanceState::Starting, 1));
}

#[test]
fn connections_that_are_lost_before_they_are_attached_may_try_again() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.change("b");
    h.persisted();
    let session = h.log_in("s");
    h.lose(session);
    assert_eq!(h.instance_state("s"), (InstanceState::Starting, 1));
    h.attach("s");
    h.up("s", 1);
    h.run();
}

#[test]
fn a_slave_that_comes_back_before_its_old_connection_is_missed_keeps_its_instance() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    let (session, _) = h.build(1);
    let second = h.log_in("s");
    h.input(SlaveInput::AliveChecked { alive: false }.of(session));
    h.finish_attach(second);
    assert_eq!(h.instance_state("s"), (InstanceState::Up, 0));
}

#[test]
fn why_tells_what_latent_slaves_do() {
    let mut h = latent(&[("b", &["s"])], Some(0));
    h.change("b");
    h.change("b");
    h.persisted();
    let texts = |h: &Harness, request| -> Vec<String> {
        let why = h.core.why(RequestId(request), &[]).unwrap();
        why.into_iter().map(|blocker| blocker.text).collect()
    };
    let since = h.now.wall.to_rfc3339();
    assert_eq!(
        texts(&h, 1),
        [format!(
            "request 1 is being started on slave s: it waits for the slave's instance since {since}"
        )]
    );
    assert_eq!(
        texts(&h, 2),
        [format!(
            "slave s is busy with a build of b that is starting since {since}"
        )]
    );
    let refused = Refusal {
        name: Some("s".to_owned()),
        address: "10.0.0.1".to_owned(),
        why: "wrong password".to_owned(),
        first_at: h.now.wall,
        last_at: h.now.wall,
        times: 1,
    };
    let why = h.core.why(RequestId(1), &[refused]).unwrap();
    let end = format!(
        "since {since}; its login as \"s\" from 10.0.0.1 was rejected at {since}: wrong password"
    );
    assert!(why[0].text.ends_with(&end), "{}", why[0].text);
    h.instance_started("s", 1, InstanceStart::Failed("no".to_owned()));
    h.instance_stopped("s", 1, Err("gone fishing"));
    let texts = texts(&h, 1);
    assert!(
        texts.contains(&format!("slave s has an instance that is being stopped since {since}; the last try failed: gone fishing")),
        "{texts:?}"
    );
}

#[test]
fn a_slave_that_wants_to_end_while_it_attaches_is_started_again() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.change("b");
    h.persisted();
    let session = h.log_in("s");
    h.input(SlaveInput::WantsShutdown.of(session));
    h.lose(session);
    h.pass(1200);
    h.instance_stopped("s", 1, Ok(()));
    h.pass(1);
    assert_eq!(h.instance_state("s"), (InstanceState::Starting, 1));
}
