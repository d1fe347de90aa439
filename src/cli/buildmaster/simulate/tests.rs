//! From the texts of the files to the text that is printed: the shared case files, and what people
//! see.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::model::Zone;

/// A configuration of these schedulers, for builders `b1` and `b2`.
pub(in crate::cli) fn configuration(schedulers: &str) -> Config {
    let mut text =
        "[[slaves]]\nname = \"s\"\ntype = \"local\"\n[factories.f]\nsteps = []\n".to_owned();
    for builder in ["b1", "b2"] {
        write!(
            text,
            "[[builders]]\nname = \"{builder}\"\nslaves = [\"s\"]\nfactory = \"f\"\n"
        )
        .unwrap();
    }
    text.push_str(schedulers);
    match config::parse(&text, "master.toml", &Ok(Zone::UTC)) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{}", errors.render(false)),
    }
}

/// The table of a scheduler; a value is as TOML and JSON both write it.
pub(in crate::cli) fn scheduler(kind: &str, name: &str, settings: &[(&str, Value)]) -> String {
    let mut text = format!("[[schedulers]]\ntype = \"{kind}\"\nname = \"{name}\"\n");
    if !settings.iter().any(|(key, _)| *key == "builders") {
        text.push_str("builders = [\"b1\", \"b2\"]\n");
    }
    for (key, value) in settings {
        writeln!(text, "{key} = {value}").unwrap();
    }
    text
}

fn secs(at: f64) -> Timestamp {
    Timestamp::from_secs_f64(at)
}

fn history(lines: &[Value], from: f64) -> History {
    let text: Vec<_> = lines.iter().map(ToString::to_string).collect();
    read(&text.join("\n"), from).unwrap()
}

fn read(text: &str, from: f64) -> Result<History, Vec<String>> {
    changes::read(text.as_bytes(), "changes", secs(from)).unwrap()
}

fn printed(config: &Config, history: &History, from: f64, until: f64, json: bool) -> String {
    let span = Span {
        from: secs(from),
        until: secs(until),
    };
    let (mut out, zone) = (Vec::new(), Ok(Zone::UTC));
    let what = Printed {
        json,
        ..Printed::default()
    };
    let mut report = Report::new(&mut out, config, history, &zone, what);
    simulate(config, history, span, &mut report).unwrap();
    String::from_utf8(out).unwrap()
}

/// The sets that are printed for programs.
fn sets(config: &Config, lines: &[Value], from: f64, until: f64) -> Vec<Value> {
    let text = printed(config, &history(lines, from), from, until, true);
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// When and by whom.
fn runs(sets: &[Value]) -> Vec<(f64, &str)> {
    let run = |set: &'_ Value| set["at"].as_f64().unwrap();
    let runs = sets.iter();
    runs.map(|set| (run(set), set["scheduler"].as_str().unwrap()))
        .collect()
}

#[test]
fn srh_20_a_broken_change_is_searched_after_its_set() {
    let settings = [
        ("tree_stable_timer", json!(60)),
        ("builders", json!(["b1"])),
    ];
    let config = configuration(&scheduler("Scheduler", "quick", &settings));
    let lines = (1..=4).map(|number| json!({ "id": format!("c{number}"), "at": number }));
    let history = history(&lines.collect::<Vec<_>>(), 0.0);
    let span = Span {
        from: secs(0.0),
        until: secs(100.0),
    };
    assert_eq!(history.with_id("c5"), None);
    for (json, expected) in [
        (
            true,
            r#"{"asks":["c4",null,"c2","c3"],"found":"c3","search":"b1"}"#,
        ),
        (
            false,
            "  a search on b1 asks for 4 builds (c4, the change before, c2, c3) and finds c3",
        ),
    ] {
        let (mut out, zone) = (Vec::new(), Ok(Zone::UTC));
        let what = Printed {
            json,
            ..Printed::default()
        };
        let mut report = Report::new(&mut out, &config, &history, &zone, what);
        report.broken = history.with_id("c3");
        simulate(&config, &history, span, &mut report).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().any(|line| line == expected), "{text}");
    }
}

