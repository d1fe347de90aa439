//! Try jobs over the wire: real `buildbot try`s of two lines, and a client that says exactly what a
//! test wants said.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use buildmaster::model::TryJob;
use buildmaster::pb::{Luid, Value};
use buildmaster::protocol::TextStyle;
use buildmaster::protocol::try_call::{
    BUILD_SET, EXTENSIONS, MAX_CHUNK_BYTES, PATCH_CHUNK, TRY, encode_try,
};

use crate::harness::client::{Client, Refused};
use crate::harness::slave::{Kind, Slave};
use crate::harness::{Finished, Master, Sandbox, Setup, free_port, peer, run, shell};

const DIFF: &str = "--- a/hello.txt\n+++ b/hello.txt\n@@ -1 +1 @@\n-hello\n+w\u{f6}rld\n";

#[test]
fn try_0814_follows_its_builds_and_is_told_what_was_refused() {
    a_real_client_follows_its_builds("bb0814");
}

#[test]
fn try_430_follows_its_builds_and_is_told_what_was_refused() {
    a_real_client_follows_its_builds("bb43");
}

#[test]
fn try_0814_with_a_wrong_password_hands_in_nothing() {
    let sandbox = Sandbox::new();
    let Some(bin) = peer("bb0814") else { return };
    let port = free_port();
    let master = Master::start(&sandbox, &setup(port).local_slave("here"));

    // That of 4.3 never ends, whatever it is answered.
    let refused = real_try(&sandbox, &bin, port, "alice:wrong", &["--wait"]);
    assert!(!said(&refused).contains("delivered"), "{refused}");
    assert!(master.build("full", 0).is_none());

    let done = real_try(&sandbox, &bin, port, "alice:pw", &["--wait", "-b", "full"]);
    assert_eq!(done.code, Some(0), "{done}");
}

#[test]
fn slave_0814_builds_what_try_0814_hands_in() {
    let sandbox = Sandbox::new();
    let Some(bin) = peer("bb0814") else { return };
    let port = free_port();
    let master = Master::start(&sandbox, &setup(port).slave("bot"));
    let Some(_slave) = Slave::start(Kind::Slave0814, &sandbox, "bot", master.port()) else {
        return;
    };

    let done = real_try(&sandbox, &bin, port, "alice:pw", &["--wait", "-b", "full"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert!(said(&done).contains("full: success (build successful)"));
}

#[test]
fn tup_06_a_lost_connection_is_taken_up_by_the_same_user_alone() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let port = free_port();
    let setup = Setup::new(&[shell("wait", &gate.command(), "")])
        .builder("full", "")
        .local_slave("here")
        .tables(&scheduler(port, &["full"]));
    let _master = Master::start(&sandbox, &setup);

    let (mut first, avatar) = connect(port, "alice", "pw");
    let set = hand_in(&mut first, avatar, &job("full"));
    let id = ask(&mut first, set, "getID", &[]);
    gate.wait_until_reached(1);
    drop(first);
    let (mut other, avatar) = connect(port, "bob", "pw2");
    let none = ask(&mut other, avatar, BUILD_SET, std::slice::from_ref(&id));
    assert_eq!(none, Value::None, "it is not his");
    let (mut again, avatar) = connect(port, "alice", "pw");
    let none = ask(&mut again, avatar, BUILD_SET, &[Value::Int(99)]);
    assert_eq!(none, Value::None, "there is no such set");
    let set = ask(&mut again, avatar, BUILD_SET, &[id])
        .as_theirs()
        .unwrap();
    assert_eq!(ask(&mut again, set, "isFinished", &[]), Value::Bool(false));
    gate.open();
    ask(&mut again, set, "waitUntilFinished", &[]);
    assert_eq!(ask(&mut again, set, "getResults", &[]), Value::Int(0));
}

#[test]
fn a_large_patch_comes_in_parts() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let master = Master::start(&sandbox, &setup(port).local_slave("here"));
    let (mut client, avatar) = connect(port, "alice", "pw");
    for _ in 0..3 {
        let part = Value::bytes(vec![b'x'; MAX_CHUNK_BYTES]);
        assert_eq!(ask(&mut client, avatar, PATCH_CHUNK, &[part]), Value::None);
    }
    let part = Value::bytes(vec![b'x'; MAX_CHUNK_BYTES + 1]);
    let refused = client.ask(avatar, PATCH_CHUNK, &[part]).unwrap_err();
    assert!(
        refused.to_string().contains("at most 524288 bytes"),
        "{refused}"
    );
    hand_in(&mut client, avatar, &job("full"));
    let build = master.finished_build("full", 0);
    assert_eq!(build.reason.as_deref(), Some("'try' job from user alice"));
}

