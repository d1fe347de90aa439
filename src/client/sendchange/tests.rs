//! What is made of the arguments, and what a played master makes of that.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::net::{Directory, Door, Gatekeeper, UserKind, connection};
use crate::pb::Failure;
use crate::protocol::change::decode_change;

fn given() -> Given {
    Given {
        master: Some("localhost:9989".into()),
        who: Some("bob".into()),
        ..Given::default()
    }
}

fn prepare(given: Given) -> Result<Prepared, String> {
    prepare_with(given, "")
}

fn prepare_with(given: Given, options: &str) -> Result<Prepared, String> {
    let options = OptionsFile::parse(options, PathBuf::from("options")).unwrap();
    given.prepare(&options).map_err(|failed| {
        assert_eq!(failed.exit_code(), 2);
        failed.to_string()
    })
}

#[test]
fn the_least_has_buildbots_defaults() {
    let prepared = prepare(given()).unwrap();
    assert_eq!((prepared.host.as_str(), prepared.port), ("localhost", 9989));
    assert_eq!(prepared.user, "change");
    assert_eq!(prepared.password, "changepw");
    assert!(prepared.default_auth);
    assert_eq!(
        prepared.change,
        NewChange {
            who: "bob".to_owned(),
            ..NewChange::default()
        }
    );
}

#[test]
fn every_option_has_its_place_in_the_change() {
    let some = |text: &str| Some(OsString::from(text));
    let prepared = prepare(Given {
        auth: some("me:pass:word"),
        repository: some("git://r"),
        vc: some("git"),
        project: some("proj"),
        branch: some("rel"),
        category: some("cat"),
        codebase: some("base"),
        revision: some("abc"),
        properties: vec!["a:b:c".into(), "x:".into()],
        comments: some("text"),
        when: some("1234567890.5"),
        made_at: some("1234567000"),
        revlink: some("http://l"),
        files: vec!["f".into(), "g h".into()],
        ..given()
    })
    .unwrap();
    assert_eq!(prepared.user, "me");
    assert_eq!(prepared.password, "pass:word");
    assert!(!format!("{prepared:?}").contains("pass:word"));
    let text = |text: &str| Some(text.to_owned());
    let mut properties = Properties::new();
    properties.set("a", "b:c", "Change");
    properties.set("x", "", "Change");
    assert_eq!(
        prepared.change,
        NewChange {
            who: "bob".to_owned(),
            files_left_out: 0,
            files: vec!["f".to_owned(), "g h".to_owned()],
            comments: "text".to_owned(),
            revision: text("abc"),
            branch: text("rel"),
            when: Some(Timestamp(1_234_567_890_500_000)),
            made_at: Some(Timestamp::from_secs(1_234_567_000)),
            project: "proj".to_owned(),
            repository: "git://r".to_owned(),
            codebase: "base".to_owned(),
            category: text("cat"),
            revlink: "http://l".to_owned(),
            src: text("git"),
            properties,
            notes: Vec::new(),
            is_skipped: false,
        }
    );
}

#[test]
fn files_are_read_for_message_and_revision() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    std::fs::write(&path, b"caf\xe9\n").unwrap();
    let file = || Some(path.clone().into_os_string());
    let prepared = prepare(Given {
        logfile: file(),
        revision: Some("ignored".into()),
        revision_file: file(),
        encoding: Some("latin-1".to_owned()),
        ..given()
    })
    .unwrap();
    assert_eq!(prepared.change.comments, "café\n");
    assert_eq!(prepared.change.revision.as_deref(), Some("café"));
    let prepared = prepare(Given {
        logfile: file(),
        comments: Some("said".into()),
        ..given()
    });
    assert_eq!(prepared.unwrap().change.comments, "said");
}

