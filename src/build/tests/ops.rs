//! What a step has remembered.

use super::*;
use crate::config::{CommandWords, WatchPattern};
use crate::model::journal::{LogOpening, StepFinish, StepStart};
use crate::model::{Effort, StepCommand, StepOutcome};

#[tokio::test(start_paused = true)]
async fn the_ops_of_a_step_come_in_order_with_the_paths_of_its_logs() {
    let mut one = step_config("one");
    shell(&mut one).logfiles = vec![("test.log".to_owned(), template("out/test.log"), false)];
    let mut stage = Stage::new(vec![one]);
    let build = stage.build();
    let (_, ()) = play(build, async {
        let one = stage.command().await;
        let data = Bytes::from_static(b"lines");
        let name = "test.log".to_owned();
        one.say(vec![Update::Log { name, data }])
            .await
            .await
            .unwrap();
        one.exit(0).await;
    })
    .await;
    let build = stage.plan.build;
    let opened = |position, name: &str| {
        Op::LogOpened(LogOpening {
            build,
            step: 0,
            position,
            name: name.to_owned(),
            path: format!("builders/quick/7/0-one.{name}"),
        })
    };
    let closed = |name: &str, size_bytes| Op::LogClosed {
        build,
        step: 0,
        name: name.to_owned(),
        size_bytes,
    };
    assert_eq!(
        stage.ops(),
        [
            Op::StepStarted(StepStart {
                build,
                index: 0,
                name: "one".to_owned(),
                text: vec!["'one'".to_owned()],
                waits: false,
                at: crate::model::Timestamp(0),
            }),
            opened(0, "stdio"),
            opened(1, "test.log"),
            closed("stdio", 34),
            closed("test.log", 5),
            Op::StepFinished(StepFinish {
                build,
                index: 0,
                result: Results::Success,
                text: vec!["'one'".to_owned()],
                outcome: Box::new(StepOutcome {
                    contribution: Some(Results::Success),
                    took: Effort {
                        secs: 1e-6,
                        output: [("test.log".to_owned(), 5.0)].into(),
                    },
                    commands: vec![StepCommand {
                        command: "one".to_owned(),
                        workdir: "build".to_owned(),
                        timeout: Some(1200.0),
                        ..StepCommand::default()
                    }],
                    ..StepOutcome::default()
                }),
                at: crate::model::Timestamp(1),
            }),
        ]
    );
    assert_eq!(
        stage.log("0-one", "stdio").unwrap(),
        "program finished with exit code 0\n"
    );
    assert_eq!(stage.log("0-one", "test.log").unwrap(), "lines");
}

/// The outcome of the first step.
fn outcome(stage: &mut Stage) -> StepOutcome {
    let ops = stage.ops().into_iter();
    let mut ends = ops.filter_map(|op| {
        if let Op::StepFinished(end) = op {
            Some(*end.outcome)
        } else {
            None
        }
    });
    ends.next().unwrap()
}

/// The first error of a step with this pattern whose command prints this and fails.
async fn first_error(pattern: Option<&str>, updates: Vec<Update>) -> Option<(u64, String)> {
    let mut step = step_config("one");
    step.error_pattern = pattern.map(|pattern| WatchPattern::new(pattern).unwrap());
    let mut stage = Stage::new(vec![step]);
    let build = stage.build();
    play(build, async {
        let one = stage.command().await;
        drop(one.say(updates).await);
        one.exit(2).await;
    })
    .await;
    let error = outcome(&mut stage).first_error?;
    assert_eq!(error.log, "stdio");
    Some((error.line, error.text))
}

#[tokio::test(start_paused = true)]
async fn web_07_the_first_error_is_kept_with_the_step_that_failed() {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let printed = || {
        vec![
            Update::Header(text("sh -c 'echo error: x'\n")),
            Update::Stderr(text("Cloning\n")),
            Update::Stdout(text(
                "ok 1\n\x1b[31mnot ok 2 \x1b[0mheap\na.c:3: error: no\n",
            )),
        ]
    };
    let error = |line, text: &str| Some((line, text.to_owned()));
    assert_eq!(
        first_error(None, printed()).await,
        error(5, "a.c:3: error: no")
    );
    let own = first_error(Some("^.{0,5}not ok "), printed()).await;
    assert_eq!(own, error(4, "not ok 2 heap"));
    let other = first_error(Some("^nothing$"), printed()).await;
    assert_eq!(other, error(5, "a.c:3: error: no"));
    let unusual = vec![
        Update::Stdout(text("fine\n")),
        Update::Stderr(text("\nit is broken\n")),
    ];
    assert_eq!(first_error(None, unusual).await, error(3, "it is broken"));
    let silent = vec![Update::Stdout(text("fine\n"))];
    assert_eq!(first_error(None, silent).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_did_not_fail_has_no_first_error() {
    let mut stage = Stage::new(vec![step_config("one")]);
    let build = stage.build();
    play(build, async {
        let one = stage.command().await;
        one.print("error: none\n").await;
        one.exit(0).await;
    })
    .await;
    assert_eq!(outcome(&mut stage).first_error, None);
}

#[tokio::test(start_paused = true)]
async fn web_04_a_command_is_remembered_as_it_may_be_seen() {
    let mut step = step_config("one");
    shell(&mut step).command = CommandWords::Words(vec![
        (template("login"), None),
        (template("sekrit"), Some("XXXX".to_owned())),
    ]);
    shell(&mut step).max_time = Some(Duration::from_secs(90));
    let mut stage = Stage::new(vec![step]);
    let build = stage.build();
    play(build, async {
        stage.command().await.exit(0).await;
    })
    .await;
    let ran = outcome(&mut stage).commands;
    let [ran] = ran.as_slice() else {
        panic!("{ran:?}");
    };
    assert_eq!(ran.command, "login XXXX");
    assert_eq!((ran.timeout, ran.max_time), (Some(1200.0), Some(90.0)));
}
