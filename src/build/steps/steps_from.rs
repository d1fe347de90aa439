//! `StepsFrom`: steps that the output of a command describes run after this one.

use super::shell;
use crate::build::step::{Performed, StepRun};
use crate::config::{MAX_STEPS_BYTES, StepsFromConfig};
use crate::model::Results;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &StepsFromConfig,
) -> Performed {
    // One byte more tells whether there is more.
    let (report, ended) = match shell::run(step, &config.command, MAX_STEPS_BYTES + 1).await {
        Ok(done) => done,
        Err(performed) => return performed,
    };
    if !matches!(
        ended,
        Performed::Ended {
            result: Results::Success,
            ..
        }
    ) || step.interrupted.is_some()
    {
        return ended;
    }
    let problem = match text_of(&report.output) {
        Ok(text) => match config.parse(text, "output") {
            Ok(steps) => {
                let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
                let line = match names.is_empty() {
                    true => "no steps are added\n".to_owned(),
                    false => format!("steps that are added: {}\n", names.join(", ")),
                };
                let detail = vec![format!("({} added)", steps.len())];
                step.logs.note(line).await;
                step.added = steps;
                return Performed::Ended {
                    result: Results::Success,
                    detail,
                };
            }
            Err(errors) => errors.render(false),
        },
        Err(problem) => problem,
    };
    step.logs
        .note(format!("the steps cannot be added:\n{problem}\n"))
        .await;
    Performed::Ended {
        result: Results::Failure,
        detail: vec!["(mistakes in the steps)".to_owned()],
    }
}

fn text_of(output: &[u8]) -> Result<&str, String> {
    if output.len() > MAX_STEPS_BYTES {
        return Err(format!("the output is longer than {MAX_STEPS_BYTES} bytes"));
    }
    std::str::from_utf8(output).map_err(|error| format!("the output is not UTF-8: {error}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::build::testing::{Stage, play, shell_config, step_config};
    use crate::config::{StepConfig, StepKind};
    use crate::model::Op;

    fn steps_from() -> StepConfig {
        StepConfig {
            name: "steps".to_owned(),
            kind: StepKind::StepsFrom(Box::new(StepsFromConfig {
                command: shell_config("cat ci.toml"),
                ..StepsFromConfig::default()
            })),
            ..StepConfig::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn steps_are_added_after_this_one_and_are_on_record() {
        let mut stage = Stage::new(vec![steps_from(), step_config("two")]);
        let build = stage.build();
        let (outcome, lines) = play(build, async {
            let first = stage.command().await;
            first
                .print(
                    "[[steps]]\ntype = \"ShellCommand\"\nname = \"two\"\ncommand = \"added 1\"\n\
                     [[steps]]\ntype = \"ShellCommand\"\nname = \"more\"\ncommand = \"added 2\"\n",
                )
                .await;
            first.exit(0).await;
            let mut lines = Vec::new();
            for _ in 0..3 {
                let next = stage.command().await;
                lines.push(format!("{:?}", next.args.command));
                next.exit(0).await;
            }
            lines
        })
        .await;
        assert_eq!(outcome.result, Results::Success);
        assert!(lines[0].contains("added 1"), "{lines:?}");
        assert!(lines[1].contains("added 2"), "{lines:?}");
        assert!(lines[2].contains("two"), "{lines:?}");
        assert_eq!(outcome.took.len(), 4);
        let ops = stage.ops();
        // Those that were planned keep their names.
        let names = ["steps", "two_1", "more", "two"].map(str::to_owned);
        let build = stage.plan.build;
        let planned = names.to_vec();
        assert!(ops.contains(&Op::StepsAdded { build, planned }));
        let mut started = Vec::new();
        for op in ops {
            if let Op::StepStarted(start) = op {
                started.push((start.index, start.name));
            }
        }
        assert_eq!(started, (0..).zip(names).collect::<Vec<_>>());
    }

    /// Plays a build whose first step gets this output.
    async fn played(output: &str) -> Stage {
        let mut stage = Stage::new(vec![steps_from(), step_config("two")]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            let first = stage.command().await;
            first.print(output).await;
            first.exit(0).await;
            stage.command().await.exit(0).await;
        })
        .await;
        assert_eq!(outcome.result, Results::Failure);
        stage
    }

    #[tokio::test(start_paused = true)]
    async fn a_mistake_is_told_with_its_line_and_fails_the_step() {
        let stage = played("\n[[steps]]\ntype = \"Nothing\"\n").await;
        let log = stage.log("0-steps", "stdio").unwrap();
        assert!(log.contains("output:3"), "{log}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_size_of_the_steps_is_limited() {
        let comment = "#".repeat(MAX_STEPS_BYTES - 1);
        let text = format!("{comment}\n");
        assert_eq!(text_of(text.as_bytes()), Ok(text.as_str()));
        let long = format!("#{text}");
        assert!(
            text_of(long.as_bytes())
                .unwrap_err()
                .contains("longer than")
        );
        let mut stage = played(&long).await;
        let (_, _, text) = stage.steps().remove(0);
        assert!(text.ends_with("(mistakes in the steps)"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_fails_adds_nothing() {
        let mut stage = Stage::new(vec![steps_from()]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            let first = stage.command().await;
            first.print("[[steps]]\ntype = \"Test\"\n").await;
            first.exit(1).await;
        })
        .await;
        assert_eq!(outcome.result, Results::Failure);
        assert_eq!(stage.steps().len(), 1);
    }
}