#[test]
fn all_cases_of_scheduler_and_any_branch() {
    let file = include_str!("../../../../tests/data/scheduler-cases.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 50);
    for case in cases {
        let id = &case["id"];
        let (kind, name) = match case["kind"].as_str().unwrap() {
            "scheduler" => ("Scheduler", "quick"),
            _ => ("AnyBranch", "any"),
        };
        let mut settings = vec![
            ("builders", case["builders"].clone()),
            ("tree_stable_timer", case["tree_stable_timer"].clone()),
        ];
        if case["file_is_important"] == true {
            settings.push(("important_files.include", json!(["important"])));
        }
        if !case["branch"].is_null() {
            settings.push(("branch", case["branch"].clone()));
        }
        if let Some(branches) = case["branches"].as_array() {
            // The default branch is `false` in the file.
            let branch = |b: &Value| if b.is_null() { json!(false) } else { b.clone() };
            settings.push(("branches", branches.iter().map(branch).collect()));
        }
        let config = configuration(&scheduler(kind, name, &settings));
        let events = case["events"].as_array().unwrap();
        // When the scheduler is stopped the simulation ends.
        let stop = events.iter().find(|e| e["stop"] == true);
        let end = stop.map_or(&case["end"], |stop| &stop["at"]);
        let changes = events.iter().filter(|e| e["id"].is_u64());
        let lines: Vec<_> = changes
            .map(|event| {
                let mut line = event.clone();
                let members = line.as_object_mut().unwrap();
                let important = members.remove("important") != Some(json!(false));
                let file = if important { "important" } else { "doc" };
                line["files"] = json!([file]);
                line
            })
            .collect();
        let expected = case["expect"]["buildsets"].as_array().unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|set| {
                let mut set = set.clone();
                set.as_object_mut().unwrap().remove("seed_order");
                set["scheduler"] = json!(name);
                // The case file has some whole numbers as 1121.0.
                set["at"] = moment::seconds(secs(set["at"].as_f64().unwrap())).into();
                set
            })
            .collect();
        let found = sets(&config, &lines, 0.0, end.as_f64().unwrap());
        assert_eq!(found, expected, "{id}");
    }
}

#[test]
fn all_sequences_of_nightly() {
    for sequence in crate::cli::buildmaster::next_runs::tests::sequences() {
        let config = configuration(&sequence.scheduler);
        let last = *sequence.fires.last().unwrap();
        let found = sets(&config, &[], sequence.start, last);
        let expected: Vec<_> = sequence.fires.iter().map(|&at| (at, "nightly")).collect();
        assert_eq!(runs(&found), expected, "{}", sequence.id);
        assert!(found.iter().all(|set| set["changes"] == json!([])));
    }
}

#[test]
fn dependents_follow_at_once_and_a_periodic_starts_with_the_simulation() {
    let config = configuration(
        &[
            scheduler("Dependent", "last", &[("upstream", json!("next"))]),
            scheduler("Dependent", "next", &[("upstream", json!("quick"))]),
            scheduler("Scheduler", "quick", &[("tree_stable_timer", json!(60))]),
            scheduler(
                "Periodic",
                "often",
                &[("period", json!(100)), ("branch", json!("rel"))],
            ),
        ]
        .concat(),
    );
    let found = sets(&config, &[json!({"at": 40})], 0.0, 200.0);
    assert_eq!(
        runs(&found),
        [
            (0.0, "often"),
            (100.0, "quick"),
            (100.0, "next"),
            (100.0, "last"),
            (100.0, "often"),
            (200.0, "often"),
        ],
        "the end is inclusive"
    );
    assert_eq!(found[3]["changes"], json!([1]));
    assert_eq!(found[0]["branch"], json!("rel"));
    assert_eq!(found[1]["branch"], json!(null));
}

