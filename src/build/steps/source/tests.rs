//! Sources by the commands of old slaves: what is asked of the slave, and what is made of its
//! answers.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use bytes::Bytes;

use crate::botmaster::BuildOutcome;
use crate::build::steps::recorded;
use crate::build::testing::{play, template};
use crate::config::{
    BkStepConfig, BzrStepConfig, CvsStepConfig, DarcsStepConfig, GitStepConfig, Location,
    MercurialStepConfig, MonotoneStepConfig, P4StepConfig, RepoStepConfig, SourceMethod,
    SourceMode, SourceSettings, StepKind, SvnStepConfig,
};
use crate::model::{Patch, PatchBody, Results, SourceStamp};
use crate::net::CommandEnd;
use crate::pb::{Failure, Value};
use crate::protocol::source::{SourceArgs, SourcePatch};
use crate::protocol::{CommandArgs, Update};

fn settings() -> SourceSettings {
    SourceSettings {
        branch: Some(template("b")),
        slave_side: true,
        ..SourceSettings::default()
    }
}

fn at(url: &str) -> Location {
    Location::BaseUrl(template(url))
}

fn svn() -> SvnStepConfig {
    SvnStepConfig {
        source: settings(),
        location: at("u"),
        ..SvnStepConfig::default()
    }
}

/// Plays a slave that tells this revision; what it was asked, and the outcome.
async fn asked(kind: StepKind, stamp: SourceStamp, got: Value) -> (SourceArgs, BuildOutcome) {
    let mut stage = recorded::stage(kind, stamp);
    let build = stage.build();
    let (outcome, args) = play(build, async {
        let command = stage.command().await;
        let CommandArgs::Source(args) = command.asked.clone() else {
            panic!("{:?}", command.asked);
        };
        let key = "got_revision".to_owned();
        drop(command.say(vec![Update::Other { key, value: got }]).await);
        command.exit(0).await;
        *args
    })
    .await;
    (args, outcome)
}

/// Systems whose branches are below an address, or in one repository; with what is asked of the
/// slave.
fn of_addresses() -> Vec<(StepKind, &'static str)> {
    let location = || at("u");
    vec![
        (
            StepKind::Svn(Box::new(SvnStepConfig {
                username: Some(template("me")),
                password: Some(template("hush")),
                depth: Some("files"),
                ..svn()
            })),
            r#"svn [("svnurl", Some("u/b")), ("extra_args", []), ("keep_on_purge", []), ("ignore_ignores", true), ("always_purge", false), ("depth", Some("files")), ("username", Some("me")), ("password", …)]"#,
        ),
        (
            StepKind::Git(Box::new(GitStepConfig {
                source: settings(),
                repourl: template("u"),
                submodules: true,
                ..GitStepConfig::default()
            })),
            r#"git [("repourl", Some("u")), ("branch", Some("b")), ("submodules", true), ("ignore_ignores", true), ("reference", None), ("shallow", false), ("progress", true)]"#,
        ),
        (
            StepKind::Mercurial(Box::new(MercurialStepConfig {
                source: settings(),
                location: Location::Repourl(template("u")),
                branches_are_directories: false,
                ..MercurialStepConfig::default()
            })),
            r#"hg [("repourl", Some("u")), ("branchType", Some("inrepo")), ("clobberOnBranchChange", true), ("branch", Some("b"))]"#,
        ),
        (
            StepKind::Bzr(Box::new(BzrStepConfig {
                source: settings(),
                location: location(),
                force_shared_repo: true,
            })),
            r#"bzr [("repourl", Some("u/b")), ("forceSharedRepo", true)]"#,
        ),
        (
            StepKind::Darcs(Box::new(DarcsStepConfig {
                source: settings(),
                location: location(),
            })),
            r#"darcs [("repourl", Some("u/b"))]"#,
        ),
        (
            StepKind::Bk(Box::new(BkStepConfig {
                source: settings(),
                location: location(),
                extra_args: vec!["-q".to_owned()],
            })),
            r#"bk [("bkurl", Some("u/b")), ("extra_args", ["-q"])]"#,
        ),
    ]
}

