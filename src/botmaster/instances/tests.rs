//! Instances alone: when they are started and stopped, and what waits for them.

use super::*;
use crate::botmaster::testing::{commands, out, outcomes, persisted};
use crate::botmaster::tests::latent_config;

const SLAVE: SlaveIx = SlaveIx(0);

/// The instance of a slave of builders "a" and "b" that is stopped after this time without builds.
struct One {
    instances: Instances,
    out: Out,
}

impl One {
    fn new(build_wait_secs: Option<u64>) -> Self {
        let builders: [(&str, &[&str]); 2] = [("a", &["s"]), ("b", &["s"])];
        let mut out = out(latent_config(&builders, build_wait_secs));
        let mut instances = Instances::default();
        instances.add_slave(&mut out, SLAVE, None);
        let (in_vain, must_stop) = instances.lay_out(&mut out, SLAVE);
        assert!(in_vain.is_empty() && !must_stop);
        Self { instances, out }
    }

    /// One that was started, for which builds 1 and 2 wait.
    fn up() -> Self {
        let mut one = Self::new(Some(600));
        for (builder, attempt) in [(1, 1), (0, 2)] {
            let (builder, attempt) = (BuilderIx(builder), AttemptId(attempt));
            one.instances
                .substantiate(&mut one.out, SLAVE, builder, attempt);
        }
        one.record();
        let out = &mut one.out;
        one.instances.on_started(out, SLAVE, "i".to_owned());
        one
    }

    /// What is handed in is on disk; answers how many instances are started by that.
    fn record(&mut self) -> usize {
        let effects = persisted(&mut self.out);
        let mut started = 0;
        for effect in effects {
            if let Effect::StartInstance(id, name) = effect {
                self.instances.on_recorded(&mut self.out, id, &name);
                started += 1;
            }
        }
        started
    }
}

#[test]
fn lat_02_an_instance_is_started_once_when_it_is_on_record() {
    let mut one = One::new(None);
    for builder in [0, 1] {
        let (builder, attempt) = (BuilderIx(builder), AttemptId(1));
        one.instances
            .substantiate(&mut one.out, SLAVE, builder, attempt);
        assert_eq!(one.instances.stage(SLAVE), Stage::Recording);
    }
    assert_eq!(one.record(), 1);
    assert_eq!(one.instances.stage(SLAVE), Stage::Starting);
}

#[test]
fn row_21_builds_go_on_in_the_order_in_which_they_have_chosen() {
    let mut one = One::up();
    let waiting = one.instances.on_attached(&mut one.out, SLAVE);
    let attempts: Vec<_> = waiting.into_iter().map(|(attempt, _)| attempt).collect();
    assert_eq!(attempts, [AttemptId(1), AttemptId(2)]);
    assert!(one.instances.waiting_builders(SLAVE).is_empty());
}

#[test]
fn lat_05_an_idle_instance_is_stopped_after_its_wait_or_at_once() {
    let review = |wait, need| {
        let mut one = One::new(wait);
        let (builder, attempt) = (BuilderIx(0), AttemptId(1));
        one.instances
            .substantiate(&mut one.out, SLAVE, builder, attempt);
        one.instances.on_attached(&mut one.out, SLAVE);
        let stop = one.instances.review(&mut one.out, SLAVE, need, false);
        let waits = one.out.timers.is_set(Timer::InstanceIdle(SLAVE));
        (stop.is_some(), waits)
    };
    assert_eq!(review(Some(600), Need::Idle), (false, true));
    assert_eq!(review(Some(0), Need::Idle), (true, false));
    assert_eq!(review(None, Need::Idle), (false, false));
    assert_eq!(review(Some(600), Need::Other), (false, false));
}

#[test]
fn lat_07_an_instance_is_stopped_until_that_succeeds() {
    let mut one = One::up();
    let stops = |one: &mut One| {
        let commands = commands(&mut one.out).into_iter();
        let is_stop = |command: &crate::botmaster::Command| {
            matches!(
                command,
                crate::botmaster::Command::Instance {
                    what: InstanceCommand::Stop { .. },
                    ..
                }
            )
        };
        commands.filter(is_stop).count()
    };
    assert!(one.instances.stop(&mut one.out, SLAVE, "why"));
    assert!(!one.instances.stop(&mut one.out, SLAVE, "why"), "once");
    assert!(!one.instances.can_be_started(&one.out, SLAVE));
    one.instances.send_stop(&mut one.out, SLAVE);
    assert_eq!(stops(&mut one), 1);
    let of = || (SlaveName::from("s"), InstanceId(1));
    let failed = Err("no".to_owned());
    one.instances.on_stopped(&mut one.out, of(), failed);
    assert_eq!(one.instances.failed_stop(SLAVE), Some("no"));
    assert!(one.out.timers.is_set(Timer::StopInstance(SLAVE)));
    one.instances.send_stop(&mut one.out, SLAVE);
    assert_eq!(stops(&mut one), 1);
    one.instances.on_stopped(&mut one.out, of(), Ok(()));
    assert_eq!(one.instances.stage(SLAVE), Stage::Down);
    assert!(one.instances.can_be_started(&one.out, SLAVE));
}

#[test]
fn lat_09_an_instance_is_forsaken_when_its_last_build_waits_no_longer() {
    let mut one = One::up();
    one.instances.abort(&mut one.out, SLAVE, BuilderIx(0));
    assert_eq!(one.instances.next_forsaken(), None);
    one.instances.abort(&mut one.out, SLAVE, BuilderIx(1));
    assert_eq!(one.instances.next_forsaken(), Some(SLAVE));
    assert_eq!(one.instances.next_forsaken(), None);
}

#[test]
fn what_a_latent_slave_is_wanted_for_is_counted_once() {
    let mut one = One::new(None);
    let joined = outcomes(&mut one.out);
    assert!(
        matches!(
            joined[..],
            [
                Outcome::Joined(BuilderIx(0), Counted::Latent),
                Outcome::Joined(BuilderIx(1), Counted::Latent)
            ]
        ),
        "{joined:?}"
    );
    let (in_vain, must_stop) = one.instances.lay_out(&mut one.out, SLAVE);
    assert!(in_vain.is_empty() && !must_stop);
    assert!(outcomes(&mut one.out).is_empty());
}
