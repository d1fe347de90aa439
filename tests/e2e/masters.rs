//! The native slave under real Buildbot masters, with builds from their own `sendchange`.

use crate::harness::real_master::{RealBuild, RealMaster, RealStep, Version};
use crate::harness::{Kind, Sandbox, Slave, run};

#[test]
fn native_slave_builds_for_a_master_0814() {
    native_slave_builds_for(Version::V0814);
}

#[test]
fn native_slave_builds_for_a_master_430() {
    native_slave_builds_for(Version::V430);
}

#[test]
fn native_slave_comes_back_to_a_master_0814_that_was_away() {
    native_slave_comes_back(Version::V0814);
}

fn native_slave_builds_for(version: Version) {
    let sandbox = Sandbox::new();
    let Some(master) = RealMaster::start(version, &sandbox, &FOUR_STEPS) else {
        return;
    };
    let _slave = Slave::start(Kind::Native, &sandbox, "bot", master.port());
    master.wait_until_attached();

    send_change(&sandbox, &master);

    check_build(&sandbox, &master);
}

fn native_slave_comes_back(version: Version) {
    let sandbox = Sandbox::new();
    let Some(mut master) = RealMaster::start(version, &sandbox, &FOUR_STEPS) else {
        return;
    };
    let mut slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached();

    master.kill_and_restart(&sandbox);
    master.wait_until_attached();

    assert!(slave.process.is_running());
    send_change(&sandbox, &master);
    check_build(&sandbox, &master);
}

fn send_change(sandbox: &Sandbox, master: &RealMaster) {
    run(sandbox
        .command(master.bin().join("buildbot"))
        .args(["sendchange", "--who", "alice", "--revision", "r1"])
        .args(["--auth", "change:changepw"])
        .args([
            "--master",
            &format!("127.0.0.1:{}", master.port()),
            "src/main.c",
        ]))
    .ok();
}

fn check_build(sandbox: &Sandbox, master: &RealMaster) {
    let ran = |name: &str, result| (name.to_owned(), result);
    let expected = RealBuild {
        result: FAILURE,
        steps: vec![
            ran("print", SUCCESS),
            ran("test", FAILURE),
            ran("clean", SUCCESS),
        ],
    };
    assert_eq!(master.finished_build(sandbox), expected);
    let lines: Vec<String> = (0..3_000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(
        String::from_utf8_lossy(&master.log("print")),
        lines.concat()
    );
    assert_eq!(master.log("test"), b"broken\n");
    assert_eq!(master.log("clean"), b"cleaned in build\n");
}

/// One step prints, one fails and halts the build, one is left out, one always runs.
const FOUR_STEPS: [RealStep<'_>; 4] = [
    RealStep {
        name: "print",
        line: "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done",
        settings: "",
    },
    RealStep {
        name: "test",
        line: "echo broken >&2; exit 3",
        settings: "haltOnFailure=True",
    },
    RealStep {
        name: "package",
        line: "echo packed",
        settings: "",
    },
    RealStep {
        name: "clean",
        line: "echo cleaned in $(basename $PWD)",
        settings: "alwaysRun=True",
    },
];

const SUCCESS: i64 = 0;
const FAILURE: i64 = 2;
