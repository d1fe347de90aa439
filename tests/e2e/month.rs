//! A month of a project with a real compiler and a real mail server: exactly the guilty are told
//! (ESC-01, SRH-12, PRB-17).

use std::path::Path;

use crate::harness::{Process, Sandbox, from_pypi, is_slow, wait_until};

/// With `SLOW_TESTS=1`, 200 commits.
#[test]
fn esc_01_in_a_month_exactly_the_guilty_are_told() {
    let Some(python) = from_pypi("mail", "python") else {
        return;
    };
    let sandbox = Sandbox::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/month/month.py");
    let mut command = sandbox.command(python);
    let commits = if is_slow() { "200" } else { "20" };
    command
        .arg(script)
        .arg(sandbox.path("month"))
        .args(["buildmaster", env!("CARGO_BIN_EXE_buildmaster")])
        .args(["--commits", commits]);
    let mut month = Process::start("the month", &mut command);
    // As long as commits come, it is at work.
    let mut so_far = 0;
    loop {
        wait_until("the next commits of the month", || {
            !month.is_running() || month.printed().lines().count() > so_far
        });
        so_far = month.printed().lines().count();
        if !month.is_running() {
            break;
        }
    }
    assert!(month.wait().success(), "{}", month.printed());
}
