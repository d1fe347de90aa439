//! A target that takes connections and says nothing slows no build (OUT-13).

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use chrono::DateTime;
use rusqlite::Connection;
use serde_json::Value;

use crate::harness::{Master, Sandbox, Setup, is_slow, shell, wait_until};

/// Copies the letter so often, in a hundred orders.
const COPY: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO letter (target, ordering, facts, made_at, next_at)
    SELECT target, ordering || ' ' || i % 100, facts, made_at, made_at FROM letter, n
    WHERE id = 1";

/// Milliseconds from the arrival of a change to the start of its build, for `count` builds from
/// number `first` on.
pub(crate) fn latencies(master: &Master<'_>, first: u64, count: u64) -> Vec<i64> {
    for number in first..first + count {
        master.send_change(&format!("r{number}"));
        master.finished_build("full", number);
    }
    let time = |value: &Value| {
        let time = DateTime::parse_from_rfc3339(value.as_str().unwrap());
        time.unwrap().timestamp_millis()
    };
    let builds: Vec<Value> = master.show(&["builds", "full"]);
    let changes: Vec<Value> = master.show(&["changes"]);
    let mut took: Vec<_> = builds
        .iter()
        .filter(|build| build["number"].as_u64() >= Some(first))
        .map(|build| {
            let revision = format!("r{}", build["number"]);
            let mut all = changes.iter();
            let change = all.find(|change| change["revision"] == revision);
            time(&build["started_at"]) - time(&change.unwrap()["arrived_at"])
        })
        .collect();
    took.sort_unstable();
    took
}

/// The median and the slowest of 100 of sorted latencies.
pub(crate) fn in_short(took: &[i64]) -> String {
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    format!("p50 {} ms, p99 {} ms", at(50), at(99))
}

/// Bytes of the state on disk.
fn on_disk(dir: &Path) -> u64 {
    let files = ["state.sqlite", "state.sqlite-wal"].map(|name| dir.join(name));
    files
        .iter()
        .map(|file| fs::metadata(file).map_or(0, |found| found.len()))
        .sum()
}

/// Kilobytes of memory of the running master.
fn memory(master: &mut Master<'_>) -> u64 {
    let pid = master.process().pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn out_13_ten_thousand_letters_to_a_silent_target_slow_no_build() {
    let sandbox = Sandbox::new();
    // It takes connections as far as the system does so by itself, and reads nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let target = format!(
        "[[status]]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nallow_private = true\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&target);
    let mut master = Master::start(&sandbox, &setup);
    let builds = if is_slow() { 200 } else { 5 };
    let before = latencies(&master, 0, builds);
    let memory_before = memory(&mut master);
    master.kill();
    let disk_before = on_disk(master.dir());
    let state = Connection::open(master.dir().join("state.sqlite")).unwrap();
    state.execute(COPY, [10_000]).unwrap();
    state.close().unwrap();
    master.run();
    master.wait_until_attached("here");
    let after = latencies(&master, builds, builds);
    let memory_after = memory(&mut master);
    let disk_after = on_disk(master.dir());
    let waiting = || {
        let waiting: Vec<Value> = {
            let mut command = master.program();
            command
                .args(["outbox", "--json", "--basedir"])
                .arg(master.dir());
            let listed = crate::harness::run(&mut command).ok();
            listed
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        waiting.len()
    };
    wait_until("the letters of the last build", || waiting() >= 10_000);
    eprintln!(
        "start after a change: {} before, {} with 10 000 letters; memory {memory_before} and \
         {memory_after} kB, disk {disk_before} and {disk_after} bytes",
        in_short(&before),
        in_short(&after),
    );
    assert!(
        disk_after < disk_before + 20_000_000,
        "{disk_before} {disk_after}"
    );
}
