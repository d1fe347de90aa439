//! Latent slaves: rows 20 to 28 of section 13, and section 15.

mod ends;

use super::*;
use crate::config::LatentConfig;
use crate::model::journal::RecoveredSlave;

const NEVER: Option<u64> = None;

/// Makes the slave at `at` a latent one, whose instance is stopped after `wait` seconds without a
/// build.
pub(super) fn make_latent(config: &mut Config, at: usize, wait: Option<u64>) {
    slave_of(config, at).kind = SlaveKind::Latent(Box::new(LatentConfig {
        build_wait_timeout: wait.map(Duration::from_secs),
        ..LatentConfig::default()
    }));
}

/// Builders, all of whose slaves are latent.
fn latent(builders: &[(&str, &[&str])], wait: Option<u64>) -> Harness {
    Harness::new(latent_config(builders, wait))
}

pub(in crate::botmaster) fn latent_config(
    builders: &[(&str, &[&str])],
    wait: Option<u64>,
) -> Config {
    let mut config = config(builders);
    for at in 0..config.slaves.len() {
        make_latent(&mut config, at, wait);
    }
    config
}

impl Harness {
    /// What came out about instances, and what was told of builds that wait for them; forgets all.
    fn instances(&mut self) -> Vec<String> {
        let mut told = self.told();
        told.retain(|line| {
            ["instance", "substantiat", "runs on"]
                .iter()
                .any(|w| line.contains(w))
        });
        told
    }

    fn instance_started(&mut self, slave: &str, id: u64, result: InstanceStart) {
        self.input(Input::Instance {
            slave: slave.into(),
            instance: InstanceId(id),
            what: InstanceInput::Started { result },
        });
    }

    fn up(&mut self, slave: &str, id: u64) {
        self.instance_started(slave, id, InstanceStart::Started("i".to_owned()));
    }

    fn instance_stopped(&mut self, slave: &str, id: u64, result: Result<(), &str>) {
        self.input(Input::Instance {
            slave: slave.into(),
            instance: InstanceId(id),
            what: InstanceInput::Stopped {
                result: result.map_err(str::to_owned),
            },
        });
        self.persisted();
    }

    fn instance_state(&self, slave: &str) -> (InstanceState, usize) {
        let views = self.core.instances();
        let view = views.iter().find(|view| view.slave.as_str() == slave);
        view.map(|view| (view.state, view.waiting.len())).unwrap()
    }

    /// A request of builder "b", whose build runs on instance `id` of "s".
    fn build(&mut self, id: u64) -> (SessionId, Box<BuildPlan>) {
        self.change("b");
        self.persisted();
        self.up("s", id);
        let session = self.attach("s");
        (session, self.run())
    }

    fn lose(&mut self, session: SessionId) {
        let why = "cut".to_owned();
        self.input(SlaveInput::Lost { why }.of(session));
    }
}

#[test]
fn rows_20_and_21_a_build_starts_an_instance_and_goes_on_when_it_has_attached() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    assert_eq!(
        h.state("b"),
        "idle",
        "a latent slave counts as connected (BLD-13)"
    );
    h.submit("b");
    h.persisted();
    assert_eq!(
        h.instances(),
        ["substantiating s for b", "write slave s has instance \"\""],
        "nothing is started that is not on record"
    );
    assert_eq!(h.state("b"), "building");
    h.persisted();
    assert_eq!(h.instances(), ["start instance 1 of s"]);
    h.up("s", 1);
    assert_eq!(h.instances(), ["note slave s has instance \"i\""]);
    h.attach("s");
    let told = h.told();
    let ends = &told[told.len() - 3..];
    assert_eq!(ends, ["welcome 1", "substantiated s for b", "ping 1 b"]);
    h.input(
        SlaveInput::Lost {
            why: "another one".to_owned(),
        }
        .of(SessionId(7)),
    );
    assert_eq!(h.instance_state("s"), (InstanceState::Up, 0));
}

#[test]
fn lat_01_an_instance_is_stopped_at_once_or_after_its_time_or_never() {
    for wait in [Some(0), Some(600), NEVER] {
        let mut h = latent(&[("b", &["s"])], wait);
        let (_, plan) = h.build(1);
        h.finish(plan.build, Results::Success, None);
        let stopped_at_once = h.is_told("stop instance 1 of s (i)");
        assert_eq!(stopped_at_once, wait == Some(0));
        h.pass(599);
        assert!(!h.is_told("stop instance 1 of s (i)"), "{wait:?}");
        h.pass(1);
        assert_eq!(h.is_told("stop instance 1 of s (i)"), wait == Some(600));
        h.pass(1_000_000);
        assert_eq!(h.instances(), [""; 0]);
    }
}

