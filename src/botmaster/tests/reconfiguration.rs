//! Another configuration comes while the master runs (BRC-01 to BRC-07, SLV-11, SLV-12, MAS-04).

use super::*;
use crate::model::BuildNumber;

impl Harness {
    /// Takes another configuration, on record at once.
    pub(super) fn reconfigure(&mut self, config: Config) {
        self.config = Arc::new(config);
        let (config, reply) = (Arc::clone(&self.config), self.new_reply());
        self.input(Input::Reconfigured {
            config,
            dry_run: false,
            reply,
        });
        self.persisted();
    }

    /// The builder list that a slave was last told and has not answered.
    pub(super) fn take_list(&mut self) -> Option<(SessionId, Vec<(BuilderName, String)>)> {
        let is_list = |c: &Command| {
            matches!(
                c,
                Command::Slave {
                    what: SlaveCommand::SendBuilderList { .. },
                    ..
                }
            )
        };
        let at = self.out.iter().position(is_list)?;
        match self.out.remove(at) {
            Some(Command::Slave {
                session,
                what: SlaveCommand::SendBuilderList { builders },
            }) => Some((session, builders)),
            _ => None,
        }
    }

    /// Answers the builder list that a slave was told, and attaches what is new to it.
    pub(super) fn answer_list(&mut self) -> Vec<String> {
        let (session, builders) = self.take_list().expect("a list was sent");
        let names: Vec<_> = builders.into_iter().map(|(name, _)| name).collect();
        self.attach_builders(session, names.clone());
        names.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn sb_05_a_builder_of_which_only_the_environment_changes_builds_with_the_new_one() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    assert!(plan.builder.env.variables.is_empty());
    let mut other = config(&[("b", &["s"])]);
    let value = crate::config::Template(Vec::new());
    let env = [("CC".to_owned(), Some(value))].into();
    builder_of(&mut other, 0).env.variables = env;
    h.reconfigure(other);
    h.finish(plan.build, Results::Success, None);
    h.change("b");
    let plan = h.run();
    assert_eq!(
        plan.builder.env.variables.keys().collect::<Vec<_>>(),
        ["CC"]
    );
}

#[test]
fn mas_04_the_same_configuration_again_disturbs_nothing() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s", "t"])]));
    h.attach("s");
    h.attach("t");
    h.change("all");
    h.run();
    h.told();
    h.reconfigure(config(&[("a", &["s"]), ("b", &["s", "t"])]));
    assert_eq!(h.told(), ["reply 2: done", "reconfigured"]);
}

#[test]
fn mas_03_who_asked_is_answered_when_it_is_in_force_whatever_the_disk_does() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.told();
    let (config, reply) = (Arc::new(config(&[("c", &["s"])])), h.new_reply());
    h.input(Input::Reconfigured {
        config,
        dry_run: false,
        reply,
    });
    assert!(h.is_told("reply 1: done"));
    assert!(!h.is_told("reconfigured"));
    h.persisted();
    assert!(h.is_told("reconfigured"));
}

#[test]
fn brc_02_a_changed_builder_takes_over_queue_slaves_builds_and_numbers() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    h.attach("s");
    h.change("b");
    let first = h.run();
    h.change("b");
    h.change("b");
    assert_eq!(h.queued("b"), [2, 3]);
    h.told();
    let mut changed = config(&[("b", &["s", "t"])]);
    builder_of(&mut changed, 0).factory = Arc::new(FactoryConfig {
        name: "g".to_owned(),
        steps: vec![crate::config::StepConfig::default()],
    });
    h.reconfigure(changed);
    assert_eq!(h.told(), ["reply 4: done", "reconfigured"]);
    assert_eq!(h.queued("b"), [2, 3]);
    assert_eq!(h.state("b"), "building");
    // The running build has the factory it began with (BRC-03), the next one the new.
    assert_eq!(first.builder.factory.name, "f");
    h.finish(first.build, Results::Success, None);
    let second = h.run();
    assert_eq!(second.builder.factory.name, "g");
    assert_eq!(second.number, BuildNumber(1));
}

