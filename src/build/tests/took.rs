//! What a build tells of its steps' time and output (PRG-01).

use super::like_0814::step_of;
use super::*;
use crate::model::journal::{StepFinish, StepStart};
use crate::model::{Effort, Timestamp};

/// Time in ticks of the stage's clock: microseconds.
fn effort(ticks: f64, output: &[(&str, f64)]) -> Option<Effort> {
    let output = output
        .iter()
        .map(|(log, bytes)| ((*log).to_owned(), *bytes));
    Some(Effort {
        secs: ticks / 1e6,
        output: output.collect(),
    })
}

#[tokio::test(start_paused = true)]
async fn prg_01_time_and_output_of_each_step_are_told() {
    let uncounted = StepConfig {
        use_progress: false,
        ..step_config("b")
    };
    let mut stage = Stage::new(vec![step_config("a"), uncounted, step_config("c")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let first = stage.command().await;
        let header = Bytes::from_static(b"make all\n");
        drop(first.say(vec![Update::Header(header)]).await);
        first.print("four").await;
        first.exit(0).await;
        stage.command().await.exit(0).await;
        stage.command().await.exit(0).await;
    })
    .await;
    let expected = [
        ("a".to_owned(), effort(1.0, &[("stdio", 4.0)])),
        ("c".to_owned(), effort(1.0, &[])),
    ];
    assert_eq!(outcome.took, expected.into());
}

#[tokio::test(start_paused = true)]
async fn of_a_step_that_did_not_run_nothing_is_told() {
    let mut stage = Stage::new(vec![halting("a"), step_config("b")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async { stage.command().await.exit(1).await }).await;
    let expected = [("a".to_owned(), effort(1.0, &[])), ("b".to_owned(), None)];
    assert_eq!(outcome.took, expected.into());
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_locks_is_not_part_of_a_steps_time() {
    let mut stage = Stage::new(vec![locks::locked("a", &["disk"])]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let (user, _) = stage.asks().await;
        stage.grant(user).await;
        stage.command().await.exit(0).await;
    })
    .await;
    // The clock ticks when the step starts, when it has its locks, and when it ends.
    assert_eq!(outcome.took, [("a".to_owned(), effort(1.0, &[]))].into());
    let mut ops = stage.ops().into_iter();
    assert!(ops.any(|op| matches!(
        op,
        Op::StepStarted(StepStart {
            at: Timestamp(0),
            waits: true,
            ..
        })
    )));
    assert!(ops.any(|op| matches!(
        op,
        Op::StepHasLocks {
            at: Timestamp(1),
            ..
        }
    )));
    assert!(ops.any(|op| matches!(
        op,
        Op::StepFinished(StepFinish {
            at: Timestamp(2),
            ..
        })
    )));
}

#[tokio::test(start_paused = true)]
async fn stp_09_counts_are_metrics_where_the_step_says_so() {
    let step = |metrics: &str| {
        step_of(&format!(
            "type = \"ShellCommand\"\nname = \"a\"\ncommand = \"prove\"\nprogress_metrics = {metrics}\n\
             watch = [{{ match = '^ok', count = \"cases\" }}]\n"
        ))
    };
    for (metrics, output) in [
        ("[\"output\"]", [("stdio", 15.0)].as_slice()),
        ("[\"cases\"]", &[("cases", 3.0)]),
        (
            "[\"cases\", \"output\"]",
            &[("stdio", 15.0), ("cases", 3.0)],
        ),
        ("[]", &[]),
    ] {
        let mut stage = Stage::new(vec![step(metrics)]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            let command = stage.command().await;
            command.print("ok 1\nok 2\n").await;
            command.print("ok 3\n").await;
            command.exit(0).await;
        })
        .await;
        let took = outcome.took["a"].clone().unwrap().output;
        let output = output.iter().map(|(name, n)| ((*name).to_owned(), *n));
        assert_eq!(took, output.collect(), "{metrics}");
        let ops = stage.ops();
        let told: Vec<_> = ops
            .iter()
            .filter_map(|op| {
                let Op::StepCounted { counts, .. } = op else {
                    return None;
                };
                Some(counts["cases"])
            })
            .collect();
        // The clock of the stage does not reach the time after which the third is told.
        let expected: &[u64] = if metrics.contains("cases") { &[2] } else { &[] };
        assert_eq!(told, expected, "{metrics}");
    }
}
