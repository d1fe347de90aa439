//! Tests of the import on a small farm of our own.

mod classes;
mod farms;
mod kinds;
mod places;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::item::Item;
use super::{Import, Request, import};
use crate::config::{Class, Config, MachineZone, read};
use crate::model::Zone;

const FARM: &str = include_str!("../../tests/data/import-farm.json");

fn zone() -> MachineZone {
    Ok(Zone::UTC)
}

fn run(dump: &str, answers: Option<&str>) -> Result<Import, String> {
    import(&Request {
        dump,
        file: "farm.json",
        answers,
        dir: "ci",
        flat: false,
        zone: &zone(),
    })
}

fn imported(answers: Option<&str>) -> Import {
    run(FARM, answers).expect("a good dump")
}

/// The configuration, which must have no mistakes, and nothing that is not used.
fn config(import: &Import) -> Config {
    let text = import.files.get("master.toml").expect("a master.toml");
    let reading = read(text, "master.toml", &import.files, &zone());
    let (config, problems) = reading
        .into_result()
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let mut warnings = problems.warnings.iter();
    let unused = warnings.find(|warning| warning.class == Class::Unused);
    assert!(unused.is_none(), "{problems}\n{text}");
    config
}

fn farm_with(change: impl Fn(&mut Json)) -> String {
    let mut farm: Json = serde_json::from_str(FARM).expect("JSON");
    change(&mut farm);
    farm.to_string()
}

/// IMP-12, IMP-13: what is written is good, and open steps are there, skipped.
#[test]
fn a_farm_becomes_a_good_configuration() {
    let import = imported(None);
    let config = config(&import);
    assert_eq!(import.faults, Vec::<String>::new());
    assert!(import.is_partial);
    assert_eq!(config.builders.len(), 2);
    let builder = config.builders.first().expect("a builder");
    assert_eq!(builder.factory.steps.len(), 12);
    assert_eq!(builder.builddir, "one_two");
    let text = import.files.get("master.toml").expect("a master.toml");
    let open = text.matches("\"import-question\"").count();
    assert_eq!(open, 4, "{text}");
    assert!(text.contains("do_step_if = false, description = \"question wants of the import\""));
}

/// IMP-20, IMP-21: one question for each function and each class with code.
#[test]
fn each_function_is_one_question() {
    let import = imported(None);
    let questions = import.json.get("questions").and_then(Json::as_array);
    let ids: Vec<&str> = questions
        .expect("questions")
        .iter()
        .filter_map(|question| question.get("id")?.as_str())
        .collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    let expected = [
        "Judged",
        "jobs",
        "lambda_36",
        "lambda_45",
        "lambda_55",
        "lambda_57",
        "wants",
    ];
    assert_eq!(sorted, expected);
    assert!(
        import.answers.contains("given = { word = \"tools\" }"),
        "{}",
        import.answers
    );
    assert!(
        import.answers.contains("reads = [\"clean\"]"),
        "{}",
        import.answers
    );
    let parsed: BTreeMap<String, Json> = toml::from_str(&import.answers).expect("TOML");
    assert_eq!(
        parsed
            .get("question")
            .and_then(Json::as_array)
            .map(Vec::len),
        Some(7)
    );
}

/// IMP-22, IMP-23: an answer stands wherever the function stood, with what it has caught.
#[test]
fn answers_take_the_place_of_functions() {
    let answers = r#"
[[question]]
id = "wants"
answer = "prop.clean"
[[question]]
id = "lambda_36"
answer = "{{ word }} in (prop.what | default(''))"
[[question]]
id = "jobs"
answer = "(prop.cpus | default(2) | int) + 1"
[[question]]
id = "Judged"
answer = { result = "'success'" }
[[question]]
id = "lambda_45"
answer = { a = "stdout | trim" }
[[question]]
id = "lambda_55"
skip = true
"#;
    let import = imported(Some(answers));
    config(&import);
    let text = import.files.get("master.toml").expect("a master.toml");
    assert!(text.contains("do_step_if = \"prop.clean\""), "{text}");
    assert!(
        text.contains("do_step_if = \"'tools' in (prop.what | default(''))\""),
        "{text}"
    );
    assert!(text.contains("%(*kw:jobs)s"), "{text}");
    assert!(text.contains("result = \"'success'\""), "{text}");
    assert!(text.contains("set = { a = \"stdout | trim\" }"), "{text}");
    assert!(!text.contains("import-question"), "{text}");
}

