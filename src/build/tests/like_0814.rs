//! Steps beside those of Buildbot 0.8.14: for the same output, the same text, result, logs,
//! statistics and properties. `tests/data/steps-0814.jsonl` has what Buildbot makes of each case;
//! an end-to-end test asks Buildbot itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::build::testing::{Played, Stage};
use crate::config::{StepConfig, kinds_of_step, parse};
use crate::model::journal::{LogOpening, StepFinish};
use crate::model::{
    Change, ChangeNumber, NewChange, Op, PATH_SEPARATOR, SourceStamp, Timestamp, Zone,
};
use crate::net::CommandEnd;
use crate::protocol::{CommandArgs, ShellArgs, ShellCommand, Update};

const CASES: &str = include_str!("../../../tests/data/steps-0814.jsonl");

/// Files of end-to-end tests that compare kinds of step with a real master of Buildbot 0.8.14.
const FILES: [&str; 4] = [
    include_str!("../../../tests/e2e/sources_0814.rs"),
    include_str!("../../../tests/e2e/steps_0814.rs"),
    include_str!("../../../tests/e2e/transfers.rs"),
    include_str!("../../../tests/e2e/triggering_0814.rs"),
];

/// The version control systems of the tests; only those that Buildbot 0.8.14 has are compared.
const SYSTEMS: &str = include_str!("../../../tests/e2e/systems.rs");

/// Kinds of step that cannot be compared, and why.
const NOT_COMPARED: [(&str, &[&str]); 4] = [
    (
        "Buildbot 0.8.14 does not have it",
        &[
            "Arch",
            "Bazaar",
            "CMake",
            "Cppcheck",
            "GitHub",
            "MsBuild14",
            "MsBuild141",
            "MsBuild15",
            "MsBuild16",
            "MsBuild17",
            "Patch",
            "RemoveFile",
            "SetProperties",
            "ShellSequence",
            "StepsFrom",
            "VC14",
            "VC141",
            "VS2015",
            "VS2017",
            "VS2019",
            "VS2022",
        ],
    ),
    (
        "its text in Buildbot 0.8.14 stays that of the beginning",
        &["CancelRelatedBuilds", "StopRelatedBuilds"],
    ),
    (
        "its program cannot be had: recorded commands are compared",
        &["BK", "Monotone", "P4", "Repo"],
    ),
    (
        "needs a library that Buildbot does not bring",
        &["SubunitShellCommand"],
    ),
];

#[test]
fn every_kind_of_step_is_compared_with_that_of_buildbot_0814() {
    let is_in = |text: &str, kind: &str| {
        let plain = format!("type = \"{kind}\"");
        text.contains(&plain) || text.contains(&plain.replace('"', "\\\""))
    };
    for kind in kinds_of_step() {
        let is_case = is_in(CASES, kind);
        let is_in_file = FILES.iter().any(|file| is_in(file, kind));
        let mut systems = SYSTEMS.split("\n};\n");
        let is_system =
            systems.any(|system| is_in(system, kind) && !system.contains("step_0814: None"));
        let is_excused = NOT_COMPARED.iter().any(|(_, kinds)| kinds.contains(&kind));
        assert!(
            is_case || is_in_file || is_system || is_excused,
            "{kind} is not compared"
        );
        let is_compared = is_case || is_system;
        assert!(!(is_compared && is_excused), "{kind} is compared");
    }
}

