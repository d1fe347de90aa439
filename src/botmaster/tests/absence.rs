//! Slaves that stay away (SLV-07).

use super::*;
use crate::config::{RemoteConfig, SlaveKind};
use crate::model::journal::RecoveredSlave;

const HOUR: u64 = 3_600;

fn watched() -> Config {
    let mut config = config(&[("b", &["s"])]);
    let slave = slave_of(&mut config, 0);
    slave.notify_on_missing = vec!["admin@example.org".to_owned()];
    slave.kind = SlaveKind::Remote(RemoteConfig::default());
    config
}

/// Whether somebody was told since the last look.
fn is_told(h: &mut Harness) -> bool {
    h.told().contains(&"s is missing".to_owned())
}

fn lose(h: &mut Harness, session: SessionId) {
    let why = "cut".to_owned();
    h.input(SlaveInput::Lost { why }.of(session));
}

#[test]
fn slv_07_somebody_is_told_once_for_each_long_absence() {
    let mut h = Harness::new(watched());
    let session = h.attach("s");
    h.pass(2 * HOUR);
    h.persisted();
    assert!(!is_told(&mut h), "it is here");
    lose(&mut h, session);
    h.pass(HOUR - 1);
    h.persisted();
    assert!(!is_told(&mut h));
    h.pass(1);
    h.persisted();
    assert!(is_told(&mut h));
    h.pass(8_000);
    h.persisted();
    assert!(!is_told(&mut h), "once");

    let session = h.attach("s");
    lose(&mut h, session);
    h.pass(HOUR);
    h.persisted();
    assert!(is_told(&mut h), "another absence");
}

#[test]
fn slv_07_a_connection_that_is_never_attached_is_no_return() {
    let mut h = Harness::new(watched());
    let session = h.attach("s");
    lose(&mut h, session);
    let mut told = 0;
    for minute in 1..=80 {
        // In the last hour it is told once, however far the connections come.
        let session = h.log_in("s");
        if minute % 2 == 0 {
            h.describe(session);
        }
        h.pass(30);
        lose(&mut h, session);
        h.pass(30);
        h.persisted();
        told += u32::from(is_told(&mut h));
        assert_eq!(told, u32::from(minute >= 60), "{minute}");
    }
    let session = h.attach("s");
    lose(&mut h, session);
    h.pass(HOUR);
    h.persisted();
    assert!(is_told(&mut h), "another absence");
}

#[test]
fn slv_07_one_that_never_came_is_missed_and_one_without_addresses_is_not() {
    let mut h = Harness::new(watched());
    h.pass(HOUR);
    h.persisted();
    assert!(is_told(&mut h));

    let mut config = watched();
    slave_of(&mut config, 0).notify_on_missing.clear();
    let mut h = Harness::new(config);
    h.pass(2 * HOUR);
    h.persisted();
    assert!(!is_told(&mut h));
    // It begins to count when somebody wants to know.
    h.reconfigure(watched());
    h.pass(0);
    h.persisted();
    assert!(is_told(&mut h));
}

#[test]
fn slv_07_a_restart_neither_begins_the_absence_anew_nor_tells_of_it_again() {
    // The harness begins at 1 000 000 s.
    let known = |missed| RecoveredSlave {
        seen_at: Some(Timestamp::from_secs(1_000_000 - 1_800)),
        missed,
        ..RecoveredSlave::default()
    };
    for missed in [false, true] {
        let recovered = Recovered {
            slaves: [("s".into(), known(missed))].into(),
            ..Recovered::default()
        };
        let mut h = Harness::recovered(watched(), recovered);
        h.pass(1_799);
        h.persisted();
        assert!(!is_told(&mut h));
        h.pass(1);
        h.persisted();
        assert_eq!(is_told(&mut h), !missed);
    }
}

#[test]
fn a_clock_that_is_set_makes_no_absence_longer_or_shorter() {
    for step in [-7_200, 7_200] {
        let mut h = Harness::new(watched());
        let session = h.attach("s");
        lose(&mut h, session);
        h.pass(1_800);
        h.now.wall = Timestamp(h.now.wall.0 + step * 1_000_000);
        // The time is looked at anew.
        h.reconfigure(watched());
        h.pass(1_799);
        h.persisted();
        assert!(!is_told(&mut h), "{step}");
        h.pass(1);
        h.persisted();
        assert!(is_told(&mut h), "{step}");
    }
}

#[test]
fn a_local_slave_is_never_missed() {
    let mut config = watched();
    let slave = slave_of(&mut config, 0);
    slave.kind = SlaveKind::Local;
    let mut h = Harness::new(config);
    h.pass(100 * HOUR);
    h.persisted();
    assert!(!is_told(&mut h));
}
