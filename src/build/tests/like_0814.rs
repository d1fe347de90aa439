//! Steps beside those of Buildbot 0.8.14: of the same output, the same text, result, logs and
//! properties. `tests/data/steps-0814.jsonl` has what Buildbot makes of each case; an end-to-end
//! test asks Buildbot itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::build::testing::{Played, Stage};
use crate::config::{StepConfig, parse};
use crate::model::journal::{LogOpening, StepFinish};
use crate::model::{
    Change, ChangeNumber, NewChange, Op, PATH_SEPARATOR, SourceStamp, Timestamp, Zone,
};
use crate::net::CommandEnd;
use crate::protocol::{CommandArgs, ShellArgs, ShellCommand, Update};

const CASES: &str = include_str!("../../../tests/data/steps-0814.jsonl");

/// What differs on purpose: case, part, what it is here.
fn differences() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        // There is no database of test runs whose keys these would be.
        ("mtr", "properties", json!({"warnings-count": 0})),
        // A list of one directory is the same to a slave.
        ("trial", "env", json!({"PYTHONPATH": "."})),
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
            let expected = known.map_or(expected, |(_, _, here)| here);
            if ours.get(part) != Some(expected) {
                let ours = ours.get(part).unwrap_or(&Value::Null);
                wrong.push(format!("{name}: {part} is {ours}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays a case, and says what became of the step.
async fn play(case: &Value) -> Value {
    let mut stage = Stage::new(vec![step_of(case["toml"].as_str().unwrap())]);
    stage.plan.stamp = Arc::new(SourceStamp::from_changes(vec![change_of(case)]));
    let mut run = std::pin::pin!(stage.build());
    let mut shell = None;
    loop {
        tokio::select! {
            biased;
            _ = &mut run => break,
            command = stage.command() => {
                if let CommandArgs::Shell(args) = &command.asked {
                    shell = Some((**args).clone());
                }
                answer(command, case).await;
            }
        }
    }
    told(stage.ops(), shell)
}

fn step_of(toml: &str) -> StepConfig {
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

/// Prints what the case says and ends; commands of other kinds do nothing.
async fn answer(command: Played, case: &Value) {
    if !matches!(command.asked, CommandArgs::Shell(_)) {
        command.exit(0).await;
        return;
    }
    for (name, text) in case["logs"].as_object().unwrap() {
        let data = Bytes::copy_from_slice(text.as_str().unwrap().as_bytes());
        let update = match name.as_str() {
            "stdio" => Update::Stdout(data),
            name => Update::Log {
                name: name.to_owned(),
                data,
            },
        };
        drop(command.say(vec![update]).await);
    }
    drop(
        command
            .say(vec![Update::Rc(case["rc"].as_i64().unwrap())])
            .await,
    );
    command.end(CommandEnd::Complete).await;
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is not compared")]
fn told(ops: Vec<Op>, shell: Option<ShellArgs>) -> Value {
    let mut logs = Vec::new();
    let mut ours = json!({});
    for op in ops {
        match op {
            Op::LogOpened(LogOpening { name, .. }) => logs.push(name),
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
            }
            _ => {}
        }
    }
    logs.sort();
    ours["logs"] = logs.into();
    if let Some(shell) = shell {
        ours["command"] = match shell.command {
            ShellCommand::Line(line) => line.into(),
            ShellCommand::Words(words) => words.iter().map(|word| word.shown().clone()).collect(),
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
    ours
}
