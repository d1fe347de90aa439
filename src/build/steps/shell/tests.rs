//! Arguments, texts and results of shell steps, against a played slave.

#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::build::testing::{Stage, play, shell, shell_config, step_config, template};
use crate::model::journal::LogOpening;
use crate::model::{Op, Properties};
use crate::net::CommandEnd;
use crate::protocol::Update;

fn property(name: &str) -> Template {
    Template::of(&format!("<%({name})s>"))
}

fn values(properties: &Properties) -> Values<'_> {
    Values::of(properties)
}

fn arguments_of(config: &ShellStepConfig) -> ShellArgs {
    let mut properties = Properties::new();
    properties.set("p", "x", "test");
    arguments(config, &Environment::default(), values(&properties)).unwrap()
}

/// What changes in the arguments when `change` is made to a step.
fn check(change: impl FnOnce(&mut ShellStepConfig), expect: impl FnOnce(&mut ShellArgs)) {
    let mut config = shell_config("make");
    let mut expected = arguments_of(&config);
    change(&mut config);
    expect(&mut expected);
    assert_eq!(arguments_of(&config), expected);
}

#[test]
fn a_step_with_defaults_has_buildbots_arguments() {
    assert_eq!(
        arguments_of(&shell_config("make")),
        ShellArgs {
            timeout: Some(1200.0),
            ..ShellArgs::new(ShellCommand::Line("make".to_owned()), "build".to_owned())
        }
    );
}

#[test]
fn each_setting_changes_its_argument() {
    let second = Some(Duration::from_millis(1500));
    check(|c| c.timeout = None, |a| a.timeout = None);
    check(|c| c.max_time = second, |a| a.max_time = Some(1.5));
    check(|c| c.sigterm_time = second, |a| a.sigterm_time = Some(1.5));
    let int = Some("INT".to_owned());
    check(
        |c| c.interrupt_signal.clone_from(&int),
        |a| a.interrupt_signal.clone_from(&int),
    );
    check(|c| c.use_pty = Some(true), |a| a.use_pty = Some(true));
    check(|c| c.log_environ = false, |a| a.log_environ = false);
    check(|c| c.want_stdout = false, |a| a.want_stdout = false);
    check(|c| c.want_stderr = false, |a| a.want_stderr = false);
    check(|c| c.max_lines = Some(9), |a| a.max_lines = Some(9));
    check(
        |c| c.initial_stdin = Some(property("p")),
        |a| a.initial_stdin = Some(Bytes::from_static(b"<x>")),
    );
    check(
        |c| c.workdir = property("p"),
        |a| a.workdir = "<x>".to_owned(),
    );
    check(
        |c| c.logfiles = vec![("l".to_owned(), property("p"), true)],
        |a| {
            a.logfiles = vec![LogFile {
                name: "l".to_owned(),
                path: "<x>".to_owned(),
                follow: true,
            }];
        },
    );
    check(
        |c| {
            c.command = CommandWords::Words(vec![
                (property("p"), None),
                (property("p"), Some("***".to_owned())),
            ]);
        },
        |a| {
            a.command = ShellCommand::Words(vec![
                Word::Plain("<x>".to_owned()),
                Word::Obfuscated {
                    real: "<x>".to_owned(),
                    shown: "***".to_owned(),
                },
            ]);
        },
    );
}

#[test]
fn the_environment_of_the_step_overrides_that_of_the_builder() {
    let env = |pairs: &[(&str, Option<&str>)]| {
        let pairs = pairs.iter();
        let variables = pairs.map(|(name, value)| ((*name).to_owned(), value.map(template)));
        Environment {
            table: None,
            variables: variables.collect(),
        }
    };
    let builder = env(&[("A", Some("1")), ("B", Some("1")), ("C", Some("1"))]);
    let step = env(&[("B", Some("2")), ("C", None), ("D", None)]);
    let merged = merged_env(&builder, &step, values(&Properties::new())).unwrap();
    let merged: Vec<_> = merged
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    assert_eq!(
        merged,
        [("A", Some("1")), ("B", Some("2")), ("C", None), ("D", None)]
    );
}

