//! Slaves attach, are arbitrated, fall silent, are held back, and go.

use super::*;

#[test]
fn slv_02_the_login_is_answered_when_all_builders_are_attached() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    h.told();
    h.attach("s");
    assert_eq!(
        h.told(),
        [
            "greet 1",
            "list 1",
            "set master 1 a",
            "set master 1 b",
            "greet 1 a",
            "a is idle",
            "greet 1 b",
            "note slave s true",
            "welcome 1",
            "b is idle"
        ]
    );
}

#[test]
fn a_slave_without_builders_is_welcome() {
    let mut config = config(&[("b", &["s"])]);
    config.slaves.push(slave("spare"));
    let mut h = Harness::new(config);
    h.attach("spare");
    assert!(h.is_told("welcome 1"));
}

/// What goes wrong at a step of attaching.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error,
    Silence,
    Loss,
}

#[test]
fn sb_18_slv_03_whatever_goes_wrong_while_attaching_the_slave_has_all_its_builders_in_the_end() {
    for fault in [Fault::Error, Fault::Silence, Fault::Loss] {
        for step in 0..4 {
            let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
            let session = h.log_in("s");
            attach_with_fault(&mut h, session, step, fault);
            if step != 1 || matches!(fault, Fault::Silence) {
                h.told();
            }
            for _ in 0..60 {
                while h.has_list() {
                    h.answer_list();
                }
                h.pass(1);
            }
            if h.core.roster.slave_of(session).is_none() {
                assert_eq!(h.core.attachments(), [], "{fault:?} at {step}");
                assert_eq!((h.state("a"), h.state("b")), ("offline", "offline"));
                h.attach("s");
            }
            assert_eq!(h.core.attachments().len(), 2, "{fault:?} at {step}");
            h.change("b");
            h.run();
        }
    }
}

fn attach_with_fault(h: &mut Harness, session: SessionId, step: u32, fault: Fault) {
    let builder = BuilderName::from("b");
    let lost = SlaveInput::Lost {
        why: "cut".to_owned(),
    }
    .of(session);
    let faulty = |h: &mut Harness, error: Input| match fault {
        Fault::Error => h.input(error),
        Fault::Silence => {}
        Fault::Loss => h.input(lost.clone()),
    };
    if step == 0 {
        // Errors while a slave is asked what it is do not keep it from attaching: only the
        // connection can fail.
        faulty(h, lost.clone());
        return;
    }
    h.describe(session);
    if step == 1 {
        let result = Err("no".to_owned());
        faulty(h, SlaveInput::BuilderListAnswered { result }.of(session));
        return;
    }
    let result = Ok(vec!["a".into(), builder.clone()]);
    h.input(SlaveInput::BuilderListAnswered { result }.of(session));
    let (a, b) = (Epoch(1), Epoch(2));
    for (ok, builder, epoch) in [
        (true, BuilderName::from("a"), a),
        (step != 2, builder.clone(), b),
    ] {
        let answer = SlaveInput::MasterSet { builder, epoch, ok }.of(session);
        if !ok {
            faulty(h, answer);
            return;
        }
        h.input(answer);
    }
    let greeted =
        |builder, epoch, ok| SlaveInput::BuilderGreeted { builder, epoch, ok }.of(session);
    h.input(greeted("a".into(), a, true));
    faulty(h, greeted(builder, b, false));
}

#[test]
fn slv_04_an_old_connection_that_lives_is_kept_with_its_builds() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    h.run();
    h.told();
    h.log_in("s");
    assert_eq!(h.told(), ["ping slave 1"]);
    h.input(SlaveInput::AliveChecked { alive: true }.of(SessionId(1)));
    assert_eq!(
        h.told(),
        ["drop 2: a slave of this name is connected and alive"]
    );
    assert_eq!(h.core.running(&"b".into()).len(), 1);
}

#[test]
fn slv_04_a_silent_old_connection_gives_way_and_its_build_is_retried_once() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    let second = h.log_in("s");
    let third = h.log_in("s");
    h.told();
    assert_eq!(
        h.core.roster.slave_of(third),
        None,
        "exactly one of three survives"
    );
    h.pass(10);
    let told = h.told();
    assert!(told.contains(&"slave gone 1".to_owned()));
    assert!(told.contains(&"greet 2".to_owned()), "{told:?}");
    h.finish(plan.build, Results::Retry, None);
    h.finish_attach(second);
    let again = h.run();
    assert_eq!(again.requests, plan.requests);
    assert_eq!(h.queued("b"), [0; 0]);
}

#[test]
fn a_contender_that_leaves_changes_nothing_and_another_may_wait() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    let second = h.log_in("s");
    let why = "gone".to_owned();
    h.input(SlaveInput::Lost { why }.of(second));
    h.told();
    h.log_in("s");
    assert_eq!(h.told(), [""; 0], "the ping is still out");
    h.input(SlaveInput::AliveChecked { alive: false }.of(SessionId(1)));
    assert!(h.is_told("greet 3"));
}

