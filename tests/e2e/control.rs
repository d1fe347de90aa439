//! What people ask of a running master: builds, pauses, and why a request waits.

use crate::harness::process::PATIENCE;
use crate::harness::{Finished, Kind, Master, Sandbox, Setup, Slave, run, shell, wait_until};

#[test]
fn a_forced_build_has_what_was_asked_for_and_a_rebuild_has_it_again() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &echo().local_slave("one"));
    master.wait_until_attached("one");

    let said = told(
        &master,
        &[
            "force",
            "full",
            "--soon",
            "--branch",
            "rel",
            "--revision",
            "r9",
            "--reason",
            "to see",
            "--property",
            "mood=good",
            "--owner",
            "zoe",
        ],
    );
    assert_eq!(said.ok().trim(), "request 1 (set 1) is queued for full");
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
    assert_eq!(build.reason.as_deref(), Some("to see"));
    let said = "rel r9 good zoe\n";
    assert_eq!(text(&master.log("full", 0, "echo")), said);

    let again = told(&master, &["rebuild", "full", "0"]);
    assert_eq!(again.ok().trim(), "request 2 (set 2) is queued for full");
    let build = master.finished_build("full", 1);
    assert_eq!(
        build.reason.as_deref(),
        Some("<rebuild of full/0, no reason given>")
    );
    assert_eq!(text(&master.log("full", 1, "echo")), said);

    let none = told(&master, &["rebuild", "full", "7"]);
    assert!(none.stderr.contains("there is no build full/7"), "{none}");
    let why = told(&master, &["why", "1"]);
    assert!(why.ok().starts_with("request 1 has finished with success"));
    let unknown = told(&master, &["why", "99"]);
    assert!(
        unknown.stderr.contains("there is no request 99"),
        "{unknown}"
    );
}

#[test]
fn a_pause_outlives_the_master_and_is_what_a_request_waits_for() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &echo().local_slave("one"));
    master.wait_until_attached("one");
    told(
        &master,
        &["pause", "one", "--by", "zoe", "--reason", "new disk"],
    )
    .ok();

    master.kill();
    master.run();
    master.wait_until_attached("one");
    told(&master, &["force", "full"]).ok();
    let paused = |text: &str| {
        let is_it = |line: &str| line.starts_with("slave one is paused by zoe since ");
        text.lines()
            .any(|line| is_it(line) && line.ends_with(": new disk"))
    };
    assert!(paused(&told(&master, &["why", "1"]).ok()));
    let slaves = told(&master, &["show", "slaves"]).ok();
    assert!(slaves.contains("connected, paused by zoe"), "{slaves}");
    let json = told(&master, &["why", "1", "--json"]).ok();
    assert!(json.contains(r#""kind":"paused""#), "{json}");

    told(&master, &["unpause", "one"]).ok();
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
}

#[test]
fn soon_is_refused_without_a_slave_and_the_request_says_who_is_missing() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &echo().slave("away"));

    let refused = told(&master, &["force", "full", "--soon"]);
    assert!(
        refused.stderr.contains("no slave is connected to full"),
        "{refused}"
    );
    let bad = told(&master, &["force", "full", "--property", "a b=c"]);
    assert!(bad.stderr.contains("is not allowed"), "{bad}");

    told(&master, &["force", "full"]).ok();
    wait_until("the answer", || {
        told(&master, &["why", "1"]).ok().trim() == "slave away has never been connected"
    });
}

#[test]
fn slv_08_a_local_slave_stays_down_until_graceful_is_taken_back() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &echo().local_slave("one"));
    master.wait_until_attached("one");
    let early = told(&master, &["graceful", "one", "--cancel"]).fails_with(1);
    assert!(early.contains("slave one is not shutting down"), "{early}");

    for number in 0..2 {
        told(&master, &["graceful", "one"]).ok();
        master.wait_until_detached("one");
        told(&master, &["force", "full"]).ok();
        told(&master, &["reconfig"]).ok();
        assert!(!master.is_attached("one"), "only people bring it back");
        told(&master, &["graceful", "one", "--cancel"]).ok();
        assert_eq!(
            master.finished_build("full", number).result.as_deref(),
            Some("success")
        );
    }
}

#[test]
fn sst_07_a_rebuild_of_a_merged_build_builds_what_that_one_built() {
    let sandbox = Sandbox::new();
    let setup = echo().builder("full", "merge_requests = \"always-same-branch\"");
    let master = Master::start(&sandbox, &setup.local_slave("one"));
    told(&master, &["pause", "one"]).ok();
    for revision in ["r1", "r2"] {
        told(&master, &["force", "full", "--revision", revision]).ok();
    }
    told(&master, &["unpause", "one"]).ok();
    assert_eq!(revision_of(&master, 0), "r2");

    told(&master, &["rebuild", "full", "0"]).ok();
    assert_eq!(revision_of(&master, 1), "r2");
}

