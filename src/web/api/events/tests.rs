#![expect(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;
use serde_json::Value;

use crate::botmaster::{Event, InstanceEvent};
use crate::control::News;
use crate::model::Results;
use crate::web::testing::{Farm, ago};

/// A farm with one build: what has happened on it.
fn farm() -> Farm {
    let mut farm = Farm::new();
    let change = farm.change(7, "Ines", "faster");
    farm.build("linux", 0, vec![change], (Results::Failure, ago(900)));
    farm
}

/// The names and numbers of the events in `text`.
fn events(text: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for message in text.split("\n\n") {
        let field = |name: &str| {
            let lines = message.lines();
            let mut values = lines.filter_map(|line| line.strip_prefix(name));
            values.next().map(str::to_owned)
        };
        if let Some(event) = field("event: ")
            && let Some(id) = field("id: ")
        {
            found.push((id.parse().unwrap(), event));
        }
    }
    found
}

#[test]
fn sta_01_events_come_in_order_with_their_numbers() {
    let text = farm().follow("/api/v1/events?since=0", &[]).text;
    let events = events(&text);
    let numbers: Vec<_> = events.iter().map(|(number, _)| *number).collect();
    let expected: Vec<_> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
    let names: Vec<_> = events.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "builder_added",
            "builder_added",
            "master_configured",
            "slave_connected",
            "change_added",
            "set_submitted",
            "request_queued",
            "build_started",
            "request_started",
            "step_started",
            "log_opened",
            "log_closed",
            "step_finished",
            "build_finished",
            "request_finished",
            "set_first_failure",
        ]
    );
    assert!(text.starts_with("retry: 2000\n\n"), "{text}");
    let data = r#"data: {"number":13,"at":"2026-11-26T13:26:50.000Z","event":"step_finished","builder":"linux","build":0,"step":"test","result":"failure","text":"test failure"}"#;
    assert!(text.contains(data), "{text}");
}

#[test]
fn a_stream_resumes_after_the_greater_of_both_numbers() {
    let last: &[(&str, &str)] = &[("last-event-id", "14")];
    let text = farm().follow("/api/v1/events?since=3", last).text;
    let numbers: Vec<_> = events(&text).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [15, 16]);
}

#[test]
fn a_program_chooses_topics_and_may_have_lines() {
    let lines: &[(&str, &str)] = &[("accept", "application/x-ndjson")];
    let answer = farm().follow("/api/v1/events?since=0&topic=change&topic=slave:oak", lines);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let lines = answer.text.lines().filter(|line| !line.is_empty());
    let values: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = values
        .iter()
        .map(|v| v["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "master_configured",
            "slave_connected",
            "change_added",
            "set_submitted",
            "build_started",
            "build_finished",
            "set_first_failure",
        ]
    );
}

#[test]
fn a_number_that_is_not_kept_or_was_never_given_resets_the_reader() {
    let text = farm().follow("/api/v1/events?since=99", &[]).text;
    assert_eq!(events(&text), [(16, "reset".to_owned())]);
    let text = farm().follow("/api/v1/events?since=99&page=%2F", &[]).text;
    assert!(text.contains("\n\nid: 16\ndata: changed\n\n"), "{text}");
}

#[test]
fn a_page_hears_once_that_it_has_changed() {
    let changed = "id: 16\ndata: changed\n\n";
    let follow = |page: &str| {
        let address = format!("/api/v1/events?since=0&page={page}");
        farm().follow(&address, &[]).text
    };
    let text = follow("%2Fbuilders%2Flinux%3Ftry%3D1");
    assert_eq!(text.matches("data: changed").count(), 1, "{text}");
    assert!(text.contains(changed), "{text}");
    assert!(text.contains("event: time\ndata: 2026-11-26T"), "{text}");
    // Only the counts in its head may have changed.
    assert!(follow("%2Fnowhere").contains(changed));
}

#[test]
fn a_wrong_topic_or_argument_is_answered_with_what_may_have_been_meant() {
    for (query, argument, near) in [
        ("topic=bulder:x", "topic", "builder:NAME"),
        ("topics=queue", "topics", "topic"),
    ] {
        let answer = Farm::new().get(&format!("/api/v1/events?{query}"));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(problem["argument"], argument);
        assert_eq!(problem["did_you_mean"], near);
        assert_eq!(problem["status"], 400);
    }
}

#[test]
fn a_page_hears_of_what_is_not_on_record() {
    let instance = || {
        News::Event(Event::Instance(InstanceEvent::Stopped {
            slave: "oak".into(),
        }))
    };
    let hears = |page: &str| {
        let address = format!("/api/v1/events?since=16&page={page}");
        let text = farm().visit(async |visitor| {
            visitor.patience = std::time::Duration::from_secs(10);
            let newsroom = visitor.newsroom().clone();
            let telling = async {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                newsroom.tell(instance());
            };
            let (answer, ()) = tokio::join!(visitor.get(&address), telling);
            answer.text
        });
        text.matches("data: changed").count()
    };
    assert_eq!(hears("%2Fbuildslaves%2Foak"), 1);
    assert_eq!(hears("%2Fqueue"), 1);
    assert_eq!(hears("%2Fbuildslaves%2Felm"), 0);
    assert_eq!(hears("%2Fchanges"), 0);
}

#[test]
fn a_page_hears_each_quarter_of_a_minute_of_the_estimates_that_it_shows() {
    let hears = |page: &str| {
        let address = format!("/api/v1/events?page={page}");
        Farm::broken().visit(async |visitor| {
            visitor.patience = std::time::Duration::from_secs(40);
            let text = visitor.get(&address).await.text;
            text.matches("data: changed").count()
        })
    };
    assert_eq!(hears("%2F"), 2);
    assert_eq!(hears("%2Fbuilders%2Flinux"), 2);
    assert_eq!(hears("%2Fbuilders%2Flinux%2Fbuilds%2F3"), 2);
    assert_eq!(hears("%2Fbuilders%2Flinux%2Fbuilds%2F2"), 0);
    assert_eq!(hears("%2Fusers"), 0);
}
