//! What results of tests cost (TST-10): `cargo bench --bench test_results`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

mod builds;

use std::path::Path;

use base64::Engine as _;
use buildmaster::model::journal::StepStart;
use buildmaster::model::{
    BuildId, ComparedTests, Op, SourceStamp, TestCounts, TestFormat, TestName, TestOutcome,
    TestRow, TestTable, TestsReport, Timestamp,
};
use buildmaster::protocol::report::{Reading, Report};
use buildmaster::store::{State, Store};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};

/// Measures the memory that readers use.
#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// The tests of a report.
const TESTS: u32 = 20_000;
/// The builds of a history. Every third changes the outcome of the test.
const BUILDS: u64 = 100_000;

/// Reading a report of 20 000 results, and making the table of them.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn reading_20_000_results(bencher: Bencher<'_, '_>) {
    let text = tap();
    bencher.bench(|| table(&read(&text)));
}

/// Reading a GiB of each format: mostly other output, and a report in each MiB (TST-02). The
/// readers keep 4 MiB at most; what they find is in the report.
#[divan::bench(args = formats(), sample_count = 1, sample_size = 1)]
fn reading_a_gib(bencher: Bencher<'_, '_>, format: &str) {
    let mut piece = example(format);
    let (before, after): (&[u8], &[u8]) = match format {
        "junit" => (
            b"<testcase name='a'><system-out>",
            b"</system-out></testcase>",
        ),
        _ => (b"", b"\n"),
    };
    if format == "junit" {
        piece.clear();
    }
    piece.extend(before);
    while piece.len() < 1 << 20 {
        piece.extend(b"src/reader.c:214: the output of a program has many lines like this\n");
    }
    piece.extend(after);
    let count = (1 << 30) / piece.len();
    let known = TestFormat::named(format).unwrap();
    bencher
        .counter(BytesCount::new(count * piece.len()))
        .bench_local(|| {
            let mut reading = Reading::new(known);
            if format == "junit" {
                reading.feed(b"<testsuite name='s'>");
            }
            for _ in 0..count {
                piece.chunks(16 << 10).for_each(|part| reading.feed(part));
            }
            reading.finish().counts.total()
        });
}

/// The names of all formats.
fn formats() -> Vec<&'static str> {
    TestFormat::ALL.iter().map(|(name, _)| *name).collect()
}

/// A report of this format, of a real tool.
fn example(format: &str) -> Vec<u8> {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../data/report-cases.json")).unwrap();
    let all = cases["cases"].as_array().unwrap();
    let given = all.iter().map(|case| &case["given"]);
    let mut of_format = given.filter(|given| given["format"] == format);
    let text = of_format.next().unwrap()["text"].as_str().unwrap();
    match format {
        "subunit2" => base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap(),
        _ => text.as_bytes().to_vec(),
    }
}

/// Comparing 20 000 results with the last ones of their line, of which none has changed.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn comparing_20_000_results(bencher: Bencher<'_, '_>) {
    let dir = tempfile::tempdir().unwrap();
    let table = table(&read(&tap()));
    let changes = table.changes_since(&[], true);
    let compared = ComparedTests {
        reports: 0,
        changes,
    };
    let names = (1..=TESTS).map(name).collect();
    write(
        dir.path(),
        vec![vec![(1, report(1, table.clone(), names, compared))]],
    );
    let state = State::open_readonly(dir.path()).unwrap();
    let compare = || {
        state
            .compare_tests(BuildId(1), "check", &table, true)
            .unwrap()
    };
    assert_eq!(compare().0.changes, []);
    bencher.bench_local(compare);
}

/// The history of one test over 100 000 builds, all of it, and its newest 100 changes.
#[divan::bench(args = [100, 100_000], sample_count = 10, sample_size = 1)]
fn the_history_of_a_test(bencher: Bencher<'_, '_>, changes: u32) {
    let dir = tempfile::tempdir().unwrap();
    let test = name(1);
    let builds: Vec<u64> = (1..=BUILDS).filter(|number| number % 3 == 0).collect();
    let reports = |(at, number): (u64, u64)| {
        let outcome = [TestOutcome::Passed, TestOutcome::Failed][usize::try_from(at % 2).unwrap()];
        let row = TestRow {
            hash: test.hash(),
            outcome,
            millis: None,
        };
        let compared = ComparedTests {
            reports: at,
            changes: vec![(test.hash(), Some(outcome))],
        };
        let table = TestTable::new(vec![row]);
        (number, report(number, table, vec![test.clone()], compared))
    };
    let all: Vec<_> = (0..).zip(builds).map(reports).collect();
    let parts = all.chunks(1000).map(<[_]>::to_vec).collect();
    write(dir.path(), parts);
    let state = State::open_readonly(dir.path()).unwrap();
    bencher.bench_local(|| {
        let found = state.test_history(test.hash(), changes).unwrap();
        assert!(found.len() >= 100);
        found
    });
}

fn name(number: u32) -> TestName {
    let name = format!("case {number} of a suite with a name");
    TestName::new([name.as_str()])
}

fn tap() -> String {
    let lines = (1..=TESTS).map(|n| format!("ok {n} - case {n} of a suite with a name\n"));
    lines.chain([format!("1..{TESTS}\n")]).collect()
}

fn read(text: &str) -> Report {
    let mut reading = Reading::new(TestFormat::Tap);
    text.as_bytes()
        .chunks(16 << 10)
        .for_each(|piece| reading.feed(piece));
    reading.finish()
}

fn table(report: &Report) -> TestTable {
    let rows = report.tests.iter().map(|test| TestRow {
        hash: test.name.hash(),
        outcome: test.outcome,
        millis: Some(1),
    });
    TestTable::new(rows.collect())
}

fn report(
    number: u64,
    table: TestTable,
    names: Vec<TestName>,
    compared: ComparedTests,
) -> TestsReport {
    TestsReport {
        build: BuildId(number),
        index: 0,
        step: "check".to_owned(),
        counts: TestCounts::default(),
        is_complete: true,
        notes: Vec::new(),
        told: Vec::new(),
        names,
        table,
        compared: Some(compared),
        at: Timestamp(0),
    }
}

/// Writes builds with their reports, some at a time.
fn write(dir: &Path, parts: Vec<Vec<(u64, TestsReport)>>) {
    let (store, _) = Store::open(dir).unwrap();
    let writer = store.start(Box::new(|_| ())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for part in parts {
            let ops = part.into_iter().flat_map(|(number, report)| {
                let mut ops = begun(number);
                ops.push(Op::TestsReported(Box::new(report)));
                ops
            });
            writer.write_and_wait(ops.collect()).await;
        }
        writer.close().await;
    });
}

fn begun(number: u64) -> Vec<Op> {
    let mut ops = builds::begun(number, SourceStamp::default().into(), Vec::new());
    ops.push(Op::StepStarted(StepStart {
        build: BuildId(number),
        index: 0,
        name: "check".to_owned(),
        text: Vec::new(),
        waits: false,
        at: Timestamp(0),
    }));
    ops
}
