//! What judging builds costs (PRB-26): `cargo bench --bench judging`.
//!
//! Each row writes the same builds. Tries are not judged: what the others take more than those is
//! the judging, with all that it keeps.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

mod builds;

use std::path::Path;
use std::sync::Arc;

use buildmaster::model::journal::{BuildFinish, StepFinish, StepStart};
use buildmaster::model::{
    BuildId, Change, ChangeNumber, ComparedTests, NewChange, Op, Patch, PatchBody, Properties,
    Results, SourceStamp, StepOutcome, TestCounts, TestName, TestOutcome, TestRow, TestTable,
    TestsReport, Timestamp, ToldTest,
};
use buildmaster::store::{Store, Writer};
use divan::Bencher;
use divan::counter::ItemsCount;

use self::builds::begun;

fn main() {
    divan::main();
}

/// Builds of a sample.
const BUILDS: u64 = 500;
/// Steps of each.
const STEPS: u32 = 20;
/// Tests of a report, and those that fail in each.
const TESTS: u32 = 20_000;
const FAILING: u32 = 100;

/// What the builds are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Tries, whose last step fails.
    Tries,
    /// All steps pass.
    Pass,
    /// The last step fails in each.
    Fail,
    /// The last step fails in every second one, so that each begins or ends a problem.
    Alternate,
}

const KINDS: [Kind; 4] = [Kind::Tries, Kind::Pass, Kind::Fail, Kind::Alternate];

/// Builds of 20 steps each.
#[divan::bench(args = KINDS, sample_count = 10, sample_size = 1)]
fn builds_of_20_steps(bencher: Bencher<'_, '_>, kind: Kind) {
    let farm = Farm::new();
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(BUILDS))
        .with_inputs(|| {
            let numbers = next..next + BUILDS;
            next += BUILDS;
            let builds: Vec<_> = numbers.map(|number| build(number, kind)).collect();
            // The changes arrive before.
            let changes = builds.iter().map(|(change, _)| change.clone());
            farm.write(changes.collect());
            builds
                .into_iter()
                .flat_map(|(_, ops)| ops)
                .collect::<Vec<_>>()
        })
        .bench_local_values(|ops| farm.write(ops));
}

/// Builds whose step has 20 000 tests, of which 100 fail.
#[divan::bench(args = [Kind::Tries, Kind::Fail], sample_count = 10, sample_size = 1)]
fn a_build_of_20_000_tests(bencher: Bencher<'_, '_>, kind: Kind) {
    let farm = Farm::new();
    let mut next = 1;
    bencher
        .with_inputs(|| {
            let number = next;
            next += 1;
            let (change, mut ops) = build(number, kind);
            farm.write(vec![change]);
            let end = ops.pop().unwrap();
            farm.write(ops);
            farm.write(vec![Op::TestsReported(Box::new(report(number)))]);
            vec![end]
        })
        .bench_local_values(|ops| farm.write(ops));
}

/// A state that is being written.
struct Farm {
    _dir: tempfile::TempDir,
    writer: Writer,
    runtime: tokio::runtime::Runtime,
}

impl Farm {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(dir.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            _dir: dir,
            writer,
            runtime,
        }
    }

    fn write(&self, ops: Vec<Op>) {
        self.runtime.block_on(self.writer.write_and_wait(ops));
    }
}

fn writer(dir: &Path) -> Writer {
    let (store, _) = Store::open(dir).unwrap();
    store.start(Box::new(|_| ())).unwrap()
}

/// A change, and what is written of its build.
fn build(number: u64, kind: Kind) -> (Op, Vec<Op>) {
    let change = Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        content: NewChange {
            who: format!("author {}", number % 7),
            ..NewChange::default()
        },
    });
    let mut stamp = SourceStamp::from_changes(vec![Arc::clone(&change)]);
    if kind == Kind::Tries {
        stamp.patch = Some(Patch {
            level: 1,
            body: PatchBody::Given(Default::default()),
            subdir: None,
            who: None,
            comment: None,
        });
    }
    let fails = match kind {
        Kind::Tries | Kind::Fail => true,
        Kind::Pass => false,
        Kind::Alternate => number.is_multiple_of(2),
    };
    let mut ops = begun(number, stamp.into(), vec![ChangeNumber(number)]);
    for index in 0..STEPS {
        ops.extend(step(number, index, fails && index == STEPS - 1));
    }
    ops.push(Op::BuildFinished(BuildFinish {
        build: BuildId(number),
        result: if fails {
            Results::Failure
        } else {
            Results::Success
        },
        text: Vec::new(),
        stop_reason: None,
        properties: Properties::new(),
        at: Timestamp(1),
    }));
    (Op::ChangeAdded(change), ops)
}

fn step(number: u64, index: u32, fails: bool) -> [Op; 2] {
    let result = if fails {
        Results::Failure
    } else {
        Results::Success
    };
    let symptoms = fails.then(|| "a.c:#: error: no such thing".to_owned());
    [
        Op::StepStarted(StepStart {
            build: BuildId(number),
            index,
            name: format!("step {index}"),
            text: Vec::new(),
            waits: false,
            at: Timestamp(0),
        }),
        Op::StepFinished(StepFinish {
            build: BuildId(number),
            index,
            result,
            text: Vec::new(),
            outcome: Box::new(StepOutcome {
                contribution: Some(result),
                symptoms: symptoms.into_iter().collect(),
                ..StepOutcome::default()
            }),
            at: Timestamp(1),
        }),
    ]
}

fn report(number: u64) -> TestsReport {
    let name = |test: u32| TestName::new([format!("case {test} of a suite").as_str()]);
    let outcome = |test: u32| match test < FAILING {
        true => TestOutcome::Failed,
        false => TestOutcome::Passed,
    };
    let rows = (0..TESTS).map(|test| TestRow {
        hash: name(test).hash(),
        outcome: outcome(test),
        millis: None,
    });
    let told = (0..FAILING).map(|test| ToldTest {
        name: name(test),
        outcome: outcome(test),
        message: Some("expected 1, got 2".to_owned()),
        place: None,
        attempts: 1,
        is_flaky: false,
    });
    let changes = (0..TESTS).map(|test| (name(test).hash(), Some(outcome(test))));
    TestsReport {
        build: BuildId(number),
        index: STEPS - 1,
        step: format!("step {}", STEPS - 1),
        counts: TestCounts {
            failed: u64::from(FAILING),
            ..TestCounts::default()
        },
        is_complete: true,
        notes: Vec::new(),
        told: told.collect(),
        names: (0..TESTS).map(name).collect(),
        table: TestTable::new(rows.collect()),
        compared: Some(ComparedTests {
            reports: number - 1,
            changes: changes.filter(|_| number == 1).collect(),
        }),
        at: Timestamp(0),
    }
}