/// IMP-22: a wrong answer is told with its line.
#[test]
fn a_wrong_answer_is_told_with_its_line() {
    let answers = "[[question]]\nid = \"wants\"\nanswer = \"prop.clean ==\"\n";
    let error = run(FARM, Some(answers)).expect_err("no expression");
    assert!(
        error.starts_with("answers.toml:3: the answer to wants: "),
        "{error}"
    );
}

/// IMP-24: what the farm does not ask any more is kept and marked.
#[test]
fn a_question_that_is_gone_is_marked() {
    let answers = "[[question]]\nid = \"old\"\nanswer = \"prop.x\"\n";
    let import = imported(Some(answers));
    let kept = "[[question]]\nid = \"old\"\ngone = true\nanswer = \"prop.x\"\n";
    assert!(import.answers.starts_with(kept), "{}", import.answers);
    let again = imported(Some(&import.answers));
    assert_eq!(again.answers, import.answers);
}

/// IMP-40, IMP-42: secrets are in their files and nowhere else.
#[test]
fn secrets_are_in_their_files_alone() {
    let import = imported(None);
    let secret = |name: &str| import.secrets.get(name).map(String::as_str);
    assert_eq!(secret("slave-bot1"), Some("pw1"));
    assert_eq!(secret("hidden"), Some("geheim"));
    assert_eq!(secret("try-u"), Some("trypw"));
    let texts = [&import.report, &import.answers, &import.json.to_string()];
    for text in import.files.values().chain(texts) {
        for secret in ["geheim", "trypw", "pw1"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// A slave that is there twice is a mistake of the farm.
#[test]
fn a_slave_that_is_there_twice_is_told() {
    let farm = farm_with(|farm| {
        let slaves = farm.get_mut("slaves").and_then(Json::as_array_mut);
        let slaves = slaves.expect("slaves");
        slaves.push(slaves.first().cloned().expect("a slave"));
    });
    let import = run(&farm, None).expect("a good dump");
    assert_eq!(import.faults.len(), 1);
    let is_told = |fault: &String| fault.starts_with("the slave `bot1` is there twice (");
    assert!(import.faults.iter().all(is_told), "{:?}", import.faults);
    assert_eq!(import.report.matches("is there twice").count(), 1);
    config(&import);
}

/// What this program does not have is a skipped step, and is told.
#[test]
fn an_unknown_step_type_is_told() {
    let farm = farm_with(|farm| {
        let step = farm
            .pointer_mut("/factories/0/steps/0/class")
            .expect("a step");
        *step = Json::from("GitDiffInfo");
    });
    let import = run(&farm, None).expect("a good dump");
    config(&import);
    let text = import.files.get("master.toml").expect("a master.toml");
    assert!(
        text.contains("[\"import-missing\", \"GitDiffInfo\"], do_step_if = false"),
        "{text}"
    );
    assert!(
        import.report.contains("- the step type `GitDiffInfo`"),
        "{}",
        import.report
    );
}

#[test]
fn what_is_no_dump_is_refused() {
    for dump in [
        "",
        "{}",
        "[]",
        r#"{"format": "buildmaster farm", "version": 2}"#,
    ] {
        run(dump, None).expect_err(dump);
    }
}

/// IMPORT section 4, in a text of our own.
#[test]
fn values_keep_their_meaning() {
    let cases = [
        ("\"100%\"", "100%"),
        ("\"100%% %\"", "100%%%% %%"),
        ("\"%(x)s 5%\"", "%%(x)s 5%%"),
        (
            r#"{"!": "property", "name": "p", "default": "d", "default_when_false": true}"#,
            "%(prop:p:~d)s",
        ),
        (
            r#"{"!": "property", "name": "p", "default": "d", "default_when_false": false}"#,
            "%(prop:p:-d)s",
        ),
        (
            r#"{"!": "with_properties", "text": "a-%s", "args": ["rev"], "kw": {}}"#,
            "a-%(rev)s",
        ),
        (
            r#"{"!": "interpolate", "text": "%(kw:b)s/%(prop:f)s", "args": [], "kw": {"b": "100%"}}"#,
            "100%%/%(prop:f)s",
        ),
        (
            r#"{"!": "interpolate", "text": "%(kw:n:-x)s%(kw:e:~y)s", "args": [], "kw": {"e": ""}}"#,
            "xy",
        ),
    ];
    for (value, expected) in cases {
        let value: Json = serde_json::from_str(value).expect("JSON");
        let mut desk = super::desk::Desk::default();
        assert_eq!(desk.text(&value), Ok(Some(Item::text(expected))), "{value}");
    }
}

/// Conditions that compare properties, which Buildbot 4 has, are expressions.
#[test]
fn comparisons_of_properties_are_expressions() {
    let property = r#"{"!": "property", "name": "os", "default": null}"#;
    let compare = |left: &str, operator: &str, right: &str| {
        format!(
            r#"{{"!": "object", "class": "_OperatorRenderer", "custom": [], "args": {{"v1": {left},
            "cstr": "{operator}", "v2": {right}, "comparator": {{"!": "function", "name": "f"}}}}}}"#
        )
    };
    let cases = [
        (property.to_owned(), "prop['os']"),
        (compare(property, "==", "\"mac\""), "prop['os'] == 'mac'"),
        (
            compare(property, "in", "[1, null]"),
            "prop['os'] in [1, none]",
        ),
        (
            compare(&compare(property, "+", "2"), ">=", property),
            "(prop['os'] + 2) >= prop['os']",
        ),
        (
            compare(
                r#"{"!": "property", "name": "workername", "default": "a"}"#,
                "!=",
                "true",
            ),
            "(prop['slavename'] | default('a')) != true",
        ),
    ];
    for (value, expected) in cases {
        let value: Json = serde_json::from_str(&value).expect("JSON");
        let mut desk = super::desk::Desk::default();
        assert_eq!(
            desk.condition(&value),
            Ok(Some(Item::text(expected))),
            "{value}"
        );
    }
    let stamp = compare(property, "==", r#"{"!": "deep"}"#);
    let mut desk = super::desk::Desk::default();
    let stamp = serde_json::from_str(&stamp).expect("JSON");
    desk.condition(&stamp).expect_err("no expression");
}

