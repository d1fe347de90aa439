//! Slaves, and connections that were refused.

use std::collections::BTreeMap;

use super::*;
use crate::botmaster::{InstanceState, LiveSlave};
use crate::cli::buildmaster::show::slaves as pages;
use crate::store::read::SlaveRow;
use crate::view::{Moment, Refusal, Slave};

#[test]
fn slaves_for_people() {
    insta::assert_snapshot!(shown("slaves"), @r"
    SLAVE  STATE    LAST SEEN            VERSION  BUILDERS
    bot1   offline  2011-03-13 07:06:42  0.8.14   quick
    bot2   offline  never                         quick, full
    ");
}

#[test]
fn a_slave_for_programs_has_what_is_promised() {
    // No master is running: nobody is connected.
    assert_eq!(
        json_of("slaves --json")[0],
        json!({
            "name": "bot1", "connected": false, "connected_since": null,
            "last_seen": "2011-03-13T07:06:42.000Z", "info": {"version": "0.8.14"},
            "builders": ["quick"], "paused": null, "graceful_since": null,
            "told_to_end_at": null, "held_until": null, "instance": null,
            "refused": [], "refused_others": [],
        })
    );
}

fn slave(name: &str, connected: bool, live: &LiveSlave) -> Slave {
    let row = SlaveRow {
        name: name.into(),
        connected,
        seen_at: None,
        heard_at: None,
        paused: None,
        info: BTreeMap::new(),
        builders: Vec::new(),
    };
    let moment = Moment {
        is_running: true,
        now: at(0),
    };
    Slave::new(row, live, moment)
}

#[test]
fn what_keeps_a_slave_from_builds_is_shown() {
    let states = [
        ("idle", true, LiveSlave::default()),
        (
            "going",
            true,
            LiveSlave {
                graceful_since: Some(at(1)),
                ..LiveSlave::default()
            },
        ),
        (
            "told",
            true,
            LiveSlave {
                graceful_since: Some(at(1)),
                told_to_end_at: Some(at(2)),
                ..LiveSlave::default()
            },
        ),
        (
            "gone",
            false,
            LiveSlave {
                graceful_since: Some(at(1)),
                ..LiveSlave::default()
            },
        ),
        (
            "held",
            true,
            LiveSlave {
                held_until: Some(at(60)),
                ..LiveSlave::default()
            },
        ),
        (
            "cloud",
            false,
            LiveSlave {
                instance: Some((InstanceState::Down, at(0))),
                ..LiveSlave::default()
            },
        ),
        (
            "coming",
            false,
            LiveSlave {
                instance: Some((InstanceState::Starting, at(3))),
                ..LiveSlave::default()
            },
        ),
    ];
    let slaves = states.map(|(name, connected, live)| slave(name, connected, &live));
    insta::assert_snapshot!(page(|screen| pages::page(screen, &slaves)), @r"
    SLAVE   STATE                                                LAST SEEN  VERSION  BUILDERS
    idle    connected                                            never
    going   connected, ends when idle                            never
    told    connected, told to shut down at 2011-03-13 07:06:42  never
    gone    offline, was told to shut down                       never
    held    connected, held back until 2011-03-13 07:07:40       never
    cloud   not started                                          never
    coming  instance starting since 2011-03-13 07:06:43          never
    ");
    let [.., told, _, _, _, coming] = slaves.map(|slave| serde_json::to_value(slave).unwrap());
    assert_eq!(told["graceful_since"], "2011-03-13T07:06:41.000Z");
    assert_eq!(told["told_to_end_at"], "2011-03-13T07:06:42.000Z");
    assert_eq!(told["instance"], Value::Null);
    assert_eq!(coming["instance"]["state"], "starting");
}

#[test]
fn strangers_do_not_push_slaves_out_of_the_table() {
    let refusal = |name: Option<&str>, why: &str| Refusal {
        name: name.map(str::to_owned),
        address: "10.0.0.1".to_owned(),
        why: why.to_owned(),
        first_at: at(0),
        last_at: at(0),
        times: 1,
    };
    let mut refusals = vec![refusal(None, "it speaks TLS"); pages::MOST_OTHERS + 2];
    refusals.push(refusal(Some("bot"), "wrong password"));
    let known = [slave("bot", false, &LiveSlave::default())];
    let text = page(|screen| pages::refused(screen, &known, &refusals));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3 + 1 + pages::MOST_OTHERS + 1, "{text}");
    assert!(
        lines[3].starts_with("bot ") && lines[3].ends_with("wrong password"),
        "{text}"
    );
    assert_eq!(lines.last(), Some(&"and 2 more"));
}
