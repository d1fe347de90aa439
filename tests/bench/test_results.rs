//! What results of tests cost (TST-10): `cargo bench --bench test_results`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

mod builds;

use std::path::Path;
use std::sync::Mutex;

use base64::Engine as _;
use buildmaster::model::journal::StepStart;
use buildmaster::model::{
    BuildId, BuilderName, ComparedTests, Op, SourceStamp, TestCounts, TestFormat, TestName,
    TestOutcome, TestRow, TestTable, TestsReport, Timestamp,
};
use buildmaster::protocol::report::{Reading, Report};
use buildmaster::store::{State, Store};
use buildmaster::view::{Flakiness, TestStory};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use tempfile::TempDir;

/// Measures the memory that readers use.
#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
    FILLED.lock().unwrap().take();
}

/// The tests of a report.
const TESTS: u32 = 20_000;
/// The builds of a history.
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

/// What is asked about the history of a test.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// The newest 100 changes.
    Newest,
    /// All changes.
    All,
    /// What the API answers.
    Api,
    /// What the page shows besides: where the test is flaky.
    Flaky,
}

/// The history of one test over 100 000 builds, one of three with another outcome. Their store is
/// filled once.
#[divan::bench(
    args = [Asked::Newest, Asked::All, Asked::Api, Asked::Flaky],
    sample_count = 10,
    sample_size = 1
)]
fn the_history_of_a_test(bencher: Bencher<'_, '_>, asked: Asked) {
    let mut filled = FILLED.lock().unwrap();
    let dir = filled.get_or_insert_with(history);
    let state = State::open_readonly(dir.path()).unwrap();
    let (hash, builder) = (name(1).hash(), BuilderName::from("quick"));
    let most = match asked {
        Asked::All => u32::MAX,
        Asked::Newest | Asked::Api | Asked::Flaky => 100,
    };
    bencher.bench_local(|| match asked {
        Asked::Newest | Asked::All => {
            let found = state.test_history(hash, most).unwrap();
            assert!(found.len() >= 100);
        }
        Asked::Api => {
            let story = TestStory::find(&state, (hash, &builder), Timestamp(0), most);
            assert_eq!(story.unwrap().unwrap().changes.len(), 100);
        }
        Asked::Flaky => {
            Flakiness::of(&state, &builder, None, name(1).as_stored()).unwrap();
        }
    });
}

/// The state with the history; removed at the end of the program.
static FILLED: Mutex<Option<TempDir>> = Mutex::new(None);

fn history() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let test = name(1);
    let outcome = |build: u64| match (build / 3).is_multiple_of(2) {
        true => TestOutcome::Passed,
        false => TestOutcome::Failed,
    };
    let reports = |number: u64| {
        let now = outcome(number);
        let has_changed = number == 1 || now != outcome(number - 1);
        let row = TestRow {
            hash: test.hash(),
            outcome: now,
            millis: None,
        };
        let compared = ComparedTests {
            reports: number - 1,
            changes: has_changed
                .then_some((test.hash(), Some(now)))
                .into_iter()
                .collect(),
        };
        let names = if number == 1 {
            vec![test.clone()]
        } else {
            Vec::new()
        };
        let table = TestTable::new(vec![row]);
        (number, report(number, table, names, compared))
    };
    let all: Vec<_> = (1..=BUILDS).map(reports).collect();
    write(dir.path(), all.chunks(1000).map(<[_]>::to_vec).collect());
    dir
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
