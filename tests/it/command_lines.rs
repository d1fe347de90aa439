//! The command lines of the three programs from the outside: what they accept, what they point to,
//! what is made from them.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::programs::program;

const BUILDMASTER: &str = env!("CARGO_BIN_EXE_buildmaster");

/// Runs `program` in `dir`.
fn run(program: &str, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.env_remove("BUILDMASTER_BASEDIR");
    command.args(args).current_dir(dir).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn completions_are_made_for_every_shell_and_every_program() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let all = stdout(&run(BUILDMASTER, dir.path(), &["completions", shell]));
        for word in ["checkconfig", "sendchange", "create-slave"] {
            assert!(all.contains(word), "{shell}: {word}");
        }
        assert!(!all.contains("in-background") && !all.contains("daemon-child"));
        let args = ["completions", shell, "--program", "buildbot"];
        let one = stdout(&run(BUILDMASTER, dir.path(), &args));
        assert!(one.contains("sendchange") && !one.contains("create-slave"));
        let Ok(mut child) = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn() else {
            eprintln!("skipped: there is no {shell} to check the syntax with");
            continue;
        };
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(all.as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success(), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_for_every_verb_of_every_program() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&run(BUILDMASTER, dir.path(), &["man", "pages/man1"]));
    for page in [
        "buildmaster.1",
        "buildmaster-checkconfig.1",
        "buildmaster-show-builds.1",
        "buildbot-try.1",
        "buildslave-create-slave.1",
    ] {
        let text = fs::read_to_string(dir.path().join("pages/man1").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    let printed = stdout(&run(BUILDMASTER, dir.path(), &["man"]));
    assert!(printed.contains("buildmaster\\-checkconfig"), "{printed}");
}

#[test]
fn a_verb_of_another_program_is_answered_with_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (buildbot, buildslave) = (program("buildbot"), program("buildslave"));
    let (buildbot, buildslave) = (buildbot.to_str().unwrap(), buildslave.to_str().unwrap());
    for (program, verb, answer) in [
        (buildbot, "start", "buildmaster start DIR"),
        (buildbot, "stop", "buildmaster stop DIR"),
        (buildbot, "restart", "buildmaster restart DIR"),
        (buildbot, "reconfig", "buildmaster reconfig DIR"),
        (buildbot, "sighup", "buildmaster reconfig DIR"),
        (buildbot, "checkconfig", "buildmaster checkconfig DIR"),
        (buildbot, "create-master", "buildmaster create-master DIR"),
        (buildbot, "upgrade-master", "when it starts"),
        (BUILDMASTER, "statuslog", "buildbot statuslog"),
        (buildbot, "create-slave", "buildslave create-slave"),
        (BUILDMASTER, "sendchange", "buildbot sendchange"),
        (BUILDMASTER, "sighup", "buildmaster reconfig"),
        (BUILDMASTER, "create-worker", "buildslave create-slave"),
        (buildslave, "create-worker", "buildslave create-slave"),
        (buildslave, "upgrade-slave", "needs no upgrade"),
        (buildslave, "reconfig", "buildmaster reconfig"),
    ] {
        let output = run(program, dir.path(), &[verb, "master"]);
        let told = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{program} {verb}: {told}");
        assert!(told.contains(answer), "{program} {verb}: {told}");
    }
    let mistyped = run(BUILDMASTER, dir.path(), &["strat"]);
    let told = String::from_utf8(mistyped.stderr).unwrap();
    assert!(
        told.starts_with("buildmaster: error: ") && told.contains("'start'"),
        "{told}"
    );
}

#[test]
fn every_verb_takes_the_base_directory_in_the_same_ways() {
    let dir = tempfile::tempdir().unwrap();
    let with_variable = |args: &[&str]| {
        let mut command = Command::new(BUILDMASTER);
        command.env("BUILDMASTER_BASEDIR", "named").args(args);
        command.current_dir(dir.path()).output().unwrap()
    };
    stdout(&run(
        BUILDMASTER,
        dir.path(),
        &["create-master", "given", "-q"],
    ));
    let option = ["create-master", "--basedir", "option", "-q"];
    stdout(&run(BUILDMASTER, dir.path(), &option));
    stdout(&with_variable(&["create-master", "-q"]));
    for name in ["given", "option", "named"] {
        assert!(dir.path().join(name).join("master.toml").exists(), "{name}");
    }
    // Free ports, so that it does not matter what listens on this machine.
    for name in ["given", "option", "named"] {
        let file = dir.path().join(name).join("master.toml");
        let text = fs::read_to_string(&file).unwrap();
        let text = text.replace("port = 9989", "port = 0");
        fs::write(&file, text.replace("port = 8010", "port = 0")).unwrap();
    }
    let given = stdout(&run(BUILDMASTER, dir.path(), &["checkconfig", "given"]));
    assert!(given.starts_with("given/master.toml: "), "{given}");
    let option = ["checkconfig", "--basedir", "option"];
    assert!(stdout(&run(BUILDMASTER, dir.path(), &option)).starts_with("option/"));
    assert!(stdout(&with_variable(&["checkconfig"])).starts_with("named/"));
    assert!(stdout(&with_variable(&["checkconfig", "given"])).starts_with("given/"));
    // A configuration that is not in place yet, for the base directory that has its passwords.
    fs::copy(
        dir.path().join("given/master.toml"),
        dir.path().join("new.toml"),
    )
    .unwrap();
    let alone = run(BUILDMASTER, dir.path(), &["checkconfig", "new.toml"]);
    assert_eq!(alone.status.code(), Some(2), "its password is not here");
    let for_given = ["checkconfig", "new.toml", "--basedir", "given"];
    stdout(&run(BUILDMASTER, dir.path(), &for_given));

    // Nothing runs in any of them: each verb that asks a master says so for the directory that was
    // meant.
    for args in [
        &["force", "first"][..],
        &["rebuild", "first", "0"],
        &["cancel", "1"],
        &["stop-build", "first", "0"],
        &["stop-request", "1"],
        &["pause", "here"],
        &["unpause", "here"],
        &["graceful", "here"],
        &["ping", "first"],
        &["why", "1"],
        &["cancel-stop"],
        &["stop"],
        &["reconfig"],
    ] {
        let missing = [args, &["--basedir", "nowhere"]].concat();
        for output in [with_variable(args), run(BUILDMASTER, dir.path(), &missing)] {
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(
                told.contains("no master is running") || told.contains("nowhere"),
                "{args:?}: {told}"
            );
            assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        }
    }
}

#[test]
fn demo_leaves_what_was_there_before_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let output = run(BUILDMASTER, dir.path(), &["demo", "--basedir", "."]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("is not empty"), "{told}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    fs::create_dir(dir.path().join("my empty one")).unwrap();
    for (name, leftovers) in [("my empty one", "/ci' '"), ("my new one", "/my new one'")] {
        let shown = stdout(&run(BUILDMASTER, dir.path(), &["demo", "--basedir", name]));
        let last = shown.lines().last().unwrap();
        let remove = last.split_once("rm -r ").unwrap().1;
        assert!(remove.contains(leftovers), "{last}");
    }
}
