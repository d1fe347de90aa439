//! What a step has remembered.

use super::*;
use crate::model::journal::{LogOpening, StepFinish, StepStart};
use crate::model::{Effort, StepOutcome};

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