#[test]
fn tup_04_our_client_gets_the_reason_of_a_refusal_as_an_error() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let _master = Master::start(&sandbox, &setup(port).local_slave("here"));
    let (mut client, avatar) = connect(port, "alice", "pw");
    let args = encode_try(&job("other"), TextStyle::Unicode);
    let refused = client.ask(avatar, TRY, &args).unwrap_err();
    let why = "builder other is not one of those that try may try: full, second";
    assert!(refused.to_string().contains(why), "{refused}");
    let refused = client.ask(avatar, TRY, &[Value::None]).unwrap_err();
    assert!(refused.to_string().contains("1 arguments"), "{refused}");
    hand_in(&mut client, avatar, &job("full"));
}

#[test]
fn the_log_of_a_step_can_be_read_where_the_build_is_followed() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let _master = Master::start(&sandbox, &setup(port).local_slave("here"));
    let (mut client, avatar) = connect(port, "alice", "pw");
    let set = hand_in(&mut client, avatar, &job("full"));
    ask(&mut client, set, "waitUntilFinished", &[]);
    // An observer is told of the build at once.
    let requests = ask(&mut client, set, "getBuildRequests", &[]);
    let request = requests.as_items().unwrap()[0].as_items().unwrap()[1].as_theirs();
    let build = client.first_build(request.unwrap());
    let steps = ask(&mut client, build, "getSteps", &[]);
    let step = steps.as_items().unwrap()[0].as_theirs().unwrap();
    let logs = ask(&mut client, step, "getLogs", &[]);
    let log = logs.get("stdio").unwrap().as_theirs().unwrap();
    assert_eq!(
        ask(&mut client, log, "getText", &[]),
        Value::text("hello\n")
    );
}

#[test]
fn tup_02_a_hashed_password_serves_our_client_and_plain_ones_serve_all() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let hash = hash_password(&sandbox, "secret");
    let users = format!("[[\"alice\", \"pw\"], [\"bob\", {hash:?}]]");
    let setup = Setup::new(&[shell("print", "true", "")])
        .builder("full", "")
        .local_slave("here")
        .tables(&scheduler_for(port, &users, &["full"]));
    let mut master = Master::start(&sandbox, &setup);

    let mut client = Client::connect(port).unwrap();
    // As Buildbot's clients do.
    client.login("alice", "pw", Value::None).unwrap();
    let mut client = Client::connect(port).unwrap();
    let refused = client.login("bob", "secret", Value::None);
    assert!(matches!(refused, Err(Refused::Failure(_))), "{refused:?}");
    let line = master.process().wait_for_line("login rejected");
    assert!(line.contains("only this project's own"), "{line}");

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ours = |user: &'static str, password: &'static str| {
        runtime.block_on(async {
            use buildmaster::net::{Tasks, client};
            let tasks = Tasks::default();
            let peer = client::connect_tcp("127.0.0.1", port, &tasks)
                .await
                .unwrap();
            client::login(&peer, user, password.as_bytes(), Value::None).await
        })
    };
    ours("bob", "secret").unwrap();
    ours("alice", "pw").unwrap();
    ours("bob", "wrong").unwrap_err();
    ours("nobody", "secret").unwrap_err();
}

