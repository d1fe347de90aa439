//! What a configuration needs outside of its file: `checkconfig`, `start`, `restart` and `reconfig`
//! look for the same, all at once, each with its place.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::harness::{Finished, Master, Sandbox, Setup, free_port, run, shell};

/// A configuration that lacks four things outside of its file, in lines that [`MISSING`] names.
fn lacking(port: u16) -> String {
    format!(
        r#"slave_port = {port}
[[slaves]]
name = "here"
type = "local"
[[slaves]]
name = "bot-file"
password_file = "secrets/bot-file"
[[slaves]]
name = "bot-env"
password_env = "BOT_ENV_PASSWORD"
[factories.f]
steps = [{{ type = "ShellCommand", command = "true" }}]
[[builders]]
name = "full"
slaves = ["here", "bot-file", "bot-env"]
factory = "f"
[[schedulers]]
type = "Try_Jobdir"
name = "try"
jobdir = "jobs"
builders = ["full"]
"#
    )
}

/// Line, column and words of what [`lacking`] lacks.
const MISSING: [(&str, &str); 4] = [
    ("1:14", "cannot listen on 127.0.0.1:"),
    ("7:17", "slave `bot-file` has no password: cannot read"),
    ("10:16", "variable BOT_ENV_PASSWORD"),
    ("20:10", "scheduler `try` cannot be used"),
];

#[test]
fn checkconfig_and_start_tell_all_that_is_missing_with_its_place() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("master");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(dir.join("master.toml"), lacking(port)).unwrap();

    for verb in [
        &["checkconfig"][..],
        &["start"],
        &["start", "--nodaemon"],
        &["restart"],
    ] {
        let told = run(sandbox.buildmaster().args(verb).arg(&dir)).fails_with(2);
        for (place, words) in MISSING {
            let place = format!("master.toml:{place}\n");
            assert!(told.contains(&place), "{verb:?} {place}: {told}");
            assert!(told.contains(words), "{verb:?} {words}: {told}");
        }
        assert_eq!(told.matches("error: ").count(), MISSING.len(), "{told}");
        assert_eq!(told.matches("= help: ").count(), MISSING.len(), "{told}");
    }
    let files = fs::read_dir(&dir).unwrap().count();
    assert_eq!(files, 1, "nothing was made");
    let args = ["checkconfig", "--file-only"];
    run(sandbox.buildmaster().args(args).arg(&dir)).ok();
}

#[test]
fn a_state_or_log_that_cannot_be_written_is_told_before_the_start() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("master");
    let setup = Setup::new(&[shell("work", "true", "")]).local_slave("here");
    fs::write(dir.join("master.toml"), setup.toml(free_port())).unwrap();
    fs::create_dir(dir.join("buildmaster.log")).unwrap();
    fs::write(dir.join("builders"), "").unwrap();
    fs::write(
        dir.join("state.sqlite"),
        "this is not a database, long enough",
    )
    .unwrap();

    for verb in ["checkconfig", "start"] {
        let told = run(sandbox.buildmaster().arg(verb).arg(&dir)).fails_with(2);
        for words in [
            "buildmaster.log is a directory",
            "builders is not a directory",
            "state.sqlite is not the state of a buildmaster",
        ] {
            assert!(told.contains(words), "{verb} {words}: {told}");
        }
    }
}

#[test]
fn a_running_master_is_not_blamed_for_the_ports_that_it_holds() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("work", "true", "")]).local_slave("here");
    let mut master = Master::start(&sandbox, &setup);

    verb(&master, &["checkconfig"]).ok();
    // The same port at all addresses is this master's as well.
    let file = master.dir().join("master.toml");
    let text = setup.toml(master.port());
    fs::write(
        &file,
        text.replace("interface=127.0.0.1", "interface=0.0.0.0"),
    )
    .unwrap();
    verb(&master, &["checkconfig"]).ok();
    let twice = verb(&master, &["start"]).fails_with(1);
    assert!(twice.contains("already running"), "{twice}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(&file, setup.toml(port)).unwrap();
    for words in [
        &["checkconfig"][..],
        &["reconfig", "--dry-run"],
        &["reconfig"],
        &["restart"],
        &["restart", "--clean"],
    ] {
        let told = verb(&master, words).fails_with(2);
        let place = format!("master.toml:{}:14\n", line_of(&file, "slave_port"));
        assert!(told.contains(&place), "{words:?}: {told}");
        assert!(told.contains("another program listens"), "{told}");
    }
    assert!(master.process().is_running());
    drop(taken);
    verb(&master, &["checkconfig"]).ok();
}

#[test]
fn warnings_are_told_once_apart_and_not_to_those_who_want_none() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("master");
    let setup = Setup::new(&[shell("work", "true", "")])
        .settings("mail_command = [\"no-such-mailer\"]\n")
        .local_slave("here")
        .slave_with(
            "bot",
            "password = \"p\"\nnotify_on_missing = \"a@example.org\"",
        )
        .builder("full", "")
        .builder("idle", "")
        .schedulers("[[schedulers]]\ntype = \"Scheduler\"\nname = \"q\"\nbuilders = [\"full\"]\n");
    fs::write(dir.join("master.toml"), setup.toml(free_port())).unwrap();

    let warnings = |told: Finished| {
        let stderr = told.stderr.clone();
        told.ok();
        let lines = stderr.lines();
        let starts = lines.filter(|line| line.starts_with("warning: ")).count();
        assert_eq!(starts, stderr.matches("warning: ").count(), "{stderr}");
        starts
    };
    let told = |words: &[&str]| warnings(run(sandbox.buildmaster().args(words).arg(&dir)));
    assert_eq!(told(&["checkconfig"]), 2);
    assert_eq!(told(&["checkconfig", "-q"]), 0);
    assert_eq!(told(&["start"]), 2);
    assert_eq!(told(&["reconfig"]), 2);
    assert_eq!(told(&["reconfig", "-q"]), 0);
    assert_eq!(told(&["restart"]), 2);
    assert_eq!(told(&["restart", "-q"]), 0);
    assert_eq!(told(&["stop"]), 0);
}

fn verb(master: &Master<'_>, words: &[&str]) -> Finished {
    let mut program = master.program();
    run(program.args(words).arg(master.dir()))
}

fn line_of(file: &Path, key: &str) -> usize {
    let text = fs::read_to_string(file).unwrap();
    1 + text.lines().position(|line| line.starts_with(key)).unwrap()
}
