//! Builds against a played slave: the life of a build (section 17).

#![expect(clippy::unwrap_used, reason = "tests")]

mod faults;
mod like_0814;
mod locks;
mod ops;
mod programs;
mod rules;
mod secrets;
mod test_reports;
mod took;
mod transfers;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::testing::{FnRemote, Stage, play, shell, step_config, template};
use super::*;
use crate::config::StepConfig;
use crate::model::journal::LogOpening;
use crate::model::{Op, Results};
use crate::net::CommandEnd;
use crate::pb::Failure;
use crate::protocol::Update;
use crate::transfer::MasterFiles;

fn steps(names: &[&str]) -> Vec<StepConfig> {
    names.iter().map(|name| step_config(name)).collect()
}

fn always(name: &str) -> StepConfig {
    StepConfig {
        always_run: true,
        ..step_config(name)
    }
}

fn halting(name: &str) -> StepConfig {
    StepConfig {
        halt_on_failure: true,
        ..step_config(name)
    }
}

fn ended(name: &str, result: Results, text: &str) -> (String, Results, String) {
    (name.to_owned(), result, text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn steps_run_one_after_the_other_to_success() {
    let mut stage = Stage::new(steps(&["a", "b"]));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.command().await.exit(0).await;
        let second = stage.command().await;
        assert!(
            matches!(
                stage.ops().last(),
                Some(Op::LogOpened(LogOpening { step: 1, .. }))
            ),
            "the first step ended before the second started"
        );
        second.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
    assert_eq!(outcome.text, ["build", "successful"]);
    assert_eq!(outcome.stop_reason, None);
    assert!(!outcome.abandoned_command);
}

#[tokio::test(start_paused = true)]
async fn a_build_without_steps_is_successful() {
    let mut stage = Stage::new(Vec::new());
    let outcome = stage.build().await;
    assert_eq!(outcome.result, Results::Success);
    assert_eq!(outcome.text, ["build", "successful"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_could_not_be_written_is_told_in_the_step_and_in_the_build() {
    let mut stage = Stage::new(steps(&["compile"]));
    // So that no directory can be made for it.
    std::fs::write(stage.directory.path().join("builders"), "").unwrap();
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
    let told = "(log stdio is incomplete: the master could not write ";
    assert!(outcome.text.join(" ").contains(told), "{:?}", outcome.text);
    let steps = stage.steps();
    assert!(steps[0].2.contains(told), "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn equal_step_names_get_numbers() {
    let mut stage = Stage::new(steps(&["a", "a", "a"]));
    let build = stage.build();
    let (_, ()) = play(build, async {
        for _ in 0..3 {
            stage.command().await.exit(0).await;
        }
    })
    .await;
    let names: Vec<_> = stage.steps().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["a", "a_1", "a_2"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_halt_only_always_run_steps_run() {
    let mut stage = Stage::new(vec![
        halting("one"),
        step_config("two"),
        always("three"),
        step_config("four"),
        always("five"),
    ]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.command().await.exit(1).await;
        stage.command().await.exit(0).await;
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(outcome.text, ["failed", "one"]);
    assert_eq!(
        stage.steps(),
        [
            ended("one", Results::Failure, "'one' failed"),
            ended("three", Results::Success, "'three'"),
            ended("five", Results::Success, "'five'"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_worst_contribution_is_the_result_and_its_steps_are_named() {
    let mut warns = step_config("warns");
    warns.flunk_on_failure = false;
    warns.warn_on_failure = true;
    let mut harmless = step_config("harmless");
    harmless.flunk_on_failure = false;
    for (factory, codes, result, text) in [
        (
            vec![warns.clone(), harmless.clone()],
            [1, 1],
            Results::Warnings,
            "warnings warns",
        ),
        (
            vec![step_config("fails"), warns.clone()],
            [1, 1],
            Results::Failure,
            "failed fails warns",
        ),
        (
            vec![harmless.clone(), harmless],
            [1, 0],
            Results::Success,
            "build successful",
        ),
    ] {
        let mut stage = Stage::new(factory);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            for code in codes {
                stage.command().await.exit(code).await;
            }
        })
        .await;
        assert_eq!(outcome.result, result);
        assert_eq!(outcome.text.join(" "), text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_interrupts_the_running_step_and_leaves_the_always_run_ones() {
    let mut stage = Stage::new(vec![
        step_config("one"),
        step_config("two"),
        always("three"),
    ]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let mut one = stage.command().await;
        stage.stop("wrong branch").await;
        assert_eq!(one.interrupts.recv().await.unwrap(), "wrong branch");
        stage.stop("again").await;
        one.exit(-1).await;
        let mut three = stage.command().await;
        three.print("cleaned").await;
        assert!(three.interrupts.try_recv().is_err(), "it was not stopped");
        three.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "interrupted"]);
    assert_eq!(outcome.stop_reason.as_deref(), Some("wrong branch"));
    assert!(!outcome.abandoned_command);
    assert_eq!(
        stage.steps(),
        [
            ended("one", Results::Exception, "'one' interrupted"),
            ended("three", Results::Success, "'three'"),
        ]
    );
    assert_eq!(stage.log("0-one", "interrupt").unwrap(), "wrong branch");
}

#[tokio::test(start_paused = true)]
async fn stopping_twice_interrupts_a_step_once() {
    let mut stage = Stage::new(steps(&["one"]));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let mut one = stage.command().await;
        stage.stop("first").await;
        stage.stop("second").await;
        // The second was taken in when this is acknowledged.
        one.say(vec![]).await.await.unwrap();
        assert_eq!(one.interrupts.recv().await.unwrap(), "first");
        assert!(one.interrupts.try_recv().is_err());
        one.exit(-1).await;
    })
    .await;
    assert_eq!(outcome.stop_reason.as_deref(), Some("first"));
    assert_eq!(outcome.result, Results::Exception);
}

#[tokio::test(start_paused = true)]
async fn sb_24_a_stop_before_the_first_step_runs_none_but_the_always_run() {
    let mut stage = Stage::new(vec![step_config("one"), always("two")]);
    stage.stop("early").await;
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let two = stage.command().await;
        assert!(format!("{:?}", two.args.command).contains("two"));
        two.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception"]);
    assert_eq!(stage.commands_left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_steps_starts_no_other() {
    let mut stage = Stage::new(steps(&["one", "two"]));
    let reason = "between".to_owned();
    stage.at_tick = Some((1, Control::Stop { reason }));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception"]);
    assert_eq!(outcome.stop_reason.as_deref(), Some("between"));
    assert_eq!(stage.steps(), [ended("one", Results::Success, "'one'")]);
    assert_eq!(stage.commands_left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_last_step_does_nothing() {
    let mut stage = Stage::new(steps(&["one"]));
    let reason = "late".to_owned();
    stage.at_tick = Some((1, Control::Stop { reason }));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
    assert_eq!(outcome.stop_reason, None);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_an_always_run_step_interrupts_it_and_runs_the_next() {
    let mut stage = Stage::new(vec![halting("one"), always("two"), always("three")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.command().await.exit(1).await;
        let mut two = stage.command().await;
        stage.stop("enough").await;
        assert_eq!(two.interrupts.recv().await.unwrap(), "enough");
        two.exit(-1).await;
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "one", "interrupted"]);
    assert_eq!(stage.steps().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_ignores_the_interrupt_is_given_up_after_the_grace() {
    let mut stage = Stage::new(vec![step_config("one"), always("two")]);
    let build = stage.build();
    let (outcome, took) = play(build, async {
        let one = stage.command().await;
        let began = Instant::now();
        stage.stop("hangs").await;
        // It goes on talking, which does not help it.
        for _ in 0..59 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            one.print(".").await;
        }
        one.closed().await;
        began.elapsed()
    })
    .await;
    assert_eq!(took, Duration::from_secs(60));
    assert_eq!(outcome.result, Results::Exception);
    assert!(outcome.abandoned_command);
    assert_eq!(
        stage.steps(),
        [ended("one", Results::Exception, "'one' interrupted")]
    );
    assert_eq!(stage.commands_left(), 0, "the slave is still busy");
    let log = stage.log("0-one", "stdio").unwrap();
    assert!(log.starts_with(&".".repeat(59)), "{log}");
    assert!(log.contains("60 seconds after the interrupt"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_slave_lost_in_a_step_makes_the_build_retry() {
    for by_connection in [true, false] {
        let mut stage = Stage::new(vec![step_config("one"), always("two")]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            let one = stage.command().await;
            one.print("so far").await;
            if by_connection {
                one.end(CommandEnd::Lost).await;
            } else {
                stage.lose_slave().await;
                one.closed().await;
            }
        })
        .await;
        assert_eq!(outcome.result, Results::Retry);
        assert_eq!(outcome.text, ["retry", "exception", "slave", "lost"]);
        assert!(!outcome.abandoned_command, "its connection is gone");
        assert_eq!(
            stage.steps(),
            [ended("one", Results::Retry, "'one' exception slave lost")]
        );
        assert_eq!(stage.log("0-one", "stdio").unwrap(), "so far");
        assert_eq!(stage.commands_left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn sb_24_a_slave_lost_between_steps_runs_no_step_any_more() {
    for at_once in [true, false] {
        let mut stage = Stage::new(vec![step_config("one"), always("two")]);
        let why = "cut".to_owned();
        stage.at_tick = (!at_once).then_some((1, Control::SlaveLost { why }));
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            stage.command().await.exit(0).await;
            if at_once {
                stage.lose_slave().await;
            }
        })
        .await;
        assert_eq!(outcome.result, Results::Retry);
        assert_eq!(outcome.text, ["retry", "lost", "remote"]);
        assert_eq!(stage.steps(), [ended("one", Results::Success, "'one'")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slave_lost_before_the_first_step_makes_the_build_retry() {
    let mut stage = Stage::new(steps(&["one"]));
    stage.lose_slave().await;
    let outcome = stage.build().await;
    assert_eq!(outcome.result, Results::Retry);
    assert_eq!(outcome.text, ["retry", "lost", "remote"]);
    assert_eq!(stage.steps(), []);
}

#[tokio::test(start_paused = true)]
async fn a_slave_lost_while_it_is_interrupted_is_lost() {
    let mut stage = Stage::new(steps(&["one"]));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let mut one = stage.command().await;
        stage.stop("bye").await;
        one.interrupts.recv().await.unwrap();
        stage.lose_slave().await;
        one.closed().await;
    })
    .await;
    assert_eq!(outcome.result, Results::Retry);
    assert_eq!(outcome.stop_reason.as_deref(), Some("bye"));
    assert_eq!(
        stage.steps(),
        [ended("one", Results::Retry, "'one' exception slave lost")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_had_ended_when_its_slave_was_lost_counts() {
    let mut stage = Stage::new(steps(&["one"]));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let one = stage.command().await;
        one.exit(0).await;
        stage.lose_slave().await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
}

#[tokio::test(start_paused = true)]
async fn a_failing_slave_makes_the_step_an_exception_with_its_text() {
    let mut stage = Stage::new(vec![
        step_config("one"),
        step_config("two"),
        always("three"),
    ]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let one = stage.command().await;
        let failure = Failure {
            kind: "buildslave.bot.UnknownCommand".to_owned(),
            value: "unrecognized".to_owned(),
            traceback: "at line 1".to_owned(),
            parents: Vec::new(),
        };
        one.end(CommandEnd::Failed(failure)).await;
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "one"]);
    assert_eq!(
        stage.steps(),
        [
            ended("one", Results::Exception, "one exception"),
            ended("three", Results::Success, "'three'"),
        ]
    );
    let text = stage.log("0-one", "err.text").unwrap();
    assert!(text.contains("buildslave.bot.UnknownCommand: unrecognized"));
    assert!(text.contains("at line 1"));
    let stdio = stage.log("0-one", "stdio").unwrap();
    assert!(stdio.contains("remoteFailed: buildslave.bot.UnknownCommand"));
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_own_code_panics_is_an_exception() {
    let mut stage = Stage::new(vec![step_config("one"), always("two")]);
    stage.replace_remote(FnRemote(|_, _: &_, _| panic!("broken step")));
    let outcome = stage.build().await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "one"]);
    assert!(outcome.abandoned_command, "it may have been started");
    assert_eq!(
        stage.steps(),
        [ended("one", Results::Exception, "one exception")]
    );
    let text = stage.log("0-one", "err.text").unwrap();
    assert!(text.contains("broken step"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_build_whose_own_code_panics_ends_as_exception() {
    let mut stage = Stage::new(steps(&["one"]));
    let (_, control) = tokio::sync::mpsc::channel(1);
    let (watcher, _ops) = tokio::sync::mpsc::unbounded_channel();
    let build = run(
        stage.plan.clone(),
        Box::new(FnRemote(|_, _: &_, _| unreachable!())),
        Services {
            logs: crate::logs::LogStore::start(stage.directory.path().to_owned()).unwrap(),
            journal: Journal::new(stage.state.clone(), move |op| drop(watcher.send(op))),
            desk: Desk::new(|_| std::future::ready(())),
            files: MasterFiles::new(stage.directory.path()),
            clock: Box::new(|| panic!("no clock")),
        },
        control,
    );
    let outcome = build.await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["build", "exception"]);
    assert_eq!(stage.steps(), []);
}

#[tokio::test(start_paused = true)]
async fn an_unset_property_is_an_exception_that_names_it_and_the_step() {
    let mut one = step_config("one");
    shell(&mut one).workdir = crate::config::Template::of("%(nosuch)s");
    let mut stage = Stage::new(vec![one, step_config("two")]);
    let outcome = stage.build().await;
    assert_eq!(outcome.result, Results::Exception);
    assert!(!outcome.abandoned_command);
    assert_eq!(
        stage.steps(),
        [ended("one", Results::Exception, "one exception")]
    );
    assert_eq!(
        stage.log("0-one", "err.text").unwrap(),
        "step 'one': workdir: property 'nosuch' is not set\n"
    );
    assert_eq!(stage.commands_left(), 0);
}

#[tokio::test(start_paused = true)]
async fn output_is_acknowledged_when_the_log_has_it_and_is_kept_byte_for_byte() {
    let mut stage = Stage::new(steps(&["one"]));
    let build = stage.build();
    let piece: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    let piece = Bytes::from(piece);
    let (outcome, ()) = play(build, async {
        let one = stage.command().await;
        for _ in 0..256 {
            let acknowledged = one.say(vec![Update::Stdout(piece.clone())]).await;
            acknowledged.await.unwrap();
        }
        one.end(CommandEnd::Complete).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Failure, "no exit status");
    let written = stage.log_bytes("0-one", "stdio").unwrap();
    assert!(written == piece.repeat(256), "{} bytes", written.len());
}

#[tokio::test(start_paused = true)]
async fn properties_of_the_plan_come_back_with_the_outcome() {
    let mut stage = Stage::new(Vec::new());
    stage.plan.properties.set("a", "x", "test");
    let outcome = stage.build().await;
    assert_eq!(outcome.properties, stage.plan.properties);
}