#[test]
fn cfl_102_a_table_of_variables_is_overridden_by_those_that_are_written() {
    let mut properties = Properties::new();
    let of_builder = json!({ "A": "b", "B": "b", "C": "b", "D": "b" });
    properties.set("of_builder", of_builder, "test");
    let of_step = json!({ "B": "s", "C": false, "E": 4, "F": ["/a", "/b"] });
    properties.set("of_step", of_step, "test");
    let env = |table: &str, name: &str, value: &str| Environment {
        table: Some(Template::of(table)),
        variables: [(name.to_owned(), Some(template(value)))].into(),
    };
    let builder = env("%(*prop:of_builder)s", "A", "builder");
    let step = env("%(*prop:of_step)s", "D", "step");
    let merged = merged_env(&builder, &step, values(&properties)).unwrap();
    let merged: Vec<_> = merged
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    let expected = [
        ("A", Some("builder")),
        ("B", Some("s")),
        ("C", None),
        ("D", Some("step")),
        ("E", Some("4")),
        ("F", Some("/a\0/b")),
    ];
    assert_eq!(merged, expected);
    properties.set("of_step", json!("make"), "test");
    let error = merged_env(&builder, &step, values(&properties)).unwrap_err();
    let message = "env: 'prop:of_step' is not a table of variables";
    assert_eq!(error.to_string(), message);
}

#[tokio::test(start_paused = true)]
async fn bui_16_the_environment_of_the_builder_is_sent_with_that_of_the_step() {
    let env = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        let variables = pairs.map(|(name, value)| ((*name).to_owned(), Some(template(value))));
        Environment {
            table: None,
            variables: variables.collect(),
        }
    };
    let mut step = step_config("make");
    shell(&mut step).env = env(&[("B", "2")]);
    let mut stage = Stage::new(vec![step]);
    std::sync::Arc::make_mut(&mut stage.plan.builder).env = env(&[("A", "1"), ("B", "1")]);
    let build = stage.build();
    let (_, sent) = play(build, async {
        let played = stage.command().await;
        let sent = played.args.env.clone();
        played.exit(0).await;
        sent
    })
    .await;
    let sent: Vec<_> = sent
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_deref()))
        .collect();
    assert_eq!(sent, [("A", Some("1")), ("B", Some("2"))]);
}

#[test]
fn an_unset_property_names_the_setting() {
    let mut config = shell_config("make");
    config
        .env
        .variables
        .insert("CC".to_owned(), Some(property("nosuch")));
    let error =
        arguments(&config, &Environment::default(), values(&Properties::new())).unwrap_err();
    assert_eq!(error.to_string(), "env, CC: property 'nosuch' is not set");
}

fn line(text: &str) -> String {
    describe_command(&ShellCommand::Line(text.to_owned())).join(" ")
}

#[test]
fn a_command_is_described_by_its_first_words() {
    assert_eq!(line("ls"), "'ls'");
    assert_eq!(line("ls -l"), "'ls -l'");
    assert_eq!(line("make all test"), "'make all ...'");
    assert_eq!(line("  make   all\ntest x y"), "'make all ...'");
    assert_eq!(line(" "), "???");
}

#[test]
fn an_obfuscated_word_is_described_as_it_is_shown() {
    let words = vec![
        Word::Plain("login".to_owned()),
        Word::Obfuscated {
            real: "secret".to_owned(),
            shown: "***".to_owned(),
        },
    ];
    let text = describe_command(&ShellCommand::Words(words));
    assert_eq!(text, ["'login", "***'"]);
}