#[test]
fn changes_are_put_in_order_and_keep_their_ids() {
    let config = configuration(&scheduler(
        "Scheduler",
        "quick",
        &[("tree_stable_timer", json!(60))],
    ));
    let lines = [
        json!({"at": 130, "id": 3}),
        json!({"at": "1970-01-01T00:01:40.5Z", "id": 9}),
        json!({"at": 120, "id": "fe12", "when": 1, "who": "me", "comments": "c", "files": ["a"]}),
        json!({"at": 120, "id": 1, "branch": null, "properties": {"a": [1]}}),
    ];
    let found = sets(&config, &lines, 0.0, 1000.0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["changes"], json!([9, "fe12", 1, 3]));
    let unnamed = [json!({"at": 130}), json!({"at": 120})];
    let found = sets(&config, &unnamed, 0.0, 1000.0);
    assert_eq!(found[0]["changes"], json!([2, 1]));
}

#[test]
fn what_show_changes_prints_is_a_file_of_changes() {
    let change = crate::model::Change {
        number: crate::model::ChangeNumber(7),
        arrived_at: secs(100.0),
        when: secs(90.0),
        content: crate::model::NewChange {
            who: "me".to_owned(),
            ..Default::default()
        },
    };
    let shown = serde_json::to_value(crate::view::Change::from(&change)).unwrap();
    let config = configuration(&scheduler(
        "Scheduler",
        "quick",
        &[("tree_stable_timer", json!(60))],
    ));
    let found = sets(&config, &[shown], 0.0, 1000.0);
    assert_eq!(runs(&found), [(150.0, "quick")]);
    assert_eq!(found[0]["changes"], json!([7]));
}

#[test]
fn mistakes_in_the_file_are_told_with_their_lines() {
    let file = [
        "{\"at\": 100}",
        "",
        "{\"at\": 100",
        "[1]",
        "{}",
        "{\"at\": \"yesterday\"}",
        "{\"at\": 49.5}",
        "{\"at\": -1}",
        "{\"at\": 100, \"brnach\": \"x\"}",
        "{\"at\": 100, \"branch\": 3}",
        "{\"at\": 100, \"files\": [\"a\", 1]}",
        "{\"at\": 100, \"id\": 1.5}",
        "{\"at\": 100, \"when\": true}",
        "{\"at\": 100, \"properties\": []}",
        "{\"at\": 100, \"id\": 1}",
        "\u{1}",
    ];
    let messages = read(&file.join("\n"), 50.0).unwrap_err();
    let expected = [
        "error: changes:3: invalid JSON: EOF while parsing an object at column 10",
        "error: changes:4: [1] is not a change; a change is a JSON object",
        "error: changes:5: `at` is missing",
        "error: changes:6: `at`: \"yesterday\" is not a time",
        "error: changes:7: `at` is before --from",
        "error: changes:8: `at`: -1 is before 1970",
        "error: changes:9: unknown member \"brnach\"; a change has `at`",
        "error: changes:10: `branch` must be a string, not 3",
        "error: changes:11: `files` must be a list of strings, not [\"a\",1]",
        "error: changes:12: `id` must be an integer or a string, not 1.5",
        "error: changes:13: `when`: true is not a time",
        "error: changes:14: `properties` must be an object, not []",
        "error: changes:15: the id 1 is also the id of line 1",
        "error: changes:16: invalid JSON",
    ];
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.starts_with(expected), "{message}\n{expected}");
    }
}

#[test]
fn of_many_mistakes_the_first_are_told() {
    for (lines, messages) in [(20, 20), (21, 21), (500, 21)] {
        let errors = read(&"x\n".repeat(lines), 0.0).unwrap_err();
        assert_eq!(errors.len(), messages);
        let more = errors.last().unwrap().contains("more");
        assert_eq!(more, lines > 20, "{lines}");
    }
}

