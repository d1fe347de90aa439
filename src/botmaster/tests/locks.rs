//! Locks of slaves, builders and steps (section 16), from outside.

use super::*;
use crate::config::expression::{Expression, Mode};
use crate::config::{LockAccess, LockConfig, LockGroup, LockKind, LockMode};

pub(super) fn lock(name: &str, max_count: u32, of_slaves: bool) -> LockConfig {
    let max_count_for_slave = BTreeMap::new();
    LockConfig {
        name: name.into(),
        kind: if of_slaves {
            LockKind::Slave {
                max_count_for_slave,
            }
        } else {
            LockKind::Master
        },
        max_count,
    }
}

fn counting(name: &str) -> LockAccess {
    LockAccess {
        lock: name.into(),
        mode: LockMode::Counting,
    }
}

pub(super) fn exclusive(name: &str) -> LockAccess {
    LockAccess {
        mode: LockMode::Exclusive,
        ..counting(name)
    }
}

pub(super) fn step() -> LockUser {
    LockUser::Step {
        index: 0,
        name: "test".into(),
    }
}

impl Harness {
    pub(super) fn wants(&mut self, plan: &BuildPlan, user: LockUser, lock: LockAccess) {
        let (build, locks) = (plan.build, vec![lock]);
        self.input(BuildInput::LocksWanted { user, locks }.of(build));
    }

    fn releases(&mut self, plan: &BuildPlan, user: LockUser) {
        let build = plan.build;
        self.input(BuildInput::LocksReleased { user }.of(build));
    }

    /// The builds that were granted something, with what of them.
    fn granted(&mut self) -> Vec<(BuildId, LockUser)> {
        let grants = self.out.drain(..).filter_map(|command| match command {
            Command::Build {
                build,
                what: BuildCommand::GrantLocks { user },
            } => Some((build, user)),
            _ => None,
        });
        grants.collect()
    }

    fn waits(&self) -> Vec<String> {
        let waits = self.core.lock_waits();
        waits.iter().map(ToString::to_string).collect()
    }

    fn stop_build(&mut self, plan: &BuildPlan) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::StopBuild {
                builder: plan.builder.name.clone(),
                number: plan.number,
                reason: "enough".to_owned(),
            },
            reply,
        });
    }
}

impl Harness {
    /// What is answered to another configuration, and to the question whether it would be taken,
    /// which is the same.
    fn offer(&mut self, config: &Config) -> String {
        let [asked, taken] = [true, false].map(|dry_run| {
            let reply = self.new_reply();
            let config = Arc::new(config.clone());
            self.input(Input::Reconfigured {
                config,
                dry_run,
                reply,
            });
            self.persisted();
            let start = format!("reply {reply}: ");
            let mut told = self.out.iter().filter_map(short);
            let answer = told.find_map(|line| line.strip_prefix(&start).map(str::to_owned));
            answer.unwrap()
        });
        assert_eq!(asked, taken);
        taken
    }
}

/// Builder b on slave s; builds hold one lock with their slave, and another one on top of it.
fn nested(of_slave: &str, of_builder: &str) -> Config {
    let mut config = config(&[("b", &["s"])]);
    config.locks = vec![lock("x", 1, false), lock("y", 1, false)];
    let access = |name: &str| (!name.is_empty()).then(|| exclusive(name));
    slave_of(&mut config, 0).locks = access(of_slave).into_iter().collect();
    let builder = Arc::make_mut(&mut config.builders[0]);
    builder.locks = access(of_builder).into_iter().collect();
    config
}

#[test]
fn lck_04_no_configuration_turns_round_the_order_of_locks_of_a_build_that_runs() {
    let refusal = "locks are taken in another order than by builds that run, and builds could wait for each other's \
                   locks for ever: builds of `b` on slave `s` hold `x` while they wait for `y`, and builds of `b` on \
                   slave `s` hold `y` while they wait for `x`; try again when they have ended, or stop them";
    let mut h = Harness::new(nested("x", "y"));
    h.attach("s");
    h.change("b");
    h.persisted();
    // It has the locks of its slave; those of its builder it would take as they are then.
    let alone = h.offer(&nested("y", "x"));
    assert!(
        alone.contains("on slave `s` hold `x` while they wait for `x`"),
        "{alone}"
    );
    let plan = h.run();
    assert_eq!(h.offer(&nested("y", "x")), refusal);
    // Not by a detour either.
    assert_eq!(h.offer(&nested("", "")), "done");
    assert_eq!(h.offer(&nested("y", "x")), refusal);
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.offer(&nested("y", "x")), "done");
}

