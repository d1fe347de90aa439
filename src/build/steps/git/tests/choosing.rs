//! Which branch, revision and codebase are checked out, and where the tree is.

use super::*;

#[tokio::test(start_paused = true)]
async fn src_04_a_tree_beside_the_work_directory_is_copied_or_exported() {
    for (method, last) in [
        (SourceMethod::Copy, None),
        (SourceMethod::Export, Some("rmdir build/.git")),
    ] {
        let config = git_with(|source| source.mode = SourceMode::Full(method));
        let failing = [("stat source/.buildbot-patched", 1)];
        let mut stage = stage(config, patched(None));
        let (outcome, commands, _) = played(&mut stage, &failing).await;
        assert_eq!(outcome.result, Results::Success);
        assert_eq!(commands[..2], ["rmdir build", "stat source/.git"]);
        let mut expected = vec!["source$ git rev-parse HEAD", "cpdir source build"];
        expected.extend(last);
        expected.push("write build/.buildbot-patched");
        assert_eq!(commands[5..5 + expected.len()], expected, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stp_49_a_step_follows_the_source_of_its_codebase() {
    let stamp = || SourceStamp {
        branch: Some("rel".to_owned()),
        codebase: "lib".to_owned(),
        ..SourceStamp::default()
    };
    let git_of = |codebase: &str, latest| {
        git_with(|source| {
            source.codebase = Some(codebase.to_owned());
            source.always_use_latest = latest;
        })
    };
    for (codebase, latest, branch) in [
        ("lib", false, "refs/heads/rel"),
        ("lib", true, "HEAD"),
        ("app", true, "HEAD"),
    ] {
        let mut stage = stage(git_of(codebase, latest), stamp());
        let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(commands[2], fetch(branch));
        let got = outcome.properties.get("got_revision");
        assert_eq!(got, Some(&json!({ codebase: HEAD })));
    }
}

#[tokio::test(start_paused = true)]
async fn cbs_06_a_step_of_a_codebase_that_the_build_has_not_is_an_exception() {
    let of = |codebase: &str| SourceStamp {
        codebase: codebase.to_owned(),
        ..SourceStamp::default()
    };
    for (codebase, problem) in [
        (
            Some("app"),
            "the build has no source stamp of codebase \"app\"; it has \"core\", \"lib\"",
        ),
        (
            None,
            "the step names no codebase; the build has \"core\", \"lib\"",
        ),
    ] {
        let config = git_with(|source| source.codebase = codebase.map(str::to_owned));
        let mut stage = stage(config, SourceStamp::default());
        stage.plan.stamps = Arc::new([of("core"), of("lib")].into_iter().collect());
        let (outcome, commands, _) = played(&mut stage, &[]).await;
        assert_eq!(outcome.result, Results::Exception);
        assert_eq!(commands, [""; 0]);
        let text = stage.log("0-git", "err.text").unwrap();
        assert!(text.contains(problem), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn src_03_with_several_codebases_each_step_tells_the_revision_of_its_own() {
    let of = |codebase: &str, revision: &str| SourceStamp {
        codebase: codebase.to_owned(),
        revision: Some(revision.to_owned()),
        ..SourceStamp::default()
    };
    for (codebase, revision) in [("", "r1"), ("lib", "r2")] {
        let config = git_with(|source| {
            source.codebase = Some(codebase.to_owned()).filter(|name| !name.is_empty());
        });
        let mut stage = stage(config, SourceStamp::default());
        stage.plan.stamps = Arc::new([of("", "r1"), of("lib", "r2")].into_iter().collect());
        let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(outcome.result, Results::Success);
        let wanted = format!(" {revision} --");
        let mut checkouts = commands.iter().filter(|line| line.contains("git checkout"));
        assert!(checkouts.any(|line| line.contains(&wanted)), "{commands:?}");
        let got = outcome.properties.get("got_revision");
        assert_eq!(got, Some(&json!({ codebase: HEAD })));
        assert_eq!(outcome.properties.get("revision"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn src_01_the_stamp_says_branch_and_revision() {
    let given = SourceStamp {
        branch: Some("rel".to_owned()),
        revision: Some("abc".to_owned()),
        ..SourceStamp::default()
    };
    let only_branch = SourceStamp {
        revision: None,
        ..given.clone()
    };
    for (stamp, latest, branch, revision) in [
        (given.clone(), false, "rel", "abc"),
        (only_branch, false, "rel", "FETCH_HEAD"),
        (SourceStamp::default(), false, "main", "FETCH_HEAD"),
        (
            SourceStamp {
                patch: Some(patch(b"x", None)),
                ..given
            },
            true,
            "main",
            "FETCH_HEAD",
        ),
    ] {
        let config = git_with(|source| {
            source.branch = Some(template("main"));
            source.always_use_latest = latest;
        });
        let mut stage = stage(config, stamp);
        let mut builder = (*stage.plan.builder).clone();
        builder.ignore_patch = true;
        stage.plan.builder = Arc::new(builder);
        let (outcome, commands, written) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(outcome.result, Results::Success);
        let checkout = format!("build$ git checkout -f --progress -B {branch} {revision} --");
        let fetch = fetch(&format!("refs/heads/{branch}"));
        assert_eq!(commands[2..4], [fetch, checkout]);
        assert!(written.is_empty(), "no patch is applied");
        assert_eq!(stage.log("0-git", "patch"), None);
    }
}
