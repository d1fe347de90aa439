//! Clocks that are set, changes with odd times, and restarts: nobody is starved or hurried (TIM-07,
//! TIM-08).

use proptest::prelude::*;

use super::*;
use crate::config::LongestWait;

const HOUR: f64 = 3600.0;

#[test]
fn a_periodic_keeps_its_grid_when_the_wall_clock_is_set() {
    for step in [-86_400.0, -HOUR, HOUR, 86_400.0] {
        let mut harness = Harness::start(100_000.0, vec![periodic(100, true)]);
        harness.run_until(100_050.0);
        harness.ahead = step;
        assert_eq!(harness.times(100_250.0), [100_000.0, 100_100.0, 100_200.0]);
    }
}

#[test]
fn a_clock_set_back_does_not_keep_a_restarted_periodic_waiting() {
    let mut harness = Harness::start(100_000.0, vec![periodic(100, true)]);
    harness.run_until(100_050.0);
    harness.sets.clear();
    harness.ahead = -50_000.0;
    harness.restart(100_060.0, periodic(100, true));
    assert_eq!(harness.times(100_200.0), [100_160.0]);
}

#[test]
fn a_clock_set_back_does_not_hold_up_new_changes_nor_those_of_a_restart() {
    let mut harness = Harness::start(100_000.0, vec![config(Some(4))]);
    harness.change(100_000.0, 1, None, None, "important");
    harness.run_until(100_001.0);
    harness.ahead = -HOUR;
    harness.change(100_002.0, 2, None, None, "important");
    assert_eq!(
        harness.decisions,
        [Decision::TimerRuns {
            until: Timestamp::from_secs(100_006 - 3600)
        }]
    );
    assert_eq!(harness.sets(100_010.0), [(100_006.0, vec![1, 2])]);
    harness.ahead = 0.0;
    harness.change(100_020.0, 3, None, None, "important");
    harness.ahead = -HOUR;
    harness.restart(100_021.0, config(Some(4)));
    assert_eq!(harness.sets(200_000.0), [(100_025.0, vec![3])]);
}

#[test]
fn a_changed_scheduler_goes_on_with_the_time_that_has_passed() {
    let mut harness = Harness::start(100_000.0, vec![config(Some(60))]);
    harness.change(100_000.0, 1, None, None, "important");
    harness.ahead = -HOUR;
    let mut other = config(Some(60));
    other.builders = vec!["b3".into()];
    harness.reconfigure(100_030.0, vec![other]);
    assert_eq!(harness.sets(200_000.0), [(100_060.0, vec![1])]);
}

#[test]
fn the_last_set_is_remembered_over_a_restart_and_forgotten_when_it_no_longer_matters() {
    let mut harness = Harness::new(config(Some(60)));
    harness.change(1000.0, 1, None, None, "important");
    harness.run_until(1070.0);
    harness.restart(1070.0, config(Some(60)));
    harness.change(1071.0, 2, Some(10.0), None, "important");
    assert_eq!(harness.sets(1200.0), [(1060.0, vec![1]), (1120.0, vec![2])]);
    assert_eq!(harness.stored.len(), 1);
    harness.restart(1300.0, config(Some(60)));
    assert!(harness.stored.is_empty());
}

#[test]
fn a_nightly_whose_last_run_was_years_ahead_is_not_stopped_for_years() {
    let mut harness = Harness::start(0.0, vec![night(nightly(3))]);
    // The clock shows a time of years to come, for a moment.
    harness.ahead = 1e9;
    harness.wake(60.0, 0);
    harness.sets.clear();
    harness.ahead = 0.0;
    harness.wake(120.0, 0);
    assert_eq!(harness.times(86_400.0), [3.0 * HOUR]);
}

/// What happens, some seconds after what was before.
#[derive(Clone, Debug)]
enum Event {
    /// A change, with its time relative to its arrival, if it says one.
    Change(Option<f64>, bool),
    /// The master is started again.
    Restart,
    /// The wall clock is set while the master runs.
    Set(f64),
}

fn event() -> impl Strategy<Value = (f64, Event)> {
    let when = prop_oneof![
        3 => Just(None),
        2 => (-500.0..500.0).prop_map(Some),
        1 => prop_oneof![Just(1e18), Just(-1e18), Just(1e12), Just(-1e9), Just(f64::NAN)]
            .prop_map(Some),
        1 => (-4000.0..4000.0).prop_map(Some),
    ];
    let event = prop_oneof![
        6 => (when, prop::bool::weighted(0.8)).prop_map(|(w, i)| Event::Change(w, i)),
        1 => Just(Event::Restart),
        1 => prop_oneof![Just(-86_400.0), Just(-HOUR), Just(-5.0), Just(HOUR), Just(86_400.0)]
            .prop_map(Event::Set),
    ];
    let after = prop_oneof![0.0..5.0, 0.0..90.0, 0.0..900.0];
    (after.prop_map(f64::round), event)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Without restarts under a clock that was set, the longest wait holds to the second; old times
    /// cause one build a timer at most.
    #[test]
    fn tim_08_no_times_do_harm(
        events in proptest::collection::vec(event(), 1..40),
        timer in prop_oneof![Just(1_u64), Just(10), Just(60)],
        limit in prop_oneof![Just(None), Just(Some(300_u64))],
    ) {
        let mut settings = config(Some(timer));
        let most = limit.unwrap_or(3600.max(10 * timer)) as f64;
        if let Some(secs) = limit {
            of(&mut settings).longest_wait = LongestWait::AtMost(Duration::from_secs(secs));
        }
        let mut at = 1e6;
        let mut harness = Harness::start(at, vec![settings.clone()]);
        let mut arrived = BTreeMap::new();
        let mut last_restart = None;
        for (number, (after, event)) in (1..).zip(&events) {
            at += after;
            match event {
                Event::Change(when, important) => {
                    let when = when.map(|off| at + harness.ahead + off);
                    harness.change(at, number, when, None, file(*important));
                    if *important {
                        arrived.insert(number, at);
                    }
                }
                Event::Restart => {
                    harness.run_until(at);
                    harness.restart(at, settings.clone());
                    last_restart = Some(at);
                }
                Event::Set(step) => {
                    harness.run_until(at);
                    harness.ahead += step;
                }
            }
        }
        let sets = harness.sets(at + 1e5);
        let built: Vec<u64> = sets.iter().flat_map(|(_, changes)| changes.clone()).collect();
        let set = events.iter().any(|(_, event)| matches!(event, Event::Set(_)));
        for (number, arrived) in arrived {
            prop_assert_eq!(built.iter().filter(|n| **n == number).count(), 1);
            let (built_at, _) = sets.iter().find(|(_, all)| all.contains(&number)).unwrap();
            // A restart under a clock that was set begins the wait anew, once for each restart.
            let from = match last_restart {
                Some(restart) if set && restart > arrived => restart,
                _ => arrived,
            };
            prop_assert!(*built_at <= from + most.max(1.0), "{number}: {built_at} {from}");
        }
        let apart = sets.windows(2).all(|w| w[1].0 - w[0].0 >= timer as f64);
        prop_assert!(apart || last_restart.is_some() && set, "{sets:?}");
    }
}
