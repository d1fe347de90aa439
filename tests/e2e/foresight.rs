//! What schedulers will do: `checkconfig --next` and `simulate`, as they are called.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Sandbox, run};

const CONFIGURATION: &str = r#"
[[slaves]]
name = "here"
type = "local"

[factories.none]
steps = []

[[builders]]
name = "full"
slaves = ["here"]
factory = "none"

[[schedulers]]
type = "Scheduler"
name = "quick"
tree_stable_timer = "1m"
builders = ["full"]

[[schedulers]]
type = "Nightly"
name = "nightly"
hour = 3
builders = ["full"]

[[schedulers]]
type = "Dependent"
name = "after"
upstream = "quick"
builders = ["full"]
"#;

const CHANGES: &str = "{\"at\": 1780282800, \"id\": 7}\n\
                       {\"at\": \"2026-06-01T03:00:30Z\", \"branch\": null, \"id\": 8}\n";

fn base(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.private_dir("master");
    std::fs::write(dir.join("master.toml"), CONFIGURATION).unwrap();
    dir
}

fn checkconfig(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Command {
    let mut command = sandbox.buildmaster();
    command.arg("checkconfig").arg(dir).args(args);
    command
}

fn simulate(sandbox: &Sandbox, dir: &Path, changes: &Path, args: &[&str]) -> Command {
    let mut command = sandbox.buildmaster();
    command.arg("simulate").arg(dir);
    command.arg("--changes").arg(changes).args(args);
    command
}

#[test]
fn checkconfig_lists_the_next_runs_by_the_clock_of_the_machine() {
    let sandbox = Sandbox::new();
    let dir = base(&sandbox);
    let args = ["--next", "2", "--from", "2026-06-01T03:00:00Z", "--json"];

    let told = run(checkconfig(&sandbox, &dir, &args).env("TZ", "Europe/Berlin")).ok();

    assert_eq!(
        told,
        "{\"scheduler\":\"nightly\",\"at\":1780362000,\"builders\":[\"full\"]}\n\
         {\"scheduler\":\"nightly\",\"at\":1780448400,\"builders\":[\"full\"]}\n"
    );
    let told = run(&mut checkconfig(
        &sandbox,
        &dir,
        &["--next", "1", "--from", "0"],
    ))
    .ok();
    assert!(
        told.contains("Thu 1970-01-01 03:00:00 +00:00  nightly    full"),
        "{told}"
    );
    let now = run(&mut checkconfig(&sandbox, &dir, &["--next", "3", "--json"])).ok();
    assert_eq!(now.lines().count(), 3, "{now}");
}

#[test]
fn limits_and_mistakes_of_next_are_told() {
    let sandbox = Sandbox::new();
    let dir = base(&sandbox);
    for (args, told) in [
        (["--next", "0", "--json"].as_slice(), "--next"),
        (&["--next", "100001"], "100000"),
        (&["--next", "-1"], "--next"),
        (&["--next", "1", "--from", "-5"], "before 1970"),
        (
            &["--next", "1", "--from", "253402300800"],
            "after the year 9999",
        ),
        (&["--next", "1", "--from", "tomorrow"], "RFC 3339"),
        (&["--from", "5"], "--next"),
    ] {
        let error = run(&mut checkconfig(&sandbox, &dir, args)).fails_with(2);
        assert!(error.contains(told), "{args:?}: {error}");
    }
    let most = run(&mut checkconfig(
        &sandbox,
        &dir,
        &["--next", "100000", "--json"],
    ))
    .ok();
    assert_eq!(most.lines().count(), 100_000);
}

#[test]
fn simulate_prints_the_sets_that_would_be_submitted() {
    let sandbox = Sandbox::new();
    let dir = base(&sandbox);
    let changes = sandbox.file("changes.jsonl", CHANGES);
    let span = [
        "--from",
        "1780282800",
        "--until",
        "2026-06-02T03:00:00Z",
        "--json",
    ];
    let expected = "{\"at\":1780282890,\"scheduler\":\"quick\",\"branch\":null,\"changes\":[7,8],\"builders\":[\"full\"]}\n\
                    {\"at\":1780282890,\"scheduler\":\"after\",\"branch\":null,\"changes\":[7,8],\"builders\":[\"full\"]}\n\
                    {\"at\":1780369200,\"scheduler\":\"nightly\",\"branch\":null,\"changes\":[],\"builders\":[\"full\"]}\n";

    let told = run(&mut simulate(&sandbox, &dir, &changes, &span)).ok();
    assert_eq!(told, expected);

    let mut piped = simulate(&sandbox, &dir, Path::new("-"), &span);
    let piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(CHANGES.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);

    let told = run(&mut simulate(&sandbox, &dir, &changes, &span[..4])).ok();
    assert!(told.contains("3 build sets"), "{told}");
    let files = std::fs::read_dir(&dir).unwrap().count();
    assert_eq!(files, 1, "nothing but the configuration is there");
}

#[test]
fn mistakes_of_a_simulation_are_told_and_print_nothing() {
    let sandbox = Sandbox::new();
    let dir = base(&sandbox);
    let good = sandbox.file("good", CHANGES);
    let bad = sandbox.file(
        "bad",
        "{\"at\": 1780282800}\n{\"at\": 1780282800, \"brnach\": 1}\n",
    );
    let until = ["--from", "1780282800", "--until", "1780282900", "--json"];
    for (file, args, told) in [
        (&bad, until.as_slice(), "bad:2: unknown member \"brnach\""),
        (
            &good,
            &["--from", "1780282801", "--until", "1780282900"],
            "good:1: `at` is before --from",
        ),
        (
            &good,
            &["--from", "5", "--until", "4"],
            "--until is before --from",
        ),
        (&good, &["--from", "-5", "--until", "4"], "before 1970"),
        (&good, &["--from", "5"], "--until"),
    ] {
        let finished = run(&mut simulate(&sandbox, &dir, file, args));
        assert!(finished.stdout.is_empty(), "{finished}");
        let error = finished.fails_with(2);
        assert!(error.contains(told), "{args:?}: {error}");
    }
    run(&mut simulate(&sandbox, &dir, Path::new("gone"), &until)).fails_with(1);
    let wrong = sandbox.file("master.toml", "[[builders]]\nname = 1\n");
    run(&mut simulate(&sandbox, &wrong, &good, &until)).fails_with(2);
}

#[test]
fn a_reader_that_goes_away_ends_a_long_simulation() {
    let sandbox = Sandbox::new();
    let dir = base(&sandbox);
    let changes = sandbox.file("changes", "");
    let ever = ["--from", "0", "--until", "9999-12-31T00:00:00Z", "--json"];
    let mut command = simulate(&sandbox, &dir, &changes, &ever);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
