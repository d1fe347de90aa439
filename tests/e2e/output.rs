//! Output that cannot be written: a full disk, a reader that is gone. No program may end for that.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Master, Sandbox, Setup, shell, wait_until};

#[test]
fn a_master_whose_log_cannot_be_written_goes_on() {
    let sandbox = Sandbox::new();
    let master = Master::prepare(&sandbox, &setup());
    let running = Running::start(&master, full(), full());
    let finished = build(&master);
    assert_eq!(finished.as_deref(), Some("success"));
    assert!(running.terminate().success());
}

#[test]
fn a_master_whose_log_nobody_reads_any_more_goes_on() {
    let sandbox = Sandbox::new();
    let master = Master::prepare(&sandbox, &setup());
    let mut running = Running::start(&master, Stdio::null(), Stdio::piped());
    let mut log = BufReader::new(running.0.stderr.take().unwrap());
    log.read_line(&mut String::new()).unwrap();
    drop(log);
    assert_eq!(build(&master).as_deref(), Some("success"));
    assert!(running.terminate().success());
}

#[test]
fn a_slave_whose_words_cannot_be_written_goes_on() {
    let sandbox = Sandbox::new();
    let mut create = sandbox.buildslave();
    create.args(["create-slave", "slave", "localhost:1", "s", "pw"]);
    create.stdout(full()).stderr(full());
    assert!(create.status().unwrap().success());
    assert!(sandbox.path("slave").is_dir());
    let mut stop = sandbox.buildslave();
    stop.args(["stop", "slave"]).stdout(full()).stderr(full());
    assert!(stop.status().unwrap().success());
}

#[test]
fn commands_end_in_order_when_their_words_cannot_be_written() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &setup());
    assert_eq!(build(&master).as_deref(), Some("success"));
    let dir = master.dir().to_str().unwrap().to_owned();
    let missing = sandbox.path("missing").to_str().unwrap().to_owned();
    let words: [&[&str]; 10] = [
        &["--help"],
        &["nonsense"],
        &["show", "builders", "--basedir", &dir],
        &[
            "show",
            "log",
            "full",
            "0",
            "talk",
            "stdio",
            "--basedir",
            &dir,
        ],
        &["show", "builders", "--basedir", &missing],
        &["checkconfig", &dir],
        &["checkconfig", &missing],
        &["reconfig", &dir],
        &["why", "1", "--basedir", &dir],
        &["stop", &missing],
    ];
    for words in words {
        for closed in [false, true] {
            let out = || if closed { closed_pipe() } else { full() };
            let mut command = sandbox.buildmaster();
            command.args(words).stdin(Stdio::null());
            check(command.stdout(out()).stderr(Stdio::piped()));
            check(command.stdout(out()).stderr(out()));
        }
    }
    for words in [&["--help"][..], &["sendchange"], &["try", "--dryrun"]] {
        let mut command = sandbox.buildbot();
        command.args(words).stdin(Stdio::null());
        check(command.stdout(closed_pipe()).stderr(closed_pipe()));
    }
    for words in [&["--help"][..], &["start", "missing"], &["stop", "missing"]] {
        let mut command = sandbox.buildslave();
        command.args(words).stdin(Stdio::null());
        check(command.stdout(closed_pipe()).stderr(closed_pipe()));
    }
    assert!(master.process().is_running());
}

/// Runs `command`, which must end by itself and not by a panic.
fn check(command: &mut Command) {
    let done = command.spawn().unwrap().wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&done.stderr);
    let code = done.status.code();
    assert!(
        code.is_some_and(|code| code <= 2) && !complaints.contains("panicked"),
        "{command:?} ended with {code:?}\n{complaints}"
    );
}

fn setup() -> Setup {
    Setup::new(&[shell("talk", "echo hello", "")]).local_slave("here")
}

fn build(master: &Master<'_>) -> Option<String> {
    wait_until("the control socket", || {
        master.dir().join("control.sock").exists()
    });
    master.send_change("r1");
    master.finished_build("full", 0).result
}

/// A device on which there is never room.
fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

/// A pipe that nobody reads.
fn closed_pipe() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

/// A master in the foreground. Killed when dropped.
struct Running(Child);

impl Running {
    fn start(master: &Master<'_>, stdout: Stdio, stderr: Stdio) -> Self {
        let mut command = master.program();
        command.args(["start", "--nodaemon"]).arg(master.dir());
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Self(command.spawn().unwrap())
    }

    fn terminate(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where all went well.
        drop(self.0.kill());
        self.0.wait().unwrap();
    }
}