#[test]
fn more_files_are_read_from_a_list() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("list");
    for (list, names) in [
        (&b"b\nc d\n-e\n"[..], &["a", "b", "c d", "-e"][..]),
        (b"b\r\nc", &["a", "b", "c"]),
        (b"b\nc\0d\0", &["a", "b\nc", "d"]),
        (b"", &["a"]),
    ] {
        std::fs::write(&path, list).unwrap();
        let prepared = prepare(Given {
            files: vec!["a".into()],
            files_from: Some(path.clone().into_os_string()),
            ..given()
        });
        assert_eq!(prepared.unwrap().change.files, names);
    }
    let refused = prepare(Given {
        logfile: Some("-".into()),
        files_from: Some("-".into()),
        ..given()
    });
    let text = refused.unwrap_err();
    assert!(text.contains("--logfile and --files-from"), "{text}");
}

#[test]
fn a_message_that_is_too_long_to_send_is_cut_and_says_so() {
    let comments = |length: usize| {
        let comments = "é".repeat(length / 2);
        let given = Given {
            comments: Some(comments.into()),
            ..given()
        };
        prepare(given).unwrap().change.comments
    };
    assert_eq!(comments(MAX_COMMENTS_BYTES).len(), MAX_COMMENTS_BYTES);
    let cut = comments(MAX_COMMENTS_BYTES + 2);
    assert!(cut.len() <= MAX_COMMENTS_BYTES && cut.len() > MAX_COMMENTS_BYTES - 8);
    let (_, mark) = cut.split_once('\n').unwrap();
    assert_eq!(mark, "[50 bytes omitted: the message is too long]");
}

#[test]
fn the_user_of_an_old_options_file_is_the_author() {
    let options = "master = 'm:1'\nusername = 'old'\n";
    let prepared = prepare_with(Given::default(), options).unwrap();
    assert_eq!(prepared.change.who, "old");
    let prepared = prepare_with(given(), options).unwrap();
    assert_eq!(prepared.change.who, "bob");
}

