//! Tests of the kinds of answers, and of what farms of later Buildbots have.

use serde_json::{Value as Json, json};

use super::farms::function;
use super::{config, farm_with, imported, run};

fn text(import: &super::Import) -> &str {
    import.files.get("master.toml").expect("a master.toml")
}

/// IMP-37: rows need not follow one another.
#[test]
fn entries_of_one_form_become_rows_of_one() {
    let farm = farm_with(|farm| {
        let builder = farm.pointer("/builders/1").cloned().expect("a builder");
        let builders = farm.get_mut("builders").and_then(Json::as_array_mut);
        let builders = builders.expect("builders");
        for (name, tag) in [("a", None), ("b", Some("fast")), ("c", None)] {
            let mut builder = builder.clone();
            builder["args"]["name"] = Json::from(name);
            builder["args"]["builddir"] = Json::from(name);
            if let Some(tag) = tag {
                builder["args"]["tags"] = Json::from(vec![tag]);
            }
            builders.push(builder);
        }
    });
    let import = run(&farm, None).expect("a good dump");
    assert_eq!(import.faults, Vec::<String>::new());
    let config = config(&import);
    let names = config
        .builders
        .iter()
        .map(|builder| builder.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["one/two", "old", "a", "c", "b"]);
}

/// IMP-22: each kind of answer becomes the keys of its kind.
#[test]
fn each_kind_of_answer_becomes_its_keys() {
    let farm = farm_with(|farm| {
        let args = farm.pointer_mut("/builders/0/args").expect("a builder");
        args["nextBuild"] = function("order", 101);
        args["nextSlave"] = function("choice", 102);
        args["canStartBuild"] = function("veto", 103);
        args["mergeRequests"] = function("merging", 104);
        let args = farm.pointer_mut("/schedulers/0/args").expect("a scheduler");
        args["fileIsImportant"] = function("importance", 105);
        args["change_filter"]["args"]["filter_fn"] = function("filter", 106);
        farm["settings"]["mergeRequests"] = function("merging_all", 107);
    });
    let check = |rows: &[(&str, &str, &str)]| {
        let rows = rows.iter();
        let answers: String = rows
            .clone()
            .map(|(id, answer, _)| format!("[[question]]\nid = \"{id}\"\nanswer = {answer}\n"))
            .collect();
        let import = run(&farm, Some(&answers)).expect("a good dump");
        config(&import);
        for (_, _, expected) in rows {
            let text = text(&import);
            assert!(
                text.contains(expected),
                "{expected} in\n{text}\n{}",
                import.report
            );
        }
    };
    check(&[
        (
            "order",
            "[\"prop.tag is defined\"]",
            "request_order = [\"prop.tag is defined\"]",
        ),
        (
            "choice",
            "[\"-slave.running\"]",
            "slave_order = [\"-slave.running\"]",
        ),
        (
            "veto",
            "\"'big' in slave.tags\"",
            "slave_if = \"'big' in slave.tags\"",
        ),
        (
            "merging",
            "{ merge_by = [\"prop.board\"], merge_limit = 3 }",
            "merge_limit = 3",
        ),
        ("merging_all", "[\"prop.x\"]", "\nmerge_by = [\"prop.x\"]"),
        (
            "importance",
            "\"change.files | outside('doc/**')\"",
            "important_if = \"change.files | outside('doc/**')\"",
        ),
        (
            "filter",
            "\"'[skip]' not in change.comments\"",
            "when = \"'[skip]' not in change.comments\"",
        ),
    ]);
    check(&[
        ("choice", "\"first\"", "next_slave = \"first\""),
        (
            "veto",
            "{ hold = [{ days = \"*\", from = \"22:00\", to = \"06:00\" }] }",
            "hold = [{ days = \"*\", from = \"22:00\", to = \"06:00\" }]",
        ),
        ("merging", "false", "merge_requests = false"),
        ("filter", "{ category = \"fast\" }", "category = \"fast\""),
    ]);
}

/// CFL-30: `{{` in an expression is written as expressions have it.
#[test]
fn braces_in_expressions_are_not_those_of_the_file() {
    let answers = "[[question]]\nid = \"wants\"\nanswer = \"prop.x == '{{'\"\n";
    let import = imported(Some(answers));
    config(&import);
    assert!(
        text(&import).contains(r"prop.x == '{\\u007b'"),
        "{}",
        text(&import)
    );
}

/// Values of Buildbot's own that call a function are questions for that function.
#[test]
fn a_function_in_a_transform_is_asked_for() {
    let farm = farm_with(|farm| {
        let word = farm.pointer_mut("/factories/0/steps/2/args/command/1");
        *word.expect("a word") = json!({
            "!": "object", "class": "Transform", "custom": [],
            "args": {"*": ["a"], "function": function("shorten", 108)},
        });
    });
    let import = run(&farm, None).expect("a good dump");
    assert!(
        import.answers.contains("id = \"shorten\""),
        "{}",
        import.answers
    );
}