#[test]
fn brc_02_no_build_gets_the_place_of_anothers_logs_whoever_has_the_directory() {
    let named = |dirs: [&str; 2]| {
        let mut config = config(&[("a", &["s"]), ("b", &["t"])]);
        for (at, dir) in dirs.into_iter().enumerate() {
            builder_of(&mut config, at).builddir = dir.to_owned();
        }
        config
    };
    let build = |h: &mut Harness, builder: &str| {
        h.change(builder);
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        plan.log_dir.display().to_string()
    };
    let mut h = Harness::new(named(["one", "two"]));
    h.attach("s");
    h.attach("t");
    assert_eq!(build(&mut h, "a"), "builders/one/0");
    assert_eq!(build(&mut h, "a"), "builders/one/1");
    h.change("b");
    let running = h.run();
    assert_eq!(running.log_dir.display().to_string(), "builders/two/0");
    // They exchange their directories while a build runs.
    h.reconfigure(named(["two", "one"]));
    assert_eq!(build(&mut h, "a"), "builders/two/2");
    h.finish(running.build, Results::Success, None);
    assert_eq!(build(&mut h, "b"), "builders/one/2");
    // Another one takes over a directory, in another run of the master.
    let recovered = Recovered {
        next: h.core.builds.numbers(),
        ..Recovered::default()
    };
    let mut other = config(&[("c", &["s"])]);
    builder_of(&mut other, 0).builddir = "two".to_owned();
    let mut h = Harness::recovered(other, recovered);
    h.attach("s");
    assert_eq!(build(&mut h, "c"), "builders/two/3");
}

#[test]
fn sb_16_a_start_that_fails_after_the_change_gives_its_request_to_the_new_builder() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    let mut changed = config(&[("b", &["s"])]);
    builder_of(&mut changed, 0).description = "new".to_owned();
    h.reconfigure(changed);
    h.pong(false);
    assert_eq!(h.queued("b"), [1]);
    h.attach("s");
    assert_eq!(h.run().builder.description, "new");
}

#[test]
fn sb_13_a_builder_that_builds_is_still_building_after_its_change() {
    let mut h = Harness::new(config(&[("b", &["s"]), ("c", &["t"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    let mut changed = config(&[("b", &["s"]), ("c", &["t"])]);
    builder_of(&mut changed, 0).description = "new".to_owned();
    h.reconfigure(changed);
    h.attach("t");
    assert_eq!(h.state("b"), "building");
    assert_eq!(h.core.running(&"b".into()).len(), 1);
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.state("b"), "idle");
}

#[test]
fn brc_05_a_build_on_a_slave_that_is_taken_from_its_builder_ends_normally() {
    let mut h = Harness::new(config(&[("b", &["s"]), ("c", &["s"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.change("b");
    h.told();
    let mut changed = config(&[("b", &["t"]), ("c", &["s"])]);
    changed.slaves.push(slave("s"));
    changed.slaves.dedup_by_key(|s| s.name.clone());
    h.reconfigure(changed);
    // The slave is still told of the builder: it would kill what runs otherwise.
    assert!(h.take_list().is_none());
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.answer_list(), ["c"]);
    assert!(h.is_told("finished b 0 success"));
    assert_eq!(h.queued("b"), [2], "it gets no more of them");
    assert_eq!(h.state("b"), "offline");
    h.attach("t");
    h.run();
}

#[test]
fn a_build_that_is_being_started_on_a_slave_that_is_taken_away_starts_elsewhere() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    h.attach("s");
    h.change("b");
    h.attach("t");
    let (session, ..) = h.take_ping().unwrap();
    assert_eq!(session, SessionId(1));
    let mut changed = config(&[("b", &["t"])]);
    changed.slaves.push(slave("s"));
    h.reconfigure(changed);
    let plan = h.run();
    assert_eq!(plan.slave.as_str(), "t");
}

#[test]
fn brc_06_a_slave_that_attaches_when_the_change_comes_gets_the_new_builders() {
    for step in 0..3 {
        let mut h = Harness::new(config(&[("a", &["s"])]));
        let session = h.log_in("s");
        if step > 0 {
            h.describe(session);
        }
        if step > 1 {
            let result = Ok(vec!["a".into()]);
            h.input(SlaveInput::BuilderListAnswered { result }.of(session));
        }
        h.reconfigure(config(&[("a", &["s"]), ("b", &["s"])]));
        match step {
            0 => h.finish_attach(session),
            1 => {
                assert_eq!(h.answer_list(), ["a"]);
                assert_eq!(h.answer_list(), ["a", "b"]);
            }
            _ => {
                let (builder, epoch) = h.attachments_of(session).pop().unwrap();
                let (again, ok) = (builder.clone(), true);
                h.input(SlaveInput::MasterSet { builder, epoch, ok }.of(session));
                h.input(
                    SlaveInput::BuilderGreeted {
                        builder: again,
                        epoch,
                        ok,
                    }
                    .of(session),
                );
                h.take_list();
                assert_eq!(h.answer_list(), ["a", "b"]);
            }
        }
        let states: Vec<_> = h.core.attachments().iter().map(|a| a.state).collect();
        assert_eq!(states, [AttachmentState::Idle; 2], "at step {step}");
    }
}

#[test]
fn slv_12_a_slave_is_told_only_what_is_new_to_it() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["t"])]));
    h.attach("s");
    h.attach("t");
    h.told();
    h.reconfigure(config(&[("a", &["s"]), ("b", &["t"]), ("c", &["t"])]));
    let (session, list) = h.take_list().unwrap();
    assert_eq!((session, list.len()), (SessionId(2), 2));
    assert!(h.take_list().is_none());
}

#[test]
fn a_new_directory_is_told_when_the_build_in_the_old_one_has_ended() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.told();
    let mut changed = config(&[("b", &["s"])]);
    builder_of(&mut changed, 0).slavebuilddir = "elsewhere".to_owned();
    h.reconfigure(changed);
    assert!(h.take_list().is_none());
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.take_list().unwrap().1[0].1, "elsewhere");
}

