//! What people ask of a running master: builds, pauses, and why a request waits.

use crate::harness::{Finished, Master, Sandbox, Setup, run, shell, wait_until};

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
    assert_eq!(build.reason.as_deref(), Some("<rebuild, no reason given>"));
    assert_eq!(text(&master.log("full", 1, "echo")), said);

    let none = told(&master, &["rebuild", "full", "7"]);
    assert!(
        none.stderr.contains("there is no build 7 of full"),
        "{none}"
    );
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
    assert!(early.contains("slave one is not told to end"), "{early}");

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
