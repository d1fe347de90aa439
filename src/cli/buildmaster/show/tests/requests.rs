//! Requests.

use super::*;
use crate::botmaster::{Live, Starting};
use crate::cli::buildmaster::show::requests as pages;
use crate::store::read::RequestRow;
use crate::view::Request;

#[test]
fn requests_for_people() {
    insta::assert_snapshot!(shown("requests"), @r"
    REQUEST  BUILDER  STATE    QUEUED               SET  REASON
    2        quick    build 1  2011-03-13 07:06:41  1    scheduler
    3        full     pending  2011-03-13 07:06:41  1    scheduler
    ");
    insta::assert_snapshot!(shown("requests --all --limit 1"), @r"
    REQUEST  BUILDER  STATE    QUEUED               SET  REASON
    3        full     pending  2011-03-13 07:06:41  1    scheduler
    ");
    insta::assert_snapshot!(shown("requests --pending"), @r"
    REQUEST  BUILDER  STATE    QUEUED               SET  REASON
    3        full     pending  2011-03-13 07:06:41  1    scheduler
    ");
}

#[test]
fn requests_for_programs_say_how_far_they_are() {
    let requests = json_of("requests --all --json");
    let states: Vec<_> = requests
        .iter()
        .map(|r| [&r["id"], &r["state"], &r["build"], &r["result"]].map(Value::clone))
        .collect();
    let expected = [
        json!([3, "pending", null, null]),
        json!([2, "building", 1, null]),
        json!([1, "finished", 0, "failure"]),
    ];
    assert_eq!(json!(states), json!(expected));
}

fn request(id: u64, builder: &str) -> RequestRow {
    RequestRow {
        id: RequestId(id),
        set: SetId(id),
        builder: builder.into(),
        reason: String::new(),
        submitted_at: at(id.try_into().unwrap()),
        build: None,
        merged_into: None,
        priority: 0,
        retries: 0,
        start_count: 0,
        finished: None,
        why: None,
    }
}

#[test]
fn bld_03_a_request_whose_build_is_being_started_is_shown_as_starting() {
    let starting = Starting {
        builder: "a".into(),
        slave: "s".into(),
        since: at(5),
    };
    let live = Live {
        starting: [(RequestId(1), starting)].into(),
        ..Live::default()
    };
    let requests = [request(1, "a"), request(2, "a")].map(|row| Request::new(row, &live));
    insta::assert_snapshot!(page(|screen| pages::page(screen, &requests)), @r"
    REQUEST  BUILDER  STATE     QUEUED               SET  REASON
    1        a        starting  2011-03-13 07:06:41  1
    2        a        pending   2011-03-13 07:06:42  2
    ");
    let states = requests.map(|request| serde_json::to_value(request).unwrap()["state"].clone());
    assert_eq!(states, ["starting", "pending"]);
}
