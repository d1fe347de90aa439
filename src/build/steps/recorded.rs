//! Source steps against recorded scripts, for systems whose programs cannot be had.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use crate::botmaster::BuildOutcome;
use crate::build::testing::{Stage, step_config};
use crate::config::{StepConfig, StepKind};
use crate::model::SourceStamp;
use crate::protocol::{CommandArgs, ShellCommand};

/// What a command that starts with a text does: its exit status and its output.
pub(super) type Rule = (&'static str, i64, &'static str);

pub(super) fn stage(kind: StepKind, stamp: SourceStamp) -> Stage {
    let step = StepConfig {
        kind,
        ..step_config("source")
    };
    let mut stage = Stage::new(vec![step]);
    stage.plan.stamps = Arc::new(stamp.into());
    stage
}

/// Plays a slave by `rules`, the first that fits; other commands succeed without output. Answers
/// with the outcome and the commands.
pub(super) async fn played(stage: &mut Stage, rules: &[Rule]) -> (BuildOutcome, Vec<String>) {
    let mut build = std::pin::pin!(stage.build());
    let mut lines = Vec::new();
    loop {
        let command = tokio::select! {
            biased;
            outcome = &mut build => return (outcome, lines),
            command = stage.command() => command,
        };
        let line = shown(&command.asked);
        let rule = rules.iter().find(|(start, ..)| line.starts_with(start));
        let (_, rc, output) = rule.copied().unwrap_or(("", 0, ""));
        if !output.is_empty() {
            command.print(output).await;
        }
        command.exit(rc).await;
        lines.push(line);
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "source steps have no other commands"
)]
fn shown(args: &CommandArgs) -> String {
    match args {
        CommandArgs::Shell(shell) => {
            let ShellCommand::Words(words) = &shell.command else {
                panic!("{shell:?}");
            };
            let words: Vec<&str> = words.iter().map(|word| word.shown().as_str()).collect();
            let input = shell.initial_stdin.as_ref();
            let input = input.map(|i| format!(" <{}", str::from_utf8(i).unwrap()));
            let input = input.unwrap_or_default();
            format!("{}$ {}{input}", shell.workdir, words.join(" "))
        }
        CommandArgs::Stat(stat) => format!("stat {}", stat.file),
        CommandArgs::Rmdir(rmdir) => format!("rmdir {}", rmdir.dir),
        CommandArgs::Cpdir(copy) => format!("cpdir {} {}", copy.from, copy.to),
        CommandArgs::DownloadFile(file) => {
            let file = &file.transfer;
            format!("write {}/{}", file.workdir, file.path)
        }
        other => panic!("{other:?}"),
    }
}
