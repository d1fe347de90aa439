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
        assert_eq!(commands[0], "stat source/.git");
        let mut expected = vec![
            "source$ git rev-parse HEAD",
            "rmdir build",
            "cpdir source build",
        ];
        expected.extend(last);
        expected.push("write build/.buildbot-patched");
        assert_eq!(commands[4..4 + expected.len()], expected, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stp_49_a_step_follows_the_source_of_its_codebase() {
    let stamp = || SourceStamp {
        branch: Some("rel".to_owned()),
        codebase: "lib".to_owned(),
        ..SourceStamp::default()
    };
    for (codebase, branch) in [("lib", "refs/heads/rel"), ("app", "HEAD")] {
        let config = git_with(|source| source.codebase = Some(codebase.to_owned()));
        let mut stage = stage(config, stamp());
        let (outcome, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
        assert_eq!(commands[2], fetch(branch));
        let got = outcome.properties.get("got_revision");
        assert_eq!(got, Some(&json!({ codebase: HEAD })));
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
