//! Monotone by recorded scripts.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::{SourceMethod, SourceMode, StepKind};
use crate::model::{Results, SourceStamp};

const ID: &str = "0123456789012345678901234567890123456789";
const BASE: Rule = ("build$ mtn automate get_base_revision_id", 0, ID);
const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");
const NEW: Rule = ("stat build/_MTN", 1, "");
const PULL: &str = ".$ mtn --db=db.mtn pull mtn://h?b --ticker=none";

async fn run(mode: SourceMode, revision: Option<&str>, rules: &[Rule]) -> (Results, Vec<String>) {
    let mut config = MonotoneStepConfig {
        repourl: template("mtn://h"),
        ..MonotoneStepConfig::default()
    };
    config.source.branch = Some(template("b"));
    config.source.mode = mode;
    let stamp = SourceStamp {
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    };
    let mut stage = stage(StepKind::Monotone(Box::new(config)), stamp);
    let (outcome, lines) = played(&mut stage, rules).await;
    if outcome.result == Results::Success {
        assert_eq!(outcome.properties.get("got_revision").unwrap(), ID);
    }
    (outcome.result, lines)
}

#[tokio::test(start_paused = true)]
async fn a_first_build_makes_the_database() {
    let no_database: Rule = ("stat db.mtn", 1, "");
    let rules = [NEW, no_database, BASE];
    let (result, lines) = run(SourceMode::Incremental, Some(ID), &rules).await;
    assert_eq!(result, Results::Success);
    let expected = [
        ".$ mtn --version",
        "stat build/_MTN",
        "rmdir build",
        "stat db.mtn",
        "rmdir ./db.mtn",
        ".$ mtn --db=db.mtn db init",
        PULL,
        &format!(".$ mtn --db=db.mtn checkout --branch=b --revision={ID} build"),
        "build$ mtn automate get_base_revision_id",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn src_04_a_tree_is_updated_or_cleaned_first() {
    let update = [
        PULL,
        "build$ mtn revert .",
        "build$ mtn update --revision=h:b --branch=b",
        "build$ mtn automate get_base_revision_id",
    ];
    let unknown: Rule = ("build$ mtn ls unknown", 0, "x\n.buildbot-patched\n../y\n");
    let rules = [NOT_PATCHED, BASE, unknown];
    let (_, lines) = run(SourceMode::Incremental, None, &rules).await;
    assert_eq!(lines[3..], update);
    let fresh = SourceMode::Full(SourceMethod::Fresh);
    let (_, lines) = run(fresh, None, &rules).await;
    let clean = [
        "build$ mtn ls unknown",
        "rmdir build/x",
        "build$ mtn ls ignored",
    ];
    assert_eq!(lines[3..6], clean);
    assert_eq!(lines[6..], update);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_costs_nothing() {
    let rules = [NOT_PATCHED, BASE, (PULL, 1, "")];
    let (result, lines) = run(SourceMode::Incremental, None, &rules).await;
    assert_eq!(result, Results::Failure);
    let is_removed = lines.iter().any(|line| line.starts_with("rmdir"));
    assert!(!is_removed, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_tree_and_a_damaged_database_are_made_anew() {
    let update: Rule = ("build$ mtn revert .", 1, "");
    let rules = [NOT_PATCHED, BASE, update];
    let (result, lines) = run(SourceMode::Incremental, None, &rules).await;
    assert_eq!(result, Results::Success);
    let anew = [
        "rmdir build",
        "stat db.mtn",
        PULL,
        ".$ mtn --db=db.mtn checkout --branch=b build",
        "build$ mtn automate get_base_revision_id",
    ];
    assert_eq!(lines[lines.len() - anew.len()..], anew);

    let check: Rule = (".$ mtn --db=db.mtn db check", 1, "");
    let rules = [NOT_PATCHED, BASE, check, (PULL, 1, "")];
    let (_, lines) = run(SourceMode::Incremental, None, &rules).await;
    let mended = [
        PULL,
        check.0,
        "rmdir ./db.mtn",
        ".$ mtn --db=db.mtn db init",
        PULL,
    ];
    assert_eq!(lines[3..8], mended);
}

#[tokio::test(start_paused = true)]
async fn stp_140_the_program_and_the_database_have_names() {
    let mut config = MonotoneStepConfig {
        repourl: template("mtn://h"),
        monotone: "/opt/mtn".to_owned(),
        progress: true,
        db_path: template("/srv/all.mtn"),
        ..MonotoneStepConfig::default()
    };
    config.source.branch = Some(template("b"));
    let mut stage = stage(StepKind::Monotone(Box::new(config)), SourceStamp::default());
    let base: Rule = ("build$ /opt/mtn automate get_base_revision_id", 0, ID);
    let no_database: Rule = ("stat /srv/all.mtn", 1, "");
    let (outcome, lines) = played(&mut stage, &[NEW, no_database, base]).await;
    assert_eq!(outcome.result, Results::Success);
    let expected = [
        "stat /srv/all.mtn",
        "rmdir /srv/all.mtn",
        ".$ /opt/mtn --db=/srv/all.mtn db init",
        ".$ /opt/mtn --db=/srv/all.mtn pull mtn://h?b --ticker=dot",
        ".$ /opt/mtn --db=/srv/all.mtn checkout --branch=b build",
    ];
    assert_eq!(lines[3..8], expected);
    assert_eq!(lines[8], base.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_revision_is_refused() {
    let (result, lines) = run(SourceMode::Incremental, Some("h:b"), &[]).await;
    assert_eq!(result, Results::Failure);
    assert!(lines.is_empty(), "{lines:?}");
}
