//! Keys and passwords are on the slave while the step runs.

use super::*;
use crate::config::{GitAccess, GitCredential, SshServers};

const WRITTEN: [&str; 3] = [
    "write ./.buildbot-git/key",
    "write ./.buildbot-git/known_hosts",
    "write ./.buildbot-git/credentials",
];
const REMOVED: &str = "rmdir ./.buildbot-git";

fn with_access() -> GitStepConfig {
    let credential = |url: Option<&str>| GitCredential {
        url: url.map(template),
        username: template("me"),
        password: template("pass/word"),
    };
    GitStepConfig {
        access: GitAccess {
            ssh_private_key: Some(template("KEY\nOF ME")),
            ssh_servers: Some(SshServers::Key(template("ssh-rsa AAAA"))),
            credentials: vec![credential(None), credential(Some("https://other/x"))],
            ..GitAccess::default()
        },
        ..git_config()
    }
}

#[tokio::test(start_paused = true)]
async fn stp_114_keys_and_passwords_are_in_files_while_the_step_runs() {
    let mut stage = stage(with_access(), SourceStamp::default());
    let (outcome, commands, written) = played(&mut stage, &[NOT_PATCHED]).await;
    assert_eq!(outcome.result, Results::Success);
    // The slave tells its directory, which is asked for in the directory of the builder.
    assert_eq!(commands[0], ".$ pwd");
    assert_eq!(commands[1..4], WRITTEN);
    let written: Vec<_> = written.iter().map(|w| str::from_utf8(w).unwrap()).collect();
    assert_eq!(
        written,
        [
            "KEY\nOF ME\n",
            "* ssh-rsa AAAA\n",
            "https://me:pass%2Fword@example.org\nhttps://me:pass%2Fword@other\n"
        ]
    );
    assert_eq!(commands[commands.len() - 2..], [REMOVED, "after"]);
    let log = stage.log("0-git", "stdio").unwrap();
    assert!(!log.contains("pass") && !log.contains("KEY"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn stp_114_keys_and_passwords_are_removed_when_the_step_fails() {
    let failing = [
        NOT_PATCHED,
        ("build$ git fetch", 9),
        ("build$ git ls-remote", 9),
    ];
    let mut config = with_access();
    config.access.credentials.clear();
    let mut stage = stage(config, SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, &failing).await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(commands.last().unwrap(), REMOVED);

    // A file that cannot be written may be there in part.
    let mut stage = self::stage(with_access(), SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, &[(WRITTEN[1], 1)]).await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(commands[1..], [WRITTEN[0], WRITTEN[1], REMOVED]);

    // Files that stay fail the step.
    let mut stage = self::stage(with_access(), SourceStamp::default());
    let failing = [NOT_PATCHED, (REMOVED, 1)];
    let (outcome, ..) = played(&mut stage, &failing).await;
    assert_eq!(outcome.result, Results::Failure);
}

#[tokio::test(start_paused = true)]
async fn stp_114_keys_and_passwords_are_removed_when_the_build_is_stopped() {
    let mut stage = stage(with_access(), SourceStamp::default());
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        for _ in ["--version", "config", "pwd"] {
            let command = stage.command().await;
            command.print("/s/b\n").await;
            command.exit(0).await;
        }
        let mut writing = stage.command().await;
        assert_eq!(shown(&writing.asked), WRITTEN[0]);
        let CommandArgs::DownloadFile(file) = &writing.asked else {
            panic!("{:?}", writing.asked);
        };
        assert_eq!(file.mode, Some(0o600));
        stage.stop("enough").await;
        assert_eq!(writing.interrupts.recv().await.unwrap(), "enough");
        writing.exit(0).await;
        let removing = stage.command().await;
        assert_eq!(shown(&removing.asked), REMOVED);
        removing.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "interrupted"]);
}

#[tokio::test(start_paused = true)]
async fn stp_117_a_password_is_for_a_server() {
    let config = GitStepConfig {
        repourl: template("/srv/p"),
        ..with_access()
    };
    let mut stage = stage(config, SourceStamp::default());
    let (outcome, commands, _) = played(&mut stage, &[]).await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(commands, [REMOVED]);
}

#[tokio::test(start_paused = true)]
async fn stp_112_tags_are_fetched_as_wanted() {
    for (tags, shallow, word) in [
        (None, false, Some(" -t ")),
        (None, true, Some(" --no-tags ")),
        (Some(true), true, Some(" -t ")),
        (Some(false), false, Some(" --no-tags ")),
    ] {
        let config = GitStepConfig {
            tags,
            shallow,
            ..git_config()
        };
        let mut stage = stage(config, SourceStamp::default());
        let (_, commands, _) = played(&mut stage, &[NOT_PATCHED]).await;
        let words = [" -t ", " --no-tags "].into_iter();
        let found = words.clone().find(|word| commands[2].contains(word));
        assert_eq!(found, word, "{commands:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stp_114_a_git_that_cannot_use_a_key_is_refused_with_a_sentence() {
    for (version, result) in [("2.2.3", Results::Failure), ("2.3.0", Results::Success)] {
        let mut config = with_access();
        config.access.credentials.clear();
        let mut stage = stage(config, SourceStamp::default());
        let slave = Slave {
            version,
            ..Slave::default()
        };
        let (outcome, commands, written) = played_on(&mut stage, &[NOT_PATCHED], slave).await;
        assert_eq!(outcome.result, result, "{version}");
        let log = stage.log("0-git", "stdio").unwrap();
        let sentence =
            "git 2.2 on this slave cannot use ssh_private_key; it needs git 2.3 or newer";
        assert_eq!(log.contains(sentence), result == Results::Failure, "{log}");
        assert_eq!(
            written.is_empty(),
            result == Results::Failure,
            "{commands:?}"
        );
    }
}
