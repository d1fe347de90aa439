//! Patches on trees that other steps have made, against a played slave.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::build::testing::{Played, Stage, play, step_config};
use crate::config::{StepConfig, StepKind, Template};
use crate::model::{PatchBody, SourceStamp, SourceStamps};
use crate::protocol::CommandArgs;

const DIFF: &str = "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n";

fn step(change: impl FnOnce(&mut PatchStepConfig)) -> StepConfig {
    let mut config = PatchStepConfig::default();
    change(&mut config);
    StepConfig {
        description: Some(vec![Template::literal("patching")]),
        description_done: Some(vec![Template::literal("patch")]),
        kind: StepKind::Patch(Box::new(config)),
        ..step_config("patch")
    }
}

fn stage(steps: Vec<StepConfig>, has_patch: bool) -> Stage {
    let mut stage = Stage::new(steps);
    let patch = Patch {
        level: 1,
        body: PatchBody::Given(Bytes::from_static(DIFF.as_bytes())),
        subdir: None,
        who: None,
        comment: None,
    };
    stage.plan.stamps = Arc::new(SourceStamps::from(SourceStamp {
        patch: has_patch.then_some(patch),
        ..SourceStamp::default()
    }));
    stage
}

/// What a command does, in short.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the step asks for nothing else"
)]
fn told(command: &Played) -> String {
    match &command.asked {
        CommandArgs::Stat(args) => format!("stat {}", args.file),
        CommandArgs::Rmdir(args) => format!("rmdir {}", args.dir),
        CommandArgs::DownloadFile(args) => {
            let args = &args.transfer;
            format!("write {}/{}", args.workdir, args.path)
        }
        CommandArgs::Shell(_) => match &command.args.command {
            ShellCommand::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| word.shown().as_str()).collect();
                format!("{} in {}", words.join(" "), command.args.workdir)
            }
            ShellCommand::Line(line) => line.clone(),
        },
        other => format!("{other:?}"),
    }
}

/// Plays a build whose commands end as `ends` says; what they did, and how the step ended.
async fn played(mut stage: Stage, ends: &[i64]) -> (Vec<String>, Results, String) {
    let build = stage.build();
    let (_, commands) = play(build, async {
        let mut commands = Vec::new();
        for rc in ends {
            let command = stage.command().await;
            commands.push(told(&command));
            command.exit(*rc).await;
        }
        commands
    })
    .await;
    assert_eq!(stage.commands_left(), 0);
    let (_, result, text) = stage.steps().pop().unwrap();
    (commands, result, text)
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_applied_without_a_source_step() {
    let stage = stage(vec![step(|_| {})], true);
    let (commands, result, text) = played(stage, &[1, 0, 0, 0, 0]).await;
    let apply = "patch -p1 --remove-empty-files --force --forward -i .buildbot-diff in build";
    assert_eq!(
        commands,
        [
            "stat build/.buildbot-patched",
            "write build/.buildbot-patched",
            "write build/.buildbot-diff",
            apply,
            "rmdir build/.buildbot-diff",
        ]
    );
    assert_eq!((result, text.as_str()), (Results::Success, "patch"));
}

#[tokio::test(start_paused = true)]
async fn level_and_directory_can_be_those_of_the_step() {
    let config = step(|config| {
        config.level = Some(0);
        config.subdir = Some(Template::of("sub"));
        config.workdir = Template::of("tree");
    });
    let (commands, result, _) = played(stage(vec![config], true), &[1, 0, 0, 0, 0]).await;
    assert_eq!(result, Results::Success);
    assert!(commands[3].starts_with("patch -p0 ") && commands[3].ends_with(" in tree/sub"));
    let outside = step(|config| config.subdir = Some(Template::of("../x")));
    let (_, result, _) = played(stage(vec![outside], true), &[1]).await;
    assert_eq!(result, Results::Failure);
}

#[tokio::test(start_paused = true)]
async fn without_a_patch_there_is_nothing_to_do() {
    let (_, result, text) = played(stage(vec![step(|_| {})], false), &[1]).await;
    assert_eq!((result, text.as_str()), (Results::Skipped, "patch skipped"));
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_has_the_patch_of_an_earlier_build_is_noticed() {
    for has_patch in [true, false] {
        let (_, result, _) = played(stage(vec![step(|_| {})], has_patch), &[0]).await;
        assert_eq!(result, Results::Failure);
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_does_not_apply_fails_the_step() {
    let stage = stage(vec![step(|_| {})], true);
    let (_, result, text) = played(stage, &[1, 0, 0, 1]).await;
    assert_eq!((result, text.as_str()), (Results::Failure, "patch failed"));
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_applied_once() {
    let stage = stage(vec![step(|_| {}), step(|_| {})], true);
    let (_, result, text) = played(stage, &[1, 0, 0, 0, 0]).await;
    assert_eq!((result, text.as_str()), (Results::Skipped, "patch skipped"));
}
