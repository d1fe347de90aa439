#![expect(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::web::testing::Farm;

fn get(address: &str) -> Value {
    let answer = Farm::broken().get(address);
    assert_eq!(answer.status, StatusCode::OK, "{address}: {}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    serde_json::from_str(&answer.text).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn web_json_a_build_has_the_fields_of_buildbot() {
    let build = get("/json/builders/linux/builds/1");
    assert_eq!(
        keys(&build),
        [
            "blame",
            "builderName",
            "currentStep",
            "eta",
            "logs",
            "number",
            "properties",
            "reason",
            "results",
            "slave",
            "sourceStamps",
            "steps",
            "text",
            "times"
        ]
    );
    assert_eq!(
        (&build["number"], &build["results"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(build["blame"], json!(["Ines Okafor", "Yuki Arai"]));
    let running = get("/json/builders/linux/builds/3");
    assert_eq!(
        running["properties"],
        json!([["buildername", "linux", "Builder"]])
    );
    let url = "http://localhost:8010/builders/linux/builds/1/steps/test/logs/stdio";
    assert_eq!(build["logs"], json!([["stdio", url]]));
    let stamp = &build["sourceStamps"][0];
    assert_eq!(
        keys(stamp),
        [
            "branch",
            "changes",
            "codebase",
            "hasPatch",
            "project",
            "repository",
            "revision"
        ]
    );
    assert_eq!(
        (&stamp["branch"], &stamp["revision"]),
        (&json!("main"), &json!("r8"))
    );
    let change = &stamp["changes"][0];
    assert_eq!(
        keys(change),
        [
            "at",
            "branch",
            "category",
            "codebase",
            "comments",
            "files",
            "number",
            "project",
            "properties",
            "repository",
            "rev",
            "revision",
            "revlink",
            "when",
            "who"
        ]
    );
    assert_eq!(change["files"], json!([{"name": "src/a.c"}]));
    assert_eq!(change["at"], "Thu 26 Nov 2026 11:45:29");
}

#[test]
fn web_json_a_step_has_the_fields_of_buildbot_also_before_it_begins() {
    let steps = get("/json/builders/linux/builds/-1/steps");
    assert_eq!(keys(&steps), ["0", "1"]);
    let expected = [
        "eta",
        "expectations",
        "hidden",
        "isFinished",
        "isStarted",
        "logs",
        "name",
        "results",
        "statistics",
        "step_number",
        "text",
        "times",
        "urls",
    ];
    for number in ["0", "1"] {
        assert_eq!(keys(&steps[number]), expected);
    }
    assert_eq!(
        (&steps["0"]["isStarted"], &steps["0"]["isFinished"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(steps["1"]["results"], json!([null, []]));
    assert_eq!(
        get("/json/builders/linux/builds/-1/steps/pack")["step_number"],
        1
    );
    assert_eq!(
        get("/json/builders/linux/builds/-1")["currentStep"]["name"],
        "test"
    );
}

#[test]
fn web_json_builders_and_slaves_have_the_fields_of_buildbot() {
    let root = get("/json");
    assert_eq!(
        keys(&root),
        ["builders", "change_sources", "metrics", "project", "slaves"]
    );
    let linux = &root["builders"]["linux"];
    let expected = [
        "basedir",
        "cachedBuilds",
        "currentBuilds",
        "pendingBuilds",
        "schedulers",
        "slaves",
        "state",
        "tags",
    ];
    assert_eq!(keys(linux), expected);
    assert_eq!(linux["cachedBuilds"], json!([0, 1, 2, 3]));
    assert_eq!(linux["currentBuilds"], json!([3]));
    assert_eq!(linux["schedulers"], json!(["quick"]));
    let oak = &root["slaves"]["oak"];
    let expected = [
        "access_uri",
        "admin",
        "builders",
        "connected",
        "host",
        "info",
        "name",
        "runningBuilds",
        "version",
    ];
    assert_eq!(keys(oak), expected);
    assert_eq!(oak["builders"], json!({"linux": [2, 1, 0]}));
    assert_eq!(oak["runningBuilds"][0]["number"], 3);
    assert_eq!(keys(&root["metrics"]), ["alarms", "counters", "timers"]);
    assert_eq!(keys(&root["project"]), ["buildbotURL", "title", "titleURL"]);
    assert_eq!(keys(&get("/json/builders/linux/slaves")), ["elm", "oak"]);
    let pending = get("/json/builders/a%2Fb%20c/pendingBuilds");
    assert_eq!(
        keys(&pending[0]),
        [
            "builderName",
            "builds",
            "properties",
            "source",
            "submittedAt"
        ]
    );
}

#[test]
fn web_json_select_gives_the_tree_of_what_was_selected() {
    let address = "/json/builders/linux/builds?select=-1/source_stamp/changes&select=-2/steps/0\
                   &select=-9&filter=1";
    let selected = get(address);
    assert_eq!(keys(&selected), ["-1", "-2", "-9"]);
    assert_eq!(
        selected["-1"]["source_stamp"]["changes"]["9"]["who"],
        "Jonas"
    );
    assert_eq!(selected["-2"]["steps"]["0"]["name"], "test");
    assert_eq!(selected["-9"], json!({"error": "Not available"}));
    let both = get("/json/builders/linux?select=&select=slaves");
    assert_eq!(both["state"], "offline");
    assert_eq!(both["pendingBuilds"], 0);
    // What was selected itself adds to what was selected below it.
    assert_eq!(keys(&both["slaves"]), ["elm", "oak"]);
    let two = get("/json?select=builders/linux&select=builders/a%252Fb%20c&select=project");
    assert_eq!(keys(&two["builders"]), ["a/b c", "linux"]);
}

#[test]
fn web_json_all_builds_go_on_with_a_link() {
    let farm = Farm::broken();
    let answer = farm.get("/json/builders/linux/builds/_all?max=2");
    let all: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(keys(&all), ["2", "3"]);
    let next = "</json/builders/linux/builds/_all?max=2&before=2>; rel=\"next\"";
    assert_eq!(answer.header("link"), next);
    assert_eq!(
        keys(&get("/json/builders/linux/builds")),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn web_json_text_is_indented_and_filtered() {
    let text = Farm::broken()
        .get("/json/builders/linux/builds/1/steps/0?as_text=1")
        .text;
    assert!(text.starts_with("{\n  \"isFinished\": true,\n"), "{text}");
    assert!(!text.contains("hidden") && !text.contains("eta"), "{text}");
}

#[test]
fn web_json_unknown_nodes_and_callbacks_are_refused_in_json() {
    for (address, status) in [
        ("/json/builders/none", 404),
        ("/json/builders/linux/builds/99", 404),
        ("/json/builders/linux/builds/-5", 404),
        ("/json/project?callback=x", 400),
        ("/json/builders/linux/builds/_all?max=x", 400),
    ] {
        let answer = Farm::broken().get(address);
        assert_eq!(answer.status.as_u16(), status, "{address}");
        let error: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(keys(&error), ["error"]);
    }
    let help = get("/json/builders/linux/help");
    assert_eq!(help["below"], json!(["builds", "pendingBuilds", "slaves"]));
}