#[test]
fn sb_17_and_lat_02_three_builds_want_an_instance_that_is_started_once() {
    let builders = [("a", &["s"] as &[_]), ("b", &["s"]), ("c", &["s"])];
    for max in [None, Some(2)] {
        let mut config = latent_config(&builders, Some(600));
        slave_of(&mut config, 0).max_builds = max;
        let mut h = Harness::new(config);
        h.told();
        h.change("b");
        h.change("b");
        h.change("a");
        h.change("c");
        h.persisted();
        let told = h.instances();
        let starts = told
            .iter()
            .filter(|line| line.starts_with("start instance"));
        assert_eq!(starts.count(), 1);
        assert_eq!(h.queued("b"), [2], "one slave-builder takes one build");
        let wanted = max.map_or(3, |max| max as usize);
        assert_eq!(h.instance_state("s"), (InstanceState::Starting, wanted));
        h.attach("s");
        let pings = (0..3).filter(|_| h.take_ping().is_some()).count();
        assert_eq!(pings, wanted);
    }
}

#[test]
fn row_22_an_instance_that_cannot_be_had_now_is_no_failure() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.change("b");
    h.persisted();
    h.told();
    h.instance_started("s", 1, InstanceStart::NotNow);
    assert_eq!(
        h.told(),
        [
            "held back s 1s",
            "note slave s has no instance",
            "queued 1",
            "note ",
            "b is idle"
        ]
        .iter()
        .filter(|line| **line != "note ")
        .copied()
        .collect::<Vec<_>>()
    );
    assert_eq!(h.queued("b"), [1]);
    assert_eq!(h.instance_state("s"), (InstanceState::Down, 0));
    h.pass(1);
    assert_eq!(h.instance_state("s"), (InstanceState::Starting, 1));
}

#[test]
fn row_22_others_are_tried_when_an_instance_cannot_be_had_now() {
    let mut h = latent(&[("b", &["s", "t"])], Some(600));
    h.change("b");
    h.persisted();
    h.instance_started("s", 1, InstanceStart::NotNow);
    h.persisted();
    assert!(h.is_told("start instance 2 of t"));
}

#[test]
fn sb_20_and_row_23_a_slave_whose_start_fails_is_held_back_and_tried_again() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.change("b");
    let mut now = 0;
    for (id, held) in [(1, 1), (2, 2), (3, 4)] {
        h.persisted();
        assert!(h.is_told(&format!("start instance {id} of s")), "{id}");
        h.instance_started("s", id, InstanceStart::Failed("no".to_owned()));
        let told = h.told();
        for line in [
            "not substantiated s for b".to_owned(),
            format!("held back s {held}s"),
            format!("stop instance {id} of s ()"),
            "queued 1".to_owned(),
        ] {
            assert!(told.contains(&line), "{line} in {told:?}");
        }
        assert_eq!(h.state("b"), "idle");
        h.instance_stopped("s", id, Ok(()));
        assert_eq!(h.instance_state("s"), (InstanceState::Down, 0));
        h.pass(held);
        now += held;
    }
    assert_eq!(now, 7);
    assert_eq!(h.queued("b"), [0; 0]);
}

#[test]
fn bld_12_an_instance_that_never_comes_up_is_tried_ten_times_in_two_minutes_at_most() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.change("b");
    let mut starts = 0;
    for _ in 0..120 {
        h.persisted();
        for line in h.told() {
            if let Some(id) = line.strip_prefix("start instance ") {
                starts += 1;
                let id = id.split(' ').next().unwrap().parse().unwrap();
                h.instance_started("s", id, InstanceStart::Failed("no".to_owned()));
                h.instance_stopped("s", id, Ok(()));
            }
        }
        h.pass(1);
    }
    assert!((2..=10).contains(&starts), "{starts}");
}

#[test]
fn lat_04_and_slv_07_somebody_is_told_once_until_an_instance_has_attached_again() {
    let mut config = latent_config(&[("b", &["s"])], Some(600));
    slave_of(&mut config, 0).notify_on_missing = vec!["admin@example.org".to_owned()];
    let mut h = Harness::new(config);
    h.change("b");
    let mut told = 0;
    let mut fail = |h: &mut Harness, id: u64, connects: bool| {
        h.persisted();
        if connects {
            // It describes itself and is lost, which does not count as a return.
            let session = h.log_in("s");
            h.describe(session);
            h.lose(session);
        }
        h.instance_started("s", id, InstanceStart::Failed("no".to_owned()));
        h.instance_stopped("s", id, Ok(()));
        let mails = h.told();
        told += mails.iter().filter(|line| *line == "s is missing").count();
        h.pass(60);
        told
    };
    for id in 1..=5 {
        assert_eq!(fail(&mut h, id, id % 2 == 0), 1, "{id}");
    }
    h.persisted();
    h.up("s", 6);
    let session = h.attach("s");
    let plan = h.run();
    h.lose(session);
    h.finish(plan.build, Results::Retry, None);
    h.instance_stopped("s", 6, Ok(()));
    for id in 7..=9 {
        assert_eq!(fail(&mut h, id, false), 2, "{id}");
    }
}