/// Jobs that pass, fail, are refused; and the next one works.
fn a_real_client_follows_its_builds(name: &str) {
    let sandbox = Sandbox::new();
    let Some(bin) = peer(name) else { return };
    let port = free_port();
    let master = Master::start(&sandbox, &setup(port).slave("bot"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    let attempt = |args: &[&str]| real_try(&sandbox, &bin, port, "alice:pw", args);

    let names = attempt(&["--get-builder-names"]);
    assert_eq!(names.code, Some(0), "{names}");
    assert!(
        said(&names).ends_with("scheduler: \nfull\nsecond\n"),
        "{names}"
    );

    let good = attempt(&["--wait", "--property=fate=good"]);
    assert_eq!(good.code, Some(0), "{good}");
    for builder in ["full", "second"] {
        let line = format!("{builder}: success (build successful)\n");
        assert!(said(&good).contains(&line), "{good}");
    }

    std::fs::write(sandbox.path("bad"), "").unwrap();
    let bad = attempt(&["--wait", "-b", "full"]);
    assert_eq!(bad.code, Some(1), "{bad}");
    assert!(
        said(&bad).contains("full: failure (failed judge)\n"),
        "{bad}"
    );
    std::fs::remove_file(sandbox.path("bad")).unwrap();

    let refused = attempt(&["--wait", "-b", "other"]);
    assert_eq!(refused.code, Some(1), "{refused}");
    let why = "the try job was rejected: failure (builder other is not one of those that try may try: full, second)";
    assert!(said(&refused).contains(why), "{refused}");

    let dry = attempt(&["--dryrun"]);
    assert_eq!(dry.code, Some(0), "{dry}");
    let fire_and_forget = attempt(&["-b", "full", "--who", "zoe", "-C", "please"]);
    assert_eq!(fire_and_forget.code, Some(0), "{fire_and_forget}");
    let build = master.finished_build("full", 2);
    assert_eq!(
        build.reason.as_deref(),
        Some("'try' job from user alice by user zoe (please)")
    );
    assert!(master.build("full", 3).is_none());
}

/// Two builders that may be tried and one that may not. A file named `bad` makes builds fail.
fn setup(port: u16) -> Setup {
    let judge = "test ! -e \"$HOME/bad\"";
    Setup::new(&[shell("print", "echo hello", ""), shell("judge", judge, "")])
        .builder("full", "")
        .builder("second", "")
        .builder("other", "")
        .tables(&scheduler(port, &["full", "second"]))
}

fn scheduler(port: u16, builders: &[&str]) -> String {
    scheduler_for(port, "[[\"alice\", \"pw\"], [\"bob\", \"pw2\"]]", builders)
}

fn scheduler_for(port: u16, users: &str, builders: &[&str]) -> String {
    format!(
        "[[schedulers]]\ntype = \"Try_Userpass\"\nname = \"try\"\nport = \"127.0.0.1:{port}\"\nuserpass = {users}\n\
         builders = {builders:?}\n"
    )
}

/// Runs the `buildbot try` of the peer in `bin`.
fn real_try(sandbox: &Sandbox, bin: &Path, port: u16, auth: &str, args: &[&str]) -> Finished {
    let diff = sandbox.file("job.diff", DIFF);
    let (user, password) = auth.split_once(':').unwrap();
    run(sandbox
        .command(bin.join("buildbot"))
        .args(["try", "--connect=pb", "--vc=git", "--baserev=r1", "-p1"])
        .args([
            format!("--master=127.0.0.1:{port}"),
            format!("--username={user}"),
        ])
        .args([
            format!("--passwd={password}"),
            format!("--diff={}", diff.display()),
        ])
        .args(["--branch=master", "--repository=git://example.org/"])
        .args(args))
}

fn said(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stdout).into_owned()
}

pub(crate) fn hash_password(sandbox: &Sandbox, password: &str) -> String {
    let mut command = sandbox.buildmaster();
    command.arg("hash-password");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{password}").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A client of this project, logged in, with its avatar.
fn connect(port: u16, user: &str, password: &str) -> (Client, Luid) {
    let mut client = Client::connect(port).unwrap();
    let avatar = client.login(user, password, Value::None).unwrap();
    ask(&mut client, avatar, EXTENSIONS, &[]);
    (client, avatar)
}

fn ask(client: &mut Client, object: Luid, method: &'static str, args: &[Value]) -> Value {
    client.ask(object, method, args).unwrap()
}

fn hand_in(client: &mut Client, avatar: Luid, job: &TryJob) -> Luid {
    let set = ask(client, avatar, TRY, &encode_try(job, TextStyle::Unicode));
    set.as_theirs().unwrap()
}

fn job(builder: &str) -> TryJob {
    TryJob {
        builders: vec![builder.into()],
        ..TryJob::default()
    }
}
