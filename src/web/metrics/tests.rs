use std::collections::BTreeSet;

use axum::http::StatusCode;

use crate::web::testing::Farm;

/// The value of a sample.
fn value<'a>(text: &'a str, sample: &str) -> &'a str {
    let mut lines = text.lines();
    let line = lines.find(|line| {
        line.strip_prefix(sample)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    let line = line.unwrap_or_else(|| unreachable!("{sample}: {text}"));
    line.rsplit(' ').next().unwrap_or_default()
}

#[test]
fn metrics_say_what_runs_what_waits_and_what_is_broken() {
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let farm = Farm::broken();
    let answers = farm.ask(&[
        ("/metrics", &[("accept", "text/html,*/*;q=0.8")]),
        ("/metrics", &[("accept", accept)]),
    ]);
    let [plain, answer] = answers.as_slice() else {
        unreachable!("two were asked for");
    };
    assert_eq!(answer.status, StatusCode::OK);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), kind);
    // A browser shows a text, and downloads what it does not know.
    let kind = "text/plain; charset=utf-8";
    assert_eq!(plain.header("content-type"), kind);
    let text = &answer.text;
    for (sample, expected) in [
        ("buildmaster_builds_running{builder=\"linux\"}", "1"),
        (
            "buildmaster_requests_waiting{builder=\"a/b c\",reason=\"none\"}",
            "1",
        ),
        (
            "buildmaster_request_oldest_seconds{builder=\"a/b c\"}",
            "60",
        ),
        (
            "buildmaster_builder_broken{builder=\"linux\",branch=\"main\"}",
            "1",
        ),
        ("buildmaster_slave_connected{slave=\"oak\"}", "1"),
        ("buildmaster_slave_connected{slave=\"elm\"}", "0"),
        ("buildmaster_slave_builds{slave=\"oak\"}", "1"),
        ("buildmaster_health{component=\"Slave elm\"}", "1"),
    ] {
        assert_eq!(value(text, sample), expected, "{sample}");
    }
}

#[test]
fn metrics_count_what_was_asked_of_the_web() {
    let farm = Farm::new();
    let asked: &[(&str, &[(&str, &str)])] = &[
        ("/about", &[]),
        ("/builders/linux", &[]),
        ("/builders/none", &[]),
        ("/metrics", &[]),
    ];
    let answers = farm.ask(asked);
    let text = &answers[3].text;
    for (route, status) in [
        ("/about", 200),
        ("/builders/{builder}", 200),
        ("/builders/{builder}", 404),
    ] {
        let sample =
            format!("buildmaster_http_requests_total{{route=\"{route}\",status=\"{status}\"}}");
        assert_eq!(value(text, &sample), "1", "{sample}");
    }
}

/// The rules of the OpenMetrics format that every line must keep.
#[test]
fn metrics_keep_the_grammar() {
    let answer = Farm::broken().get("/metrics");
    let mut families = BTreeSet::new();
    let (mut name, mut kind) = ("", "");
    let mut samples = BTreeSet::new();
    let mut ended = false;
    for line in answer.text.lines() {
        assert!(!ended, "after the end: {line}");
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            (name, kind) = rest.split_once(' ').unwrap_or_default();
            assert!(families.insert(name), "{name} twice");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.starts_with(&format!("{name} ")), "{line}");
        } else if line == "# EOF" {
            ended = true;
        } else {
            let (sample, number) = line.rsplit_once(' ').unwrap_or_default();
            assert!(number.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            assert!(samples.insert(sample), "{sample} twice");
            let own = sample.split('{').next().unwrap_or_default();
            let suffix = own.strip_prefix(name);
            let may_be: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_count", "_sum"],
                _ => &[""],
            };
            assert!(
                suffix.is_some_and(|suffix| may_be.contains(&suffix)),
                "{line}"
            );
        }
    }
    assert!(ended, "{}", answer.text);
}

#[test]
fn another_machine_gets_the_metrics_only_if_they_are_open() {
    let farm = Farm::new();
    let here: &[(&str, &str)] = &[("x-peer", "127.0.0.1")];
    let away: &[(&str, &str)] = &[("x-peer", "192.0.2.7")];
    let answers = farm.ask(&[("/metrics", here), ("/metrics", away), ("/about", away)]);
    let statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    assert_eq!(statuses, [200, 403, 200]);
    assert!(
        answers[1].text.contains("metrics = \"open\""),
        "{}",
        answers[1].text
    );
    let open = farm.with_web("[web]\nport = 8010\nmetrics = \"open\"");
    let answers = open.ask(&[("/metrics", away)]);
    assert_eq!(answers[0].status, StatusCode::OK);
}