#[test]
fn lat_04_that_somebody_was_told_survives_a_restart() {
    let mut config = latent_config(&[("b", &["s"])], Some(600));
    slave_of(&mut config, 0).notify_on_missing = vec!["admin@example.org".to_owned()];
    let known = RecoveredSlave {
        missed: true,
        ..Default::default()
    };
    let recovered = Recovered {
        slaves: [("s".into(), known)].into(),
        ..Recovered::default()
    };
    let mut h = Harness::recovered(config, recovered);
    h.change("b");
    h.persisted();
    h.instance_started("s", 1, InstanceStart::Failed("no".to_owned()));
    h.persisted();
    assert!(!h.is_told("s is missing"));
}

#[test]
fn bld_12_an_instance_that_hangs_up_when_it_is_pinged_is_started_ever_less() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.change("b");
    let mut starts = 0;
    for _ in 0..120 {
        h.persisted();
        while h.instance_state("s").0 == InstanceState::Starting {
            starts += 1;
            h.up("s", starts);
            let session = h.attach("s");
            assert!(h.take_ping().is_some());
            h.lose(session);
            h.instance_stopped("s", starts, Ok(()));
        }
        h.pass(1);
    }
    assert!((2..=10).contains(&starts), "{starts}");
}

#[test]
fn lat_04_an_instance_that_does_not_connect_is_stopped_and_its_builds_wait_again() {
    let mut h = latent(&[("a", &["s"]), ("b", &["s"])], Some(600));
    h.change("a");
    h.change("b");
    h.persisted();
    h.up("s", 1);
    h.told();
    h.pass(1199);
    assert_eq!(h.instances(), [""; 0]);
    h.pass(1);
    assert_eq!(
        h.instances(),
        [
            "not substantiated s for a",
            "not substantiated s for b",
            "stop instance 1 of s (i)"
        ]
    );
    assert_eq!((h.queued("a"), h.queued("b")), (vec![1], vec![2]));
}

#[test]
fn lat_05_a_build_in_time_uses_the_instance_again_and_a_later_one_gets_another() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    let (_, plan) = h.build(1);
    h.finish(plan.build, Results::Success, None);
    h.pass(599);
    h.change("b");
    let plan = h.run();
    h.pass(10_000);
    h.finish(plan.build, Results::Success, None);
    h.told();
    h.pass(600);
    assert_eq!(
        h.told(),
        [
            "drop 1: no build wants its instance",
            "note slave s false",
            "stop instance 1 of s (i)"
        ]
    );
    h.change("b");
    h.persisted();
    assert_eq!(h.instances(), [""; 0], "not while it is being stopped");
    assert_eq!(h.queued("b"), [3]);
    h.instance_stopped("s", 1, Ok(()));
    assert_eq!(
        h.instances(),
        [
            "note slave s has no instance",
            "substantiating s for b",
            "write slave s has instance \"\"",
            "start instance 2 of s"
        ]
    );
}

#[test]
fn lat_06_another_instance_is_started_when_the_old_connection_is_gone() {
    let mut h = latent(&[("b", &["s"])], Some(0));
    let (session, plan) = h.build(1);
    h.change("b");
    h.told();
    h.finish(plan.build, Results::Success, None);
    h.instance_stopped("s", 1, Ok(()));
    let told = h.told();
    let place = |line: &str| told.iter().position(|l| l == line).unwrap();
    let dropped = place(&format!("drop {session}: its build has ended"));
    assert!(dropped < place("stop instance 1 of s (i)"));
    assert!(dropped < place("start instance 2 of s"));
}

#[test]
fn lat_08_slow_starts_delay_nobody() {
    let mut config = config(&[("a", &["s"]), ("b", &["t"]), ("c", &["u"])]);
    make_latent(&mut config, 0, Some(600));
    make_latent(&mut config, 1, Some(600));
    let mut h = Harness::new(config);
    h.attach("u");
    h.change("all");
    h.change("a");
    h.change("b");
    h.change("c");
    h.persisted();
    let told = h.told();
    for line in ["start instance 1 of s", "start instance 2 of t", "ping 1 c"] {
        assert!(told.contains(&line.to_owned()), "{line} in {told:?}");
    }
    h.pass(60);
    h.attach("t");
    h.attach("s");
    let told = h.told();
    assert!(told.contains(&"ping 2 b".to_owned()) && told.contains(&"ping 3 a".to_owned()));
}

