//! A mistyped configuration: everything that is wrong is told, with lines, and nothing starts.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;

use crate::harness::{Finished, Sandbox, Setup, free_port, run, shell};

#[test]
fn start_tells_all_errors_and_starts_nothing() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let dir = sandbox.private_dir("master");
    fs::write(dir.join("master.toml"), mistyped(port)).unwrap();

    for verb in [["start", "--nodaemon"].as_slice(), &["start"]] {
        check_all_told(run(sandbox.buildmaster().args(verb).arg(&dir)));
        assert_eq!(files_in(&dir), ["master.toml".to_owned()].into());
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    }
}

#[test]
fn checkconfig_tells_all_errors() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("master");
    let file = dir.join("master.toml");
    fs::write(&file, mistyped(9989)).unwrap();

    check_all_told(run(sandbox.buildmaster().arg("checkconfig").arg(&dir)));
    check_all_told(run(sandbox.buildmaster().arg("checkconfig").arg(&file)));
    assert_eq!(files_in(&dir), ["master.toml".to_owned()].into());
}

#[test]
fn checkconfig_accepts_what_is_right() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("print", "true", "")]).slave("bot");
    let file = sandbox.file("master.toml", setup.toml(free_port()));

    run(sandbox.buildmaster().arg("checkconfig").arg(file)).ok();
}

#[test]
fn text_that_is_not_toml_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("master.toml", "title = \"x\"\nslave_port = = 9989\n");

    let told = run(sandbox.buildmaster().arg("checkconfig").arg(file)).fails_with(2);

    assert!(told.contains("master.toml:2"), "{told}");
}

#[test]
fn missing_file_is_told() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("master");

    let told = run(sandbox.buildmaster().arg("checkconfig").arg(&dir)).fails_with(1);

    assert!(told.contains("master.toml"), "{told}");
    assert!(files_in(&dir).is_empty());
}

#[test]
fn wrong_usage_has_an_exit_code_of_its_own() {
    let sandbox = Sandbox::new();

    run(sandbox.buildmaster().arg("strat")).fails_with(2);
    run(sandbox.buildbot().args(["sendchange", "--nonsense"])).fails_with(2);
    run(sandbox.buildslave().arg("create-slave")).fails_with(2);
}

/// Six mistakes in six lines.
fn mistyped(port: u16) -> String {
    format!(
        r#"title = "Mistyped"
title_url = "http://localhost/"
buildbot_url = "http://localhost/"
slave_port = "tcp:{port}:interface=127.0.0.1"
slavePortnum = 9989

[[slaves]]
name = "bot"
pasword = "sekrit"

[factories.check]
steps = [
  {{ type = "ShellCommand", name = "test", command = "make check", timeout = "20 parsecs" }},
]

[[builders]]
name = "full"
slaves = ["bto"]
factory = "chekc"

[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["ful"]
"#
    )
}

/// The lines of [`mistyped`] with a mistake, and what the message must name.
const MISTAKES: [(usize, &str); 6] = [
    (5, "slavePortnum"),
    (9, "password"),
    (13, "20 parsecs"),
    (18, "bto"),
    (19, "check"),
    (24, "full"),
];

fn check_all_told(finished: Finished) {
    let told = finished.fails_with(2);
    for (line, text) in MISTAKES {
        assert!(
            told.contains(&format!("master.toml:{line}")),
            "{line}: {told}"
        );
        assert!(told.contains(text), "{text}: {told}");
    }
}

fn files_in(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
