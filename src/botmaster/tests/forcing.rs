//! People ask for builds and keep slaves from them (BLD-16, SLV-08, SLV-09).

use super::*;
use crate::model::journal::RecoveredSlave;
use crate::model::{
    Action, AuditRecord, BuildNumber, Door, Outcome, Pause, SourceStamp, SourceStamps,
};

impl Harness {
    fn ask(&mut self, ask: Ask) {
        let reply = self.new_reply();
        self.input(Input::Asked { ask, reply });
    }

    pub(super) fn force(&mut self, builder: &str, soon: bool) {
        let reply = self.new_reply();
        let mut properties = Properties::new();
        properties.set("owner", "zoe", "Force");
        let forced = Box::new(Forced {
            builder: builder.into(),
            scheduler: None,
            soon,
            stamps: SourceStamps::from(SourceStamp {
                revision: Some("r9".to_owned()),
                ..SourceStamp::default()
            }),
            reason: "to see".to_owned(),
            properties,
            priority: 0,
        });
        self.input(Input::Asked {
            ask: Ask::Force(forced),
            reply,
        });
    }

    fn pause(&mut self, slave: &str) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::Pause {
                slave: slave.into(),
                by: "zoe".to_owned(),
                reason: "disk".to_owned(),
            },
            reply,
        });
    }

    fn unpause(&mut self, slave: &str) {
        let (slave, reply) = (slave.into(), self.new_reply());
        self.input(Input::Asked {
            ask: Ask::Unpause { slave },
            reply,
        });
    }

    fn end_slave(&mut self, slave: &str) {
        let (slave, reply) = (slave.into(), self.new_reply());
        self.input(Input::Asked {
            ask: Ask::Graceful {
                slave,
                cancel: false,
            },
            reply,
        });
    }

    fn keep_slave(&mut self, slave: &str) {
        let (slave, reply) = (slave.into(), self.new_reply());
        self.input(Input::Asked {
            ask: Ask::Graceful {
                slave,
                cancel: true,
            },
            reply,
        });
    }
}

fn one_slave() -> Harness {
    Harness::new(config(&[("b", &["s"])]))
}

#[test]
fn bld_16_a_forced_build_is_a_set_of_one_request_that_is_durable_before_the_answer() {
    let mut h = one_slave();
    h.told();
    h.force("b", false);
    assert_eq!(h.told(), ["write set 1"]);
    h.persisted();
    assert_eq!(h.told(), ["set 1", "reply 1: set 1", "queued 1"]);
    h.attach("s");
    let plan = h.run();
    assert_eq!(plan.reason, "to see");
    assert_eq!(plan.stamps.first().revision.as_deref(), Some("r9"));
    assert_eq!(plan.properties.get("owner").unwrap(), "zoe");
    assert_eq!(plan.properties.get("scheduler"), None);
    h.finish(plan.build, Results::Success, None);
    assert!(h.is_told("set 1 success"));
}

#[test]
fn bld_16_soon_is_refused_without_a_slave() {
    let mut h = one_slave();
    h.told();
    h.force("b", true);
    assert_eq!(h.told(), ["reply 1: no slave is connected to b"]);
    h.force("c", false);
    assert_eq!(
        h.told(),
        ["reply 2: there is no builder c; did you mean b?"]
    );
    h.attach("s");
    h.told();
    h.force("b", true);
    h.persisted();
    assert!(h.is_told("reply 3: set 1"));
}

#[test]
fn nothing_is_forced_while_the_master_stops() {
    let mut h = one_slave();
    h.attach("s");
    h.change("b");
    h.run();
    h.input(Input::Shutdown { clean: true });
    h.told();
    h.force("b", false);
    assert!(h.is_told("reply 2: the master is shutting down"));
}

#[test]
fn slv_09_a_paused_slave_ends_its_build_and_gets_no_other_until_it_is_unpaused() {
    let mut h = one_slave();
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.told();
    h.pause("s");
    assert_eq!(h.told(), ["write slave s paused true"]);
    h.persisted();
    assert_eq!(h.told(), ["reply 2: done"]);
    h.change("b");
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.queued("b"), [2]);
    let why = h.core.why(RequestId(2), &[]).unwrap();
    assert_eq!(
        why[0].text,
        "slave s is paused by zoe since 1970-01-12T13:46:40.000Z: disk"
    );
    assert_eq!((why.len(), why[0].kind), (1, BlockerKind::Paused));
    h.told();
    h.unpause("s");
    assert_eq!(
        h.told(),
        ["write slave s paused false", "b is building", "ping 1 b"]
    );
    h.persisted();
    assert!(h.is_told("reply 4: done"));
}

