//! Several commands in one step, each judged by flags of its own (`ShellSequence`).

use super::{command_of, describe, detail, judge, open_logs, raised};
use crate::build::command::Listening;
use crate::build::fold::contribution;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{SequenceCommand, ShellStepConfig, StepConfig};
use crate::model::Results;
use crate::protocol::{CommandArgs, ShellArgs};

/// Runs the commands. The step says what the last of them did.
pub(super) async fn run(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
) -> Result<Performed, Performed> {
    let mut overall = Results::Success;
    let mut words = Vec::new();
    for (index, command) in config.sequence.iter().enumerate() {
        let values = step.values();
        let prepared = command_of(&command.command, values).and_then(|run| {
            let doing = describe(step.config, &run, false, values)?;
            let done = describe(step.config, &run, true, values)?;
            let builder_env = &step.around.plan.builder.env;
            let args = super::arguments(config, builder_env, values)?;
            let args = ShellArgs {
                command: run,
                ..args
            };
            Ok((args, doing, done))
        });
        let (args, doing, done) = prepared.map_err(|problem| raised(step, &problem))?;
        let log = command.log.as_deref().unwrap_or(STDIO);
        if index == 0 {
            open_logs(step, config, (doing, done), log).await;
        } else {
            step.begin(doing, done, &[log]).await;
        }
        let listening = Listening {
            log,
            collect: 0,
            lines: None,
            taps: None,
        };
        let args = CommandArgs::Shell(Box::new(args));
        let report = step.complete_heard(&args, listening).await?;
        words = detail(&report);
        let meaning = judge(config, report.rc);
        step.ends_build |= meaning.ends_build;
        let folded = contribution(&flags(command), meaning.result);
        overall = folded
            .result
            .map_or(overall, |result| overall.worse(result));
        if folded.terminates || meaning.ends_build || step.interrupted.is_some() {
            break;
        }
    }
    Ok(Performed::Ended {
        result: overall,
        detail: words,
    })
}

/// The flags of a command as those of a step.
fn flags(command: &SequenceCommand) -> StepConfig {
    StepConfig {
        halt_on_failure: command.halt_on_failure,
        flunk_on_warnings: command.flunk_on_warnings,
        flunk_on_failure: command.flunk_on_failure,
        warn_on_warnings: command.warn_on_warnings,
        warn_on_failure: command.warn_on_failure,
        ..StepConfig::default()
    }
}
