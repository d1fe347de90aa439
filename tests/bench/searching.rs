//! What it costs to look for culprit searches that are due: `cargo bench --bench searching`.
//!
//! The master looks after each build that fails, and with `gather = "0s"` at once (SRH-02). The
//! core has nothing to do with it: another thread reads the state.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

mod builds;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::config::{BuilderConfig, Config, FactoryConfig, SearchConfig, StepConfig};
use buildmaster::model::journal::{BuildFinish, StepFinish, StepStart};
use buildmaster::model::{
    BuildId, Change, ChangeNumber, NewChange, Op, Properties, Results, SourceStamp, StepOutcome,
    Timestamp,
};
use buildmaster::store::{State, Store};
use buildmaster::view::{Searching, searches_of_suspects};
use divan::Bencher;

use self::builds::begun;

fn main() {
    divan::main();
}

/// Builds that passed before.
const BEFORE: u64 = 2_000;
/// Builds that fail with the same problems.
const RED: u64 = 20;

/// One look where this many steps have a problem that is open and was not searched.
#[divan::bench(args = [0, 1, 20, 200], sample_count = 20, sample_size = 1)]
fn a_look(bencher: Bencher<'_, '_>, problems: u32) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), problems);
    let state = State::open_readonly(dir.path()).unwrap();
    let (config, now) = (config(problems), Timestamp::from_secs(1_000));
    bencher.bench_local(|| {
        let wanted = Searching::at(&state, &config, now).unwrap();
        assert_eq!(wanted.begin.is_empty(), problems == 0);
        searches_of_suspects(&state, &config, now).unwrap();
        state.unsettled_searches().unwrap()
    });
}

fn config(problems: u32) -> Config {
    let steps = (0..problems.max(1)).map(|step| StepConfig {
        name: name(step),
        ..StepConfig::default()
    });
    let factory = FactoryConfig {
        steps: steps.collect(),
        ..FactoryConfig::default()
    };
    Config {
        builders: vec![Arc::new(BuilderConfig {
            name: "quick".into(),
            factory: Arc::new(factory),
            search: Some(true),
            ..BuilderConfig::default()
        })],
        search: SearchConfig {
            gather: Duration::ZERO,
            ..SearchConfig::default()
        },
        ..Config::default()
    }
}

fn name(step: u32) -> String {
    format!("step {step}")
}

/// Builds of one step that pass; then one of all steps that passes, and those that fail.
fn write(dir: &Path, problems: u32) {
    let (store, _) = Store::open(dir).unwrap();
    let writer = store.start(Box::new(|_| ())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for number in 1..=BEFORE + RED {
            let fails = number > BEFORE && problems > 0;
            let steps = if number < BEFORE { 1 } else { problems.max(1) };
            writer.write(None, build(number, steps, fails)).await;
        }
        writer.close().await;
    });
}

/// A change, and all that is written of its build.
fn build(number: u64, steps: u32, fails: bool) -> Vec<Op> {
    let change = Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        content: NewChange {
            who: format!("author {}", number % 7),
            ..NewChange::default()
        },
    });
    let stamp = SourceStamp::from_changes(vec![Arc::clone(&change)]);
    let mut ops = vec![Op::ChangeAdded(change)];
    ops.extend(begun(number, stamp.into(), vec![ChangeNumber(number)]));
    let result = if fails {
        Results::Failure
    } else {
        Results::Success
    };
    for index in 0..steps {
        ops.extend(step(number, index, result));
    }
    ops.push(Op::BuildFinished(BuildFinish {
        build: BuildId(number),
        result,
        text: Vec::new(),
        stop_reason: None,
        properties: Properties::new(),
        at: Timestamp(1),
    }));
    ops
}

fn step(number: u64, index: u32, result: Results) -> [Op; 2] {
    let symptoms = (result == Results::Failure).then(|| format!("{index}.c:#: error: no thing"));
    [
        Op::StepStarted(StepStart {
            build: BuildId(number),
            index,
            name: name(index),
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