#[test]
fn slv_09_a_pause_outlives_the_master_and_a_reconnection() {
    let paused = Some(Pause {
        since: Timestamp::from_secs(500_000),
        by: String::new(),
        reason: String::new(),
    });
    let known = RecoveredSlave {
        seen_at: Some(Timestamp::from_secs(900_000)),
        paused,
        ..RecoveredSlave::default()
    };
    let recovered = Recovered {
        slaves: [("s".into(), known)].into(),
        ..Recovered::default()
    };
    let mut h = Harness::recovered(config(&[("b", &["s"])]), recovered);
    h.change("b");
    let texts = |h: &Harness| -> Vec<String> {
        let why = h.core.why(RequestId(1), &[]).unwrap();
        why.into_iter().map(|blocker| blocker.text).collect()
    };
    let paused = "slave s is paused since 1970-01-06T18:53:20.000Z";
    let away = "slave s is not connected since the master was started at 1970-01-12T13:46:40.000Z, \
                and last seen at 1970-01-11T10:00:00.000Z";
    assert_eq!(texts(&h), [away, paused]);
    h.attach("s");
    assert_eq!(texts(&h), [paused]);
    h.unpause("s");
    h.run();
}

#[test]
fn who_is_not_paused_or_not_known_cannot_be_unpaused() {
    let mut h = one_slave();
    h.told();
    h.unpause("s");
    h.unpause("x");
    h.pause("x");
    assert_eq!(
        h.told(),
        [
            "reply 1: slave s is not paused",
            "reply 2: there is no slave x; did you mean s?",
            "reply 3: there is no slave x; did you mean s?"
        ]
    );
}

#[test]
fn slv_08_a_slave_ends_when_it_is_idle_and_takes_builds_when_it_comes_again() {
    let mut h = one_slave();
    h.told();
    h.end_slave("s");
    assert_eq!(h.told(), ["reply 1: slave s is not connected"]);
    let session = h.attach("s");
    h.change("b");
    let plan = h.run();
    h.change("b");
    h.told();
    h.end_slave("s");
    assert_eq!(h.told(), ["reply 4: done"]);
    h.finish(plan.build, Results::Success, None);
    assert!(h.is_told("shut down slave 1"));
    assert_eq!(h.queued("b"), [2]);
    let why = "ended".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
    h.attach("s");
    h.run();
}

#[test]
fn slv_08_a_slave_that_has_not_ended_can_be_kept_and_takes_builds_at_once() {
    let mut h = one_slave();
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.change("b");
    h.end_slave("s");
    h.told();
    h.unpause("s");
    h.keep_slave("s");
    h.keep_slave("s");
    assert_eq!(
        h.told(),
        [
            "reply 4: slave s is not paused but shutting down: `buildmaster graceful s --cancel` cancels that",
            "reply 5: done",
            "reply 6: slave s is not shutting down"
        ]
    );
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.run().number, BuildNumber(1));
}

#[test]
fn slv_08_one_that_was_told_to_end_can_be_kept_only_if_the_master_can_start_it() {
    let remote = SlaveKind::Remote(crate::config::RemoteConfig::default());
    let too_late =
        "slave s was already told to shut down; it takes builds after it is started again";
    for (kind, said) in [(SlaveKind::Local, "done"), (remote, too_late)] {
        let mut config = config(&[("b", &["s"])]);
        slave_of(&mut config, 0).kind = kind;
        let mut h = Harness::new(config);
        let session = h.attach("s");
        h.end_slave("s");
        let why = "ended".to_owned();
        h.input(SlaveInput::Lost { why }.of(session));
        h.told();
        h.keep_slave("s");
        assert_eq!(h.told(), [format!("reply 2: {said}")]);
    }
}