fn of_their_own() -> Vec<(StepKind, &'static str)> {
    vec![
        (
            StepKind::Cvs(Box::new(CvsStepConfig {
                source: settings(),
                cvsroot: template("r"),
                cvsmodule: template("m"),
                login: Some(template("hush")),
                ..CvsStepConfig::default()
            })),
            r#"cvs [("cvsroot", Some("r")), ("cvsmodule", Some("m")), ("branch", Some("b")), ("global_options", []), ("checkout_options", []), ("export_options", []), ("extra_options", []), ("login", …)]"#,
        ),
        (
            StepKind::Monotone(Box::new(MonotoneStepConfig {
                source: settings(),
                repourl: template("u"),
                ..MonotoneStepConfig::default()
            })),
            r#"mtn [("repourl", Some("u")), ("branch", Some("b")), ("progress", false)]"#,
        ),
        (
            StepKind::P4(Box::new(P4StepConfig {
                source: settings(),
                p4base: Some(template("//d/")),
                p4passwd: Some(template("hush")),
                p4extra_views: vec![(template("//x"), template("y"))],
                p4client: template("c"),
                ..P4StepConfig::default()
            })),
            r#"p4 [("p4base", Some("//d/")), ("branch", Some("b")), ("p4port", None), ("p4user", None), ("p4passwd", …), ("p4client", Some("c")), ("p4extra_views", [("//x", "y")]), ("p4line_end", Some("local"))]"#,
        ),
        (
            StepKind::Repo(Box::new(RepoStepConfig {
                source: settings(),
                manifest_url: template("u"),
                jobs: Some(4),
                repo_downloads: vec![template("p 12/3")],
                ..RepoStepConfig::default()
            })),
            r#"repo [("manifest_url", Some("u")), ("manifest_branch", Some("b")), ("manifest_file", Some("default.xml")), ("manifest_override_url", None), ("tarball", None), ("repo_downloads", ["p 12/3"]), ("jobs", 4)]"#,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn slaves_are_told_what_is_checked_out() {
    for (kind, shown) in of_addresses().into_iter().chain(of_their_own()) {
        let (args, outcome) = asked(kind, SourceStamp::default(), Value::bytes("r7")).await;
        assert_eq!(outcome.result, Results::Success);
        assert_eq!(format!("{} {:?}", args.command, args.own), shown);
        assert_eq!((args.mode, args.workdir.as_str()), ("update", "build"));
        let got = outcome.properties.get("got_revision").unwrap();
        assert_eq!(got, "r7");
    }
}

#[tokio::test(start_paused = true)]
async fn slaves_are_told_mode_revision_patch_and_retries() {
    for (method, mode) in [
        (SourceMethod::Clobber, "clobber"),
        (SourceMethod::Copy, "copy"),
        (SourceMethod::Export, "export"),
    ] {
        let config = SvnStepConfig {
            source: SourceSettings {
                mode: SourceMode::Full(method),
                retry: Some((Duration::from_secs(2), 3)),
                timeout: Some(Duration::from_secs(60)),
                ..settings()
            },
            ..svn()
        };
        let stamp = SourceStamp {
            revision: Some("7".to_owned()),
            patch: Some(Patch {
                level: 1,
                body: PatchBody::Given(Bytes::from_static(b"--- a\n+++ b\n")),
                subdir: Some("sub".to_owned()),
                who: None,
                comment: None,
            }),
            ..SourceStamp::default()
        };
        let kind = StepKind::Svn(Box::new(config));
        let (args, outcome) = asked(kind, stamp, Value::Int(7)).await;
        assert_eq!(outcome.result, Results::Success);
        assert_eq!((args.mode, args.revision.as_deref()), (mode, Some("7")));
        assert_eq!((args.retry, args.timeout), (Some((2.0, 3)), Some(60.0)));
        let patch = SourcePatch {
            level: 1,
            diff: Bytes::from_static(b"--- a\n+++ b\n"),
            subdir: Some("sub".to_owned()),
        };
        assert_eq!(args.patch, Some(patch));
        // Subversion tells a number.
        assert_eq!(outcome.properties.get("got_revision").unwrap(), "7");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slave_without_the_command_fails_the_step() {
    let mut stage = recorded::stage(StepKind::Svn(Box::new(svn())), SourceStamp::default());
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let failure = Failure::new(
            "buildbot_worker.base.UnknownCommand",
            "(command 0): unrecognized WorkerCommand 'svn'",
        );
        let command = stage.command().await;
        command.end(CommandEnd::Failed(failure)).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Failure);
    let log = stage.log("0-source", "stdio").unwrap();
    assert!(
        log.contains("the slave has no command `svn` of its own"),
        "{log}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_command_of_the_slave_fails_the_step() {
    let kind = StepKind::Svn(Box::new(svn()));
    let mut stage = recorded::stage(kind, SourceStamp::default());
    let build = stage.build();
    let (outcome, ()) = play(build, async { stage.command().await.exit(1).await }).await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(outcome.properties.get("got_revision"), None);
}
