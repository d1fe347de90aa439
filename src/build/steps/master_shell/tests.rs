//! Real programs on this machine, run by a build.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::testing::{Stage, play, step_config};
use crate::config::{StepConfig, StepKind, Template};

fn step(change: impl FnOnce(&mut MasterShellConfig)) -> StepConfig {
    let mut config = MasterShellConfig::default();
    change(&mut config);
    StepConfig {
        description: Some(vec![Template::literal("Running")]),
        description_done: Some(vec![Template::literal("Ran")]),
        kind: StepKind::MasterShell(Box::new(config)),
        ..step_config("publish")
    }
}

fn line(line: &str) -> CommandWords {
    CommandWords::Line(Template::of(line))
}

async fn played(config: StepConfig) -> (Stage, (Results, String)) {
    let mut stage = Stage::new(vec![config]);
    let outcome = stage.build().await;
    assert_eq!(stage.commands_left(), 0, "nothing runs on the slave");
    let (_, result, text) = stage.steps().pop().unwrap();
    assert_eq!(outcome.result, result);
    (stage, (result, text))
}

#[tokio::test]
async fn a_command_runs_on_the_master_with_its_variables_and_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let path = path.to_str().unwrap();
    let (stage, end) = played(step(|config| {
        config.command = line("echo $A; echo $PATH; pwd; echo bad >&2");
        config.path = Some(Template::literal(path));
        let env = [
            ("A", "<${PATH}${NO_SUCH_VARIABLE}>"),
            ("PATH", "/bin:/usr/bin"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), Some(Template::literal(value))));
        config.env.variables = env.into();
    }))
    .await;
    assert_eq!(end, (Results::Success, "Ran".to_owned()));
    let log = stage.log("0-publish", "stdio").unwrap();
    let own_path = std::env::var("PATH").unwrap();
    for part in [
        &format!("<{own_path}>\n"),
        "/bin:/usr/bin\n",
        &format!("{path}\n"),
        "bad\n",
    ] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert!(log.contains("exit status 0\n"), "{log}");
}

#[tokio::test]
async fn the_end_of_the_command_is_the_end_of_the_step() {
    for (command, result, text) in [
        ("exit 3", Results::Failure, "failed (3)"),
        ("kill -TERM $$", Results::Failure, "killed (15)"),
        ("true", Results::Success, "Ran"),
        // A process in the background does not keep the step.
        ("sleep 1 >/dev/null 2>&1 &", Results::Success, "Ran"),
    ] {
        let (_, end) = played(step(|config| config.command = line(command))).await;
        assert_eq!(end, (result, text.to_owned()), "{command}");
    }
    let words = CommandWords::Words(vec![(Template::literal("/nonexistent/tool"), None)]);
    let (stage, end) = played(step(|config| config.command = words)).await;
    assert_eq!(end, (Results::Failure, "failed (cannot run)".to_owned()));
    assert!(
        stage
            .log("0-publish", "stdio")
            .unwrap()
            .contains("No such file")
    );
}

#[tokio::test]
async fn a_stop_sends_the_signal_of_the_step() {
    for (signal, said) in [("KILL", false), ("TERM", true)] {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        let mut stage = Stage::new(vec![step(|config| {
            config.command = line(&format!(
                "trap 'echo asked; exit' TERM; echo $$ > {0}.new; mv {0}.new {0}; \
                 while :; do sleep 0.01; done",
                pid.display()
            ));
            signal.clone_into(&mut config.interrupt_signal);
        })]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            while !pid.exists() {
                tokio::task::yield_now().await;
            }
            stage.stop("enough").await;
        })
        .await;
        assert_eq!(outcome.result, Results::Exception);
        assert_eq!(stage.steps()[0].2, "Ran interrupted");
        let log = stage.log("0-publish", "stdio").unwrap();
        assert_eq!(log.contains("asked\n"), said, "{log}");
        let pid: i32 = std::fs::read_to_string(&pid)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        assert!(
            rustix::process::test_kill_process(pid).is_err(),
            "it still runs"
        );
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed() {
    let (_, end) = played(step(|config| {
        config.command = line("exec sleep 600");
        config.max_time = Some(Duration::from_millis(50));
    }))
    .await;
    assert_eq!(end, (Results::Failure, "killed (9) (timed out)".to_owned()));
}

#[tokio::test]
async fn a_lost_slave_ends_the_command() {
    let mut stage = Stage::new(vec![step(|config| config.command = line("exec sleep 600"))]);
    let build = stage.build();
    let (outcome, ()) = play(build, async { stage.lose_slave().await }).await;
    assert_eq!(outcome.result, Results::Retry);
}

#[tokio::test]
async fn much_output_is_whole() {
    let (stage, end) = played(step(|config| {
        config.command = line("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    }))
    .await;
    assert_eq!(end.0, Results::Success);
    let log = stage.log("0-publish", "stdio").unwrap();
    assert!(log.contains("line 19999\n"));
    let lines = log
        .lines()
        .filter(|line| line.starts_with("line ") || line.starts_with("oline "));
    assert!(lines.count() >= 19_999);
}

#[test]
fn variables_are_put_in_by_name() {
    let value = |name: &str| (name == "A").then(|| "x".to_owned());
    for (text, expected) in [
        ("${A}", "x"),
        ("a${A}b${B}c", "axbc"),
        ("$A ${A", "$A ${A"),
        ("${A B}", "${A B}"),
        ("", ""),
    ] {
        assert_eq!(with_variables(text, value), expected, "{text}");
    }
}