#[test]
fn brq_09_a_forced_build_may_go_first_and_a_rebuild_has_its_priority() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let timeout = format!("timeout = {}", PATIENCE.as_secs());
    let setup = Setup::new(&[shell("work", &gate.command(), &timeout)]);
    let master = Master::start(&sandbox, &setup.local_slave("one"));
    told(&master, &["pause", "one"]).ok();
    let force = |revision: &str, priority: &str| {
        let words = ["force", "full", "--revision", revision];
        told(&master, &[&words[..], &["--priority", priority]].concat()).ok()
    };
    force("r1", "-1");
    force("r2", "5");
    assert_eq!(waiting(&master), [2, 1]);

    told(&master, &["unpause", "one"]).ok();
    gate.wait_until_reached(1);
    let running = told(&master, &["rebuild", "full", "0"]).fails_with(1);
    assert!(running.contains("has not finished"), "{running}");
    let late = told(&master, &["cancel", "2"]).fails_with(1);
    assert!(late.contains("`buildmaster stop-request 2`"), "{late}");
    told(&master, &["stop-request", "2"]).ok();
    let stopped = master.finished_build("full", 0);
    assert_eq!(stopped.result.as_deref(), Some("exception"));
    // The other one is at the gate now, and this one goes before what is forced afterwards.
    gate.wait_until_reached(2);
    force("r3", "0");
    told(&master, &["rebuild", "full", "0"]).ok();
    assert_eq!(waiting(&master), [4, 3]);
}

#[test]
fn brq_04_a_cancelled_request_is_not_built() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &echo().local_slave("one"));
    told(&master, &["pause", "one"]).ok();
    told(&master, &["force", "full", "--revision", "r1"]).ok();
    told(&master, &["force", "full", "--revision", "r2"]).ok();

    assert_eq!(
        told(&master, &["cancel", "1"]).ok(),
        "request 1 is cancelled\n"
    );
    let again = told(&master, &["cancel", "1"]).fails_with(1);
    assert!(again.contains("request 1 is not open"), "{again}");
    let waits = told(&master, &["stop-request", "2"]).fails_with(1);
    assert!(waits.contains("`buildmaster cancel 2`"), "{waits}");
    told(&master, &["unpause", "one"]).ok();

    assert_eq!(revision_of(&master, 0), "r2");
    assert_eq!(master.show::<serde_json::Value>(&["builds"]).len(), 1);
}

#[test]
fn bld_16_a_ping_tells_of_each_slave() {
    let sandbox = Sandbox::new();
    let setup = echo().local_slave("one").slave("away");
    let cloud = "type = \"command\"\npassword = \"x\"\nstart = [\"true\"]\nstop = [\"true\"]";
    let master = Master::start(&sandbox, &setup.slave_with("cloud", cloud));
    master.wait_until_attached("one");

    let said = told(&master, &["ping", "full"]).ok();
    let expected =
        "of the 3 slaves of full 1 answers; not connected: away; latent and not started: cloud\n";
    assert_eq!(said, expected);
    let none = told(&master, &["ping", "empty"]).fails_with(1);
    assert!(none.contains("there is no builder empty"), "{none}");
    let slaves = told(&master, &["show", "slaves"]).ok();
    let cloud = slaves.lines().find(|line| line.starts_with("cloud"));
    assert!(cloud.unwrap().contains("not started"), "{slaves}");
    told(&master, &["force", "full", "--soon"]).ok();
}

#[test]
fn slv_08_show_tells_who_is_to_end_and_that_it_was_taken_back() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let timeout = format!("timeout = {}", PATIENCE.as_secs());
    let setup = Setup::new(&[shell("work", &gate.command(), &timeout)]);
    let master = Master::start(&sandbox, &setup.local_slave("one"));
    told(&master, &["force", "full"]).ok();
    gate.wait_until_reached(1);

    let shown = || master.show::<serde_json::Value>(&["slaves"])[0]["graceful_since"].clone();
    told(&master, &["graceful", "one"]).ok();
    let slaves = told(&master, &["show", "slaves"]).ok();
    assert!(slaves.contains("connected, ends when idle"), "{slaves}");
    assert!(shown().is_string(), "since when");
    told(&master, &["graceful", "one", "--cancel"]).ok();
    assert!(shown().is_null());
}

#[test]
fn slv_08_a_slave_that_was_told_to_end_ends_and_takes_builds_when_it_is_started_again() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &echo().slave("bot"));
    let early = told(&master, &["graceful", "bot"]).fails_with(1);
    assert!(early.contains("slave bot is not connected"), "{early}");
    let mut slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");

    told(&master, &["graceful", "bot"]).ok();
    assert!(slave.process.wait().success());
    master.wait_until_detached("bot");
    let late = told(&master, &["graceful", "bot", "--cancel"]).fails_with(1);
    assert!(late.contains("already told to shut down"), "{late}");
    told(&master, &["force", "full"]).ok();
    let _again = Slave::restart(Kind::Native, &sandbox, slave.dir.clone());

    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
}

/// The open requests, in the order in which they are shown.
fn waiting(master: &Master<'_>) -> Vec<u64> {
    let requests = master.show::<serde_json::Value>(&["requests", "--pending"]);
    let ids = requests.iter().map(|request| request["id"].as_u64());
    ids.map(|id| id.unwrap()).collect()
}

/// What a finished build has printed as its revision.
fn revision_of(master: &Master<'_>, number: u64) -> String {
    master.finished_build("full", number);
    let printed = text(&master.log("full", number, "echo"));
    printed.split_whitespace().next().unwrap().to_owned()
}

/// A step that prints what the build is of.
fn echo() -> Setup {
    let line = "echo %(prop:branch)s %(prop:revision)s %(prop:mood)s %(prop:owner)s";
    Setup::new(&[shell("echo", line, "")])
}

fn told(master: &Master<'_>, words: &[&str]) -> Finished {
    let mut program = master.program();
    run(program.args(words).arg("--basedir").arg(master.dir()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
