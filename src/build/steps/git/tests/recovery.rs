//! What becomes of trees that cannot be updated and of revisions that cannot be had, and what git
//! is told.

use super::*;
use crate::model::Op;
use crate::model::journal::StepFinish;
use crate::net::CommandEnd;

#[tokio::test(start_paused = true)]
async fn a_tree_that_cannot_be_updated_is_made_anew_if_the_server_answers() {
    let fresh = || GitStepConfig {
        submodules: true,
        ..git_with(|source| source.mode = SourceMode::Full(SourceMethod::Fresh))
    };
    for command in [
        "build$ git clean",
        "build$ git fetch",
        "build$ git checkout",
        "build$ git submodule sync",
        "build$ git submodule foreach",
    ] {
        let failing = [NOT_PATCHED, (command, 1)];
        let mut anew = stage(fresh(), SourceStamp::default());
        let (outcome, commands, _) = played(&mut anew, &failing).await;
        assert_eq!(outcome.result, Results::Success, "{command}");
        assert!(commands.contains(&cloned()[1]), "{command}: {commands:?}");
        let stdio = anew.log("0-git", "stdio").unwrap();
        assert!(stdio.contains("is made anew"), "{command}: {stdio}");

        let away = [NOT_PATCHED, (command, 9), ("build$ git ls-remote", 9)];
        let mut kept = stage(fresh(), SourceStamp::default());
        let (outcome, commands, _) = played(&mut kept, &away).await;
        assert_eq!(outcome.result, Results::Failure, "{command}");
        assert!(!commands.contains(&"rmdir build".to_owned()), "{command}");
        let stdio = kept.log("0-git", "stdio").unwrap();
        assert!(stdio.contains("the tree stays as it is"), "{stdio}");

        // Once, and not for ever.
        let failing = [NOT_PATCHED, (command, usize::MAX)];
        let mut stage = stage(fresh(), SourceStamp::default());
        let (_, commands, _) = played(&mut stage, &failing).await;
        let clones = commands.iter().filter(|line| **line == cloned()[1]);
        assert_eq!(clones.count(), 1, "{command}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_repository_of_a_submodule_that_does_not_answer_does_not_cost_the_tree() {
    let config = GitStepConfig {
        submodules: true,
        ..git_config()
    };
    let mut stage = stage(config, SourceStamp::default());
    let build = stage.build();
    let (outcome, commands) = play(build, async {
        let mut commands = Vec::new();
        loop {
            let played = stage.command().await;
            let line = shown(&played.asked);
            let is_last = line.ends_with("git ls-remote ssh://sub HEAD");
            if line.contains("--get-regexp ^submodule") {
                played.print("submodule.a b.url\nssh://sub\0").await;
                played.exit(0).await;
            } else if is_last || line.contains("submodule update") {
                played.exit(1).await;
            } else {
                succeed(played, "HEAD").await;
            }
            commands.push(line);
            if is_last {
                return commands;
            }
        }
    })
    .await;
    assert_eq!(outcome.result, Results::Failure);
    assert!(!commands.contains(&"rmdir build".to_owned()));
    let stdio = stage.log("0-git", "stdio").unwrap();
    assert!(
        stdio.contains("ssh://sub of a submodule does not answer"),
        "{stdio}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_the_tree_has_is_not_fetched() {
    for (revision, found) in [(HEAD, true), ("012345678", true), ("master", false)] {
        let stamp = SourceStamp {
            branch: Some("gone".to_owned()),
            revision: Some(revision.to_owned()),
            ..SourceStamp::default()
        };
        let mut stage = stage(git_config(), stamp);
        let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(outcome.result, Results::Success);
        let fetches = commands.iter().any(|line| line.contains("git fetch"));
        assert_eq!(fetches, !found, "{commands:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_without_its_branch_is_fetched_by_itself() {
    let stamp = || SourceStamp {
        branch: Some("gone".to_owned()),
        revision: Some(HEAD.to_owned()),
        ..SourceStamp::default()
    };
    let branch = fetch("refs/heads/gone");
    let failing = [NOT_PATCHED, UNKNOWN, (branch.as_str(), 1)];
    let (outcome, commands, _) = played(&mut stage(git_config(), stamp()), &failing).await;
    assert_eq!(outcome.result, Results::Success);
    assert!(commands.contains(&fetch(HEAD)), "{commands:?}");

    // Nobody has it, and nothing is wrong with the tree.
    let failing = [NOT_PATCHED, UNKNOWN, ("build$ git fetch", 9)];
    let mut missing = stage(git_config(), stamp());
    let (outcome, commands, _) = played(&mut missing, &failing).await;
    assert_eq!(outcome.result, Results::Failure);
    assert!(
        !commands.contains(&"rmdir build".to_owned()),
        "{commands:?}"
    );
    let stdio = missing.log("0-git", "stdio").unwrap();
    assert!(stdio.contains("does not have revision"), "{stdio}");

    // The tree is damaged, and may be why.
    let failing = [
        NOT_PATCHED,
        UNKNOWN,
        (branch.as_str(), 1),
        (&fetch(HEAD), 1),
        ("build$ git fsck", 1),
    ];
    let (outcome, commands, _) = played(&mut stage(git_config(), stamp()), &failing).await;
    assert_eq!(outcome.result, Results::Success);
    assert!(commands.contains(&"rmdir build".to_owned()), "{commands:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_built_where_there_is_no_branch_of_its_name() {
    let stamp = SourceStamp {
        branch: Some("v2".to_owned()),
        ..SourceStamp::default()
    };
    let mut stage = stage(git_config(), stamp);
    let branch = fetch("refs/heads/v2");
    let failing = [NOT_PATCHED, (branch.as_str(), 1)];
    let (outcome, commands, _) = played_with(&mut stage, &failing, "refs/tags/v2").await;
    assert_eq!(outcome.result, Results::Success);
    let ask = format!("build$ git ls-remote {URL} refs/heads/v2 refs/tags/v2");
    assert_eq!(
        commands[2..6],
        [branch, ask, fetch("refs/tags/v2"), CHECKOUT.to_owned()]
    );
}

#[tokio::test(start_paused = true)]
async fn git_stays_in_the_tree_and_never_asks() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let build = stage.build();
    let script = async {
        let place = |played: &Played| {
            let env: BTreeMap<_, _> = played.args.env.iter().cloned().collect();
            (env["GIT_DIR"].clone(), env["GIT_WORK_TREE"].clone())
        };
        let outside = (Some(NO_REPOSITORY.to_owned()), None);
        let version = stage.command().await;
        assert_eq!(place(&version), outside);
        succeed(version, "").await;
        let configured = stage.command().await;
        configured.print("core.askpass /usr/bin/pw\n").await;
        succeed(configured, "").await;
        for _ in [".git", patch::MARK] {
            stage.command().await.exit(0).await;
        }
        let clean = stage.command().await;
        assert_eq!(
            place(&clean),
            (Some(".git".to_owned()), Some(".".to_owned()))
        );
        assert_eq!(clean.args.use_pty, Some(false));
        let names: Vec<_> = clean
            .args
            .default_env
            .iter()
            .map(|v| v.name.name())
            .collect();
        assert!(names.contains(&"GIT_TERMINAL_PROMPT"), "{names:?}");
        assert!(!names.contains(&"GIT_ASKPASS"), "{names:?}");
        clean.exit(1).await;
        let ask = stage.command().await;
        assert_eq!(place(&ask), outside);
        succeed(ask, "HEAD").await;
        stage.command().await.exit(0).await;
        let clone = stage.command().await;
        assert_eq!(place(&clone), (None, None));
        clone.exit(1).await;
    };
    let (_, ()) = Box::pin(play(build, script)).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_git_is_not_told_what_it_does_not_know() {
    let config = GitStepConfig {
        submodules: true,
        ..git_config()
    };
    let mut stage = stage(config, SourceStamp::default());
    let build = stage.build();
    let (outcome, commands) = play(build, async {
        let version = stage.command().await;
        version.print("git version 1.7.5\n").await;
        version.exit(0).await;
        let mut commands = Vec::new();
        while commands.last().is_none_or(|line| line != REV_PARSE) {
            let played = stage.command().await;
            commands.push(shown(&played.asked));
            succeed(played, "").await;
        }
        stage.command().await.exit(0).await;
        commands
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
    for line in [
        "build$ git checkout -f --detach FETCH_HEAD --",
        "build$ git submodule sync",
        "build$ git submodule update --init --recursive --force",
    ] {
        assert!(commands.contains(&line.to_owned()), "{commands:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slave_without_git_fails_the_step() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, &[(".$ git --version", 1)]).await;
    assert_eq!(outcome.result, Results::Failure);
    assert!(commands.is_empty(), "{commands:?}");
    let stdio = stage.log("0-git", "stdio").unwrap();
    assert!(stdio.contains("git cannot be run on this slave"), "{stdio}");
}

#[tokio::test(start_paused = true)]
async fn a_branch_in_the_way_of_another_is_removed_from_the_tree() {
    let stamp = SourceStamp {
        branch: Some("v2/rc1".to_owned()),
        ..SourceStamp::default()
    };
    let mut stage = stage(git_config(), stamp);
    let build = stage.build();
    let (outcome, commands) = play(build, async {
        let mut commands = Vec::new();
        while commands.last().is_none_or(|line| line != REV_PARSE) {
            let played = stage.command().await;
            let line = shown(&played.asked);
            let is_first = !commands.iter().any(|l: &String| l.contains("-B"));
            if line.contains("-B v2/rc1") && is_first {
                played.exit(1).await;
            } else if line.contains("for-each-ref") {
                played.print("refs/heads/v2\nrefs/heads/v2x\n").await;
                played.exit(0).await;
            } else {
                succeed(played, "").await;
            }
            commands.push(line);
        }
        stage.command().await.exit(0).await;
        commands
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
    let switch = "build$ git checkout -f --progress -B v2/rc1 FETCH_HEAD --".to_owned();
    let list = "build$ git for-each-ref --format=%(refname) refs/heads/v2/rc1/ refs/heads/v2";
    let remove = "build$ git update-ref -d refs/heads/v2".to_owned();
    let at = commands.iter().position(|line| *line == switch).unwrap();
    let expected = [
        switch.clone(),
        list.to_owned(),
        CHECKOUT.to_owned(),
        remove,
        switch,
    ];
    assert_eq!(commands[at..at + 5], expected);
}

#[tokio::test(start_paused = true)]
async fn the_commands_of_a_step_are_counted() {
    let mut stage = stage(git_config(), SourceStamp::default());
    let build = stage.build();
    let (_, ids) = play(build, async {
        let mut ids = Vec::new();
        for _ in 0..3 {
            let played = stage.command().await;
            ids.push(played.id.to_string());
            succeed(played, "git version 2.47.3\n").await;
        }
        stage.command().await.end(CommandEnd::Lost).await;
        ids
    })
    .await;
    assert_eq!(ids, ["70.0.0", "70.0.1", "70.0.2"]);
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_step_names_the_properties_that_it_set() {
    let mut stage = stage(git_config(), SourceStamp::default());
    played(&mut stage, &[NEW]).await;
    let mut set = Vec::new();
    for op in stage.ops() {
        if let Op::StepFinished(StepFinish { outcome, .. }) = op {
            let names = outcome.properties.iter().map(|(name, _)| name);
            set.push(names.collect::<Vec<_>>().join(" "));
        }
    }
    assert_eq!(set, ["got_revision", ""]);
}