#[test]
fn descriptions_are_for_while_it_runs_and_for_when_it_is_done() {
    let command = ShellCommand::Line("make".to_owned());
    let mut properties = Properties::new();
    properties.set("p", "x", "test");
    let texts = |config: &StepConfig| {
        [false, true].map(|done| {
            describe(config, &command, done, values(&properties))
                .unwrap()
                .join(" ")
        })
    };
    let mut step = step_config("s");
    assert_eq!(texts(&step), ["'make'", "'make'"]);
    step.description_suffix = Some(vec![property("p")]);
    assert_eq!(texts(&step), ["'make' <x>", "'make' <x>"]);
    step.description_done = Some(vec![template("built")]);
    assert_eq!(texts(&step), ["'make' <x>", "built <x>"]);
    step.description = Some(vec![template("building"), property("p")]);
    assert_eq!(texts(&step), ["building <x> <x>", "built <x>"]);
    step.description_done = None;
    assert_eq!(texts(&step), ["building <x> <x>", "building <x> <x>"]);
}

#[test]
fn exit_codes_are_judged_as_configured() {
    let mut config = shell_config("make");
    config.decode_rc = decode_rc(&[(77, Results::Skipped), (3, Results::Warnings)]);
    for (rc, result) in [
        (Some(0), Results::Success),
        (Some(1), Results::Failure),
        (Some(-1), Results::Failure),
        (Some(77), Results::Skipped),
        (Some(3), Results::Warnings),
        (None, Results::Failure),
    ] {
        assert_eq!(judge(&config, rc), result.into(), "{rc:?}");
    }
    config.decode_rc = decode_rc(&[(0, Results::Failure)]);
    assert_eq!(judge(&config, Some(0)), Results::Failure.into());
}

