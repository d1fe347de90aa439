//! Steps with reports of tests, against a played slave.

#![expect(clippy::wildcard_enum_match_arm, reason = "tests")]

use serde_json::json;

use super::transfers::steps;
use crate::build::testing::{Played, Stage};
use crate::model::journal::StepFinish;
use crate::model::{Op, Results};
use crate::net::CommandEnd;
use crate::pb::Value;
use crate::protocol::{CommandArgs, Update};
use crate::transfer::Request;

/// Result, text, the values of `tests_total` and `tests_failed`, and what the reports' log says.
async fn played(
    toml: &str,
    mut slave: impl AsyncFnMut(Played),
) -> (Results, String, [serde_json::Value; 2], String) {
    let mut stage = Stage::new(steps(toml));
    {
        let mut build = std::pin::pin!(stage.build());
        loop {
            let command = tokio::select! {
                biased;
                _ = &mut build => break,
                command = stage.command() => command,
            };
            slave(command).await;
        }
    }
    let (mut finished, mut log) = (None, String::new());
    for op in stage.ops() {
        if let Op::StepFinished(finish) = op {
            finished = Some(finish);
        } else if let Op::LogOpened(opened) = op
            && opened.name == "tests"
        {
            let path = stage.directory.path().join(format!("{}.log", opened.path));
            log = std::fs::read_to_string(path).unwrap();
        }
    }
    let StepFinish {
        result,
        text,
        outcome,
        ..
    } = finished.unwrap();
    let counts = ["tests_total", "tests_failed"].map(|name| {
        let value = outcome.properties.get(name);
        value.cloned().unwrap_or_default()
    });
    (result, text.join(" "), counts, log)
}

const TAP: &str = r#"{ type = "ShellCommand", command = ["t"],
    tests = [{ format = "tap", log = "stdio" }] OTHERS }"#;

async fn tap(others: &str, output: &'static [&'static str], rc: i64) -> (Results, String, String) {
    let toml = TAP.replace("OTHERS", others);
    let (result, text, [total, failed], _) = played(&toml, async |command| {
        for piece in output {
            command.print(piece).await;
        }
        command.exit(rc).await;
    })
    .await;
    (result, text, format!("{total}/{failed}"))
}

#[tokio::test(start_paused = true)]
async fn tst_01_tst_07_the_log_of_a_command_is_a_report() {
    use Results::{Failure, Success};
    let good: &[&str] = &["1..2\nok 1 - a\nok", " 2 # SKIP no\n"];
    let bad: &[&str] = &["1..1\nnot ", "ok 1 - a\n"];
    let check = async |others: &str, output, rc, result, text: &str, counts: &str| {
        let found = tap(others, output, rc).await;
        assert_eq!(
            found,
            (result, text.to_owned(), counts.to_owned()),
            "{others}"
        );
    };
    check("", good, 0, Success, "'t' 2 tests, 1 skipped", "2/0").await;
    check("", good, 1, Failure, "'t' 2 tests, 1 skipped failed", "2/0").await;
    check("", bad, 0, Failure, "'t' 1 test, 1 failed failed", "1/1").await;
    let decides = ", tests_decide = false";
    check(decides, bad, 0, Success, "'t' 1 test, 1 failed", "1/1").await;
    check("", &["hello\n"], 0, Success, "'t' 0 tests", "0/0").await;
    let required = ", tests_required = true";
    check(
        required,
        &["hello\n"],
        0,
        Failure,
        "'t' 0 tests failed",
        "0/0",
    )
    .await;
}

/// Plays a slave that has these files, which match any pattern.
async fn with_files(mut command: Played, files: &[(&str, &'static str)]) {
    match command.asked.clone() {
        CommandArgs::Shell(_) => command.exit(0).await,
        CommandArgs::Glob(args) => {
            assert_eq!(args.pattern, "build/out/*.xml");
            let value = Value::List(files.iter().map(|(name, _)| Value::bytes(name)).collect());
            let key = "files".to_owned();
            drop(command.say(vec![Update::Other { key, value }]).await);
            command.exit(0).await;
        }
        CommandArgs::UploadFile(args) => {
            let path = &args.transfer.path;
            match files.iter().find(|(name, _)| name == path) {
                Some((_, text)) => {
                    command.call(Request::Write(vec![text.as_bytes().into()]));
                    command.call(Request::Close);
                    command.exit(0).await;
                }
                None => command.exit(1).await,
            }
        }
        other => panic!("{other:?}"),
    }
}

const JUNIT: &str = r#"{ type = "ShellCommand", command = ["t"],
    tests = [{ format = "junit", files = ["out/*.xml", "last.xml"] }] }"#;

#[tokio::test(start_paused = true)]
async fn tst_01_files_are_fetched_from_the_slave_and_read_while_they_arrive() {
    let files = [
        (
            "/s/b.xml",
            "<testsuite name='b'><testcase name='t'><failure/></testcase></testsuite>",
        ),
        (
            "/s/a.xml",
            "<testsuite name='a'><testcase name='t'/></testsuite>",
        ),
        ("last.xml", "<testsuite name='l'><testcase name='t'/>"),
    ];
    let (result, text, counts, log) =
        played(JUNIT, async |command| with_files(command, &files).await).await;
    assert_eq!(result, Results::Failure);
    // The file that is named is found by its pattern as well, as the played slave says.
    assert_eq!(text, "'t' 4 tests, 1 failed failed");
    assert_eq!(counts, [json!(4), json!(1)]);
    assert_eq!(log, "the report ends early or is not well formed\n");
}

#[tokio::test(start_paused = true)]
async fn tst_01_a_file_that_cannot_be_read_is_noted() {
    let (result, text, _, log) =
        played(JUNIT, async |command| with_files(command, &[]).await).await;
    assert_eq!((result, text.as_str()), (Results::Success, "'t' 0 tests"));
    assert!(log.contains("the slave cannot read last.xml\n"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn tst_01_a_lost_slave_or_an_interruption_needs_no_report() {
    let (result, text, ..) = played(JUNIT, async |command| {
        command.end(CommandEnd::Lost).await;
    })
    .await;
    assert_eq!(result, Results::Retry);
    assert_eq!(text, "'t' exception slave lost");
}
