//! A change becomes a build, on every kind of slave.

use crate::harness::sandbox::binary_bytes;
use crate::harness::setup::CHANGE_AUTH;
use crate::harness::{Kind, Master, Sandbox, Setup, Slave, is_slow, peer, run, shell, step};

#[test]
fn worker_430_builds_a_change_from_sendchange_430() {
    builds_on(Kind::Worker430, Client::Real("bb43"), &text());
}

#[test]
fn slave_0814_builds_a_change_from_sendchange_0814_with_every_byte_of_the_log() {
    builds_on(Kind::Slave0814, Client::Real("bb0814"), &binary());
}

#[test]
fn worker_3119_builds_a_change() {
    builds_on(Kind::Worker3119, Client::Ours, &text());
}

#[test]
fn worker_0915_builds_a_change() {
    builds_on(Kind::Worker0915, Client::Ours, &text());
}

#[test]
fn native_slave_builds_a_change_with_every_byte_of_the_log() {
    builds_on(Kind::Native, Client::Ours, &binary());
}

#[test]
fn local_slave_builds_a_change_with_every_byte_of_the_log() {
    let sandbox = Sandbox::new();
    let printed = binary();
    let setup = four_steps(&sandbox, &printed).local_slave("here");
    let master = Master::start(&sandbox, &setup);

    Client::Ours.send_change(&sandbox, &master);

    check_build(master, "here", &printed);
}

#[test]
fn failing_step_without_halt_lets_the_next_step_run() {
    let sandbox = Sandbox::new();
    let steps = [
        shell("test", "exit 3", ""),
        shell("package", "echo packed", ""),
        shell(
            "lint",
            "exit 1",
            "flunk_on_failure = false, warn_on_failure = true",
        ),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).local_slave("here"));

    master.send_change("r1");

    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("failure"));
    let ran = [
        ("test", "failure"),
        ("package", "success"),
        ("lint", "failure"),
    ];
    assert_eq!(build.ran(), ran);
}

#[test]
fn stdout_and_stderr_are_both_in_the_log() {
    let sandbox = Sandbox::new();
    let steps = [shell("print", "echo out; echo err >&2; echo end", "")];
    let master = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let _slave = Slave::native(&sandbox, "bot", master.port());

    master.send_change("r1");

    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );
    let mut lines: Vec<_> = master
        .log("full", 0, "print")
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    // Two pipes: their order is not defined.
    lines.sort();
    assert_eq!(lines, ["".as_bytes(), b"end", b"err", b"out"]);
}

/// Which `buildbot sendchange`.
#[derive(Clone, Copy, Debug)]
enum Client {
    Ours,
    /// That of a real peer.
    Real(&'static str),
}

impl Client {
    fn send_change(self, sandbox: &Sandbox, master: &Master<'_>) {
        let mut command = match self {
            Self::Ours => sandbox.buildbot(),
            Self::Real(name) => sandbox.command(peer(name).unwrap().join("buildbot")),
        };
        run(command
            .arg("sendchange")
            .args(["--master", &format!("127.0.0.1:{}", master.port())])
            .args(["--auth", CHANGE_AUTH, "--who", "alice", "--revision", "r1"])
            .args(["--comments", "Make it better", "src/main.c", "doc/käse"]))
        .ok();
    }
}

fn builds_on(kind: Kind, client: Client, printed: &[u8]) {
    let sandbox = Sandbox::new();
    let setup = four_steps(&sandbox, printed).slave("bot");
    let master = Master::start(&sandbox, &setup);
    let Some(_slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");

    client.send_change(&sandbox, &master);

    check_build(master, "bot", printed);
}

/// One step prints, one fails and halts the build, one is left out, one always runs.
fn four_steps(sandbox: &Sandbox, printed: &[u8]) -> Setup {
    let file = sandbox.file("printed", printed);
    Setup::new(&[
        step("print", &["cat", file.to_str().unwrap()], ""),
        shell("test", "echo broken >&2; exit 3", "halt_on_failure = true"),
        shell("package", "echo packed", ""),
        shell("clean", "echo cleaned", "always_run = true"),
    ])
}

fn check_build(mut master: Master<'_>, slave: &str, printed: &[u8]) {
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("failure"));
    assert_eq!(build.slave.as_deref(), Some(slave));
    assert!(build.reason.is_some());
    let ran = [
        ("print", "success"),
        ("test", "failure"),
        ("clean", "success"),
    ];
    assert_eq!(build.ran(), ran);

    let changes: Vec<crate::harness::master::ShownChange> = master.show(&["changes"]);
    let [change] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!(build.changes(), [change.number]);
    assert_eq!(change.who, "alice");
    assert_eq!(change.revision.as_deref(), Some("r1"));
    assert_eq!(change.comments.as_deref(), Some("Make it better"));
    assert_eq!(change.files, ["src/main.c", "doc/käse"]);

    // The logs are on disk: they are there without the master.
    assert!(master.terminate().success());
    let log = master.log("full", 0, "print");
    assert_eq!(log.len(), printed.len());
    assert!(log == printed, "the log differs from what was printed");
    assert_eq!(master.log("full", 0, "test"), b"broken\n");
    assert_eq!(master.log("full", 0, "clean"), b"cleaned\n");
}

/// What newer workers pass on as it is: whole lines of text, not long.
fn text() -> Vec<u8> {
    let lines: Vec<String> = (0..2_000)
        .map(|number| format!("line {number} of the output, with a ü in it\n"))
        .collect();
    lines.concat().into_bytes()
}

fn binary() -> Vec<u8> {
    binary_bytes(if is_slow() { 50 << 20 } else { 8 << 20 })
}