#[test]
fn lck_09_a_lock_that_is_held_keeps_its_type() {
    let mut h = Harness::new(nested("x", ""));
    h.attach("s");
    h.change("b");
    h.persisted();
    let plan = h.run();
    let mut other = nested("x", "");
    other.locks[0] = lock("x", 1, true);
    assert!(h.offer(&other).starts_with("lock `x` has another type now"));
    other.locks[1] = lock("y", 1, true);
    other.locks[0] = lock("x", 7, false);
    assert_eq!(h.offer(&other), "done", "nobody has y");
    other.locks[0] = lock("x", 1, true);
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.offer(&other), "done");
}

/// A lock that slaves of equal sites share.
fn lock_of_sites(sites: &[(&str, &str)]) -> LockConfig {
    let groups = sites.iter().map(|(slave, site)| {
        let group = LockGroup::of(&serde_json::Value::from(*site));
        ((*slave).into(), group)
    });
    let per = Expression::compile("slave.properties.site", Mode::Running, "per").unwrap();
    LockConfig {
        kind: LockKind::Per {
            per,
            groups: groups.collect(),
        },
        ..lock("line", 1, true)
    }
}

#[test]
fn cfl_135_slaves_of_one_site_share_a_lock_and_holders_keep_it() {
    let names = ["s1", "s2", "s3", "s4", "s5", "s6"];
    let slaves = names.map(|name| [name]);
    let builders: Vec<(&str, &[&str])> = names
        .iter()
        .zip(&slaves)
        .map(|(name, slaves)| (*name, &slaves[..]))
        .collect();
    let mut config = config(&builders);
    let sites = [
        ("s1", "north"),
        ("s2", "north"),
        ("s3", "south"),
        ("s4", "south"),
    ];
    config.locks = vec![lock_of_sites(&sites)];
    let mut h = Harness::new(config.clone());
    let plans = names.map(|name| {
        h.attach(name);
        h.change(name);
        h.run()
    });
    for plan in &plans {
        h.wants(plan, LockUser::Build, counting("line"));
    }
    let [s1, _, s3, s4, s5, s6] = &plans;
    let granted: Vec<BuildId> = h.granted().into_iter().map(|(build, _)| build).collect();
    assert_eq!(granted, [s1.build, s3.build, s5.build, s6.build]);
    let waits = [
        "build s2/0 waits for lock line (north), held by s1/0, place 1",
        "build s4/0 waits for lock line (south), held by s3/0, place 1",
    ];
    assert_eq!(h.waits(), waits);
    // Slave s5 moves to the south: its build keeps the lock that it has, and s4 its place.
    let moved = [
        ("s1", "north"),
        ("s2", "north"),
        ("s4", "south"),
        ("s5", "south"),
    ];
    config.locks = vec![lock_of_sites(&moved)];
    assert_eq!(h.offer(&config), "done");
    assert_eq!(h.waits(), waits);
    h.finish(s5.build, Results::Success, None);
    assert_eq!(h.granted(), []);
    h.change("s5");
    let again = h.run();
    h.wants(&again, LockUser::Build, counting("line"));
    let waits = ["s2/0 waits for lock line (north), held by s1/0, place 1"];
    assert!(h.waits()[0].ends_with(waits[0]));
    assert!(h.waits()[2].ends_with("s5/1 waits for lock line (south), held by s3/0, place 2"));
    h.finish(s3.build, Results::Success, None);
    assert_eq!(h.granted(), [(s4.build, LockUser::Build)]);
}

/// Three builders on slaves of their own, each with a build that runs, and the master lock `disk`.
fn three_builds(max_count: u32) -> (Harness, [Box<BuildPlan>; 3]) {
    let mut config = config(&[("a", &["s"]), ("b", &["t"]), ("c", &["u"])]);
    config.locks = vec![lock("disk", max_count, false)];
    let mut h = Harness::new(config);
    let plans = [("a", "s"), ("b", "t"), ("c", "u")].map(|(builder, slave)| {
        h.attach(slave);
        h.change(builder);
        h.run()
    });
    h.told();
    (h, plans)
}

