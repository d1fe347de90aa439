#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use axum::http::StatusCode;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::*;
use crate::logs::Channel::{Stderr, Stdout};
use crate::model::journal::PersonOp;
use crate::model::{
    Action, AuditRecord, BuildId, Door, Op, Outcome, Pause, Person, TestCounts, TestName,
    TestOutcome, TestRow, TestTable, TestsReport, TextPlace, ToldTest,
};
use crate::web::testing::{Farm, ago};

/// Lets everybody see everything.
const ANYTHING: &str = "[[permissions]]\nwho = [\"anyone\"]\nmay = [\"*\"]\n";

/// A farm that has something of everything.
fn filled() -> Farm {
    let mut farm = Farm::broken_with(ANYTHING);
    farm.step_log(
        "builders/b/1/0-test/stdio",
        &[(Stdout, b"one\ntwo "), (Stderr, b"error: three\n\xff")],
        true,
    );
    let pause = Some(Pause {
        since: ago(50),
        by: "ann".to_owned(),
        reason: "disk".to_owned(),
    });
    let slave = "elm".into();
    farm.add([Op::SlavePaused { slave, pause }]);
    let person = Person {
        name: "ann".to_owned(),
        roles: ["release".to_owned()].into(),
        ..Person::default()
    };
    let at = ago(40);
    farm.add([Op::Person(Box::new(PersonOp::Saved { person, at }))]);
    farm.add([Op::Audited(Box::new(AuditRecord {
        at,
        who: "ann".to_owned(),
        door: Door::Api,
        address: "192.0.2.1".to_owned(),
        token: None,
        action: Action::Force,
        object: "builder linux".to_owned(),
        what: "asked for a build on linux".to_owned(),
        reason: String::new(),
        outcome: Outcome::Done,
        ground: "a test".to_owned(),
    }))]);
    farm.add([Op::TestsReported(Box::new(tests()))]);
    farm
}

/// What build 1 of `linux` has told of its tests.
fn tests() -> TestsReport {
    let name = TestName::new(["io", "reads"]);
    let row = TestRow {
        hash: name.hash(),
        outcome: TestOutcome::Failed,
        millis: Some(7),
    };
    TestsReport {
        build: BuildId(2),
        index: 0,
        step: "test".to_owned(),
        counts: TestCounts::default(),
        is_complete: true,
        notes: Vec::new(),
        told: vec![ToldTest {
            name: name.clone(),
            outcome: TestOutcome::Failed,
            message: Some("no".to_owned()),
            place: Some(TextPlace {
                log: "stdio".to_owned(),
                begin: 0,
                length: 3,
            }),
            attempts: 1,
            is_flaky: false,
        }],
        names: vec![name],
        table: TestTable::new(vec![row]),
        compared: None,
        at: ago(30),
    }
}

/// An address of the resource that exists on the farm.
fn address(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{builder}" => "linux",
        "{build}" | "{set}" | "{request}" | "{problem}" | "{search}" => "1",
        "{step}" => "test",
        "{log}" => "stdio",
        "{change}" => "7",
        "{revision}" => "r9",
        "{user}" => "ann",
        "{slave}" => "elm",
        "{scheduler}" => "quick",
        "{test}" => "io.reads",
        other => other,
    });
    let address = parts.collect::<Vec<_>>().join("/");
    match path.ends_with("/search") {
        true => format!("{address}?q=three"),
        false => address,
    }
}

/// Checks values against a schema of the document, which must know every member.
fn validator(schema: &Value) -> Validator {
    let mut whole = json!({ "allOf": [schema], "components": OPENAPI["components"] });
    close(&mut whole);
    jsonschema::draft202012::new(&whole).unwrap()
}

/// Forbids members that are not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let is_object = members.get("properties").is_some_and(Value::is_object);
            members.values_mut().for_each(close);
            if is_object && members.contains_key("type") {
                let closed = members.entry("additionalProperties");
                closed.or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn schema_of(path: &str, status: &str, media_type: &str) -> &'static Value {
    &OPENAPI["paths"][path]["get"]["responses"][status]["content"][media_type]["schema"]
}

