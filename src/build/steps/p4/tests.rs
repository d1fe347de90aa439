//! Perforce by recorded scripts.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::{SourceMethod, SourceMode, StepKind};
use crate::model::{Results, SourceStamp};

fn config() -> P4StepConfig {
    P4StepConfig {
        p4base: Some(template("//depot/project")),
        p4port: Some(template("h:1666")),
        p4user: Some(template("bot")),
        p4passwd: Some(template("pw")),
        p4client: template("c"),
        ..P4StepConfig::default()
    }
}

const PWD: Rule = ("build$ pwd", 0, "/s/b/build\n");
const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");
const HAVE: Rule = (
    "build$ p4 -p h:1666 -u bot -P XXXXXX -c c changes",
    0,
    "Change 12 on 2012/04/13 by me@c 'x'\n",
);

fn line(words: &str) -> String {
    format!("build$ p4 -p h:1666 -u bot -P XXXXXX -c c {words}")
}

fn stamp(branch: Option<&str>, revision: Option<&str>) -> SourceStamp {
    SourceStamp {
        branch: branch.map(str::to_owned),
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    }
}

async fn run(
    config: P4StepConfig,
    stamp: SourceStamp,
    rules: &[Rule],
) -> (crate::botmaster::BuildOutcome, Vec<String>) {
    let mut stage = stage(StepKind::P4(Box::new(config)), stamp);
    played(&mut stage, rules).await
}

#[tokio::test(start_paused = true)]
async fn src_08_the_client_shows_the_branch() {
    let stamp = stamp(Some("rel"), Some("12"));
    let (outcome, lines) = run(config(), stamp, &[PWD, NOT_PATCHED, HAVE]).await;
    assert_eq!(outcome.result, Results::Success);
    let spec = "Client: c\n\nOwner: bot\n\nDescription:\n\tCreated by Buildbot\n\n\
        Root:\t/s/b/build\n\nOptions:\tallwrite rmdir\n\nLineEnd:\tlocal\n\n\
        View:\n\t//depot/project/rel/... //c/...\n";
    let expected = [
        ".$ p4 -V".to_owned(),
        "stat build/.".to_owned(),
        "stat build/.buildbot-patched".to_owned(),
        "build$ pwd".to_owned(),
        line(&format!("client -i <{spec}")),
        line("sync //c/...@12"),
        line("changes -m1 //c/...#have"),
    ];
    assert_eq!(lines, expected);
    let got = outcome.properties.get("got_revision").unwrap();
    assert_eq!(got, "12");
}

#[tokio::test(start_paused = true)]
async fn stp_81_the_client_shows_what_its_settings_say() {
    let extra = || vec![(template("//depot/tools"), template("tools"))];
    let spec = |view: &str| {
        format!(
            "Client: c\n\nOwner: bot\n\nDescription:\n\tCreated by Buildbot\n\n\
             Root:\t/s/b/build\n\nOptions:\tnoallwrite\n\nLineEnd:\tunix\n\nView:\n{view}"
        )
    };
    let with_base = P4StepConfig {
        p4extra_views: extra(),
        ..config()
    };
    let with_view = P4StepConfig {
        p4base: None,
        p4viewspec: vec![(template("//depot/a/"), template("a/"))],
        p4viewspec_suffix: "*.c".to_owned(),
        ..config()
    };
    for (config, view) in [
        (
            with_base,
            "\t//depot/project/... //c/...\n\t//depot/tools/... //c/tools/...\n",
        ),
        (with_view, "\t//depot/a/*.c //c/a/*.c\n"),
    ] {
        let config = P4StepConfig {
            p4client_spec_options: "noallwrite".to_owned(),
            p4line_end: "unix".to_owned(),
            p4extra_args: vec!["-Zproxyload".to_owned()],
            p4bin: "/opt/p4".to_owned(),
            ..config
        };
        let pwd: Rule = ("build$ pwd", 0, "/s/b/build\n");
        let (_, lines) = run(config, stamp(None, None), &[pwd, NOT_PATCHED]).await;
        let line = |words: &str| line(words).replace("build$ p4", "build$ /opt/p4");
        assert_eq!(lines[0], ".$ /opt/p4 -V");
        assert_eq!(lines[4], line(&format!("client -i <{}", spec(view))));
        let sync = line("sync //c/...#head").replace("-c c sync", "-c c -Zproxyload sync");
        assert_eq!(lines[5], sync);
    }
}

#[tokio::test(start_paused = true)]
async fn src_04_full_modes_clean_or_sync_anew() {
    for (method, expected) in [
        (SourceMethod::Fresh, "clean -I"),
        (SourceMethod::Clean, "clean"),
        (SourceMethod::Clobber, "sync -f //c/...#head"),
    ] {
        let mut config = config();
        config.source.mode = SourceMode::Full(method);
        let (outcome, lines) = run(config, stamp(None, None), &[PWD, NOT_PATCHED, HAVE]).await;
        assert_eq!(outcome.result, Results::Success);
        assert!(lines.contains(&line(expected)), "{method:?}: {lines:?}");
        let is_removed = lines.contains(&"rmdir build".to_owned());
        assert_eq!(is_removed, method == SourceMethod::Clobber);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_cannot_be_synced_is_made_anew_if_the_server_answers() {
    let sync: Rule = (
        "build$ p4 -p h:1666 -u bot -P XXXXXX -c c sync //c/...#head",
        1,
        "",
    );
    let rules = [PWD, NOT_PATCHED, HAVE, sync];
    let (outcome, lines) = run(config(), stamp(None, None), &rules).await;
    assert_eq!(outcome.result, Results::Success);
    assert!(lines.contains(&line("sync -f //c/...#head")), "{lines:?}");

    let silent: Rule = (".$ p4 -p h:1666", 1, "");
    let rules = [PWD, NOT_PATCHED, HAVE, sync, silent];
    let (outcome, lines) = run(config(), stamp(None, None), &rules).await;
    assert_eq!(outcome.result, Results::Failure);
    assert!(!lines.contains(&"rmdir build".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_got_with_the_password_which_no_other_command_has() {
    let config = P4StepConfig {
        use_tickets: true,
        ..config()
    };
    let (_, lines) = run(config, stamp(None, None), &[PWD, NOT_PATCHED]).await;
    assert_eq!(lines[1], "build$ p4 -p h:1666 -u bot -c c login <pw\n");
    assert!(lines.iter().all(|line| !line.contains("-P")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_change_or_no_path_is_refused() {
    for stamp in [
        stamp(None, Some("12;x")),
        stamp(Some("a\nb"), None),
        stamp(Some("../x"), None),
    ] {
        let (outcome, lines) = run(config(), stamp, &[]).await;
        assert_eq!(outcome.result, Results::Failure);
        assert!(lines.is_empty(), "{lines:?}");
    }
}
