#![expect(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::logs::Channel::{Stderr, Stdout};
use crate::model::{Results, SourceStamp, SourceStamps};
use crate::web::testing::{Farm, ago};

fn json_of(farm: &Farm, address: &str) -> Value {
    let text = farm.page(address);
    serde_json::from_str(&text).unwrap()
}

/// The numbers of the items at an address.
fn numbers(farm: &Farm, address: &str) -> Vec<u64> {
    let list = json_of(farm, address);
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["number"].as_u64().unwrap()).collect()
}

#[test]
fn a_list_goes_on_by_number() {
    let mut farm = Farm::new();
    for number in 0..5 {
        farm.build("linux", number, Vec::new(), (Results::Success, ago(900)));
    }
    let builds = "/api/v1/builders/linux/builds";
    let first = farm.get(&format!("{builds}?limit=2"));
    let list: Value = serde_json::from_str(&first.text).unwrap();
    let next = format!("{builds}?limit=2&before=3");
    assert_eq!(list["next"], json!(next));
    assert_eq!(first.header("link"), format!("<{next}>; rel=\"next\""));
    assert_eq!(numbers(&farm, &next), [2, 1]);
    assert_eq!(numbers(&farm, &format!("{builds}?after=2")), [4, 3]);
    assert_eq!(
        numbers(&farm, &format!("{builds}?after=1&before=4")),
        [3, 2]
    );
    let last = json_of(&farm, &format!("{builds}?before=1"));
    assert_eq!(last["next"], json!(null));
    // Over all builders by the number over all builders.
    assert_eq!(numbers(&farm, "/api/v1/builds?before=3"), [1, 0]);
}

#[test]
fn lists_are_filtered() {
    let farm = Farm::broken();
    let builds = "/api/v1/builders/linux/builds";
    for (query, expected) in [
        ("result=failure", vec![2, 1]),
        ("news=new", vec![1]),
        ("news=same&result=success", vec![0]),
        ("state=running", vec![3]),
        ("branch=main&limit=2", vec![3, 2]),
        ("branch=other", vec![]),
        ("slave=elm", vec![]),
        ("since=2026-11-26T12:30:00Z", vec![3]),
        ("try=1", vec![]),
        ("result=success&result=failure&before=2", vec![1, 0]),
    ] {
        assert_eq!(
            numbers(&farm, &format!("{builds}?{query}")),
            expected,
            "{query}"
        );
    }
    assert_eq!(numbers(&farm, "/api/v1/builds?tag=required&limit=1"), [3]);
    assert_eq!(numbers(&farm, "/api/v1/changes?q=DECODE"), [7]);
    assert_eq!(
        numbers(&farm, "/api/v1/changes?name=Jonas&file=src/a.c"),
        [9]
    );
    assert_eq!(numbers(&farm, "/api/v1/changes?limit=2"), [9, 8]);
}

#[test]
fn cbs_08_a_build_is_compared_with_the_last_one_of_its_codebases_and_found_by_each() {
    let mut farm = Farm::new();
    let stamps = |names: &[&str]| -> SourceStamps {
        let stamp = |name: &&str| SourceStamp {
            codebase: (*name).to_owned(),
            branch: Some(format!("of-{name}")),
            ..SourceStamp::default()
        };
        names.iter().map(stamp).collect()
    };
    let both = ["core", "lib"];
    for (number, names, result) in [
        (0, &both[..], Results::Success),
        (1, &both[..1], Results::Failure),
        (2, &both[..], Results::Failure),
        (3, &both[..1], Results::Success),
        (4, &both[..], Results::Failure),
    ] {
        let build = farm.start_of("linux", number, stamps(names), ago(900));
        farm.finish(build, result, ago(800));
    }
    let builds = "/api/v1/builders/linux/builds";
    for (query, expected) in [
        ("news=new", vec![2, 1]),
        ("news=fixed", vec![3]),
        ("news=still", vec![4]),
        ("codebase=lib", vec![4, 2, 0]),
        ("codebase=core", vec![4, 3, 2, 1, 0]),
        ("codebase=lib&branch=of-lib", vec![4, 2, 0]),
        ("codebase=lib&branch=of-core", vec![]),
    ] {
        assert_eq!(
            numbers(&farm, &format!("{builds}?{query}")),
            expected,
            "{query}"
        );
    }
}

#[test]
fn unknown_arguments_and_members_are_errors_that_name_the_nearest() {
    let farm = Farm::broken();
    for (address, argument, near) in [
        ("/api/v1/builds?reslut=failure", "reslut", "result"),
        ("/api/v1/builds?result=failur", "result", "failure"),
        ("/api/v1/builds?fields=numbr", "fields", "number"),
        ("/api/v1/builds?include=step", "include", "steps"),
    ] {
        let answer = farm.get(address);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{address}");
        let problem: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(problem["argument"], argument, "{address}");
        assert_eq!(problem["did_you_mean"], near, "{address}");
    }
    let missing = farm.get("/api/v1/builders/linus");
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let problem: Value = serde_json::from_str(&missing.text).unwrap();
    assert_eq!(problem["did_you_mean"], "linux");
    // A page gives the same to those who ask for JSON.
    let json: &[(&str, &str)] = &[("accept", "application/json")];
    let page = &farm.ask(&[("/builders/linus", json)])[0];
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert_eq!(page.header("content-type"), "application/problem+json");
}