/// Slaves whose password Buildbot makes up get one. A slave whose image is chosen for each build
/// is started by a command.
#[test]
fn slaves_without_a_password_get_one() {
    let farm = farm_with(|farm| {
        let slaves = farm.get_mut("slaves").and_then(Json::as_array_mut);
        let image = json!({"!": "interpolate", "text": "i/%(prop:image)s", "args": [], "kw": {}});
        slaves.expect("slaves").push(json!({
            "class": "DockerLatentWorker", "name": "d", "at": null,
            "args": {"name": "d", "password": null, "image": image},
        }));
        farm["builders"][1]["args"]["slavename"] = Json::from("d");
    });
    let import = run(&farm, None).expect("a good dump");
    config(&import);
    assert_eq!(import.made_up.iter().collect::<Vec<_>>(), ["slave-d"]);
    let slaves = import.files.get("slaves.toml").expect("a slaves.toml");
    assert!(
        slaves.contains("start = [\"bin/start-instance\", \"d\"]"),
        "{slaves}"
    );
}

/// Reporters of Buildbot 3 and later have in their generators what they had themselves before.
#[test]
fn each_generator_is_a_status_target() {
    let farm = farm_with(|farm| {
        let generator = |class: &str, mode: &str| json!({"!": "object", "class": class, "custom": [], "args": {"mode": [mode]}});
        let generators = [
            generator("BuildStatusGenerator", "failing"),
            generator("BuildSetStatusGenerator", "passing"),
            generator("WorkerMissingGenerator", "x"),
        ];
        farm["status"] = json!([{
            "class": "MailNotifier", "at": null,
            "args": {"fromaddr": "ci@example.org", "generators": generators},
        }]);
    });
    let import = run(&farm, None).expect("a good dump");
    assert_eq!(config(&import).status.len(), 2, "{}", import.report);
    assert!(
        text(&import).contains("build_set_summary = true"),
        "{}",
        text(&import)
    );
    assert!(
        import
            .report
            .contains("the generator `WorkerMissingGenerator`")
    );
}

/// What Buildbot takes as true or false, does without, or calls as something else is called here.
#[test]
fn settings_of_other_forms_keep_their_meaning() {
    let farm = farm_with(|farm| {
        let poller = |name: &str, branches: Json| {
            json!({"class": "GitPoller", "at": null, "name": name, "args": {
                "name": name, "repourl": format!("https://example.org/{name}.git"),
                "branches": branches, "category": "quick"}})
        };
        farm["change_sources"] = json!([poller("a", json!(true)), poller("b", json!(["main"]))]);
        let mails = |name: &str, key: &str| {
            json!({"class": "MailNotifier", "at": null, "args": {
                "name": name, "fromaddr": "ci@example.org", "relayhost": "mail.example.org", key: true}})
        };
        let channels = json!(["widget", "#ci", {"channel": "&local", "password": null}]);
        let bot = json!({"class": "IRC", "at": null, "args": {
            "host": "irc.example.org", "nick": "ci", "channels": channels}});
        farm["status"] = json!([mails("m", "useTls"), mails("n", "useSmtps"), bot]);
        let steps = farm.pointer_mut("/factories/0/steps");
        let git = json!({"class": "Git", "name": "git", "at": null, "args": {
            "repourl": "https://example.org/a.git", "mode": "incremental", "method": "clobber"}});
        let steps = steps.and_then(Json::as_array_mut);
        steps.expect("steps").push(git);
    });
    let import = run(&farm, None).expect("a good dump");
    let config = config(&import);
    let text = text(&import);
    assert_eq!(text.matches("category = \"quick\"").count(), 2, "{text}");
    assert_eq!(text.matches("branches = [\"main\"]").count(), 1, "{text}");
    let mails = config.status.iter().filter_map(|target| target.mail());
    assert_eq!(mails.count(), 2);
    for tls in ["tls = \"starttls\"", "tls = \"implicit\""] {
        assert!(text.contains(tls), "{tls} in {text}");
    }
    let channels = "channels = [\"#widget\", \"#ci\", \"&local\"]";
    assert!(text.contains(channels), "{text}");
    let left_out = "`method` of a source step whose `mode` is not full";
    assert!(import.report.contains(left_out), "{}", import.report);
    assert!(
        !import.report.contains("no effect here"),
        "{}",
        import.report
    );
}

/// IMP-11: the same dump with the answers that were written gives the same files.
#[test]
fn importing_again_changes_nothing() {
    let first = imported(None);
    let again = imported(Some(&first.answers));
    assert_eq!(again.files, first.files);
    assert_eq!(again.answers, first.answers);
    assert_eq!(again.report, first.report);
}

