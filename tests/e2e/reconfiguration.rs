//! Another configuration comes while the master runs: what has changed changes, and nothing else notices.

use std::fs;

use rustix::process::Signal;

use crate::harness::process::wait_for;
use crate::harness::{Build, Finished, Master, Sandbox, Setup, Slave, run, shell, wait_until};

#[test]
fn fifty_running_builds_do_not_notice_that_everything_around_them_changes() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let old = [
        shell("wait", &gate.command(), ""),
        shell("after", "echo old", ""),
    ];
    let new = [shell("other", "echo new", "")];
    let names: Vec<String> = (0..BUILDS).map(|n| format!("b{n}")).collect();
    let setup = |steps: &[String]| {
        let setup = Setup::new(steps).slave("bot").slave("second");
        let add = |setup: Setup, name: &String| setup.builder(name, "");
        names.iter().fold(setup, add)
    };
    let mut master = Master::start(&sandbox, &setup(&old));
    let _slaves = ["bot", "second"].map(|name| Slave::native(&sandbox, name, master.port()));
    master.wait_until_attached("bot");
    master.wait_until_attached("second");
    master.send_change("r1");
    gate.wait_until_reached(BUILDS);

    // The same again: nothing but a word that it was done.
    let again = reconfigure(&master, &[]).ok();
    assert_eq!(again.trim(), "nothing has changed");

    // Other steps, a builder less, another one, and a slave more.
    let changed = setup(&new).builder("late", "").local_slave("here");
    let text = changed.toml(master.port()).replace("\"b7\"", "\"seven\"");
    write(&master, &text);
    let plan = reconfigure(&master, &["--dry-run"]).ok();
    for line in [
        "slave here: added",
        "builder b7: removed",
        "builder seven: added",
        "builder b0: changed: slaves, factory",
    ] {
        assert!(plan.contains(line), "{line} is not in {plan}");
    }
    let done = reconfigure(&master, &[]).ok();
    assert!(done.contains("the new configuration is in force"), "{done}");
    master.wait_until_attached("here");
    gate.open();

    for name in &names {
        let build = master.finished_build(name, 0);
        assert_eq!(build.result.as_deref(), Some("success"), "{name}");
        assert_eq!(build.ran(), [("wait", "success"), ("after", "success")]);
    }
    assert_eq!(gate.times_reached(), BUILDS, "none was built twice");
    master.send_change("r2");
    for name in ["b0", "seven", "late"] {
        let number = u64::from(name == "b0");
        let build = master.finished_build(name, number);
        assert_eq!(build.ran(), [("other", "success")], "{name}");
    }
    assert!(master.terminate().success());
}

#[test]
fn a_wrong_configuration_changes_nothing_and_says_what_is_wrong() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let mut master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let good = setup.toml(master.port());

    write(&master, &good.replace("factory =", "factroy ="));
    let refused = reconfigure(&master, &[]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("factroy"), "{refused}");
    master.process().signal(Signal::HUP);
    master
        .process()
        .wait_for_line("the configuration stays as it was");

    // A port that somebody else has.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    write(&master, &setup.toml(port));
    let refused = reconfigure(&master, &[]);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused.stderr.contains(&format!("127.0.0.1:{port}")),
        "{refused}"
    );

    // Nothing of all that has happened.
    write(&master, &good);
    assert_eq!(reconfigure(&master, &[]).ok().trim(), "nothing has changed");
    assert!(master.is_attached("bot"));
    master.send_change("r1");
    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );
}

#[test]
fn lck_04_another_order_of_locks_waits_for_the_builds_that_have_the_old_one() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let locks = "[locks]\na = { type = \"master\" }\nb = { type = \"master\" }\n";
    let setup = |on_builder: &str, on_step: &str| {
        let first = shell("hold", &gate.command(), "");
        let then = shell("work", "true", &format!("locks = [{on_step}]"));
        Setup::new(&[first, then])
            .builder("full", &format!("locks = [{on_builder}]"))
            .local_slave("here")
            .tables(locks)
    };
    let master = Master::start(&sandbox, &setup("\"a\"", "\"b\""));
    let turned = setup("\"b\"", "\"a\"").toml(master.port());
    master.wait_until_attached("here");
    master.send_change("r1");
    gate.wait_until_reached(1);
    // By way of one without them neither.
    for between in [None, Some(setup("", ""))] {
        if let Some(between) = between {
            write(&master, &between.toml(master.port()));
            reconfigure(&master, &[]).ok();
        }
        write(&master, &turned);
        for options in [&["--dry-run"][..], &[]] {
            let refused = reconfigure(&master, options);
            assert_eq!(refused.code, Some(1), "{refused}");
            let why = "builds of `full` hold `a` while their step `work` waits for `b`";
            assert!(refused.stderr.contains(why), "{refused}");
        }
    }
    gate.open();
    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );
    reconfigure(&master, &[]).ok();
}

#[test]
fn sighup_brings_new_slaves_ports_and_passwords() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let mut master = Master::start(&sandbox, &setup);
    let old = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");

    let second = crate::harness::free_port();
    let setup = one_step("true").slave("new");
    let text = setup.toml(master.port()).replace(
        &format!("slave_port = \"tcp:{}:interface=127.0.0.1\"", master.port()),
        &format!(
            "slave_port = [\"tcp:{}:interface=127.0.0.1\", \"tcp:{second}:interface=127.0.0.1\"]",
            master.port()
        ),
    );
    write(&master, &text);
    master.process().signal(Signal::HUP);
    wait_until("the removed slave is dropped", || {
        !master.is_attached("bot")
    });
    let _new = Slave::native(&sandbox, "new", second);
    master.wait_until_attached("new");
    master.send_change("r1");
    let build = master.finished_build("full", 0);
    assert_eq!(build.slave.as_deref(), Some("new"));
    drop(old);
}

#[test]
fn requests_for_a_builder_that_is_taken_out_end() {
    let sandbox = Sandbox::new();
    let setup = one_step("true")
        .slave("bot")
        .builder("a", "")
        .builder("b", "");
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    write(
        &master,
        &one_step("true")
            .slave("bot")
            .builder("a", "")
            .toml(master.port()),
    );
    reconfigure(&master, &[]).ok();
    let over = wait_for("the request for b is over", || {
        let requests: Vec<serde_json::Value> = master.show(&["requests"]);
        let waiting = |r: &serde_json::Value| r["builder"] == "b" && r["state"] == "pending";
        (!requests.iter().any(waiting)).then_some(requests.len())
    });
    assert_eq!(over, 1, "that for a still waits");
    let _slave = Slave::native(&sandbox, "bot", master.port());
    let build: Build = master.finished_build("a", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
}

const BUILDS: usize = 50;

fn one_step(line: &str) -> Setup {
    Setup::new(&[shell("only", line, "")])
}

fn write(master: &Master<'_>, text: &str) {
    fs::write(master.dir().join("master.toml"), text).unwrap();
}

fn reconfigure(master: &Master<'_>, options: &[&str]) -> Finished {
    run(master
        .program()
        .arg("reconfig")
        .args(options)
        .arg(master.dir()))
}
