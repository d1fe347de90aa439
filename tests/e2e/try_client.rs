//! Our `buildbot try` at real Buildbot masters, by login and over ssh.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::real_master::{RealMaster, RealStep, TRY_USER, Version};
use crate::harness::{Finished, Sandbox, Slave, run};
use crate::programs::program;

#[test]
fn try_with_wait_follows_the_builds_of_a_master_0814() {
    try_follows_builds(Version::V0814);
}

#[test]
fn try_with_wait_follows_the_builds_of_a_master_430() {
    try_follows_builds(Version::V430);
}

#[test]
fn try_through_ssh_reaches_a_master_0814() {
    try_through_ssh(Version::V0814);
}

#[test]
fn try_through_ssh_reaches_a_master_430() {
    try_through_ssh(Version::V430);
}

fn try_follows_builds(version: Version) {
    let sandbox = Sandbox::new();
    let Some(master) = RealMaster::start(version, &sandbox, &STEPS) else {
        return;
    };
    // What is refused is refused whether or not a slave is there.
    let error = try_by_login(&sandbox, &master, &["--passwd", "wrong"]).fails_with(2);
    assert!(error.contains("does not know user 'alice'"), "{error}");
    let error = try_by_login(&sandbox, &master, &["--builder", "secret"]).fails_with(2);
    assert!(error.contains("rejected the job"), "{error}");
    let names = try_by_login(&sandbox, &master, &["--get-builder-names"]).ok();
    assert_eq!(names, "full\n");

    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached();

    let good = try_by_login(&sandbox, &master, &["--wait", "--property=ending=0"]).ok();
    assert!(good.contains("full: success"), "{good}");

    let bad = try_by_login(&sandbox, &master, &["--wait", "--property=ending=3"]);
    let printed = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert_eq!(bad.code, Some(1), "{bad}");
    assert!(printed.contains("full: failure"), "{printed}");
    let has_tail = printed.contains("log stdio of step test") && printed.contains("ending 3");
    assert_eq!(has_tail, version == Version::V0814, "{printed}");

    let accepted = try_by_login(&sandbox, &master, &["--property=ending=0"]).ok();
    assert!(accepted.contains("accepted the job"), "{accepted}");
}

fn try_through_ssh(version: Version) {
    let sandbox = Sandbox::new();
    let Some(master) = RealMaster::start(version, &sandbox, &STEPS) else {
        return;
    };
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached();
    let ssh = stand_in_for_ssh(&sandbox);
    let jobdir = master.jobdir();

    let mut command = sandbox.buildbot();
    command
        .args(["try", "--connect=ssh", "--host=master.example", "-u", "me"])
        .args(["--port=22", "--buildbotbin"])
        .arg(program("buildbot"))
        .args(["--property=ending=3", "--diff"])
        .arg(a_diff(&sandbox))
        .arg(format!("--ssh={}", ssh.display()));
    let missing = sandbox.path("missing");
    let mut wrong = sandbox.buildbot();
    wrong.args(command.get_args()).arg("--jobdir").arg(missing);
    let error = run(&mut wrong).fails_with(1);
    assert!(error.contains("there is no directory"), "{error}");

    let said = run(command.arg("--jobdir").arg(&jobdir)).ok();
    assert!(said.contains("The job was delivered."), "{said}");
    assert_eq!(master.finished_build(&sandbox).result, 2);
    let arguments = fs::read_to_string(sandbox.path("ssh-arguments")).unwrap();
    assert!(
        arguments.starts_with("-l me -p 22 master.example "),
        "{arguments}"
    );
}

#[test]
fn dryrun_shows_the_job_and_connects_to_nobody() {
    let sandbox = Sandbox::new();
    let shown = run(sandbox
        .buildbot()
        .args([
            "try",
            "-c",
            "pb",
            "-m",
            "127.0.0.1:1",
            "-u",
            "alice",
            "-n",
            "-p1",
        ])
        .args(["-b", "full", "--comment", "please", "--diff"])
        .arg(a_diff(&sandbox)))
    .ok();
    for part in ["Builders: full", "Comment: please", "level 1", "+patched"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn an_empty_diff_is_reported_before_sending() {
    let sandbox = Sandbox::new();
    let error = run(sandbox
        .buildbot()
        .args([
            "try",
            "-c",
            "pb",
            "-m",
            "127.0.0.1:1",
            "-u",
            "alice",
            "--passwd",
            "x",
        ])
        .args(["--diff"])
        .arg(sandbox.file("empty.diff", "")))
    .fails_with(1);
    assert!(error.contains("the diff is empty"), "{error}");
    assert!(error.contains("cannot connect to 127.0.0.1:1"), "{error}");
}

fn try_by_login(sandbox: &Sandbox, master: &RealMaster, arguments: &[&str]) -> Finished {
    let (user, password) = TRY_USER;
    let mut command = sandbox.buildbot();
    command
        .args(["try", "--connect=pb", "--username", user, "--repository=r"])
        .arg(format!("--master=127.0.0.1:{}", master.try_port()))
        .arg("--diff")
        .arg(a_diff(sandbox));
    if !arguments.contains(&"--passwd") {
        command.args(["--passwd", password]);
    }
    run(command.args(arguments))
}

/// A diff that the builds do not apply.
fn a_diff(sandbox: &Sandbox) -> std::path::PathBuf {
    let diff = "--- a/hello\n+++ b/hello\n@@ -1 +1,2 @@\n hello\n+patched\n";
    sandbox.file("try.diff", diff)
}

/// A program that notes its arguments, drops the options of ssh and the host, and runs the rest
/// here.
pub(crate) fn stand_in_for_ssh(sandbox: &Sandbox) -> std::path::PathBuf {
    let script = format!(
        "#!/bin/sh\necho \"$*\" >'{}'\n\
         while :; do case \"$1\" in -l|-p) shift 2;; *) break;; esac; done\nshift\nexec \"$@\"\n",
        sandbox.path("ssh-arguments").display()
    );
    let path = sandbox.file("ssh", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// One step prints and ends as the property `ending` says.
const STEPS: [RealStep<'_>; 1] = [RealStep {
    name: "test",
    line: "echo ending $ENDING; exit $ENDING",
    settings: "env={'ENDING': Property('ending')}",
}];