/// What differs on purpose: case, part, what it is here.
fn differences() -> Vec<(&'static str, &'static str, Value)> {
    let warnings = |count: u64| json!({ "warnings-count": count });
    vec![
        // No test runs are written to a database, so there are no keys of them.
        ("mtr", "properties", warnings(0)),
        ("mtr settings", "properties", warnings(1)),
        // A list of one directory is the same to a slave.
        ("trial", "env", json!({"PYTHONPATH": "."})),
        // Lines of the file that are invalid are told.
        (
            "warnings suppressed",
            "logs",
            json!(["stdio", "suppressions", "warnings (1)"]),
        ),
        (
            "warnings suppressed",
            "texts",
            json!({
                "suppressions": "suppression_file supp: line 6 is not a suppression",
                "warnings (1)": "src/a.c:3: warning: unused x",
            }),
        ),
        // Strings as JSON, not as Python expressions.
        (
            "set from command",
            "texts",
            json!({"property changes": "version: \"v1.2\""}),
        ),
        (
            "set from command raw",
            "texts",
            json!({"property changes": "version: \" v1.2\\n\""}),
        ),
        // The text itself, not the Python expression for it.
        ("log renderable", "texts", json!({"Output": "a text"})),
        (
            "set properties from env",
            "texts",
            json!({"properties": "HOME = /h\nLANG = C"}),
        ),
        (
            "set properties from env one",
            "texts",
            json!({"properties": "HOME = /h"}),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn steps_become_what_they_become_under_buildbot_0814() {
    let mut wrong = Vec::new();
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let ours = play(&case).await;
        for (part, expected) in case["expected"].as_object().unwrap() {
            let known = differences();
            let known = known.iter().find(|(its, of, _)| *its == name && of == part);
            let mut expected = known.map_or(expected, |(_, _, here)| here).clone();
            if part == "texts" {
                without_last_line_breaks(&mut expected);
            }
            let ours = &ours[part];
            if *ours != expected {
                wrong.push(format!("{name}: {part} is {ours}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the last line of a log has a line break varies.
fn without_last_line_breaks(texts: &mut Value) {
    for text in texts.as_object_mut().unwrap().values_mut() {
        *text = text.as_str().unwrap().trim_end_matches('\n').into();
    }
}

/// Plays a case, and says what became of the step.
async fn play(case: &Value) -> Value {
    let mut stage = Stage::new(vec![step_of(case["toml"].as_str().unwrap())]);
    stage.plan.stamps = Arc::new(SourceStamp::from_changes(vec![change_of(case)]).into());
    for (name, value) in case["properties"].as_object().into_iter().flatten() {
        stage.plan.properties.set(name, value.clone(), "Build");
    }
    let mut run = std::pin::pin!(stage.build());
    let mut asked = Asked::default();
    loop {
        tokio::select! {
            biased;
            _ = &mut run => break,
            command = stage.command() => answer(command, case, &mut asked).await,
        }
    }
    let fed = case["logs"].as_object().unwrap();
    told(&mut stage, asked, |log| fed.contains_key(log))
}

/// What the slave was asked for.
#[derive(Default)]
struct Asked {
    /// The commands of the step, without the questions that only our steps have.
    shells: Vec<ShellArgs>,
    /// What was removed.
    removed: Vec<String>,
}

/// The step of a configuration.
pub(super) fn step_of(toml: &str) -> StepConfig {
    let text = format!(
        "slave_port = 9989\n[[slaves]]\nname = \"bot\"\npassword = \"sekrit\"\n[[builders]]\n\
         name = \"b\"\nslaves = [\"bot\"]\nfactory = \"f\"\n[[schedulers]]\ntype = \"Nightly\"\n\
         name = \"n\"\nbuilders = [\"b\"]\nhour = 3\n[[factories.f.steps]]\n{toml}\n"
    );
    let (config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).expect("a configuration");
    config.builders[0].factory.steps[0].clone()
}

fn change_of(case: &Value) -> Arc<Change> {
    let files = case["files"].as_array().into_iter().flatten();
    Arc::new(Change {
        number: ChangeNumber(1),
        arrived_at: Timestamp::default(),
        when: Timestamp::default(),
        content: NewChange {
            files: files
                .map(|file| file.as_str().unwrap().to_owned())
                .collect(),
            ..NewChange::default()
        },
    })
}

/// Answers as the case says; commands that do not run a program do nothing.
async fn answer(command: Played, case: &Value, asked: &mut Asked) {
    if let CommandArgs::Rmdir(args) = &command.asked {
        asked.removed.push(args.dir.clone());
    }
    let CommandArgs::Shell(args) = &command.asked else {
        return command.exit(0).await;
    };
    let words = shown(&args.command);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let text_of = |map: &str, name: &str| case[map][name].as_str().map(str::to_owned);
    let answer = match words[..] {
        ["printenv", name] => Some(text_of("environ", name)),
        ["cat", file] => Some(text_of("on_slave", file)),
        ["find", image, "-maxdepth", ..] => Some(case["image"].as_str().map(|state| match state {
            "fresh" => format!("{image}\n"),
            _ => String::new(),
        })),
        _ => None,
    };
    if let Some(answer) = answer {
        command.print(answer.as_deref().unwrap_or_default()).await;
        return command.exit(i64::from(answer.is_none())).await;
    }
    asked.shells.push((**args).clone());
    let logs = case["logs"].as_object().unwrap().iter();
    let mut updates: Vec<_> = logs
        .map(|(name, text)| {
            let data = Bytes::copy_from_slice(text.as_str().unwrap().as_bytes());
            match name.as_str() {
                "stdio" => Update::Stdout(data),
                name => Update::Log {
                    name: name.to_owned(),
                    data,
                },
            }
        })
        .collect();
    let rc = match words[..] {
        ["sudo", ..] => 0,
        _ => case["rc"].as_i64().unwrap(),
    };
    updates.push(Update::Rc(rc));
    // The build does not run meanwhile: these two fit into its channel.
    drop(command.say(updates).await);
    command.end(CommandEnd::Complete).await;
}

/// The words of a command; none of a command line.
fn shown(command: &ShellCommand) -> Vec<String> {
    match command {
        ShellCommand::Line(_) => Vec::new(),
        ShellCommand::Words(words) => words.iter().map(|word| word.shown().clone()).collect(),
    }
}

/// What became of the step. The texts of logs are those that the slave did not feed.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is not compared")]
fn told(stage: &mut Stage, mut asked: Asked, is_fed: impl Fn(&str) -> bool) -> Value {
    let mut logs = Vec::new();
    let mut texts = BTreeMap::new();
    let mut ours = json!({});
    for op in stage.ops() {
        match op {
            Op::LogOpened(LogOpening { name, path, .. }) => {
                if !is_fed(&name) {
                    let path = stage.directory.path().join(format!("{path}.log"));
                    let text = std::fs::read_to_string(path).unwrap();
                    let text = text.replace("program finished with exit code 0\n", "");
                    texts.insert(name.clone(), text);
                }
                logs.push(name);
            }
            Op::StepFinished(StepFinish {
                result,
                text,
                outcome,
                ..
            }) => {
                let properties = outcome.properties.iter();
                let properties: BTreeMap<_, _> = properties
                    .map(|(name, property)| (name.to_owned(), property.value.clone()))
                    .collect();
                ours["result"] = result.as_str().into();
                ours["text"] = text.join(" ").into();
                ours["properties"] = json!(properties);
                ours["statistics"] = json!(outcome.statistics);
            }
            _ => {}
        }
    }
    logs.sort();
    ours["logs"] = logs.into();
    ours["texts"] = json!(texts);
    without_last_line_breaks(&mut ours["texts"]);
    ours["removed"] = asked.removed.into();
    if let Some(shell) = asked.shells.pop() {
        ours["command"] = match &shell.command {
            ShellCommand::Line(line) => line.clone().into(),
            words @ ShellCommand::Words(_) => shown(words).into(),
        };
        let entry = |value: Option<String>| match value {
            Some(value) if value.contains(PATH_SEPARATOR) => {
                value.split(PATH_SEPARATOR).collect::<Value>()
            }
            value => json!(value),
        };
        let env = shell.env.into_iter();
        let env: BTreeMap<_, _> = env.map(|(name, value)| (name, entry(value))).collect();
        ours["env"] = json!(env);
    }
    let prepared = asked.shells.iter().map(|shell| shown(&shell.command));
    ours["prepared"] = prepared.collect::<Vec<_>>().into();
    ours
}