#[test]
fn the_options_file_says_what_the_command_line_does_not() {
    let options = "master = 'm:1'\nwho = 'w'\nbranch = 'b'\ncategory = 'c'\nvc = 'hg'\n";
    let prepared = prepare_with(Given::default(), options).unwrap();
    assert_eq!((prepared.host.as_str(), prepared.port), ("m", 1));
    assert_eq!(prepared.change.who, "w");
    assert_eq!(prepared.change.branch.as_deref(), Some("b"));
    assert_eq!(prepared.change.category.as_deref(), Some("c"));
    assert_eq!(prepared.change.src.as_deref(), Some("hg"));
    let prepared = prepare_with(given(), options).unwrap();
    assert_eq!(prepared.host, "localhost");
    assert_eq!(prepared.change.who, "bob");
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let some = |text: &str| Some(OsString::from(text));
    let check = |change: fn(&mut Given, Option<OsString>), text: &str, expected: &str| {
        let mut given = given();
        change(&mut given, some(text).filter(|text| !text.is_empty()));
        let error = prepare(given).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(|g, text| g.master = text, "", "--master is missing");
    check(|g, text| g.who = text, "", "--who is missing");
    for address in ["host", "host:x", "host:0", "::1:9989"] {
        check(|g, text| g.master = text, address, "HOST:PORT");
    }
    check(|g, text| g.vc = text, "rcs", "--vc: 'rcs'");
    check(|g, text| g.when = text, "now", "--when: 'now'");
    check(|g, text| g.when = text, "inf", "--when: 'inf'");
    check(
        |g, text| g.properties.extend(text),
        "a=b",
        "--property: 'a=b'",
    );
    check(
        |g, text| g.encoding = text.and_then(|text| text.into_string().ok()),
        "rot13",
        "--encoding: unknown encoding 'rot13'",
    );
    check(
        |g, text| g.logfile = text,
        "/nonexistent/log",
        "--logfile: cannot read /nonexistent/log",
    );
    check(
        |g, text| g.revision_file = text,
        "/nonexistent/rev",
        "--revision_file: cannot read",
    );
}

#[test]
fn an_ipv6_address_stands_in_brackets() {
    let master = Some("[::1]:9989".into());
    let prepared = prepare(Given { master, ..given() }).unwrap();
    assert_eq!((prepared.host.as_str(), prepared.port), ("::1", 9989));
}

/// What becomes of a change that is sent to a master which knows user `change` with `password`, and
/// answers as `answer` says; with what the master saw of it.
async fn sent_to(
    password: &str,
    answer: impl FnOnce(&NewChange) -> Option<Result<(), Failure>>,
) -> (Result<(), Failed>, Option<NewChange>) {
    let tasks = Tasks::new(TaskTracker::new(), CancellationToken::new());
    let mut directory = Directory::new();
    let kind = UserKind::Change {
        source: "change".into(),
        prefix: None,
    };
    directory.insert("change", password.as_bytes(), kind);
    let (logins_sender, mut logins) = mpsc::channel(1);
    let door = Door::new(
        directory,
        logins_sender,
        Gatekeeper::new(&[]),
        tasks.clone(),
    );
    let (ours, theirs) = tokio::io::duplex(4096);
    door.accept(theirs, "client", None);
    let peer = connection::connect(ours, "master", &tasks);
    let prepared = prepare(Given {
        files: vec!["f".into()],
        ..given()
    })
    .unwrap();
    let master = async {
        let login = logins.recv().await?;
        let (avatar, mut calls) = login.peer.export(1);
        login.answer.accept(avatar);
        let call = calls.recv().await?;
        assert_eq!(call.method, "addChange");
        let change = decode_change(call.args.first()?, None).unwrap();
        match answer(&change) {
            Some(Ok(())) => call.reply.value(Value::None),
            Some(Err(failure)) => call.reply.fail(failure),
            None => login.peer.close("cut"),
        }
        // Stays until the client has gone.
        login.peer.lost().await;
        Some(change)
    };
    let client = async {
        let sent = send_over(&peer, &prepared).await;
        peer.close("done");
        drop(door);
        sent
    };
    let (sent, seen) = tokio::join!(client, timeout(Duration::from_secs(5), master));
    (sent, seen.ok().flatten())
}

#[tokio::test(start_paused = true)]
async fn a_master_that_takes_the_change_makes_it_a_success() {
    let (sent, seen) = sent_to("changepw", |_| Some(Ok(()))).await;
    sent.unwrap();
    assert_eq!(
        seen.unwrap(),
        prepare(Given {
            files: vec!["f".into()],
            ..given()
        })
        .unwrap()
        .change
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_says_what_was_tried() {
    let (sent, _) = sent_to("other", |_| Some(Ok(()))).await;
    let failed = sent.unwrap_err();
    assert_eq!(failed.exit_code(), 1);
    let text = failed.to_string();
    assert!(text.contains("default password; give --auth"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_says_why() {
    let refuse = |_: &NewChange| Some(Err(Failure::new("builtins.ValueError", "disk is full")));
    let (sent, _) = sent_to("changepw", refuse).await;
    let failed = sent.unwrap_err();
    assert_eq!(failed.exit_code(), 1);
    assert!(failed.to_string().contains("disk is full"), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_not_a_success() {
    let (sent, _) = sent_to("changepw", |_| None).await;
    let failed = sent.unwrap_err();
    assert_eq!(failed.exit_code(), 1);
    assert!(failed.to_string().contains("lost before"), "{failed}");
}

#[tokio::test]
async fn an_unreachable_master_is_named() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let master = Some(format!("127.0.0.1:{port}").into());
    let prepared = prepare(Given { master, ..given() }).unwrap();
    let tasks = Tasks::new(TaskTracker::new(), CancellationToken::new());
    let failed = sendchange(&prepared, &tasks).await.unwrap_err();
    assert_eq!(failed.exit_code(), 1);
    let text = failed.to_string();
    assert!(
        text.contains(&format!("cannot connect to 127.0.0.1:{port}")),
        "{text}"
    );
}