/// IMP-30 to IMP-38: factories of one shape become one, and mean the same.
#[test]
fn factories_of_one_shape_become_one() {
    let farm = farm_with(|farm| {
        let factory = farm.pointer("/factories/0").cloned().expect("a factory");
        let builder = farm.pointer("/builders/1").cloned().expect("a builder");
        for (at, target) in ["docs", "check", "clean"].into_iter().enumerate() {
            let mut factory = factory.clone();
            let command = factory
                .pointer_mut("/steps/2/args/command/1")
                .expect("a word");
            *command = Json::from(target);
            let mut builder = builder.clone();
            builder["factory"] = Json::from(at + 1);
            builder["args"]["name"] = Json::from(target);
            builder["args"]["builddir"] = Json::from(target);
            let list = |key: &str| format!("/{key}");
            for (key, value) in [("factories", factory), ("builders", builder)] {
                let entries = farm.pointer_mut(&list(key)).and_then(Json::as_array_mut);
                entries.expect("a list").push(value);
            }
        }
    });
    let import = run(&farm, None).expect("a good dump");
    assert_eq!(import.faults, Vec::<String>::new());
    assert_eq!(config(&import).builders.len(), 5);
    let count = |key: &str| import.json.get(key).and_then(Json::as_u64);
    assert_eq!(
        (count("factories"), count("step_entries")),
        (Some(1), Some(12))
    );
    let text = import.files.get("master.toml").expect("a master.toml");
    assert!(
        text.contains("command = [\"make\", \"{{ command }}\"]"),
        "{text}"
    );
    assert!(
        text.contains("for = { b = \"{{ builder_rows }}\" }"),
        "{text}"
    );
    let flat = import_flat(&farm);
    assert!(!flat.contains("{{"), "{flat}");
}

fn import_flat(dump: &str) -> String {
    let import = import(&Request {
        dump,
        file: "farm.json",
        answers: None,
        dir: "ci",
        flat: true,
        zone: &zone(),
    });
    let import = import.expect("a good dump");
    import.files.into_values().collect()
}

/// The `master.toml` of the farm with one more step, and with answers.
fn with_step(step: &Json, answers: Option<&str>) -> String {
    let farm = farm_with(|farm| {
        let steps = farm.pointer_mut("/factories/0/steps");
        let steps = steps.and_then(Json::as_array_mut).expect("steps");
        steps.push(step.clone());
    });
    let import = run(&farm, answers).expect("a good dump");
    config(&import);
    import
        .files
        .get("master.toml")
        .expect("a master.toml")
        .clone()
}

