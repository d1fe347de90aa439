//! What each setting adds to the commands.

use super::*;
use crate::config::{RepositoryConfig, RepositoryUrl};

/// The commands on a tree that is not patched, with these settings.
async fn with(change: impl FnOnce(&mut GitStepConfig)) -> (BuildOutcome, Vec<String>) {
    with_failing(change, &[NOT_PATCHED]).await
}

async fn with_failing(
    change: impl FnOnce(&mut GitStepConfig),
    failing: &[(&str, usize)],
) -> (BuildOutcome, Vec<String>) {
    let mut config = git_config();
    change(&mut config);
    let mut stage = stage(config, SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, failing).await;
    (outcome, commands)
}

fn place_of(commands: &[String], command: &str) -> usize {
    let found = commands.iter().position(|c| c == command);
    found.unwrap_or_else(|| panic!("no {command:?} in {commands:?}"))
}

#[tokio::test(start_paused = true)]
async fn stp_104_progress_is_not_shown_where_it_is_not_wanted() {
    let (_, commands) = with(|git| git.progress = false).await;
    assert!(!commands.concat().contains("--progress"), "{commands:?}");
    assert_eq!(commands[3], CHECKOUT.replace(" --progress", ""));
}

#[tokio::test(start_paused = true)]
async fn stp_105_a_failed_fetch_is_tried_again_at_once() {
    let failing = [NOT_PATCHED, ("build$ git fetch", 1)];
    let (outcome, commands) = with_failing(|git| git.retry_fetch = true, &failing).await;
    assert_eq!(outcome.result, Results::Success);
    assert_eq!(commands[2..4], [fetch("HEAD"), fetch("HEAD")]);
    assert!(!commands.contains(&"rmdir build".to_owned()));
    let (_, commands) = with_failing(|git| git.retry_fetch = false, &failing).await;
    assert_ne!(commands[3], fetch("HEAD"));
    assert!(commands.contains(&"rmdir build".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn stp_106_a_tree_that_cannot_be_updated_is_made_anew_only_if_that_is_wanted() {
    for (clobber, result) in [(true, Results::Success), (false, Results::Failure)] {
        let failing = [NOT_PATCHED, ("build$ git fetch", 1)];
        let (outcome, commands) =
            with_failing(|git| git.clobber_on_failure = clobber, &failing).await;
        assert_eq!(outcome.result, result);
        assert_eq!(commands.contains(&"rmdir build".to_owned()), clobber);
    }
}

#[tokio::test(start_paused = true)]
async fn stp_107_the_tree_is_described() {
    let words = |words: &[&str]| Some(words.iter().map(|w| (*w).to_owned()).collect());
    for (options, command) in [
        (words(&[]), "build$ git describe HEAD"),
        (words(&["--tags"]), "build$ git describe --tags HEAD"),
        // Git does not describe the tree and a commit at once.
        (words(&["--dirty"]), "build$ git describe --dirty"),
    ] {
        let (_, commands) = with(|git| git.get_description = options).await;
        let described = place_of(&commands, command);
        assert!(described > place_of(&commands, REV_PARSE));
    }
    let (_, commands) = with(|_| {}).await;
    assert!(!commands.concat().contains("git describe"));
}

#[tokio::test(start_paused = true)]
async fn stp_108_settings_come_before_every_command() {
    let config = |git: &mut GitStepConfig| {
        git.config = [("http.proxy".to_owned(), template("p"))].into();
    };
    let (_, commands) = with(config).await;
    let mut of_git = commands.iter().filter(|c| c.contains("$ git")).peekable();
    assert!(of_git.peek().is_some());
    assert!(of_git.all(|c| c.contains("$ git -c http.proxy=p ")));
}

#[tokio::test(start_paused = true)]
async fn stp_111_submodules_are_at_the_latest_of_their_branches() {
    let update = "build$ git submodule update --init --recursive --force --progress";
    for (remote, command) in [(true, format!("{update} --remote")), (false, update.into())] {
        let (_, commands) = with(|git| {
            git.submodules = true;
            git.remote_submodules = remote;
        })
        .await;
        place_of(&commands, &command);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sparse_tree_is_set_up_before_its_files_are_written() {
    let (_, commands) = with(|git| git.sparse = vec!["a".to_owned(), "b c".to_owned()]).await;
    let sparse = place_of(&commands, "build$ git sparse-checkout set a b c");
    assert!(sparse < place_of(&commands, CHECKOUT));
    let failing = [NOT_PATCHED, ("build$ git sparse-checkout", 9)];
    let sparse = |git: &mut GitStepConfig| git.sparse = vec!["a".to_owned()];
    let (outcome, _) = with_failing(sparse, &failing).await;
    assert_eq!(outcome.result, Results::Failure);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_sparse_no_more_gets_its_files_again() {
    const DISABLE: &str = "build$ git sparse-checkout disable";
    for (is_sparse, version, disables) in [
        (true, "2.47.3", true),
        (false, "2.47.3", false),
        // It cannot have made a sparse tree.
        (true, "2.24.1", false),
    ] {
        let mut stage = stage(git_config(), SourceStamp::default());
        let slave = Slave {
            is_sparse,
            version,
            ..Slave::default()
        };
        let (outcome, commands, _) = played_on(&mut stage, &[NOT_PATCHED], slave).await;
        assert_eq!(outcome.result, Results::Success);
        let disabled = commands.iter().any(|command| command == DISABLE);
        assert_eq!(disabled, disables, "{version}: {commands:?}");
        if disables {
            assert!(place_of(&commands, DISABLE) < place_of(&commands, CHECKOUT));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn large_files_are_fetched_from_the_remote_of_the_tree() {
    for (origin, command) in [
        (None, "build$ git lfs pull"),
        (Some("up"), "build$ git lfs pull up"),
    ] {
        let (_, commands) = with(|git| {
            git.lfs = true;
            git.origin = origin.map(str::to_owned);
        })
        .await;
        assert!(place_of(&commands, command) > place_of(&commands, CHECKOUT));
    }
    let failing = [NOT_PATCHED, ("build$ git lfs", 9)];
    let (outcome, _) = with_failing(|git| git.lfs = true, &failing).await;
    assert_eq!(outcome.result, Results::Failure);
}

#[tokio::test(start_paused = true)]
async fn stp_168_gerrit_builds_the_change_that_the_properties_name() {
    let change = "refs/changes/34/1234/5";
    for (properties, project, wanted) in [
        (vec![("event.patchSet.ref", change)], "p", Some(change)),
        (vec![("gerrit_change", "1234/5")], "p", Some(change)),
        (vec![("gerrit_change", "1234")], "p", None),
        // As a slave side command of Buildbot 0.8.14 has it.
        (
            vec![("gerrit_change", "1203/5")],
            "p",
            Some("refs/changes/03/1203/5"),
        ),
        (
            vec![
                ("event.patchSet.ref", change),
                ("event.change.project", "p"),
            ],
            "p",
            Some(change),
        ),
        // The event is about another repository.
        (
            vec![
                ("event.patchSet.ref", change),
                ("event.change.project", "q"),
            ],
            "p",
            None,
        ),
        (vec![], "p", None),
    ] {
        for flavor in [GitFlavor::Gerrit, GitFlavor::Git] {
            let config = GitStepConfig {
                flavor,
                ..git_config()
            };
            let stamp = SourceStamp {
                branch: Some("b".to_owned()),
                project: project.to_owned(),
                ..SourceStamp::default()
            };
            let mut stage = stage(config, stamp);
            for (name, value) in &properties {
                stage.plan.properties.set_runtime(*name, *value, "test");
            }
            let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
            assert_eq!(outcome.result, Results::Success);
            let wanted = wanted.filter(|_| flavor == GitFlavor::Gerrit);
            let branch = wanted.unwrap_or("refs/heads/b");
            assert_eq!(commands[2], fetch(branch), "{properties:?}");
            let told = outcome.properties.get("gerrit_branch");
            assert_eq!(told, wanted.map(|w| json!(w)).as_ref());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stp_169_the_revision_of_a_merge_of_github_does_not_count() {
    let merge = "refs/pull/7/merge";
    for (flavor, branch, has_revision) in [
        (GitFlavor::GitHub, merge, false),
        (GitFlavor::GitHub, "refs/pull/7/head", true),
        (GitFlavor::Git, merge, true),
    ] {
        let config = GitStepConfig {
            flavor,
            ..git_config()
        };
        let stamp = SourceStamp {
            branch: Some(branch.to_owned()),
            revision: Some(HEAD.to_owned()),
            ..SourceStamp::default()
        };
        let mut stage = stage(config, stamp);
        let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(outcome.result, Results::Success);
        // A revision that the tree has is not fetched.
        let is_fetched = commands.contains(&fetch(branch));
        assert_eq!(
            is_fetched, !has_revision,
            "{flavor:?} {branch}: {commands:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn grd_05_the_name_of_a_repository_stands_for_its_address() {
    let mut config = git_config();
    config.repourl = template("widget");
    let mut stage = stage(config, SourceStamp::default());
    stage.plan.repositories = Arc::new(vec![RepositoryConfig {
        name: "widget".to_owned(),
        urls: vec![RepositoryUrl::Text("https://h/widget.git".to_owned())],
        ..RepositoryConfig::default()
    }]);
    let (_, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
    let fetch = commands
        .iter()
        .find(|command| command.contains("git fetch"));
    assert!(
        fetch.unwrap().contains(" https://h/widget.git "),
        "{fetch:?}"
    );
}
