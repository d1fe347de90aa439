//! Bazaar by recorded scripts.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::{SourceSettings, StepKind};
use crate::model::{Results, SourceStamp};

const LOGS: Rule = ("build$ baz logs", 0, "me@e--2004/p--main--1.0--patch-2\n");
const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");

async fn run(revision: Option<&str>, rules: &[Rule]) -> (Results, Vec<String>) {
    let config = ArchStepConfig {
        source: SourceSettings {
            branch: Some(template("p--main--1.0")),
            ..SourceSettings::default()
        },
        url: template("http://h/arch"),
        archive: Some(template("me@e--2004")),
        program: "baz",
    };
    let stamp = SourceStamp {
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    };
    let mut stage = stage(StepKind::Arch(Box::new(config)), stamp);
    let (outcome, lines) = played(&mut stage, rules).await;
    if outcome.result == Results::Success {
        assert_eq!(outcome.properties.get("got_revision").unwrap(), "patch-2");
    }
    (outcome.result, lines)
}

#[tokio::test(start_paused = true)]
async fn a_revision_gets_a_new_tree_and_the_latest_is_replayed() {
    let (result, lines) = run(Some("patch-2"), &[LOGS]).await;
    assert_eq!(result, Results::Success);
    let expected = [
        ".$ baz --version",
        ".$ baz register-archive --force http://h/arch",
        "rmdir build",
        ".$ baz get me@e--2004/p--main--1.0--patch-2 build",
        "build$ baz logs --reverse --full",
    ];
    assert_eq!(lines, expected);
    let version: Rule = ("build$ baz tree-version", 0, "me@e--2004/p--main--1.0\n");
    let (result, lines) = run(None, &[LOGS, NOT_PATCHED, version]).await;
    assert_eq!(result, Results::Success);
    let expected = [
        "stat build/{arch}",
        "build$ baz tree-version",
        "stat build/.buildbot-patched",
        "build$ baz undo --no-output",
        "build$ baz replay",
        "build$ baz logs --reverse --full",
    ];
    assert_eq!(lines[2..], expected);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_cannot_be_updated_is_made_anew_if_the_archive_answers() {
    let version: Rule = ("build$ baz tree-version", 0, "me@e--2004/p--main--1.0\n");
    let undo: Rule = ("build$ baz undo", 1, "");
    let (result, lines) = run(None, &[LOGS, NOT_PATCHED, version, undo]).await;
    assert_eq!(result, Results::Success);
    let anew = [
        ".$ baz revisions me@e--2004/p--main--1.0",
        "rmdir build",
        ".$ baz get me@e--2004/p--main--1.0 build",
        "build$ baz logs --reverse --full",
    ];
    assert_eq!(lines[lines.len() - anew.len()..], anew);

    let silent: Rule = (".$ baz revisions", 1, "");
    let (result, lines) = run(None, &[LOGS, NOT_PATCHED, version, undo, silent]).await;
    assert_eq!(result, Results::Failure);
    assert!(!lines.contains(&"rmdir build".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_name_is_refused() {
    let (result, lines) = run(Some("../x"), &[]).await;
    assert_eq!(result, Results::Failure);
    assert!(lines.is_empty(), "{lines:?}");
}