#[test]
fn lck_03_and_lck_11_waiters_are_seen_with_holders_and_places_and_get_their_turn() {
    let (mut h, [a, b, c]) = three_builds(2);
    h.wants(&a, LockUser::Build, counting("disk"));
    assert_eq!(h.told(), ["grant 1 build"]);
    h.wants(&b, step(), exclusive("disk"));
    let waits = "step test of build b/0 waits for lock disk, held by a/0, place 1";
    assert_eq!(h.told(), [waits]);
    h.wants(&c, LockUser::Build, counting("disk"));
    let behind = "build c/0 waits for lock disk, held by a/0, place 2";
    assert_eq!(h.told(), [behind]);
    assert_eq!(h.waits(), [waits, behind]);
    h.releases(&a, LockUser::Build);
    assert_eq!(h.told(), ["grant 2 test", "b/0 test has its locks"]);
    let held = "build c/0 waits for lock disk, held by step test of b/0, place 1";
    assert_eq!(h.waits(), [held]);
    h.finish(b.build, Results::Success, None);
    assert_eq!(h.granted(), [(c.build, LockUser::Build)]);
    assert_eq!(h.waits(), [""; 0]);
    assert!(!h.core.has_no_locks_taken());
    h.finish(c.build, Results::Success, None);
    assert!(h.core.has_no_locks_taken());
}

#[test]
fn lck_06_the_stop_of_a_waiting_build_does_not_let_the_next_pass_the_holder() {
    let (mut h, [a, b, c]) = three_builds(1);
    for plan in [&a, &b, &c] {
        h.wants(plan, LockUser::Build, exclusive("disk"));
    }
    h.told();
    h.stop_build(&b);
    h.releases(&b, LockUser::Build);
    assert_eq!(h.granted(), []);
    assert_eq!(h.waits().len(), 1, "LCK-07: it has left the queue");
    h.finish(b.build, Results::Exception, Some("enough"));
    assert_eq!(h.granted(), []);
    h.finish(a.build, Results::Success, None);
    assert_eq!(h.granted(), [(c.build, LockUser::Build)]);
}

#[test]
fn lck_07_a_build_that_loses_its_slave_leaves_the_queue_at_once() {
    let (mut h, [a, b, c]) = three_builds(2);
    h.wants(&a, LockUser::Build, counting("disk"));
    h.wants(&b, LockUser::Build, exclusive("disk"));
    h.wants(&c, LockUser::Build, counting("disk"));
    h.told();
    let (session, why) = (SessionId(2), "cut".to_owned());
    h.input(SlaveInput::Lost { why }.of(session));
    assert_eq!(h.granted(), [(c.build, LockUser::Build)]);
    h.wants(&b, step(), counting("disk"));
    assert_eq!(
        h.waits(),
        [""; 0],
        "it is over, though it does not know yet"
    );
}

#[test]
fn a_stopped_build_gets_locks_for_its_steps_that_always_run() {
    let (mut h, [a, b, _]) = three_builds(1);
    h.wants(&a, LockUser::Build, counting("disk"));
    h.stop_build(&b);
    h.wants(&b, step(), counting("disk"));
    assert_eq!(h.waits().len(), 1);
    h.told();
    h.finish(a.build, Results::Success, None);
    assert_eq!(h.granted(), [(b.build, step())]);
}

#[test]
fn lck_07_another_stop_ends_the_wait_of_a_step_that_always_runs() {
    let (mut h, [a, b, c]) = three_builds(1);
    h.wants(&a, LockUser::Build, counting("disk"));
    h.stop_build(&b);
    h.wants(&b, step(), exclusive("disk"));
    h.wants(&c, step(), exclusive("disk"));
    h.stop_build(&b);
    assert_eq!(h.waits().len(), 1);
    h.told();
    h.finish(a.build, Results::Success, None);
    assert_eq!(h.granted(), [(c.build, step())]);
}

#[test]
fn what_nobody_knows_gets_no_locks() {
    let (mut h, [a, ..]) = three_builds(1);
    h.finish(a.build, Results::Success, None);
    h.told();
    h.wants(&a, LockUser::Build, counting("disk"));
    h.releases(&a, LockUser::Build);
    assert!(h.told().is_empty() && h.core.has_no_locks_taken());
}

