//! Source steps against a played slave: what is run for each mode, stamp and patch.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod choosing;
mod recovery;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::botmaster::BuildOutcome;
use crate::build::testing::{Played, Stage, play, step_config, template};
use crate::config::{SourceMethod, SourceMode, SourceSettings};
use crate::config::{StepConfig, StepKind};
use crate::model::Results;
use crate::model::{Patch, PatchBody, SourceStamp};
use crate::protocol::Update;
use crate::protocol::Word;
use crate::protocol::{CommandArgs, ShellCommand};

const HEAD: &str = "0123456789012345678901234567890123456789";
const URL: &str = "https://example.org/p.git";

fn git_config() -> GitStepConfig {
    GitStepConfig {
        repourl: template(URL),
        source: SourceSettings {
            timeout: None,
            log_environ: true,
            ..SourceSettings::default()
        },
        ..GitStepConfig::default()
    }
}

/// The configuration with other settings of all source steps.
fn git_with(change: impl FnOnce(&mut SourceSettings)) -> GitStepConfig {
    let mut config = git_config();
    change(&mut config.source);
    config
}

fn step_of(config: GitStepConfig) -> StepConfig {
    StepConfig {
        halt_on_failure: true,
        description: Some(vec![template("updating")]),
        description_done: Some(vec![template("update")]),
        kind: StepKind::Git(Box::new(config)),
        ..step_config("git")
    }
}

fn stage(config: GitStepConfig, stamp: SourceStamp) -> Stage {
    let mut stage = Stage::new(vec![step_of(config), step_config("after")]);
    stage.plan.stamps = Arc::new(stamp.into());
    stage
}

fn patch(body: &[u8], subdir: Option<&str>) -> Patch {
    Patch {
        level: 1,
        body: PatchBody::Given(Bytes::copy_from_slice(body)),
        subdir: subdir.map(str::to_owned),
        who: None,
        comment: None,
    }
}

/// As others than git make them.
const DIFF: &[u8] = b"--- a/f\n+++ b/f\n\xff\n";

fn patched(subdir: Option<&str>) -> SourceStamp {
    SourceStamp {
        patch: Some(patch(DIFF, subdir)),
        ..SourceStamp::default()
    }
}

/// A command in one line.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the step has no other commands"
)]
fn shown(args: &CommandArgs) -> String {
    match args {
        CommandArgs::Shell(shell) => {
            let ShellCommand::Words(words) = &shell.command else {
                panic!("{shell:?}");
            };
            let words: Vec<&str> = words
                .iter()
                .map(|word| match word {
                    Word::Plain(word) => word.as_str(),
                    Word::Obfuscated { .. } => panic!("{word:?}"),
                })
                .collect();
            format!("{}$ {}", shell.workdir, words.join(" "))
        }
        CommandArgs::Stat(stat) => format!("stat {}", stat.file),
        CommandArgs::Cpdir(copy) => format!("cpdir {} {}", copy.from, copy.to),
        CommandArgs::Rmdir(rmdir) => format!("rmdir {}", rmdir.dir),
        CommandArgs::DownloadFile(file) => {
            let file = &file.transfer;
            format!("write {}/{}", file.workdir, file.path)
        }
        other => panic!("{other:?}"),
    }
}

/// Ends a command as a real one that succeeds.
async fn succeed(played: Played, slave: impl Into<Slave<'_>>) {
    let slave = slave.into();
    let line = shown(&played.asked);
    if line.ends_with(" rev-parse HEAD") {
        played.print(&format!("{HEAD}\r\n")).await;
    } else if line.ends_with("git --version") {
        let version = format!("git version {}\n", slave.version);
        played.print(&version).await;
    } else if line.ends_with("config core.sparseCheckout") {
        played.print(&format!("{}\n", slave.is_sparse)).await;
    } else if let Some((_, hash)) = line.split_once(" rev-parse --verify --quiet ") {
        let hash = hash.strip_suffix("^{commit}").unwrap();
        played.print(&format!("{hash}\n")).await;
    } else if line.ends_with("$ pwd") {
        played.print("/s/b\n").await;
    } else if line.contains("git ls-remote") {
        let server_has = slave.server_has;
        played.print(&format!("{HEAD}\t{server_has}\n")).await;
    }
    played.exit(0).await;
}

