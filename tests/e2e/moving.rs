//! Whole farms that move: what their slaves are sent afterwards is what a real Buildbot sends. The
//! builder `forms` has each form of texts, with 20 random sets of properties (section 4 of IMPORT).

use std::path::Path;

use crate::harness::{Sandbox, peer, run};

/// Builds each builder of `config` under a real master and under ours, and compares all commands.
fn same_commands_as(version: &str, config: &str, builds: u32) {
    let (Some(bin), Some(python)) = (peer(version), peer("bb43")) else {
        return;
    };
    let sandbox = Sandbox::new();
    let moving = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moving");
    let peers = bin.parent().and_then(Path::parent).unwrap();
    let mut compare = sandbox.command(python.join("python"));
    compare
        .arg("-B")
        .arg(moving.join("compare.py"))
        .arg(env!("CARGO_BIN_EXE_buildmaster"))
        .arg(peers)
        .arg(moving.join(config))
        .args(["--peer", version, "--builds", &builds.to_string(), "--dir"])
        .arg(sandbox.path("moved"));
    let said = run(&mut compare).ok();
    assert!(said.contains("no question is open"), "{said}");
    assert!(said.contains("builds are equal"), "{said}");
}

#[test]
fn slaves_of_a_farm_of_buildbot_0814_are_sent_the_same_commands() {
    same_commands_as("bb0814", "old.cfg", 56);
}

#[test]
fn workers_of_a_farm_of_buildbot_43_are_sent_the_same_commands() {
    same_commands_as("bb43", "new.cfg", 33);
}