#[test]
fn row_19_builds_on_a_slave_that_is_removed_are_built_elsewhere() {
    let mut h = Harness::new(config(&[("b", &["s", "t"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.attach("t");
    h.told();
    h.reconfigure(config(&[("b", &["t"])]));
    assert!(h.is_told("drop 1: it was removed from the configuration"));
    h.finish(plan.build, Results::Retry, None);
    assert_eq!(h.run().slave.as_str(), "t");
    let late = h.log_in("s");
    assert!(h.is_told(&format!("drop {late}: there is no slave of this name")));
}

#[test]
fn slv_11_more_builds_at_once_start_without_a_new_connection() {
    let mut one = config(&[("a", &["s"]), ("b", &["s"])]);
    slave_of(&mut one, 0).max_builds = Some(1);
    let mut h = Harness::new(one);
    h.attach("s");
    h.change("all");
    h.run();
    assert!(h.take_ping().is_none());
    let mut two = config(&[("a", &["s"]), ("b", &["s"])]);
    slave_of(&mut two, 0).max_builds = Some(2);
    h.told();
    h.reconfigure(two);
    assert_eq!(h.core.attachments().len(), 2);
    h.run();
}

#[test]
fn bst_09_requests_for_a_removed_builder_end_and_with_them_their_sets() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    h.change("b");
    h.told();
    h.reconfigure(config(&[("a", &["s"])]));
    h.pass(0);
    h.persisted();
    let told = h.told();
    assert!(told.contains(&"cancelled 1".to_owned()), "{told:?}");
    assert!(told.contains(&"set 1 failure".to_owned()), "{told:?}");
}

#[test]
fn bst_09_with_grace_they_wait_for_the_return_of_the_builder() {
    let graceful = |builders: &[(&str, &[&str])]| {
        let mut config = config(builders);
        config.orphan_request_grace = Duration::from_secs(60);
        config
    };
    let both: [(&str, &[&str]); 2] = [("a", &["s"]), ("b", &["s"])];
    let mut h = Harness::new(graceful(&both));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    h.change("b");
    h.told();
    h.reconfigure(graceful(&both[..1]));
    h.pass(30);
    // Also one whose build is to be done again.
    h.finish(plan.build, Results::Retry, None);
    assert_eq!(h.queued("b"), [1, 2]);
    h.reconfigure(graceful(&both));
    assert_eq!(h.answer_list(), ["a"]);
    assert_eq!(h.answer_list(), ["a", "b"]);
    let again = h.run();
    assert_eq!(
        (again.number, again.requests[0]),
        (BuildNumber(1), RequestId(1))
    );
    h.pass(60);
    assert_eq!(
        h.queued("b"),
        [2],
        "the grace is over, and the builder is there"
    );
}

#[test]
fn bst_09_the_grace_counts_from_the_last_removal() {
    let graceful = |builders: &[(&str, &[&str])]| {
        let mut config = config(builders);
        config.orphan_request_grace = Duration::from_secs(3600);
        config
    };
    let both: [(&str, &[&str]); 2] = [("a", &["s"]), ("b", &["s"])];
    let mut h = Harness::new(graceful(&both));
    h.change("b");
    h.reconfigure(graceful(&both[..1]));
    h.pass(50 * 60);
    h.reconfigure(graceful(&both));
    h.pass(5 * 60);
    h.reconfigure(graceful(&both[..1]));
    h.told();
    h.pass(59 * 60);
    assert_eq!(h.queued("b"), [1], "five minutes after the first removal");
    h.pass(60);
    h.persisted();
    assert!(h.is_told("set 1 failure"));
    assert_eq!(h.queued("b"), [0; 0]);
}

#[test]
fn brc_07_what_can_start_after_the_change_starts() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["t"])]));
    h.attach("s");
    h.change("b");
    h.told();
    h.reconfigure(config(&[("a", &["s"]), ("b", &["t", "s"])]));
    h.answer_list();
    assert_eq!(h.run().slave.as_str(), "s");
}