/// Plays a slave on which the commands that begin as one of `failing` says fail, each so often, and
/// all others succeed; the server has the default branch. Answers with the commands, and what was
/// written, without the questions about the slave's git.
async fn played(
    stage: &mut Stage,
    failing: &[(&str, usize)],
) -> (BuildOutcome, Vec<String>, Vec<Bytes>) {
    played_with(stage, failing, "HEAD").await
}

/// Plays as [`played`] does, with a server that has `server_has`.
async fn played_with(
    stage: &mut Stage,
    failing: &[(&str, usize)],
    server_has: &str,
) -> (BuildOutcome, Vec<String>, Vec<Bytes>) {
    played_on(stage, failing, server_has.into()).await
}

/// What the slave and the server have.
#[derive(Clone, Copy)]
struct Slave<'s> {
    server_has: &'s str,
    version: &'s str,
    is_sparse: bool,
}

impl<'s> From<&'s str> for Slave<'s> {
    /// A server that has this.
    fn from(server_has: &'s str) -> Self {
        Self {
            server_has,
            ..Self::default()
        }
    }
}

impl Default for Slave<'_> {
    fn default() -> Self {
        Self {
            server_has: "HEAD",
            version: "2.47.3",
            is_sparse: false,
        }
    }
}

/// Plays as [`played`] does, on this slave.
async fn played_on(
    stage: &mut Stage,
    failing: &[(&str, usize)],
    slave: Slave<'_>,
) -> (BuildOutcome, Vec<String>, Vec<Bytes>) {
    let build = stage.build();
    let mut failing: Vec<(String, usize)> = failing
        .iter()
        .map(|(command, count)| ((*command).to_owned(), *count))
        .collect();
    let mut build = std::pin::pin!(build);
    let (mut commands, mut written) = (Vec::new(), Vec::new());
    let outcome = loop {
        let mut command = tokio::select! {
            biased;
            outcome = &mut build => break outcome,
            command = stage.command() => command,
        };
        if matches!(&command.asked, CommandArgs::Shell(shell) if matches!(shell.command, ShellCommand::Line(_)))
        {
            commands.push("after".to_owned());
            command.exit(0).await;
            continue;
        }
        let line = shown(&command.asked);
        written.extend(command.lent.is_some().then(|| command.read()));
        let fails = failing
            .iter_mut()
            .find(|(start, left)| *left > 0 && line.starts_with(start.as_str()));
        if let Some((_, left)) = fails {
            *left -= 1;
            command.exit(1).await;
        } else {
            succeed(command, slave).await;
        }
        if !line.starts_with(".$ git ") {
            commands.push(line);
        }
    };
    (outcome, commands, written)
}

const UNKNOWN: (&str, usize) = ("build$ git rev-parse --verify", 9);
const NEW: (&str, usize) = ("stat build/.git", 1);
const NOT_PATCHED: (&str, usize) = ("stat build/.buildbot-patched", 9);

fn fetch(branch: &str) -> String {
    format!("build$ git fetch -f --no-recurse-submodules --progress -t -- {URL} {branch}")
}

fn cloned() -> [String; 3] {
    [
        "rmdir build".to_owned(),
        format!("build$ git clone --no-checkout --progress -- {URL} ."),
        fetch("HEAD"),
    ]
}

const CHECKOUT: &str = "build$ git checkout -f --progress --detach FETCH_HEAD --";
const REV_PARSE: &str = "build$ git rev-parse HEAD";