#[test]
fn lck_09_a_greater_count_lets_waiters_go_on_and_a_smaller_one_takes_nothing_away() {
    let (mut h, [a, b, c]) = three_builds(1);
    for plan in [&a, &b, &c] {
        h.wants(plan, LockUser::Build, counting("disk"));
    }
    h.told();
    for (max, granted) in [(2, vec![b.build]), (1, vec![])] {
        let mut config = Config::clone(&h.config);
        config.locks = vec![lock("disk", max, false)];
        let relaid = h.core.out.layout.set_config(&Arc::new(config));
        assert!(relaid.relinked.is_empty());
        h.core.define_locks();
        h.drain();
        let grants: Vec<_> = h.granted().into_iter().map(|(build, _)| build).collect();
        assert_eq!(grants, granted);
    }
    h.finish(a.build, Results::Success, None);
    assert_eq!(h.granted(), []);
    h.finish(b.build, Results::Success, None);
    assert_eq!(h.granted(), [(c.build, LockUser::Build)]);
}

/// Two builders on slaves of their own that share a lock.
fn shared_by_slaves() -> Harness {
    let mut config = config(&[("a", &["s"]), ("b", &["t"])]);
    config.locks = vec![lock("net", 1, false)];
    slave_of(&mut config, 0).locks = vec![counting("net")];
    slave_of(&mut config, 1).locks = vec![exclusive("net")];
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    h.change("a");
    h.change("b");
    h
}

#[test]
fn bld_04_a_slave_whose_lock_is_taken_takes_no_build_until_it_is_free() {
    let mut h = shared_by_slaves();
    assert_eq!(h.queued("b"), [2]);
    let blocks = h.core.slave_lock_blocks(&"t".into());
    let text = "lock net, held by a build of a that is starting";
    assert_eq!(blocks[0].to_string(), text);
    let a = h.run();
    assert_eq!(h.queued("b"), [2]);
    h.finish(a.build, Results::Success, None);
    assert_eq!(h.queued("b"), [0; 0]);
    let b = h.run();
    h.finish(b.build, Results::Success, None);
    assert!(h.core.has_no_locks_taken());
}

#[test]
fn lck_06_a_failed_start_gives_the_locks_of_the_slave_back() {
    for lost in [true, false] {
        let mut h = shared_by_slaves();
        if lost {
            let (session, why) = (SessionId(1), "cut".to_owned());
            h.input(SlaveInput::Lost { why }.of(session));
        } else {
            h.pong(true);
            h.started(Err("no".to_owned()));
        }
        h.told();
        if lost {
            assert_eq!(h.queued("a"), [1]);
            assert_eq!(h.queued("b"), [0; 0], "its turn");
        } else {
            assert_eq!(h.queued("b"), [2], "the older one tries again");
        }
    }
}

#[test]
fn lck_08_a_lock_that_a_build_gives_back_lets_a_slave_take_builds() {
    let mut config = config(&[("a", &["s"]), ("b", &["t"])]);
    config.locks = vec![lock("net", 1, false)];
    slave_of(&mut config, 1).locks = vec![counting("net")];
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    h.change("a");
    let a = h.run();
    h.wants(&a, step(), counting("net"));
    h.change("b");
    assert_eq!(h.queued("b"), [2]);
    h.releases(&a, step());
    assert_eq!(h.queued("b"), [0; 0]);
    h.wants(&a, step(), counting("net"));
    let held =
        "step test of build a/0 waits for lock net, held by a build of b that is starting, place 1";
    assert_eq!(h.waits(), [held]);
}

#[test]
fn lck_10_slaves_on_which_the_builders_locks_are_free_are_preferred() {
    for with_locks in [true, false] {
        let mut config = config(&[("a", &["s", "t", "u"]), ("b", &["s"])]);
        config.choose_slaves = SlaveChoice::Random;
        config.locks = vec![lock("disk", 1, true)];
        if with_locks {
            builder_of(&mut config, 0).locks = vec![counting("disk")];
        }
        let mut h = Harness::new(config);
        for slave in ["s", "t", "u"] {
            h.attach(slave);
        }
        h.change("b");
        let b = h.run();
        h.wants(&b, LockUser::Build, counting("disk"));
        let mut counts = [0; 4];
        for _ in 0..100 {
            h.told();
            h.change("a");
            let (session, builder, ping) = h.take_ping().unwrap();
            counts[usize::try_from(session.0).unwrap()] += 1;
            let ok = true;
            h.input(SlaveInput::PingAnswered { builder, ping, ok }.of(session));
            h.started(Ok(()));
            h.persisted();
            let a = h.take_run().unwrap();
            h.finish(a.build, Results::Success, None);
        }
        assert_eq!(counts[1] == 0, with_locks, "{counts:?}");
        assert!(counts[2] > 20 && counts[3] > 20, "{counts:?}");
    }
}
