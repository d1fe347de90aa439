//! The program `buildslave` from the outside.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::programs::program;

/// Runs `buildslave` in `dir`.
fn buildslave(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program("buildslave"));
    command.args(args).current_dir(dir).output().unwrap()
}

fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(out.contains(stdout) && err.contains(stderr), "{out}\n{err}");
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
}

#[test]
fn a_slave_is_created_once_and_its_password_is_not_readable_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let create = ["create-slave", "s", "localhost:1", "s1", "geheim"];
    check(&buildslave(dir.path(), &create), 0, "slave made in s", "");
    let config = fs::metadata(dir.path().join("s/buildslave.toml")).unwrap();
    assert_eq!(config.permissions().mode() & 0o777, 0o600);
    check(&buildslave(dir.path(), &create), 1, "", "--force");
    let forced = [&create[..], &["--force", "--quiet"]].concat();
    let output = buildslave(dir.path(), &forced);
    assert!(output.stdout.is_empty() && output.status.success());
}

#[test]
fn all_options_of_the_original_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let args = "create-slave --force --relocatable --no-logrotate --quiet --keepalive=30 --usepty=1 \
                --umask=022 --maxdelay=60 --log-size=1000 --log-count=None \
                --allow-shutdown=signal s localhost s1 pw";
    let args: Vec<_> = args.split_whitespace().collect();
    check(&buildslave(dir.path(), &args), 0, "", "");
    let config = fs::read_to_string(dir.path().join("s/buildslave.toml")).unwrap();
    for line in [
        "keepalive = 30",
        "use_pty = true",
        "umask = \"022\"",
        "max_delay = 60",
        "allow_shutdown = \"signal\"",
    ] {
        assert!(config.contains(line), "{config}");
    }
    assert!(!config.contains("log_size") && !config.contains("log_count"));
}

#[test]
fn usage_errors_are_status_2_and_other_errors_status_1() {
    let dir = tempfile::tempdir().unwrap();
    check(&buildslave(dir.path(), &["nonsense"]), 2, "", "nonsense");
    let output = buildslave(dir.path(), &["start"]);
    check(&output, 1, "", "is not a slave's base directory");
    let args = ["create-slave", "s", "host:0", "s1", "pw"];
    check(&buildslave(dir.path(), &args), 1, "", "port");
}

#[test]
fn a_started_slave_says_whether_it_is_attached_and_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    // A port that nobody listens on: bound, and given back.
    let port = {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        taken.local_addr().unwrap().port()
    };
    let master = format!("127.0.0.1:{port}");
    buildslave(dir.path(), &["create-slave", "s", &master, "s1", "pw"]);
    check(
        &buildslave(dir.path(), &["stop", "s"]),
        0,
        "not running",
        "",
    );
    let started = buildslave(dir.path(), &["start", "s"]);
    check(&started, 0, "still trying", "");
    check(
        &buildslave(dir.path(), &["start", "s"]),
        1,
        "",
        "already running",
    );
    check(
        &buildslave(dir.path(), &["restart", "s"]),
        0,
        "has ended",
        "",
    );
    check(&buildslave(dir.path(), &["stop", "s"]), 0, "has ended", "");
    let log = fs::read_to_string(dir.path().join("s/buildslave.log")).unwrap();
    assert!(log.contains("started") && log.contains("ended"), "{log}");
    assert!(!log.contains("pw"), "{log}");
}