#[test]
fn lat_10_a_builder_that_was_removed_and_comes_back_is_served_again() {
    let full = latent_config(&[("a", &["s"]), ("b", &["s"])], Some(600));
    let mut less = full.clone();
    less.builders.pop();
    less.schedulers.retain(|s| s.name.as_str() == "a");
    less.orphan_request_grace = Duration::from_secs(60);
    let mut h = Harness::new(full.clone());
    h.reconfigure(less);
    h.reconfigure(full);
    h.told();
    h.build(1);
}

#[test]
fn row_24_a_reconfiguration_gives_builds_back_and_stops_the_instance() {
    let full = latent_config(&[("a", &["s", "t"]), ("b", &["s"])], Some(600));
    let mut h = Harness::new(full.clone());
    h.change("a");
    h.persisted();
    h.told();
    let mut without = full.clone();
    builder_of(&mut without, 0).slaves.remove(0);
    h.reconfigure(without);
    let told = h.instances();
    assert!(
        told.contains(&"stop instance 1 of s ()".to_owned()),
        "{told:?}"
    );
    assert_eq!(
        h.instance_state("t"),
        (InstanceState::Starting, 1),
        "it goes on elsewhere"
    );
    // The slave itself goes, and its instance with it.
    let mut h = Harness::new(full.clone());
    h.build(1);
    let mut without = config(&[("a", &["t"]), ("b", &["t"])]);
    make_latent(&mut without, 0, Some(600));
    h.reconfigure(without);
    let told = h.told();
    assert!(
        told.contains(&"stop instance 1 of s (i)".to_owned()),
        "{told:?}"
    );
    h.instance_stopped("s", 1, Ok(()));
    h.reconfigure(full);
    assert_eq!(h.instance_state("s").0, InstanceState::Down);
}

#[test]
fn another_wait_counts_from_the_reconfiguration_on() {
    let config = latent_config(&[("b", &["s"])], Some(600));
    let mut h = Harness::new(config.clone());
    let (_, plan) = h.build(1);
    h.finish(plan.build, Results::Success, None);
    h.pass(500);
    let mut other = config;
    make_latent(&mut other, 0, Some(200));
    h.reconfigure(other);
    h.pass(199);
    assert_eq!(h.instance_state("s").0, InstanceState::Up);
    h.pass(1);
    assert_eq!(h.instance_state("s").0, InstanceState::Stopping);
}

#[test]
fn bld_16_soon_is_fine_with_a_latent_slave_that_could_be_started() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.force("b", true);
    h.persisted();
    assert!(h.is_told("reply 1: set 1"));
    assert_eq!(h.instance_state("s").0, InstanceState::Starting);
}

#[test]
fn row_28_a_latent_slave_answers_pings_without_being_there() {
    let mut h = latent(&[("b", &["s"])], Some(600));
    h.told();
    h.input(Input::Asked {
        ask: Ask::Ping {
            builder: "b".into(),
        },
        reply: ReplyId(9),
    });
    assert_eq!(
        h.told(),
        ["ping latent s for b", "reply 9: 0 answered, 0 away, 1 down"]
    );
}

#[test]
fn lck_10_a_slave_that_can_be_started_is_preferred_to_a_wait_for_the_locks_of_an_idle_one() {
    let mut config = config(&[("a", &["s", "t"]), ("b", &["s"])]);
    make_latent(&mut config, 1, Some(600));
    config.locks = vec![locks::lock("disk", 1, true)];
    builder_of(&mut config, 0).locks = vec![locks::exclusive("disk")];
    let mut h = Harness::new(config);
    h.attach("s");
    h.change("b");
    let b = h.run();
    h.wants(&b, LockUser::Build, locks::exclusive("disk"));
    h.change("a");
    h.persisted();
    assert!(h.is_told("substantiating t for a"));
    let attempt = h.core.builds.iter().last().unwrap().1;
    assert_eq!(
        attempt.choice,
        "to be started, for its locks were free, unlike those of the idle slaves"
    );

    // While nobody has the lock, the slave that is there is taken; and when no slave is left it is
    // waited for.
    h.finish(b.build, Results::Success, None);
    h.change("a");
    let a = h.run();
    assert_eq!(a.slave.as_str(), "s");
    h.wants(&a, LockUser::Build, locks::exclusive("disk"));
    h.told();
    h.change("a");
    assert_eq!(h.queued("a").len(), 1);
}

#[test]
fn bld_05_slaves_that_are_there_are_chosen_before_latent_ones() {
    let mut config = config(&[("b", &["s", "t"])]);
    make_latent(&mut config, 0, Some(600));
    let mut h = Harness::new(config);
    h.attach("t");
    h.change("b");
    let (session, ..) = h.take_ping().unwrap();
    assert_eq!(session, SessionId(1));
    assert_eq!(h.instance_state("s"), (InstanceState::Down, 0));
    h.change("b");
    assert_eq!(h.instance_state("s"), (InstanceState::Starting, 1));
}
