//! After a build that succeeded it is known how long the next one will take (section 19).

use serde_json::Value;

use crate::harness::process::wait_for;
use crate::harness::{Master, Sandbox, Setup, run, shell, step};

/// A build as it is shown.
fn shown(master: &Master<'_>, number: u64) -> Value {
    let number = number.to_string();
    master.show(&["build", "full", &number]).remove(0)
}

#[test]
fn prg_04_the_next_build_has_a_time_left_also_after_a_restart_with_another_command() {
    let sandbox = Sandbox::new();
    let (first, second) = (sandbox.gate("first"), sandbox.gate("second"));
    let steps = |gate: &str| {
        [
            shell("print", "echo 0123456789", ""),
            step("compile", &["sh", "-c", gate], ""),
            shell("clean", "true", ""),
        ]
    };
    let setup = |gate: &str| Setup::new(&steps(gate)).local_slave("here");
    let mut master = Master::start(&sandbox, &setup(&first.command()));

    master.send_change("r1");
    first.wait_until_reached(1);
    let build = shown(&master, 0);
    assert_eq!(build["remaining"], Value::Null, "nothing is known yet");
    first.open();
    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );

    // Another command under the same name, and a master that was killed.
    master.kill();
    std::fs::write(
        master.dir().join("master.toml"),
        setup(&second.command()).toml(master.port()),
    )
    .unwrap();
    master.run();
    master.send_change("r2");
    second.wait_until_reached(1);
    let build = wait_for("the time left of the second step", || {
        let build = shown(&master, 1);
        build["steps"][1]["remaining"].is_f64().then_some(build)
    });
    assert!(build["remaining"].is_f64(), "{build}");
    assert_eq!(build["steps"][0]["remaining"], Value::Null, "it is over");
    let mut command = sandbox.buildmaster();
    command
        .args(["show", "builds", "--basedir"])
        .arg(master.dir());
    let text = run(&mut command).ok();
    let told = ["running, about ", "running, overdue by "];
    assert!(told.iter().any(|words| text.contains(words)), "{text}");
    second.open();
    assert_eq!(
        master.finished_build("full", 1).result.as_deref(),
        Some("success")
    );
    assert_eq!(shown(&master, 1)["remaining"], Value::Null);
}
