//! The memory that reading a report of tests takes (TST-02): `cargo test --test it report_memory`.
//! With `SLOW_TESTS=1`, a GiB of each format is read.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod samples;

use std::process::Command;
use std::{env, fs};

use buildmaster::model::TestFormat;
use buildmaster::protocol::report::{MOST_MEMORY, Reading, Report};

use self::samples::{FAILS, Sample};

/// Tells a process of this test which format it is to read.
const FORMAT: &str = "REPORT_FORMAT";

/// Tests of a report.
const TESTS: usize = 2_000;

/// Bytes that a reader gets at a time.
const PIECE: usize = 16 << 10;

/// The size of each report, in bytes.
fn size() -> usize {
    match env::var_os("SLOW_TESTS") {
        Some(_) => 1 << 30,
        None => 64 << 20,
    }
}

#[test]
fn tst_02_a_report_of_any_size_is_read_within_four_mib() {
    if let Ok(format) = env::var(FORMAT) {
        let peak = peak_of(TestFormat::named(&format).unwrap_or(TestFormat::Own));
        eprintln!("peak {peak}");
        return;
    }
    // What a program of one's own prints has no name.
    let named = TestFormat::ALL.iter().map(|(name, _)| *name);
    for name in named.chain(["own"]) {
        let mut child = Command::new(env::current_exe().unwrap());
        child.env(FORMAT, name).args(["--exact", "--nocapture"]);
        child.arg("report_memory::tst_02_a_report_of_any_size_is_read_within_four_mib");
        let ended = child.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{name}: {said}");
        let mut peaks = said.lines().filter_map(|line| line.strip_prefix("peak "));
        let peak: usize = peaks.next().unwrap().parse().unwrap();
        eprintln!("{name}: {} KiB for {} MiB", peak >> 10, size() >> 20);
        assert!(peak <= MOST_MEMORY, "{name}: {peak} bytes");
    }
}

/// The most memory that the process has had while it reads a report, beyond what it has before, in
/// bytes.
fn peak_of(format: TestFormat) -> usize {
    let sample = Sample::new(format, TESTS);
    // The code of the reader is in memory before, and so is what feeds it.
    read(format, &Sample::new(format, FAILS), FAILS, 1 << 20);
    // From here on the peak counts.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kib("VmRSS:");
    let report = read(format, &sample, TESTS, size());
    let peak = kib("VmHWM:").saturating_sub(before) << 10;
    assert!(report.is_complete, "{format:?}: {:?}", report.notes);
    assert_eq!(report.notes, [""; 0], "{format:?}");
    let counts = (report.tests.len(), report.counts.failed);
    assert_eq!(counts, (TESTS, (TESTS / FAILS) as u64), "{format:?}");
    peak
}

/// Reads a report with this number of tests, of about this size in bytes.
fn read(format: TestFormat, sample: &Sample, tests: usize, size: usize) -> Report {
    let filler = sample.filler.repeat(PIECE / sample.filler.len());
    let filler = filler.as_bytes();
    let mut reading = Reading::new(format);
    let mut feed = |bytes: &[u8]| bytes.chunks(PIECE).for_each(|piece| reading.feed(piece));
    feed(sample.head.as_bytes());
    let mut fed = 0;
    for number in 1..=tests {
        let test = (sample.test)(number);
        feed(&test);
        fed += test.len();
        while fed < size / tests * number {
            feed(filler);
            fed += filler.len();
        }
        feed(sample.close.as_bytes());
    }
    feed(sample.tail.as_bytes());
    reading.finish()
}

/// A line of the status of this process, in KiB.
fn kib(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(key));
    let number = lines.next().unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}