fn assert_has(text: &str, expected: &[&str]) {
    for expected in expected {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

/// Buildbot builds the default branch also where a request names an empty one.
#[test]
fn addresses_in_the_old_form_keep_their_default_branch() {
    let svn = |base: &str| {
        let args = json!({ "baseURL": base, "defaultBranch": "trunk", "mode": "update" });
        json!({ "class": "SVN", "name": "old-svn", "args": args })
    };
    let text = with_step(&svn("svn://x/llvm/"), None);
    assert_has(
        &text,
        &["base_url = \"svn://x/llvm/\", default_branch = \"trunk\""],
    );
    let text = with_step(&svn("svn://x/%%BRANCH%%/llvm"), None);
    assert_has(
        &text,
        &["repourl = \"svn://x/%(src::branch:~trunk)s/llvm\""],
    );
}

/// A function that gives a line for a shell is answered with a text.
#[test]
fn a_text_that_answers_a_command_is_a_line() {
    let line = json!({ "!": "renderer", "name": "line", "file": "master.cfg", "line": 90 });
    let step = json!({ "class": "ShellCommand", "name": "x", "args": { "command": line } });
    let answer = |answer: &str| format!("[[question]]\nid = \"line\"\nanswer = {answer}\n");
    let text = with_step(
        &step,
        Some(&answer("{ text = \"make -C %(prop:where)s\" }")),
    );
    assert_has(&text, &["command = \"make -C %(prop:where)s\""]);
    let text = with_step(&step, Some(&answer("\"['make']\"")));
    assert_has(&text, &["command = [\"%(*kw:line)s\"]"]);
}

/// Each of several functions without a name in one text keeps its own answer.
#[test]
fn functions_of_one_name_keep_their_own_answers() {
    let function = |line: u32| json!({ "!": "function", "name": "<lambda>", "file": "master.cfg", "line": line });
    let kw = json!({ "a": function(91), "b": function(92), "c": function(93) });
    let word = json!({ "!": "with_properties", "text": "%(a)s %(b)s %(c)s", "args": [], "kw": kw });
    let step =
        json!({ "class": "ShellCommand", "name": "x", "args": { "command": ["echo", word] } });
    let answer =
        |line: u32| format!("[[question]]\nid = \"lambda_{line}\"\nanswer = \"'text {line}'\"\n");
    let answers: String = [91, 92, 93].map(answer).concat();
    let text = with_step(&step, Some(&answers));
    assert_has(
        &text,
        &[
            "command = [\"echo\", \"%(kw:lambda)s %(kw:lambda_2)s %(kw:lambda_3)s\"]",
            "lambda = \"'text 91'\"",
            "lambda_2 = \"'text 92'\"",
            "lambda_3 = \"'text 93'\"",
        ],
    );
}

/// Workers are slaves, and lists of paths stay lists, which each slave joins as its system does.
#[test]
fn names_of_workers_and_lists_of_paths_are_carried_over() {
    let word = json!({
        "!": "interpolate", "args": [], "kw": {},
        "text": "%(worker:cpus)s %(prop:workername)s %%(worker:x)s",
    });
    let env = json!({ "PATH": ["/opt/bin", "${PATH}"] });
    let args = json!({ "command": ["echo", word], "env": env });
    let text = with_step(
        &json!({ "class": "ShellCommand", "name": "x", "args": args }),
        None,
    );
    assert_has(
        &text,
        &[
            "\"%(slave:cpus)s %(prop:slavename)s %%(worker:x)s\"",
            "PATH = [\"/opt/bin\", \"${PATH}\"]",
        ],
    );
}

/// The password that Buildbot's own example has is a part of common words.
#[test]
fn short_secrets_are_masked_where_they_stand_alone() {
    let farm = farm_with(|farm| {
        let word = farm.pointer_mut("/slaves/0/args/password");
        *word.expect("a password") = json!("pass");
        let source = farm.pointer_mut("/builders/0/args/nextBuild/source");
        *source.expect("a source") = json!("login('pass', password)");
    });
    let import = run(&farm, None).expect("a good dump");
    let answers = &import.answers;
    assert!(answers.contains("login('***', password)"), "{answers}");
}