#[tokio::test(start_paused = true)]
async fn bui_16_git_gets_the_environment_of_the_builder() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let env = [("A".to_owned(), Some(template("1")))];
    Arc::make_mut(&mut stage.plan.builder).env.variables = env.into();
    let build = stage.build();
    let (_, ()) = play(build, async {
        let version = stage.command().await;
        let sent = ("A".to_owned(), Some("1".to_owned()));
        assert!(version.args.env.contains(&sent), "{:?}", version.args.env);
        version.exit(1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_first_build_clones_and_tells_the_revision() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, &[NEW]).await;
    assert_eq!(outcome.result, Results::Success);
    let mut expected = vec!["stat build/.git".to_owned()];
    expected.extend(cloned());
    expected.extend([CHECKOUT, REV_PARSE, "after"].map(str::to_owned));
    assert_eq!(commands, expected);
    let got = outcome.properties.get("got_revision");
    assert_eq!(got, Some(&json!(HEAD)));
    assert_eq!(outcome.properties.get("revision"), None);
    assert_eq!(
        stage.steps()[0],
        ("git".into(), Results::Success, "update".into())
    );
    assert_eq!(stage.log("0-git", "patch"), None);
}

#[tokio::test(start_paused = true)]
async fn src_04_each_mode_treats_a_tree_in_its_own_way() {
    for (mode, clean) in [
        (SourceMode::Incremental, None),
        (
            SourceMode::Full(SourceMethod::Fresh),
            Some("build$ git clean -f -f -d -x -e .buildbot-patched"),
        ),
        (
            SourceMode::Full(SourceMethod::Clean),
            Some("build$ git clean -f -f -d -e .buildbot-patched"),
        ),
    ] {
        let config = git_with(|source| source.mode = mode);
        let (outcome, commands, _) =
            played(&mut stage(config, SourceStamp::default()), &[NOT_PATCHED]).await;
        assert_eq!(outcome.result, Results::Success);
        let mut expected = vec!["stat build/.git", "stat build/.buildbot-patched"];
        expected.extend(clean);
        let fetch = fetch("HEAD");
        expected.extend([fetch.as_str(), CHECKOUT, REV_PARSE, "after"]);
        assert_eq!(commands, expected, "{mode:?}");
    }
    let mode = SourceMode::Full(SourceMethod::Clobber);
    let config = git_with(|source| source.mode = mode);
    let (_, commands, _) = played(&mut stage(config, SourceStamp::default()), &[]).await;
    assert_eq!(commands[..3], cloned());
}

#[tokio::test(start_paused = true)]
async fn src_05_a_patch_is_applied_to_a_tree_that_is_marked_first() {
    for (subdir, file, dir) in [
        (None, "build/.buildbot-diff", "build"),
        (Some("sub"), "build/sub/.buildbot-diff", "build/sub"),
    ] {
        let mut stage = stage(git_config(), patched(subdir));
        let (outcome, commands, written) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(outcome.result, Results::Success);
        let apply =
            format!("{dir}$ patch -p1 --remove-empty-files --force --forward -i .buildbot-diff");
        assert_eq!(
            commands[5..],
            [
                "write build/.buildbot-patched".to_owned(),
                format!("write {file}"),
                apply,
                format!("rmdir {file}"),
                "after".to_owned(),
            ]
        );
        assert_eq!(written[1], DIFF);
        let path = stage
            .directory
            .path()
            .join("builders/quick/7/0-git.patch.log");
        assert_eq!(std::fs::read(path).unwrap(), written[1], "src_06");
    }
}

#[tokio::test(start_paused = true)]
async fn submodules_are_updated_again_after_the_patch() {
    let config = GitStepConfig {
        submodules: true,
        ..git_config()
    };
    let mut stage = stage(config, patched(None));
    let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
    assert_eq!(outcome.result, Results::Success);
    let at = |start: &str| commands.iter().rposition(|c| c.starts_with(start)).unwrap();
    assert!(at("build$ git submodule update") > at("build$ patch"));
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_no_step_applies_is_an_exception() {
    // Known from the factory: no step runs.
    let latest = git_with(|source| source.always_use_latest = true);
    for steps in [vec![step_config("test")], vec![step_of(latest)]] {
        let mut stage = Stage::new(steps);
        stage.plan.stamps = Arc::new(patched(None).into());
        let (outcome, commands, _) = played(&mut stage, &[]).await;
        assert_eq!(outcome.result, Results::Exception);
        assert_eq!(commands, Vec::<String>::new());
        let [word, why] = outcome.text.as_slice() else {
            panic!("{:?}", outcome.text);
        };
        assert_eq!(word, "exception");
        assert!(why.starts_with("the patch was not applied: "), "{why}");
        assert!(
            why.contains("ignore_patch = true for builder \"quick\""),
            "{why}"
        );
    }
    // Known afterwards: the failure of the step does not count.
    let tolerant = StepConfig {
        halt_on_failure: false,
        flunk_on_failure: false,
        ..step_of(git_config())
    };
    let mut stage = Stage::new(vec![tolerant, step_config("after")]);
    stage.plan.stamps = Arc::new(patched(None).into());
    let (outcome, ..) = played(&mut stage, &[NOT_PATCHED, ("build$ patch", 1)]).await;
    assert_eq!(outcome.result, Results::Exception);
    assert!(
        outcome.text[1].contains("was not applied"),
        "{:?}",
        outcome.text
    );
}

#[tokio::test(start_paused = true)]
async fn src_05_a_patch_that_does_not_apply_fails_the_build() {
    let mut stage = stage(git_config(), patched(None));
    let failing = [NOT_PATCHED, ("build$ patch", 1)];
    let (outcome, commands, _) = played(&mut stage, &failing).await;
    assert_eq!(outcome.result, Results::Failure);
    assert!(
        commands.last().unwrap().starts_with("build$ patch"),
        "it halts"
    );
    let stdio = stage.log("0-git", "stdio").unwrap();
    assert!(stdio.contains("the patch cannot be applied"), "{stdio}");
}

#[tokio::test(start_paused = true)]
async fn sb_22_a_patch_outside_the_work_directory_is_refused() {
    for subdir in ["../x", "../build-evil", "/etc"] {
        let mut stage = stage(git_config(), patched(Some(subdir)));
        let (outcome, commands, _) = played(&mut stage, &[]).await;
        assert_eq!(outcome.result, Results::Failure);
        assert!(commands.is_empty(), "{commands:?}");
        let stdio = stage.log("0-git", "stdio").unwrap();
        assert!(stdio.contains("not inside the work directory"), "{stdio}");
    }
}

#[tokio::test(start_paused = true)]
async fn src_05_a_tree_that_was_patched_is_cleaned_before_its_next_use() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, &[]).await;
    assert_eq!(outcome.result, Results::Success);
    let fetch = fetch("HEAD");
    assert_eq!(
        commands,
        [
            "stat build/.git",
            "stat build/.buildbot-patched",
            "build$ git clean -f -f -d -x -e .buildbot-patched",
            &fetch,
            CHECKOUT,
            "rmdir build/.buildbot-patched",
            REV_PARSE,
            "after",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn src_07_a_failed_checkout_is_tried_again() {
    let retrying = || git_with(|source| source.retry = Some((Duration::from_secs(1), 2)));
    for (failures, result, seconds) in [
        (0, Results::Success, 0),
        (2, Results::Success, 2),
        (3, Results::Failure, 2),
    ] {
        let started = Instant::now();
        let silent = ("build$ git ls-remote", 9);
        let failing = [NOT_PATCHED, ("build$ git fetch", failures), silent];
        let mut stage = stage(retrying(), SourceStamp::default());
        let (outcome, ..) = played(&mut stage, &failing).await;
        assert_eq!(outcome.result, result, "{failures}");
        assert_eq!(started.elapsed().as_secs(), seconds, "{failures}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_pause_before_another_try() {
    let config = git_with(|source| source.retry = Some((Duration::from_secs(1000), 2)));
    let mut stage = stage(config, SourceStamp::default());
    let started = Instant::now();
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let (version, config, git, mark, fetch, server) = (0, 1, 0, 1, 1, 1);
        for rc in [version, config, git, mark, fetch, server] {
            stage.command().await.exit(rc).await;
        }
        stage.stop("enough").await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "interrupted"]);
    assert!(started.elapsed() < Duration::from_secs(1000));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_command_is_the_last_one() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let mut stat = stage.command().await;
        stage.stop("wrong").await;
        assert_eq!(stat.interrupts.recv().await.unwrap(), "wrong");
        stat.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(stage.commands_left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_slave_makes_the_build_a_retry() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let stat = stage.command().await;
        stage.lose_slave().await;
        stat.closed().await;
    })
    .await;
    assert_eq!(outcome.result, Results::Retry);
}

#[tokio::test(start_paused = true)]
async fn names_that_git_would_take_for_options_are_refused() {
    let stamp = |branch: Option<&str>, revision: Option<&str>| SourceStamp {
        branch: branch.map(str::to_owned),
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    };
    for stamp in [
        stamp(Some("--upload-pack=x"), None),
        stamp(Some("a:refs/heads/b"), None),
        stamp(Some("a b"), None),
        stamp(None, Some("--help")),
        stamp(Some("v1:--x"), None),
    ] {
        let mut stage = stage(git_config(), stamp);
        let (outcome, commands, _) = played(&mut stage, &[]).await;
        assert_eq!(outcome.result, Results::Failure);
        assert!(commands.is_empty(), "{commands:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn submodules_and_shallow_clones() {
    let config = GitStepConfig {
        submodules: true,
        shallow: true,
        ..git_config()
    };
    let mut stage = stage(config, SourceStamp::default());
    let (_, commands, _) = played(&mut stage, &[NEW]).await;
    let clone = format!("build$ git clone --no-checkout --progress --depth 1 -- {URL} .");
    let fetch = |what: &str, depth: &str| {
        let fetch = "build$ git fetch -f --no-recurse-submodules --progress --no-tags --depth";
        format!("{fetch} {depth} -- {URL} {what}")
    };
    assert_eq!(commands[2..4], [clone, fetch("HEAD", "1")]);
    assert_eq!(
        commands[5..7],
        [
            "build$ git submodule sync --recursive",
            "build$ git submodule update --init --recursive --force --progress",
        ]
    );

    // One revision does not need its history, but not every server hands out a single one.
    let config = GitStepConfig {
        shallow: true,
        ..git_config()
    };
    let stamp = SourceStamp {
        revision: Some(HEAD.to_owned()),
        ..SourceStamp::default()
    };
    let mut stage = self::stage(config, stamp);
    let one = fetch(HEAD, "1");
    let failing = [
        NOT_PATCHED,
        ("build$ git rev-parse --verify", 1),
        (one.as_str(), 1),
    ];
    let (outcome, commands, _) = played(&mut stage, &failing).await;
    assert_eq!(outcome.result, Results::Success);
    assert_eq!(commands[3..5], [one, fetch("HEAD", "2147483647")]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_revision_fails_the_step() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let (version, config, git, mark, fetch, checkout) = (0, 1, 0, 1, 0, 0);
        for rc in [version, config, git, mark, fetch, checkout] {
            stage.command().await.exit(rc).await;
        }
        let rev_parse = stage.command().await;
        let data = Bytes::from(HEAD.repeat(1000));
        drop(rev_parse.say(vec![Update::Stdout(data)]).await);
        rev_parse.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(outcome.properties.get("got_revision"), None);
}