fn check(path: &str, status: &str, media_type: &str, text: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    let validator = validator(schema_of(path, status, media_type));
    let errors = validator.iter_errors(&value);
    let errors: Vec<_> = errors
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{path}: {}\n{text}", errors.join("\n"));
}

#[test]
fn every_answer_is_as_the_document_says() {
    let farm = filled();
    let mut addresses: Vec<_> = RESOURCES
        .iter()
        .map(|resource| (resource.path, address(resource.path)))
        .filter(|(path, _)| !path.contains("/try/"))
        .collect();
    for resource in RESOURCES {
        for part in resource.parts {
            let address = format!("{}?include={}", address(resource.path), part.name);
            addresses.push((resource.path, address));
        }
    }
    let requests: Vec<_> = addresses
        .iter()
        .map(|(_, a)| (a.as_str(), &[][..]))
        .collect();
    for ((path, address), answer) in addresses.iter().zip(farm.ask(&requests)) {
        assert_eq!(answer.status, StatusCode::OK, "{address}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json");
        check(path, "200", "application/json", &answer.text);
    }
}

#[test]
fn every_route_is_in_the_document_and_every_operation_has_a_route() {
    let paths = OPENAPI["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths.keys().map(String::as_str).collect();
    let known = RESOURCES.iter().map(|resource| resource.path);
    let acts = ACTS.iter().map(|act| act.path);
    let known: BTreeSet<_> = known.chain(acts).chain([events::PATH, DOCUMENT]).collect();
    assert_eq!(described, known);
    for (path, operations) in paths {
        let is_read = RESOURCES.iter().any(|resource| resource.path == path);
        let is_read = is_read || [events::PATH, DOCUMENT].contains(&path.as_str());
        let is_done = ACTS.iter().any(|act| act.path == path);
        assert_eq!(operations.get("get").is_some(), is_read, "{path}");
        assert_eq!(operations.get("post").is_some(), is_done, "{path}");
    }
    let mut ids = BTreeSet::new();
    for (path, operations) in paths {
        for operation in operations.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{path}: {id} twice");
        }
    }
}

#[test]
fn problems_are_as_the_document_says() {
    let farm = filled();
    for (path, status, address) in [
        ("/api/v1/builders", "400", "/api/v1/builders?tga=x"),
        ("/api/v1/builders/{builder}", "404", "/api/v1/builders/linx"),
        ("/api/v1/changes/{change}", "404", "/api/v1/changes/99"),
        (
            "/api/v1/requests/{request}/why",
            "404",
            "/api/v1/requests/99/why",
        ),
    ] {
        let answer = farm.get(address);
        assert_eq!(answer.status.as_str(), status, "{address}");
        check(path, status, "application/problem+json", &answer.text);
    }
}

#[test]
fn events_are_as_the_document_says() {
    let lines: &[(&str, &str)] = &[("accept", "application/x-ndjson")];
    let answer = filled().follow("/api/v1/events?since=0", lines);
    let lines: Vec<_> = answer
        .text
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    assert!(lines.len() > 20, "{}", answer.text);
    for line in lines {
        check(events::PATH, "200", "application/x-ndjson", line);
    }
}

#[test]
fn may_02_people_and_the_audit_log_need_a_permission() {
    let farm = Farm::broken();
    for resource in RESOURCES
        .iter()
        .filter(|resource| resource.action.is_some())
    {
        let answer = farm.get(&address(resource.path));
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", resource.path);
    }
}

#[test]
fn the_check_of_answers_can_fail() {
    let validator = validator(schema_of("/api/v1/master", "200", "application/json"));
    let whole: Value = serde_json::from_str(&Farm::new().get("/api/v1/master").text).unwrap();
    assert!(validator.is_valid(&whole));
    for change in [json!({ "pid": "1" }), json!({ "more": 1 })] {
        let mut other = whole.clone();
        let members = other.as_object_mut().unwrap();
        members.extend(change.as_object().unwrap().clone());
        assert!(!validator.is_valid(&other), "{change}");
    }
    let mut less = whole;
    less.as_object_mut().unwrap().remove("pid");
    assert!(!validator.is_valid(&less));
}
