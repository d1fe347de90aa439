//! Builders.

use super::*;

#[test]
fn builders_for_people() {
    insta::assert_snapshot!(shown("builders"), @r"
    BUILDER  STATE    PENDING                      LAST BUILD  SLAVES
    quick    offline  0                            0 failure   bot1, bot2
    full     offline  1 since 2011-03-13 07:06:41  none        bot2
    ");
}

#[test]
fn bld_17_a_builder_tells_since_when_its_oldest_request_waits() {
    let since: Vec<_> = json_of("builders --json")
        .iter()
        .map(|builder| builder["pending_since"].clone())
        .collect();
    assert_eq!(since, [Value::Null, json!("2011-03-13T07:06:41.000Z")]);
}

#[test]
fn a_builder_for_programs_has_what_is_promised() {
    // No master is running: nothing is under way.
    assert_eq!(
        json_of("builders --json")[0],
        json!({
            "name": "quick", "description": null, "tags": null, "state": "offline",
            "slaves": ["bot1", "bot2"], "paused": null, "pending": 0, "pending_since": null, "waiting": [],
            "running": [{"number": 1, "slave": "bot1"}],
            "last": {
                "number": 0, "result": "failure", "finished_at": "2011-03-13T07:07:55.000Z",
            },
        })
    );
}