#[test]
fn the_newest_connection_may_be_made_to_win() {
    let mut config = config(&[("b", &["s"])]);
    config.duplicate_slave_replaces = true;
    let mut h = Harness::new(config);
    h.attach("s");
    h.told();
    h.log_in("s");
    let told = h.told();
    assert_eq!(
        told[0],
        "drop 1: another connection of its name has replaced it"
    );
    assert!(told.contains(&"greet 2".to_owned()));
}

#[test]
fn bld_12_a_slave_that_never_answers_pings_is_tried_ever_less() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.change("b");
    let (begin, mut attempts) = (h.now.mono, 0);
    while h.now.mono.since(begin) < Duration::from_secs(120) {
        if h.core.attachments().is_empty() {
            h.attach("s");
        }
        while h.take_ping().is_some() {
            attempts += 1;
        }
        h.pass(1);
    }
    assert!((5..=10).contains(&attempts), "{attempts}");
}

#[test]
fn bld_12_a_slave_that_hangs_up_whenever_a_build_is_to_start_is_tried_ever_less() {
    for is_pinged in [true, false] {
        let mut h = Harness::new(config(&[("b", &["s"])]));
        h.change("b");
        let mut attempts = 0;
        for _ in 0..120 {
            if h.core.attachments().is_empty() {
                h.attach("s");
            }
            while h.begin_start(is_pinged) {
                attempts += 1;
                h.lose_slave();
                h.attach("s");
            }
            h.pass(1);
        }
        assert!((5..=10).contains(&attempts), "{attempts}");
        assert_eq!(h.queued("b"), [1]);
    }
}

impl Harness {
    /// Lets the start of a build come to the ping, or to the question after it; whether there is
    /// one.
    fn begin_start(&mut self, is_pinged: bool) -> bool {
        let Some((session, builder, ping)) = self.take_ping() else {
            return false;
        };
        let ok = true;
        if !is_pinged {
            self.input(SlaveInput::PingAnswered { builder, ping, ok }.of(session));
        }
        true
    }

    /// The last connection breaks.
    fn lose_slave(&mut self) {
        let (session, why) = (SessionId(self.sessions), "crashed".to_owned());
        self.input(SlaveInput::Lost { why }.of(session));
    }
}

#[test]
fn a_slave_that_is_lost_after_its_build_has_begun_is_not_held_back() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.change("b");
    for _ in 0..2 {
        h.attach("s");
        let plan = h.run();
        h.told();
        h.input(
            SlaveInput::Lost {
                why: "crashed".to_owned(),
            }
            .of(SessionId(h.sessions)),
        );
        let gone = h.out.iter().find_map(|command| match command {
            Command::Build {
                build,
                what: BuildCommand::LoseSlave { why },
            } => Some((*build, why.clone())),
            _ => None,
        });
        // Row 19: the build is told why.
        assert_eq!(gone, Some((plan.build, "crashed".to_owned())));
        h.finish(plan.build, Results::Retry, None);
    }
    h.attach("s");
    assert!(h.take_ping().is_some());
}

#[test]
fn another_slave_takes_the_build_while_one_is_held_back() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    h.attach("s");
    h.attach("t");
    h.change("b");
    h.pong(false);
    assert_eq!(h.run().slave, "t".into());
}

#[test]
fn slv_08_a_slave_that_wants_to_go_gets_no_builds_and_is_let_go_when_idle() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    let session = h.attach("s");
    h.change("a");
    h.change("b");
    let plans = [h.run(), h.run()];
    h.input(SlaveInput::WantsShutdown.of(session));
    h.change("a");
    h.told();
    h.finish(plans[0].build, Results::Success, None);
    assert!(!h.is_told("shut down slave 1"));
    h.finish(plans[1].build, Results::Success, None);
    assert!(h.is_told("shut down slave 1"));
    assert_eq!(h.queued("a"), [3]);
    let why = "gone".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    h.attach("s");
    assert_eq!(h.queued("a"), [0; 0], "attaching again clears it");
}