#[test]
fn changes_after_the_end_do_not_count() {
    let config = configuration(&scheduler("Scheduler", "quick", &[]));
    let lines = [json!({"at": 10}), json!({"at": 20}), json!({"at": 20.5})];
    assert_eq!(sets(&config, &lines, 10.0, 20.0).len(), 2);
    assert_eq!(history(&lines, 10.0).arrive_after(secs(20.0)), 1);
}

#[test]
fn people_get_a_table() {
    let config = configuration(
        &[
            scheduler("AnyBranch", "branches", &[("tree_stable_timer", json!(60))]),
            scheduler(
                "Nightly",
                "nightly",
                &[("hour", json!(3)), ("builders", json!(["b1"]))],
            ),
        ]
        .concat(),
    );
    let mut lines: Vec<_> = (1..=11)
        .map(|_| json!({"at": 10, "branch": "release-1"}))
        .collect();
    lines.push(json!({"at": 10}));
    lines.push(json!({"at": 14_390}));
    let text = printed(&config, &history(&lines, 0.0), 0.0, 14_400.0, false);
    insta::assert_snapshot!(text, @r"
    time                            scheduler  branch     builders  changes
    Thu 1970-01-01 00:01:10 +00:00  branches   (default)  b1, b2    12
    Thu 1970-01-01 00:01:10 +00:00  branches   release-1  b1, b2    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … (11 changes)
    Thu 1970-01-01 03:00:00 +00:00  nightly    (default)  b1        (the latest)
    3 build sets from Thu 1970-01-01 00:00:00 +00:00 until Thu 1970-01-01 04:00:00 +00:00
    changes in no set: 13
    ");
    let text = printed(&config, &History::default(), 0.0, 0.0, false);
    assert!(
        text.contains("\nno build set from Thu 1970-01-01 00:00:00 +00:00 until"),
        "{text}"
    );
}

#[test]
fn cfl_156_decisions_and_orders_are_printed() {
    let when = json!("'[skip]' not in change.comments and change.files | length < 3");
    let important = json!("change.files | outside('doc/**')");
    let mut text = scheduler(
        "Scheduler",
        "quick",
        &[("filter", json!(null)), ("important_if", important)],
    );
    text = text.replace("filter = null", &format!("filter = {{ when = {when} }}"));
    text.push_str("[[schedulers]]\ntype = \"AnyBranch\"\nname = \"all\"\nbuilders = [\"b1\"]\n");
    text.push_str("filter = { when = \"prop\" }\n");
    let text = text.replace("when = \"prop\"", "when = \"change.comments + 1 > 2\"");
    let mut config = configuration(&text);
    let first = std::sync::Arc::make_mut(&mut config.builders[0]);
    let expression = |text| {
        let mode = config::expression::Mode::Core;
        config::expression::Expression::compile(text, mode, "t").unwrap()
    };
    first.queue.request_order = vec![expression("src.files | length"), expression("prop.x")];
    let history = history(
        &[
            json!({ "at": 1, "files": ["a.c"], "comments": "one" }),
            json!({ "at": 2, "files": ["a.c"], "comments": "two [skip]" }),
            json!({ "at": 3, "files": ["doc/x"], "comments": "three" }),
        ],
        0.0,
    );
    let span = Span {
        from: secs(0.0),
        until: secs(10.0),
    };
    let (mut out, zone) = (Vec::new(), Ok(Zone::UTC));
    let what = Printed {
        json: false,
        explain: true,
        orders: true,
    };
    let mut report = Report::new(&mut out, &config, &history, &zone, what);
    simulate(&config, &history, span, &mut report).unwrap();
    let printed = String::from_utf8(out).unwrap();
    for line in [
        "quick      change 1: counted: built at once\n",
        "all        change 1: not counted: the filter's `when` failed: ",
        "quick      change 2: not counted: the filter's `when` is false\n",
        "quick      change 3: unimportant: not built\n",
        "  b1: request_order [1, 0]\n",
        "1 build set from",
    ] {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
}
