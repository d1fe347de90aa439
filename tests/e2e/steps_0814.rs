//! What Buildbot 0.8.14 makes of steps, against the file that our steps are compared with.

use std::path::Path;

use crate::harness::{Sandbox, peer, run};

#[test]
fn the_file_of_steps_says_what_a_master_0814_makes_of_them() {
    let Some(bin) = peer("bb0814") else { return };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let cases = tests.join("data/steps-0814.jsonl");
    let sandbox = Sandbox::new();
    let told = run(sandbox
        .command(bin.join("python"))
        .args(["-W", "ignore", "-B"])
        .arg(tests.join("steps_0814.py"))
        .arg(&cases))
    .ok();
    let expected = std::fs::read_to_string(&cases).unwrap();
    for (told, expected) in told.lines().zip(expected.lines()) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.lines().count(), expected.lines().count());
}
