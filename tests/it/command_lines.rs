//! The command lines of the three programs from the outside: what they accept, what they point to, what is made from them.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