#[test]
fn merging_that_is_switched_on_counts_for_what_waits() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.change("b");
    h.change("b");
    let mut merging = config(&[("b", &["s"])]);
    builder_of(&mut merging, 0).merging.rule = MergeRule::Compatible;
    h.reconfigure(merging);
    h.change("b");
    h.attach("s");
    assert_eq!(h.run().requests.len(), 3);
}

#[test]
fn two_thousand_builders_are_reconfigured_without_an_event_on_the_unchanged() {
    let names: Vec<String> = (0..2000).map(|n| format!("b{n}")).collect();
    let slaves: [&str; 2] = ["s", "t"];
    let builders: Vec<(&str, &[&str])> = names.iter().map(|n| (n.as_str(), &slaves[..])).collect();
    let mut h = Harness::new(config(&builders));
    h.attach("s");
    h.told();
    let mut changed = config(&builders);
    builder_of(&mut changed, 1000).description = "new".to_owned();
    h.reconfigure(changed);
    assert_eq!(h.told(), ["reply 1: done", "reconfigured"]);
}

#[test]
fn brc_06_a_builder_that_goes_and_comes_back_while_its_slave_attaches_is_attached() {
    let both = || config(&[("a", &["s"]), ("b", &["s"])]);
    let mut h = Harness::new(both());
    let session = h.log_in("s");
    h.describe(session);
    h.take_list();
    let result = Ok(vec!["a".into(), "b".into()]);
    h.input(SlaveInput::BuilderListAnswered { result }.of(session));
    h.reconfigure(config(&[("a", &["s"])]));
    h.reconfigure(both());
    let (builder, epoch) = h.attachments_of(session).remove(0);
    let (again, ok) = (builder.clone(), true);
    h.input(SlaveInput::MasterSet { builder, epoch, ok }.of(session));
    h.input(
        SlaveInput::BuilderGreeted {
            builder: again,
            epoch,
            ok,
        }
        .of(session),
    );
    assert_eq!(h.answer_list(), ["a", "b"]);
    assert_eq!(h.attachments_of(session).len(), 2);
}

#[test]
fn slv_04_when_the_rule_changes_the_newest_connection_replaces_one_that_waits_too() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    let waiting = h.log_in("s");
    let mut replacing = config(&[("b", &["s"])]);
    replacing.duplicate_slave_replaces = true;
    h.reconfigure(replacing);
    h.told();
    let newest = h.log_in("s");
    let told = h.told();
    let why = "another connection of its name has replaced it";
    assert!(told.contains(&format!("drop 1: {why}")), "{told:?}");
    assert!(told.contains(&format!("drop {waiting}: {why}")), "{told:?}");
    assert!(told.contains(&format!("greet {newest}")), "{told:?}");
    assert_eq!(h.core.roster.slave_of(waiting), None);
}

#[test]
fn prb_25_a_builder_that_was_called_otherwise_takes_over_numbers_and_queue() {
    let named = |name: &str, was: &str| {
        let mut config = config(&[(name, &["s"])]);
        builder_of(&mut config, 0).was = Some(was.into());
        config
    };
    let mut recovered = Recovered::default();
    let numbers = &mut recovered.next.build_of;
    numbers.insert("a".into(), BuildNumber(5));
    // One that has no builds takes over nothing, and a name that there never was is nothing.
    let mut h = Harness::recovered(named("b", "a"), recovered);
    h.change("b");
    assert_eq!(h.queued("b"), [1]);
    h.reconfigure(named("c", "b"));
    assert_eq!(h.queued("c"), [1]);
    assert!(h.queued("b").is_empty());
    h.attach("s");
    let plan = h.run();
    assert_eq!((plan.builder.name.as_str(), plan.number.0), ("c", 5));
    h.told();
    h.reconfigure(named("d", "c"));
    let told = h.told();
    assert!(
        told[0].contains("builder d was c, which builds now"),
        "{told:?}"
    );
    // It has builds of its own.
    h.finish(plan.build, Results::Success, None);
    h.reconfigure(named("c", "d"));
    h.change("c");
    assert_eq!(h.run().number.0, 6);
}
