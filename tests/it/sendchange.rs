//! The program `buildbot sendchange` against a played master on loopback.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Output;

use buildmaster::model::NewChange;
use buildmaster::net::{Directory, Door, Gatekeeper, Tasks, UserKind};
use buildmaster::pb::Value;
use buildmaster::protocol::change::decode_change;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::programs::program;

/// Runs the program in `directory`, which is its home as well.
async fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(program("buildbot"))
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .output()
        .await
        .unwrap()
}

/// A master on loopback that takes changes from user `me` with password `pw`; with its address.
async fn master() -> (String, mpsc::Receiver<NewChange>) {
    let tasks = Tasks::new(TaskTracker::new(), CancellationToken::new());
    let mut directory = Directory::new();
    directory.insert(
        "me",
        b"pw",
        UserKind::Change {
            source: "change".into(),
            prefix: None,
        },
    );
    let (logins_sender, mut logins) = mpsc::channel(1);
    let door = Door::new(directory, logins_sender, Gatekeeper::new(&[]), tasks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (changes_sender, changes) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            door.accept(stream, "client", None);
        }
    });
    tokio::spawn(async move {
        while let Some(login) = logins.recv().await {
            let (avatar, mut calls) = login.peer.export(1);
            login.answer.accept(avatar);
            let Some(call) = calls.recv().await else {
                continue;
            };
            let change = decode_change(&call.args[0], None).unwrap();
            changes_sender.send(change).await.unwrap();
            call.reply.value(Value::None);
        }
    });
    (address, changes)
}

#[tokio::test]
async fn a_change_arrives_with_what_the_options_file_adds() {
    let directory = tempfile::tempdir().unwrap();
    let (address, mut changes) = master().await;
    let options = directory.path().join(".buildbot");
    std::fs::create_dir(&options).unwrap();
    let text = format!("master = '{address}'\nwho = 'ann'\nbranch = 'rel'\n");
    std::fs::write(options.join("options"), text).unwrap();
    let arguments = [
        "sendchange",
        "--auth",
        "me:pw",
        "-W",
        "bob",
        "--revision",
        "r1",
        "a",
        "b c",
    ];
    let output = run(directory.path(), &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout, b"change sent successfully\n");
    let change = changes.recv().await.unwrap();
    assert_eq!(change.who, "bob");
    assert_eq!(change.branch.as_deref(), Some("rel"));
    assert_eq!(change.revision.as_deref(), Some("r1"));
    assert_eq!(change.files, ["a", "b c"]);
}

#[tokio::test]
async fn texts_that_begin_with_a_dash_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let (address, mut changes) = master().await;
    let arguments = [
        "sendchange",
        "-m",
        "elsewhere:1",
        "-m",
        &address,
        "--auth",
        "me:pw",
        "--username",
        "-anon- <a@example.org>",
        "--comments",
        "first",
        "--comments",
        "-- ",
        "a",
        "-b",
        "--who",
    ];
    let output = run(directory.path(), &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("'--who' follows the name of a file"),
        "{told}"
    );
    let change = changes.recv().await.unwrap();
    assert_eq!(change.who, "-anon- <a@example.org>");
    assert_eq!(change.comments, "-- ");
    assert_eq!(change.files, ["a", "-b", "--who"]);
}

#[tokio::test]
async fn a_refused_login_exits_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let (address, _changes) = master().await;
    let arguments = ["sendchange", "-m", &address, "-W", "bob", "-a", "me:wrong"];
    let output = run(directory.path(), &arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("does not know user 'me'"), "{text}");
    assert!(!text.contains("wrong"), "{text}");
}

#[tokio::test]
async fn a_wrong_call_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["sendchange", "-W", "bob"][..],
        &["sendchange", "-m", "localhost:1"],
        &["sendchange", "--nosuch"],
        &["nosuch"],
    ] {
        let output = run(directory.path(), arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}
