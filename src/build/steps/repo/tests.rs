//! Repo by recorded scripts.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::StepKind;
use crate::model::{Results, SourceStamp};

const HEAD: Rule = (
    "build$ git --git-dir=.repo/manifests/.git rev-parse HEAD",
    0,
    "0123456789012345678901234567890123456789\n",
);
const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");
const INIT: &str = "build$ repo init -u https://h/m -b master -m default.xml --depth 0";

fn config() -> RepoStepConfig {
    RepoStepConfig {
        manifest_url: template("https://h/m"),
        ..RepoStepConfig::default()
    }
}

async fn run(config: RepoStepConfig, rules: &[Rule]) -> (Results, Vec<String>) {
    let kind = StepKind::Repo(Box::new(config));
    let mut stage = stage(kind, SourceStamp::default());
    let (outcome, lines) = played(&mut stage, rules).await;
    if outcome.result == Results::Success {
        let got = outcome.properties.get("got_revision").unwrap();
        assert_eq!(got, HEAD.2.trim());
    }
    (outcome.result, lines)
}

#[tokio::test(start_paused = true)]
async fn a_new_tree_starts_from_the_archive_which_is_made_when_it_is_old() {
    let config = RepoStepConfig {
        tarball: Some(template("/t.tgz")),
        jobs: Some(4),
        repo_downloads: vec![template("repo download p 12/3")],
        ..config()
    };
    let new: Rule = ("stat build/.repo", 1, "");
    let old: Rule = ("build$ find /t.tgz", 0, "/t.tgz\n");
    let (result, lines) = run(config, &[new, HEAD, old]).await;
    assert_eq!(result, Results::Success);
    let expected = [
        "rmdir build",
        "build$ tar -z -xf /t.tgz",
        INIT,
        "build$ repo sync -j4 -c",
        "build$ repo manifest -r -o manifest-original.xml",
        HEAD.0,
        "build$ find /t.tgz -mmin +10080",
        "build$ tar -z -cf /t.tgz .repo",
        "build$ repo download p 12/3",
    ];
    assert_eq!(lines[2..], expected);
}

#[tokio::test(start_paused = true)]
async fn stp_160_a_tree_is_synced_as_its_settings_say() {
    let mut config = RepoStepConfig {
        manifest_file: template("m.xml"),
        manifest_override_url: Some(template("https://h/other.xml")),
        sync_all_branches: true,
        submodules: true,
        sync_quietly: true,
        depth: 3,
        ..config()
    };
    config.source.branch = Some(template("dev"));
    let (result, lines) = run(config, &[HEAD, NOT_PATCHED]).await;
    assert_eq!(result, Results::Success);
    let expected = [
        "build$ repo init -u https://h/m -b dev -m m.xml --depth 3 --submodules",
        "build$ wget https://h/other.xml -O manifest_override.xml",
        "build$ ln -sf ../manifest_override.xml .repo/manifest.xml",
        "build$ repo sync --fetch-submodules -q",
        "build$ repo manifest -r -o manifest-original.xml",
    ];
    assert_eq!(lines[4..9], expected);
}

#[tokio::test(start_paused = true)]
async fn stp_161_an_archive_is_made_anew_after_its_time() {
    for (age, found) in [
        (Some(600), Some("build$ find /t.tar -mmin +10")),
        (None, None),
    ] {
        let config = RepoStepConfig {
            tarball: Some(template("/t.tar")),
            update_tarball_age: age.map(std::time::Duration::from_secs),
            ..config()
        };
        let (_, lines) = run(config, &[HEAD, NOT_PATCHED]).await;
        let find = lines.iter().find(|line| line.contains("$ find"));
        assert_eq!(find.map(String::as_str), found);
        // It is young enough.
        assert!(!lines.concat().contains("tar -cf"), "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_cannot_be_synced_is_made_anew() {
    let (result, lines) = run(config(), &[HEAD, NOT_PATCHED]).await;
    assert_eq!(result, Results::Success);
    assert!(lines[3].starts_with("build$ sh -c"), "{lines:?}");
    assert_eq!(lines[4], INIT);
    assert!(!lines.contains(&"rmdir build".to_owned()));

    let (result, lines) = run(config(), &[HEAD, NOT_PATCHED, (INIT, 1, "")]).await;
    assert_eq!(result, Results::Failure);
    assert!(lines.contains(&"rmdir build".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_applied_fails_the_step() {
    let config = RepoStepConfig {
        repo_downloads: vec![template("p 12/3")],
        ..config()
    };
    let fails: Rule = ("build$ repo download", 1, "");
    let (result, _) = run(config, &[HEAD, NOT_PATCHED, fails]).await;
    assert_eq!(result, Results::Failure);
}