fn decode_rc(results: &[(i64, Results)]) -> BTreeMap<i64, ExitCode> {
    let results = results.iter().copied();
    results
        .map(|(code, result)| (code, result.into()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn stp_32_an_exit_code_can_end_the_build() {
    for (rc, result, names) in [
        (4, Results::Success, ["look", "clean"].as_slice()),
        (5, Results::Failure, &["look", "clean"]),
        (77, Results::Success, &["look", "clean"]),
        (6, Results::Success, &["look", "compile", "clean"]),
    ] {
        let mut steps = ["look", "compile", "clean"].map(step_config);
        let ends = |result| ExitCode {
            result,
            ends_build: true,
        };
        shell(&mut steps[0]).decode_rc = BTreeMap::from([
            (4, ends(Results::Success)),
            (5, ends(Results::Failure)),
            (77, ends(Results::Skipped)),
            (6, Results::Success.into()),
        ]);
        steps[2].always_run = true;
        let mut stage = Stage::new(steps.to_vec());
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            for name in names {
                let one = stage.command().await;
                let rc = if *name == "look" { rc } else { 0 };
                one.say(vec![Update::Rc(rc)]).await.await.unwrap();
                one.end(CommandEnd::Complete).await;
            }
        })
        .await;
        assert_eq!(outcome.result, result, "{rc}");
        let steps = stage.steps();
        let ran: Vec<_> = steps.iter().map(|step| step.0.as_str()).collect();
        assert_eq!(ran, names, "{rc}");
        // The text of the build says which step has ended it.
        let told = outcome.text.iter().any(|word| word == "look");
        assert_eq!(told, names.len() == 2, "{rc}: {:?}", outcome.text);
    }
}

/// Text of the one step of a build after `updates` and its normal end.
async fn text_after(config: StepConfig, updates: Vec<Update>) -> String {
    let mut stage = Stage::new(vec![config]);
    let build = stage.build();
    play(build, async {
        let one = stage.command().await;
        one.say(updates).await.await.unwrap();
        one.end(CommandEnd::Complete).await;
    })
    .await;
    stage.steps().remove(0).2
}

#[tokio::test(start_paused = true)]
async fn the_text_of_a_step_tells_its_result() {
    let mut step = step_config("s");
    shell(&mut step).decode_rc = decode_rc(&[(77, Results::Skipped), (3, Results::Warnings)]);
    for (rc, text) in [
        (0, "'s'"),
        (1, "'s' failed"),
        (3, "'s' warnings"),
        (77, "'s' skipped"),
    ] {
        assert_eq!(text_after(step.clone(), vec![Update::Rc(rc)]).await, text);
    }
    let reason = Update::FailureReason("timeout_without_output".to_owned());
    assert_eq!(
        text_after(step.clone(), vec![reason, Update::Rc(-1)]).await,
        "'s' failed (timed out)"
    );
    let reason = Update::FailureReason("max_lines_failure".to_owned());
    assert_eq!(
        text_after(step, vec![reason, Update::Rc(-1)]).await,
        "'s' failed (max lines reached)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lazy_log_is_made_when_there_is_something_in_it() {
    let mut step = step_config("s");
    let config = shell(&mut step);
    let followed = |name: &str| (name.to_owned(), template("f"), false);
    config.logfiles = vec![followed("used"), followed("unused")];
    config.lazy_logfiles = true;
    let mut stage = Stage::new(vec![step]);
    let build = stage.build();
    play(build, async {
        let one = stage.command().await;
        let piece = |name: &str| Update::Log {
            name: name.to_owned(),
            data: Bytes::from_static(b"text"),
        };
        let updates = vec![piece("used"), piece("used"), piece("nobody's")];
        one.say(updates).await.await.unwrap();
        one.exit(0).await;
    })
    .await;
    let opened: Vec<_> = stage
        .ops()
        .into_iter()
        .filter_map(|op| {
            let Op::LogOpened(LogOpening { name, .. }) = op else {
                return None;
            };
            Some(name)
        })
        .collect();
    assert_eq!(opened, ["stdio", "used"]);
    assert_eq!(stage.log("0-s", "used").unwrap(), "texttext");
    assert_eq!(stage.log("0-s", "unused"), None);
}

/// The stdio of a step that prints `pieces` with limits.
async fn limited(max: u64, tail: Option<u64>, pieces: &[&str]) -> String {
    let mut stage = Stage::new(vec![step_config("s")]);
    stage.plan.log_limits.max_size = Some(max);
    stage.plan.log_limits.max_tail_size = tail;
    let build = stage.build();
    play(build, async {
        let one = stage.command().await;
        for piece in pieces {
            one.print(piece).await;
        }
        one.end(CommandEnd::Complete).await;
    })
    .await;
    stage.log("0-s", "stdio").unwrap()
}

#[tokio::test(start_paused = true)]
async fn output_up_to_the_limit_is_kept_whole() {
    assert_eq!(limited(6, Some(2), &["abc", "def"]).await, "abcdef");
}

#[tokio::test(start_paused = true)]
async fn output_beyond_the_limit_is_dropped_with_a_note_and_its_end_kept() {
    let note = "\nOutput exceeded 6 bytes, remaining output has been truncated\n";
    assert_eq!(
        limited(6, None, &["abc", "defg", "hij"]).await,
        format!("abcdef{note}")
    );
    assert_eq!(
        limited(6, Some(2), &["abcdef", "g", "hij"]).await,
        format!("abcdef{note}\nFinal 2 bytes follow below:\nij")
    );
    let long = "x".repeat(200);
    let note = "\nOutput exceeded 100 bytes, remaining output has been truncated\n";
    assert_eq!(
        limited(100, Some(10), &[&long]).await,
        format!(
            "{}{note}\nFinal 10 bytes follow below:\n{}",
            "x".repeat(100),
            "x".repeat(10)
        )
    );
}

#[tokio::test(start_paused = true)]
async fn output_and_errors_count_together_and_headers_do_not() {
    let mut stage = Stage::new(vec![step_config("s")]);
    stage.plan.log_limits.max_size = Some(6);
    let build = stage.build();
    play(build, async {
        let one = stage.command().await;
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        let updates = vec![
            Update::Header(text("header ")),
            Update::Stdout(text("out ")),
            Update::Stderr(text("err")),
            Update::Header(text(" end")),
        ];
        one.say(updates).await.await.unwrap();
        one.end(CommandEnd::Complete).await;
    })
    .await;
    let stdio = stage.log("0-s", "stdio").unwrap();
    let note = "\nOutput exceeded 6 bytes, remaining output has been truncated\n";
    assert_eq!(stdio, format!("header out er{note} end"));
}
