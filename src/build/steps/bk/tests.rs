//! BitKeeper by recorded scripts.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::{Location, SourceMethod, SourceMode, StepKind};
use crate::model::{Results, SourceStamp};

const URL: &str = "bk://h/p";
const NEW: Rule = ("stat build/BK/parent", 1, "");
const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");
const PARENT: Rule = ("build$ cat BK/parent", 0, "bk://h/p\n");
const REVISION: Rule = ("build$ bk changes -r+ -d:REV:", 0, "1.7\n");
const CLONE: &str = ".$ bk clone -q bk://h/p build";

async fn run(mode: SourceMode, revision: Option<&str>, rules: &[Rule]) -> (Results, Vec<String>) {
    let mut config = BkStepConfig {
        location: Location::Repourl(template(URL)),
        extra_args: vec!["-q".to_owned()],
        ..BkStepConfig::default()
    };
    config.source.mode = mode;
    let stamp = SourceStamp {
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    };
    let mut stage = stage(StepKind::Bk(Box::new(config)), stamp);
    let (outcome, mut lines) = played(&mut stage, rules).await;
    if outcome.result == Results::Success {
        assert_eq!(outcome.properties.get("got_revision").unwrap(), "1.7");
    }
    (outcome.result, lines.split_off(1))
}

#[tokio::test(start_paused = true)]
async fn stp_167_a_tree_is_cloned_or_pulled() {
    let rules = [NEW, REVISION];
    let (result, lines) = run(SourceMode::Incremental, None, &rules).await;
    assert_eq!(result, Results::Success);
    assert_eq!(lines, [NEW.0, "rmdir build", CLONE, REVISION.0]);

    let rules = [NOT_PATCHED, PARENT, REVISION];
    let (_, lines) = run(SourceMode::Incremental, None, &rules).await;
    let pull = "build$ bk pull";
    assert_eq!(lines, [NEW.0, PARENT.0, NOT_PATCHED.0, pull, REVISION.0]);

    let (_, lines) = run(SourceMode::Incremental, Some("1.5"), &rules).await;
    let clone = ".$ bk clone -r1.5 -q bk://h/p build";
    assert_eq!(lines, ["rmdir build", clone, REVISION.0]);
}

#[tokio::test(start_paused = true)]
async fn stp_167_a_tree_that_is_damaged_or_of_another_place_is_cloned_anew() {
    let fails: Rule = ("build$ bk pull", 1, "");
    let other: Rule = (PARENT.0, 0, "bk://other/p\n");
    let patched: Rule = (NOT_PATCHED.0, 0, "");
    for rules in [
        [NOT_PATCHED, PARENT, fails, REVISION],
        [NOT_PATCHED, other, fails, REVISION],
        [patched, PARENT, ("-", 0, ""), REVISION],
    ] {
        let (result, lines) = run(SourceMode::Incremental, None, &rules).await;
        assert_eq!(result, Results::Success);
        assert_eq!(lines[lines.len() - 3..], ["rmdir build", CLONE, REVISION.0]);
    }
}

#[tokio::test(start_paused = true)]
async fn stp_167_a_tree_is_exported_by_the_program() {
    let mode = SourceMode::Full(SourceMethod::Export);
    let rules: [Rule; 2] = [
        ("stat source/BK/parent", 1, ""),
        ("source$ bk changes", 0, "1.7\n"),
    ];
    let (_, lines) = run(mode, None, &rules).await;
    assert_eq!(lines[0], "rmdir build");
    assert_eq!(lines.last().unwrap(), ".$ bk export source build");
}