#[test]
fn members_are_chosen_and_parts_are_addresses_unless_they_are_asked_for() {
    let farm = Farm::broken();
    let list = json_of(
        &farm,
        "/api/v1/builders/linux/builds?limit=1&fields=number,steps",
    );
    let steps = "/api/v1/builders/linux/builds/3/steps";
    assert_eq!(list["items"], json!([{ "number": 3, "steps": steps }]));
    let list = json_of(&farm, "/api/v1/builds?limit=1&include=steps");
    assert_eq!(list["items"][0]["steps"][0]["name"], "test");
    assert_eq!(json_of(&farm, steps)["items"][0]["name"], "test");
    let one = json_of(
        &farm,
        "/api/v1/builders/linux/builds/-1?fields=number,result",
    );
    assert_eq!(one, json!({ "number": 3, "result": null }));
}

#[test]
fn an_answer_that_has_not_changed_is_not_sent_again() {
    let farm = Farm::broken();
    let address = "/api/v1/changes/7";
    let etag = farm.get(address).header("etag").to_owned();
    let known: &[(&str, &str)] = &[("if-none-match", &etag)];
    let answers = farm.ask(&[(address, known), ("/api/v1/changes/8", known)]);
    assert_eq!(answers[0].status, StatusCode::NOT_MODIFIED);
    assert_eq!(answers[1].status, StatusCode::OK);
    assert_eq!(answers[1].header("cache-control"), "no-cache");
}

#[test]
fn only_pages_of_named_origins_may_read_the_api_and_never_with_cookies() {
    let farm = Farm::new();
    let named: &[(&str, &str)] = &[("origin", "https://dash.example")];
    let other: &[(&str, &str)] = &[("origin", "https://dash.example.org")];
    let allowed = "access-control-allow-origin";
    let addresses = [
        "/api/v1/master",
        "/api/v1/openapi.json",
        "/api/v1/events?since=x",
    ];
    for address in addresses {
        let answers = farm.ask(&[(address, named), (address, other), (address, &[])]);
        assert_eq!(
            answers[0].header(allowed),
            "https://dash.example",
            "{address}"
        );
        assert_eq!(answers[0].header("access-control-allow-credentials"), "");
        assert_eq!(answers[1].header(allowed), "", "{address}");
        assert_eq!(answers[2].header(allowed), "", "{address}");
    }
    assert_eq!(farm.ask(&[("/about", named)])[0].header(allowed), "");
}

#[test]
fn prb_23_a_change_says_what_it_began_and_the_summary_what_is_broken() {
    let farm = Farm::broken();
    let change = json_of(&farm, "/api/v1/changes/7");
    assert_eq!(change["began"][0]["number"], 1);
    assert_eq!(change["fixed"], json!([]));
    assert_eq!(change["schedulers"][0]["decision"], "built_at_once");
    let summary = json_of(&farm, "/api/v1/summary");
    assert_eq!(summary["broken_count"], 1);
    assert_eq!(summary["broken"][0]["builder"], "linux");
    assert_eq!(summary["broken"][0]["line"]["since"], 1);
    assert_eq!(summary["running"][0]["step"], "test");
    assert_eq!(summary["waiting"][0]["builder"], "a/b c");
}

#[test]
fn requests_are_in_the_order_in_which_they_are_built() {
    let mut farm = Farm::new();
    let first = farm.request("linux", Vec::new(), ago(60));
    let second = farm.request("a/b c", Vec::new(), ago(50));
    let list = json_of(&farm, "/api/v1/requests?limit=1&count=1");
    assert_eq!(list["items"][0]["id"], first);
    assert_eq!(list["total"], 2);
    let next = format!("/api/v1/requests?count=1&limit=1&after={first}");
    assert_eq!(list["next"], json!(next));
    assert_eq!(json_of(&farm, &next)["items"][0]["id"], second);
    let all = json_of(&farm, "/api/v1/requests?state=all");
    assert_eq!(all["items"][0]["id"], second);
    let one = json_of(&farm, "/api/v1/requests?builder=linux&scheduler=quick");
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_log_is_read_by_lines_and_searched() {
    let mut farm = Farm::new();
    farm.build("linux", 0, Vec::new(), (Results::Failure, ago(900)));
    farm.step_log(
        "builders/b/0/0-test/stdio",
        &[
            (Stdout, b"one\ntwo "),
            (Stderr, b"error: x\n"),
            (Stdout, b"four\n"),
        ],
        true,
    );
    let log = "/api/v1/builders/linux/builds/0/steps/test/logs/stdio";
    let about = json_of(&farm, log);
    assert_eq!(about["lines"], 3);
    assert_eq!(about["first_error"], 2);
    assert_eq!(about["complete"], true);
    let lines = json_of(&farm, &format!("{log}/lines?from=2&limit=1"));
    let piece = |channel: &str, text: &str| json!({ "n": 2, "channel": channel, "text": text, "left_out": 0 });
    assert_eq!(
        lines["items"],
        json!([piece("stdout", "two "), piece("stderr", "error: x")])
    );
    assert_eq!(lines["next"], json!(format!("{log}/lines?limit=1&from=3")));
    let found = json_of(&farm, &format!("{log}/search?q=/^(one|four)$/"));
    assert_eq!(found["lines"], json!([1, 3]));
    assert_eq!(found["complete"], true);
    let wrong = farm.get(&format!("{log}/search?q=/(/"));
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}