/// IMP-23: what a function has caught stands as a literal in the answer.
#[test]
fn one_answer_serves_all_uses_of_a_function() {
    let farm = farm_with(|farm| {
        for (step, word) in [(2, "a"), (7, "b")] {
            let pointer = format!("/factories/0/steps/{step}/args");
            let args = farm.pointer_mut(&pointer).expect("a step");
            args["doStepIf"] = function("made", 109);
            args["doStepIf"]["given"] = json!({"word": word});
        }
    });
    let answers = "[[question]]\nid = \"made\"\nanswer = \"prop.x == {{ word }}\"\n";
    let import = run(&farm, Some(answers)).expect("a good dump");
    config(&import);
    for expected in ["prop.x == 'a'", "prop.x == 'b'"] {
        let text = text(&import);
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

/// IMP-50, IMP-51: the report names the places, and counts steps as written and as run.
#[test]
fn the_report_has_its_parts_in_order() {
    let import = imported(None);
    let heads = import
        .report
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    let heads: Vec<&str> = heads.filter_map(|head| head.split(" (").next()).collect();
    assert_eq!(heads.first(), Some(&"Open questions"));
    assert_eq!(heads.last(), Some(&"Next"));
    assert!(
        import.report.contains("| wants | condition | master.cfg:"),
        "{}",
        import.report
    );
    assert!(
        import.sentence.contains("12 steps (24 as run)"),
        "{}",
        import.sentence
    );
}

/// A farm whose second builder has a factory of the same shape, in which `count` variables differ.
fn with_variables(count: usize) -> String {
    farm_with(|farm| {
        let mut factory = farm.pointer("/factories/0").cloned().expect("a factory");
        let variables = |value: &str| -> Json {
            (0..count)
                .map(|n| (format!("V{n}"), Json::from(format!("{value}{n}"))))
                .collect()
        };
        factory["steps"][2]["args"]["env"] = variables("b");
        farm["factories"][0]["steps"][2]["args"]["env"] = variables("a");
        farm["factories"]
            .as_array_mut()
            .expect("factories")
            .push(factory);
        farm["builders"][1]["factory"] = Json::from(1);
    })
}

/// IMP-34: a shape that needs more than 12 arguments stays as it is.
#[test]
fn too_many_arguments_leave_factories_unfolded() {
    for (count, factories) in [(12, 1), (13, 2)] {
        let import = run(&with_variables(count), None).expect("a good dump");
        config(&import);
        let found = import.json.get("factories").and_then(Json::as_u64);
        assert_eq!(found, Some(factories), "{count}");
    }
}

/// IMP-36: lists of slaves and builders become selectors.
#[test]
fn lists_become_selectors() {
    let farm = farm_with(|farm| {
        let slave = farm.pointer("/slaves/0").cloned().expect("a slave");
        for name in ["win-1", "win-2"] {
            let mut slave = slave.clone();
            slave["name"] = Json::from(name);
            slave["args"] = json!({"name": name, "password": "x"});
            farm["slaves"].as_array_mut().expect("slaves").push(slave);
        }
        let slaves: Vec<Json> = farm["slaves"].as_array().expect("slaves").clone();
        let names: Json = slaves.iter().map(|slave| slave["name"].clone()).collect();
        let builder = farm.pointer("/builders/1").cloned().expect("a builder");
        for (name, slaves) in [
            ("a", names.clone()),
            ("b", names),
            ("c", json!(["win-1", "win-2"])),
            ("d", json!(["win-2", "win-1"])),
        ] {
            let mut builder = builder.clone();
            builder["args"] = json!({"name": name, "builddir": name, "slavenames": slaves});
            farm["builders"]
                .as_array_mut()
                .expect("builders")
                .push(builder);
        }
        let builders = json!(["one/two", "old", "a", "b", "c", "d"]);
        farm["schedulers"][3]["args"]["builderNames"] = builders;
    });
    let import = run(&farm, None).expect("a good dump");
    config(&import);
    let all: String = import.files.values().map(String::as_str).collect();
    for expected in [
        "slaves = {}",
        "tags = [\"win\"]",
        "{ tags = [\"win\"] }",
        "builders = {}",
    ] {
        assert!(all.contains(expected), "{expected} in\n{all}");
    }
}

/// IMP-41: a password in an address stays, is noted with its place, and is not printed.
#[test]
fn a_password_in_an_address_is_noted() {
    let farm = farm_with(|farm| {
        let args = farm
            .pointer_mut("/factories/0/steps/0/args")
            .expect("a step");
        args["repourl"] = Json::from("https://eve:opensesame@example.org/x");
    });
    let import = run(&farm, None).expect("a good dump");
    config(&import);
    assert!(text(&import).contains("opensesame"), "{}", text(&import));
    assert!(
        import.report.contains("an address with a password in it"),
        "{}",
        import.report
    );
    assert!(!import.report.contains("opensesame"), "{}", import.report);
}

/// A status target that names a builder which is not there does no harm in Buildbot.
#[test]
fn a_status_target_keeps_the_builders_that_are_there() {
    let farm = farm_with(|farm| {
        let target = |builders: Json| {
            json!({"class": "MailNotifier", "at": null, "args": {
                "fromaddr": "ci@example.org", "builders": builders,
            }})
        };
        farm["status"] = json!([target(json!(["old", "gone"])), target(json!(["gone"]))]);
    });
    let import = run(&farm, None).expect("a good dump");
    assert_eq!(import.faults, Vec::<String>::new());
    assert_eq!(config(&import).status.len(), 1);
    assert!(
        import.report.contains("names builders that are not there"),
        "{}",
        import.report
    );
}
