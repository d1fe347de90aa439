//! Subversion by recorded scripts: what each setting adds to the commands.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::{Location, SourceMethod, SourceMode, StepKind};
use crate::model::{Results, SourceStamp};

const INFO: Rule = (
    "build$ svn info",
    0,
    "<info><entry revision=\"7\"><url>https://h/trunk</url><commit revision=\"5\"/></entry></info>",
);
const NEW: Rule = ("stat build/.svn", 1, "");
const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");
const CHECKOUT: &str = "build$ svn checkout --revision HEAD";
const QUIET: &str = "--non-interactive --no-auth-cache";

fn config() -> SvnStepConfig {
    SvnStepConfig {
        location: Location::Repourl(template("https://h/trunk")),
        ..SvnStepConfig::default()
    }
}

/// The revision, and the commands without the question for the version.
async fn run(config: SvnStepConfig, rules: &[Rule]) -> (String, Vec<String>) {
    let mut stage = stage(StepKind::Svn(Box::new(config)), SourceStamp::default());
    let (outcome, mut lines) = played(&mut stage, rules).await;
    assert_eq!(outcome.result, Results::Success);
    let got = outcome.properties.get("got_revision").unwrap();
    let log = stage.log("0-source", "stdio").unwrap();
    assert!(!log.contains("pass-word"), "{log}");
    (got.as_str().unwrap().to_owned(), lines.split_off(1))
}

#[tokio::test(start_paused = true)]
async fn stp_65_the_user_and_the_password_are_for_commands_that_talk_to_the_server() {
    let config = SvnStepConfig {
        username: Some(template("me")),
        password: Some(template("pass-word")),
        extra_args: vec!["--trust-server-cert".to_owned()],
        ..config()
    };
    let with = format!("{QUIET} --username me --password XXXXXX --trust-server-cert");
    let (got, lines) = run(config.clone(), &[INFO, NEW]).await;
    assert_eq!(got, "7");
    assert_eq!(
        lines[2..],
        [
            format!("{CHECKOUT} https://h/trunk@ . {with}"),
            "build$ svn info --xml".to_owned(),
        ]
    );
    let (_, lines) = run(config, &[INFO, NOT_PATCHED]).await;
    let update = format!("build$ svn update --force --revision HEAD {with}");
    assert_eq!(lines[3], update);
}

#[tokio::test(start_paused = true)]
async fn stp_71_the_depth_is_for_new_trees_and_old_ones() {
    let config = SvnStepConfig {
        depth: Some("files"),
        ..config()
    };
    let (_, lines) = run(config.clone(), &[INFO, NEW]).await;
    let checkout = format!("{CHECKOUT} --depth files https://h/trunk@ . {QUIET}");
    assert_eq!(lines[2], checkout);
    let (_, lines) = run(config, &[INFO, NOT_PATCHED]).await;
    let update = "build$ svn update --force --revision HEAD --set-depth files";
    assert_eq!(lines[3], format!("{update} {QUIET}"));
}

#[tokio::test(start_paused = true)]
async fn stp_70_each_build_starts_with_a_clean_tree_if_that_is_wanted() {
    let unversioned: Rule = (
        "build$ svn status",
        0,
        "<status><target><entry path=\"junk\"><wc-status item=\"unversioned\"/></entry>\
         <entry path=\"cache\"><wc-status item=\"unversioned\"/></entry></target></status>",
    );
    let rules = [INFO, NOT_PATCHED, unversioned];
    let (incremental, clean) = (
        SourceMode::Incremental,
        SourceMode::Full(SourceMethod::Clean),
    );
    for (always, ignore_ignores, mode, status) in [
        (false, true, incremental, None),
        (true, true, incremental, Some(" --no-ignore")),
        // STP-69
        (true, false, incremental, Some("")),
        (false, true, clean, Some("")),
    ] {
        let mut config = SvnStepConfig {
            always_purge: always,
            ignore_ignores,
            keep_on_purge: vec!["cache".to_owned()],
            ..config()
        };
        config.source.mode = mode;
        let (_, lines) = run(config, &rules).await;
        let found = lines.iter().find(|line| line.contains("svn status"));
        let status = status.map(|option| format!("build$ svn status --xml{option}"));
        assert_eq!(found, status.as_ref());
        // STP-68: what is to be kept is kept.
        assert_eq!(
            lines.contains(&"rmdir build/junk".to_owned()),
            status.is_some()
        );
        assert!(!lines.contains(&"rmdir build/cache".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn stp_75_the_revision_may_be_that_of_the_last_change() {
    let config = SvnStepConfig {
        prefer_last_changed_rev: true,
        ..config()
    };
    let (got, _) = run(config, &[INFO, NEW]).await;
    assert_eq!(got, "5");
}