#[test]
fn slv_08_a_slave_that_ignores_that_it_is_to_end_is_dropped_after_a_minute() {
    let mut h = one_slave();
    h.attach("s");
    h.end_slave("s");
    h.told();
    h.pass(59);
    assert_eq!(h.told(), [""; 0]);
    h.pass(1);
    assert_eq!(
        h.told(),
        [
            "drop 1: it did not end within 60 seconds after it was told to",
            "note slave s false",
            "b is offline"
        ]
    );
}

#[test]
fn may_05_an_act_is_in_the_audit_log_in_its_own_transaction() {
    let mut h = one_slave();
    let audit = |what: &str| {
        Box::new(AuditRecord {
            at: Timestamp(1),
            who: "ann".to_owned(),
            door: Door::Web,
            address: String::new(),
            token: None,
            action: Action::Force,
            object: String::new(),
            what: what.to_owned(),
            reason: String::new(),
            outcome: Outcome::Done,
            ground: String::new(),
        })
    };
    let stored = |h: &mut Harness| -> Vec<Vec<Op>> {
        let commands = h.out.drain(..);
        let stored = commands.filter_map(|command| match command {
            Command::Persist { ops, .. } => Some(ops),
            Command::Reply { .. }
            | Command::Slave { .. }
            | Command::Build { .. }
            | Command::Instance { .. }
            | Command::Check { .. }
            | Command::Announce(_)
            | Command::Unexpected { .. }
            | Command::Exit => None,
        });
        stored.collect()
    };
    stored(&mut h);
    let forced = |builder: &str| {
        Ask::Force(Box::new(Forced {
            builder: builder.into(),
            scheduler: None,
            soon: false,
            stamps: SourceStamps::default(),
            reason: String::new(),
            properties: Properties::new(),
            priority: 0,
        }))
    };
    let act = |h: &mut Harness, ask, what| {
        let reply = h.new_reply();
        let audit = audit(what);
        h.input(Input::Acted { ask, audit, reply });
    };
    act(&mut h, forced("b"), "good");
    let batches = stored(&mut h);
    let with_set = batches.iter().find(|ops| {
        let mut ops = ops.iter();
        ops.any(|op| matches!(op, Op::SetSubmitted(_)))
    });
    assert!(with_set.unwrap().contains(&Op::Audited(audit("good"))));

    act(&mut h, forced("nowhere"), "bad");
    let [ops] = <[_; 1]>::try_from(stored(&mut h)).unwrap();
    let [Op::Audited(failed)] = ops.as_slice() else {
        panic!("{ops:?}");
    };
    assert!(matches!(&failed.outcome, Outcome::Failed(why) if why.contains("nowhere")));
}

#[test]
fn may_03_a_paused_builder_starts_no_builds_until_it_is_unpaused() {
    let mut h = one_slave();
    h.attach("s");
    h.told();
    h.ask(Ask::PauseBuilder {
        builder: "b".into(),
        by: "zoe".to_owned(),
        reason: "flaky".to_owned(),
    });
    assert_eq!(h.told(), ["write builder b paused true"]);
    h.persisted();
    assert!(h.is_told("reply 1: done"));
    h.change("b");
    assert_eq!(h.queued("b"), [1]);
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[0].kind, BlockerKind::BuilderPaused);
    assert_eq!(
        why[0].text,
        "builder b is paused by zoe since 1970-01-12T13:46:40.000Z: flaky"
    );
    h.told();
    h.ask(Ask::UnpauseBuilder {
        builder: "b".into(),
    });
    let told = h.told();
    assert!(told.contains(&"ping 1 b".to_owned()), "{told:?}");
    assert_eq!(h.queued("b"), [0; 0]);
}

#[test]
fn may_03_a_builder_is_still_paused_after_a_restart_and_a_return() {
    let pause = Pause {
        since: Timestamp(5),
        by: String::new(),
        reason: String::new(),
    };
    let recovered = Recovered {
        paused_builders: [("b".into(), pause)].into(),
        ..Recovered::default()
    };
    let with = config(&[("b", &["s"])]);
    let mut h = Harness::recovered(with, recovered);
    h.attach("s");
    h.change("b");
    assert_eq!(h.queued("b"), [1]);
    h.ask(Ask::UnpauseBuilder {
        builder: "b".into(),
    });
    assert_eq!(h.queued("b"), [0; 0]);
}
