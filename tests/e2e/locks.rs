//! Builders that share a lock.

use crate::harness::master::ShownRequest;
use crate::harness::process::PATIENCE;
use crate::harness::sandbox::Gate;
use crate::harness::{Build, Master, Sandbox, Setup, Slave, run, shell, wait_until};

#[test]
fn builds_with_an_exclusive_lock_never_overlap() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let held = sandbox.path("held");
    // Whoever comes while another is here fails.
    let line = format!(
        "mkdir '{held}' && ( {gate} ) && rmdir '{held}'",
        gate = gate.command(),
        held = held.display()
    );
    let mut master = Master::start(&sandbox, &two_builders(&line).slave("one").slave("two"));
    let _slaves = ["one", "two"].map(|name| Slave::native(&sandbox, name, master.port()));
    for slave in ["one", "two"] {
        master.wait_until_attached(slave);
    }

    master.send_change("r1");
    let (holding, waiting) = wait_until_one_waits(&mut master, &gate);

    let waits = master.show::<serde_json::Value>(&["locks"]);
    let lock = &waits[0]["locks"][0];
    assert_eq!((&waits[0]["builder"], waits.len()), (&waiting.into(), 1));
    assert_eq!((&lock["lock"], &lock["place"]), (&"disk".into(), &1.into()));
    assert_eq!(lock["holders"][0]["builder"], holding);
    let shown = master.build(waiting, 0).unwrap();
    assert!(!shown.is_finished() && shown.steps.is_empty(), "{shown:?}");
    assert_eq!(gate.times_reached(), 1);
    gate.open();
    for builder in ["a", "b"] {
        assert_eq!(result(&master.finished_build(builder, 0)), "success");
    }
    assert_eq!(gate.times_reached(), 2);
}

#[test]
fn stop_of_a_build_that_waits_for_a_lock_ends_it_at_once() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = two_builders(&gate.command());
    let mut master = Master::start(&sandbox, &setup.local_slave("one").local_slave("two"));
    master.send_change("r1");
    let (holding, waiting) = wait_until_one_waits(&mut master, &gate);

    let mut stop = sandbox.buildmaster();
    run(stop
        .args(["stop-build", waiting, "0", "--basedir"])
        .arg(master.dir()))
    .ok();

    assert_eq!(result(&master.finished_build(waiting, 0)), "exception");
    assert!(!master.build(holding, 0).unwrap().is_finished());
    gate.open();
    assert_eq!(result(&master.finished_build(holding, 0)), "success");
    assert_eq!(gate.times_reached(), 1);
}

#[test]
fn locks_of_a_killed_master_are_free_after_the_restart() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = two_builders(&gate.command());
    let mut master = Master::start(&sandbox, &setup.local_slave("one").local_slave("two"));
    master.send_change("r1");
    wait_until_one_waits(&mut master, &gate);

    master.kill();
    gate.open();
    master.run();

    wait_until("an empty queue", || {
        let requests: Vec<ShownRequest> = master.show(&["requests"]);
        requests.iter().all(ShownRequest::is_over)
    });
    for builder in ["a", "b"] {
        assert_eq!(result(&master.finished_build(builder, 0)), "retry");
        assert_eq!(result(&master.finished_build(builder, 1)), "success");
    }
}

/// Two builders with the same step that share an exclusive lock.
fn two_builders(line: &str) -> Setup {
    let timeout = format!("timeout = {}", PATIENCE.as_secs());
    let locks = "locks = [{ name = \"disk\", mode = \"exclusive\" }]";
    Setup::new(&[shell("work", line, &timeout)])
        .tables("[locks.disk]\ntype = \"master\"\n")
        .builder("a", locks)
        .builder("b", locks)
}

/// The builder whose build is at the gate, and the one whose build waits for it.
fn wait_until_one_waits(master: &mut Master<'_>, gate: &Gate) -> (&'static str, &'static str) {
    gate.wait_until_reached(1);
    let line = master
        .process()
        .wait_for_line("waits for lock disk, held by");
    if line.contains("build a/0 waits") {
        ("b", "a")
    } else {
        assert!(line.contains("build b/0 waits"), "{line}");
        ("a", "b")
    }
}

fn result(build: &Build) -> &str {
    build.result.as_deref().unwrap()
}