#[test]
fn slv_10_max_builds_counts_over_all_builders() {
    let mut config = config(&[("a", &["s"]), ("b", &["s"]), ("c", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(2);
    let mut h = Harness::new(config);
    h.attach("s");
    h.change("all");
    let plans = [h.run(), h.run()];
    assert_eq!(h.queued("c"), [3]);
    h.finish(plans[1].build, Results::Success, None);
    assert_eq!(h.run().builder.name, "c".into());
}

#[test]
fn bld_16_pinging_all_slaves_is_true_only_if_all_answer() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    let builder = || BuilderName::from("b");
    let ping_slaves = |h: &mut Harness| {
        h.told();
        let reply = h.new_reply();
        let builder = builder();
        h.input(Input::Asked {
            ask: Ask::Ping { builder },
            reply,
        });
    };
    ping_slaves(&mut h);
    assert_eq!(h.told(), ["reply 1: no slave is attached to b"]);
    h.attach("s");
    h.attach("t");
    ping_slaves(&mut h);
    h.pong(true);
    h.pong(true);
    assert_eq!(h.told(), ["reply 2: 2 answered, 0 away, 0 down"]);
    ping_slaves(&mut h);
    h.pong(true);
    h.pass(29);
    assert_eq!(h.told(), ["ping 2 b"]);
    h.pass(1);
    let told = h.told();
    assert_eq!(told[0], "drop 2: it did not answer a ping");
    assert!(told.contains(&"reply 3: slave t did not answer".to_owned()));
}

#[test]
fn a_command_that_was_given_up_costs_the_connection() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.told();
    let outcome = BuildOutcome {
        abandoned_command: true,
        ..outcome(Results::Exception, Some("stop"))
    };
    let build = plan.build;
    h.input(BuildInput::Finished { outcome }.of(build));
    assert!(h.is_told("drop 1: a command on it was given up"));
}

#[test]
fn a_slave_that_never_says_whether_it_starts_is_dropped() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    h.pong(true);
    h.pass(30);
    assert_eq!(h.queued("b"), [1]);
    assert_eq!(h.state("b"), "offline");
}

/// Pongs and start answers of a connection, an attachment and a ping that are gone.
#[test]
fn sb_23_late_pongs_and_start_answers_change_nothing() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    let first = h.attach("s");
    h.change("b");
    let (_, builder, ping) = h.take_ping().unwrap();
    h.lose_slave();
    let second = h.attach("s");
    let (_, again, new_ping) = h.take_ping().unwrap();
    h.told();
    let late = |session, ping| {
        SlaveInput::PingAnswered {
            builder: builder.clone(),
            ping,
            ok: true,
        }
        .of(session)
    };
    h.input(late(first, ping));
    h.input(late(second, ping));
    assert_eq!(h.told(), [""; 0], "it is pinged still");
    h.input(
        SlaveInput::PingAnswered {
            builder: again,
            ping: new_ping,
            ok: true,
        }
        .of(second),
    );
    assert_eq!(h.told(), ["start 2 b"]);
    let started = |session, epoch, ok: Result<(), String>| {
        SlaveInput::BuildStartAnswered {
            builder: builder.clone(),
            epoch,
            ok,
        }
        .of(session)
    };
    h.input(started(first, Epoch(1), Ok(())));
    h.input(started(second, Epoch(1), Err("no".to_owned())));
    assert_eq!(h.told(), [""; 0], "it is asked still");
    h.input(started(second, Epoch(2), Ok(())));
    h.persisted();
    assert!(h.take_run().is_some());
    // The same once more, as if it were said twice.
    h.told();
    h.input(started(second, Epoch(2), Err("no".to_owned())));
    h.input(late(second, new_ping));
    assert_eq!(h.told(), [""; 0]);
    assert_eq!(h.core.running(&builder).len(), 1);
}

#[test]
fn sb_15_after_a_start_that_fails_the_request_is_tried_again_without_another_event() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    h.attach("s");
    h.attach("t");
    h.change("b");
    h.pong(true);
    h.told();
    h.out.clear();
    let busy = h.core.attachments();
    let starting = busy.iter().find(|a| a.state == AttachmentState::Building);
    let session = starting.unwrap().session;
    let (builder, epoch) = h.attachments_of(session).pop().unwrap();
    h.input(
        SlaveInput::BuildStartAnswered {
            builder,
            epoch,
            ok: Err("no".to_owned()),
        }
        .of(session),
    );
    assert!(h.take_ping().is_some());
    assert_eq!(h.queued("b"), [0; 0]);
}

#[test]
fn late_answers_of_connections_that_have_gone_change_nothing() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    let session = h.attach("s");
    h.change("b");
    let (_, builder, ping) = h.take_ping().unwrap();
    let why = "cut".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    h.told();
    let ok = true;
    h.input(SlaveInput::PingAnswered { builder, ping, ok }.of(session));
    assert_eq!(h.told(), [""; 0]);
    assert_eq!(h.core.attachments(), []);
}

#[test]
fn bld_05_slaves_are_chosen_evenly_at_random() {
    let mut config = config(&[("b", &["s", "t", "u"])]);
    config.choose_slaves = SlaveChoice::Random;
    let mut h = Harness::new(config);
    for slave in ["s", "t", "u"] {
        h.attach(slave);
    }
    let mut counts = BTreeMap::new();
    for _ in 0..3000 {
        h.change("b");
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        *counts.entry(plan.slave.clone()).or_insert(0) += 1;
        h.out.clear();
    }
    assert!(
        counts.values().all(|c| (850..=1150).contains(c)),
        "{counts:?}"
    );
}
