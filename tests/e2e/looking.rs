//! Looking at a master: whether it runs, what it waits for, and how its builds went.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::{Finished, Master, Sandbox, Setup, free_port, run, shell, step};
use crate::programs::programs;

fn told(master: &Master<'_>, words: &[&str]) -> Finished {
    let mut program = master.program();
    run(program.args(words).arg("--basedir").arg(master.dir()))
}

#[test]
fn the_first_commands_of_the_readme_end_with_the_build_in_sight() {
    let readme = include_str!("../../README.md");
    let (_, from) = readme.split_once("buildmaster create-master ci").unwrap();
    let (commands, _) = from.split_once("```").unwrap();
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("home");
    let port = free_port();
    let script = format!("set -e\nbuildmaster create-master ci{commands}");
    // The ports of the README may be taken by another test.
    let script = script.replace("9989", &port.to_string()).replacen(
        "buildmaster start ci",
        &format!("sed -i 's/9989/{port}/; s/8010/0/' ci/master.toml\nbuildmaster start ci"),
        1,
    );
    let path = format!(
        "{}:{}",
        programs().display(),
        std::env::var("PATH").unwrap()
    );
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &script])
        .current_dir(&dir)
        .env("PATH", path);
    let shown = run(&mut shell);
    let mut stop = sandbox.buildmaster();
    run(stop.arg("stop").arg(dir.join("ci"))).ok();
    let shown = shown.ok();
    let build = shown.lines().last().unwrap();
    assert!(
        build.contains("  0  ") && build.contains("success"),
        "{shown}"
    );
}

#[test]
fn status_tells_whether_a_master_runs_by_its_exit_code_too() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("work", "true", "")]).local_slave("here");
    let mut master = Master::prepare(&sandbox, &setup);
    let none = told(&master, &["status"]);
    assert_eq!(none.code, Some(1), "{none}");
    let none = told(&master, &["status", "--json"]);
    let none: Value = serde_json::from_slice(&none.stdout).unwrap();
    assert_eq!(none["running"], json!(false));

    master.run();
    master.wait_until_attached("here");
    let status = told(&master, &["status"]).ok();
    for words in ["running", "1 of 1 connected", "no requests wait"] {
        assert!(status.contains(words), "{status}");
    }
    let status = told(&master, &["status", "--json"]).ok();
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["running"], json!(true));
    let pid = master.process().pid().as_raw_nonzero().get();
    assert_eq!(status["pid"], json!(pid));
    assert_eq!(status["version"], json!(env!("CARGO_PKG_VERSION")));
    let port = format!("127.0.0.1:{}", master.port());
    assert!(
        status["ports"][0].as_str().unwrap().contains(&port),
        "{status}"
    );

    master.terminate();
    assert_eq!(told(&master, &["status"]).code, Some(1));
}

#[test]
fn a_log_is_found_without_its_step_and_followed_to_its_end() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let steps = [
        shell("prepare", "echo ready", ""),
        step(
            "test",
            &[
                "sh",
                "-c",
                &format!("echo begun; ({}); echo over; exit 1", gate.command()),
            ],
            "halt_on_failure = true",
        ),
        shell("deploy", "true", ""),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).local_slave("here"));
    master.send_change("r1");
    gate.wait_until_reached(1);
    let mut follow = master.program();
    follow.args(["show", "log", "full", "last", "-f", "--output", "--basedir"]);
    let mut follow = Process::start("show log", follow.arg(master.dir()));
    follow.wait_for_line("begun");
    gate.open();
    assert!(follow.wait().success());
    assert!(follow.printed().contains("over"), "{}", follow.printed());
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("failure"));
    let shown = told(&master, &["show", "log", "full", "-1"]);
    assert!(shown.stderr.contains("exit"), "{shown}");
    assert_eq!(shown.ok(), "begun\nover\n");
    let build: Value = master.show(&["build", "full", "last"]).remove(0);
    assert_eq!(build["not_run"], json!(["deploy"]));
    assert_eq!(build["failed_steps"], json!(["test"]));
    assert_eq!(build["news"], json!("new"));
    assert_eq!(build["revision"], json!("r1"));
}

#[test]
fn a_rebuild_keeps_changes_and_blame_and_who_asked_is_logged() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("work", "true", "")]).local_slave("here");
    let mut master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    told(&master, &["rebuild", "full", "last"]).ok();
    master.finished_build("full", 1);
    let build: Value = master.show(&["build", "full", "1"]).remove(0);
    assert_eq!(build["changes"], json!([1]));
    assert_eq!(build["blamelist"], json!(["alice"]));
    assert_eq!(
        build["reason"],
        json!("<rebuild of full/0, no reason given>")
    );
    assert_eq!(build["revision"], json!("r1"));

    told(&master, &["pause", "here", "--reason", "new disk"]).ok();
    told(&master, &["force", "full", "--owner", "zoe"]).ok();
    told(&master, &["cancel", "3"]).ok();
    let log = master.process().printed();
    for act in [
        "asked to rebuild full/0",
        "asked to pause slave here",
        "asked for a build on full for zoe",
        "asked to cancel request 3",
    ] {
        let line = log.lines().find(|line| line.contains(act));
        let line = line.unwrap_or_else(|| panic!("{act:?} in {log}"));
        assert!(line.contains("by="), "{line}");
    }
}

#[test]
fn what_a_configuration_says_of_project_and_builders_is_shown() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("greet", "echo hello", "")])
        .local_slave("here")
        .builder(
            "full",
            "description = \"all tests\"\ntags = [\"slow\", \"linux\"]",
        )
        .builder("quick", "");
    let mut master = Master::prepare(&sandbox, &setup);
    let builders = |master: &Master<'_>| -> Vec<Value> { master.show(&["builders"]) };
    for is_running in [false, true] {
        if is_running {
            master.run();
            let status = told(&master, &["status"]).ok();
            assert!(status.contains("End to end, http://localhost/"), "{status}");
        }
        let shown = told(&master, &["show", "builders"]).ok();
        assert!(shown.contains("all tests [slow, linux]"), "{shown}");
        let full = &builders(&master)[0];
        assert_eq!(full["description"], json!("all tests"));
        assert_eq!(full["tags"], json!(["slow", "linux"]));
    }
}

#[test]
fn a_log_is_not_printed_as_json() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("greet", "echo hello", "")]).local_slave("here");
    let master = Master::prepare(&sandbox, &setup);
    let refused = told(&master, &["show", "log", "full", "0", "--json"]).fails_with(2);
    assert!(refused.contains("leave out --json"), "{refused}");
    let unknown = told(&master, &["show", "builds"]).fails_with(1);
    assert!(unknown.starts_with("buildmaster: error: "), "{unknown}");
}
