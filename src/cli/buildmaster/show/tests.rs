#![expect(clippy::unwrap_used, reason = "tests")]

mod build;
mod builders;
mod builds;
mod changes;
mod ends;
mod eta;
mod locks;
mod logs;
mod requests;
mod rest;
mod schedulers;
mod slaves;
mod sources;

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::logs::{Channel, LogStore};
use crate::model::journal::{BuildFinish, BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::{
    BigState, BuildId, BuildNumber, BuildSet, Change, ChangeNumber, Decision, FilterField,
    Forecast, NewChange, Op, Properties, RequestId, Results, SetId, SourceStamp, Ticket,
};
use crate::store::Store;

#[derive(Parser)]
struct Show {
    #[command(flatten)]
    args: ShowArgs,
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_300_000_000 + secs)
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

pub(super) fn a_change(number: u64) -> Arc<Change> {
    let mut properties = Properties::new();
    properties.set("bug", 17, "Change");
    Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: at(0),
        when: at(-5),
        content: NewChange {
            who: "zoë".to_owned(),
            files: vec!["src/a.c".to_owned()],
            comments: "fix\x1b[2J it\n\nreally".to_owned(),
            revision: Some(format!("r{number}")),
            branch: Some("trunk".to_owned()),
            properties,
            ..NewChange::default()
        },
    })
}

fn started(build: u64, number: u64, request: u64) -> Op {
    let mut properties = Properties::new();
    properties.set("buildername", "quick", "Builder");
    Op::BuildStarted(Arc::new(BuildStart {
        build: BuildId(build),
        builder: "quick".into(),
        number: BuildNumber(number),
        builddir: "quick".to_owned(),
        slave: "bot1".into(),
        requests: vec![RequestId(request)],
        changes: vec![ChangeNumber(1)],
        blamelist: vec!["zoë".to_owned()],
        reason: "scheduler".to_owned(),
        properties: properties.clone(),
        forecast: Forecast::default(),
        choice: "no other slave was idle".to_owned(),
        planned: vec![],
        at: at(10),
    }))
}

fn step(index: u32, name: &str, result: Results) -> [Op; 3] {
    [
        Op::StepStarted(StepStart {
            build: BuildId(1),
            index,
            name: name.to_owned(),
            text: vec![],
            waits: false,
            at: at(11),
        }),
        Op::LogOpened(LogOpening {
            build: BuildId(1),
            step: index,
            position: 0,
            name: "stdio".to_owned(),
            path: format!("builders/quick/0/{index}-{name}/stdio"),
        }),
        Op::StepFinished(StepFinish {
            build: BuildId(1),
            index,
            result,
            text: vec![name.to_owned(), "done".to_owned()],
            outcome: Box::default(),
            at: at(13),
        }),
    ]
}

/// A base directory with a failed build, a running one and a request that waits.
fn a_state() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let writer = store.start(Box::new(|_| {})).unwrap();
    let mut ops = what_was_configured();
    ops.extend(a_submission());
    ops.push(started(1, 0, 1));
    ops.extend(a_failed_build());
    ops.push(started(2, 1, 2));
    block_on(async {
        writer.write(Some(Ticket(1)), ops).await;
        writer.close().await;
    });
    dir
}

fn what_was_configured() -> Vec<Op> {
    vec![
        Op::Configured {
            builders: vec![
                ("quick".into(), vec!["bot1".into(), "bot2".into()]),
                ("full".into(), vec!["bot2".into()]),
            ],
            slaves: vec!["bot1".into(), "bot2".into()],
        },
        Op::SlaveState {
            slave: "bot1".into(),
            connected: true,
            info: Some(Arc::new(
                [("version".to_owned(), "0.8.14".to_owned())].into(),
            )),
            at: at(2),
        },
        Op::BuilderState {
            builder: "quick".into(),
            state: BigState::Building,
        },
    ]
}

fn a_submission() -> [Op; 3] {
    let set = BuildSet {
        id: SetId(1),
        external_id: None,
        scheduler: Some("quick".into()),
        stamps: Arc::new(SourceStamp::from_changes(vec![a_change(1)]).into()),
        reason: "scheduler".to_owned(),
        properties: Arc::default(),
        submitted_at: at(1),
        priority: 0,
        requests: vec![
            (RequestId(1), "quick".into()),
            (RequestId(2), "quick".into()),
            (RequestId(3), "full".into()),
        ],
        parent: None,
    };
    [
        Op::ChangeAdded(a_change(1)),
        Op::ChangeOffered {
            change: ChangeNumber(1),
            decisions: vec![
                ("quick".into(), Decision::BuiltAtOnce),
                ("full".into(), Decision::TimerRuns { until: at(60) }),
                (
                    "docs".into(),
                    Decision::Filtered {
                        by: FilterField::Category,
                    },
                ),
            ],
        },
        Op::SetSubmitted(Arc::new(set)),
    ]
}

/// What follows its start.
fn a_failed_build() -> Vec<Op> {
    let mut ops = step(0, "compile", Results::Success).to_vec();
    ops.push(Op::LogClosed {
        build: BuildId(1),
        step: 0,
        name: "stdio".to_owned(),
        size_bytes: 20_000,
    });
    ops.extend(step(1, "test", Results::Failure));
    let mut properties = Properties::new();
    properties.set("buildername", "quick", "Builder");
    ops.extend([
        Op::BuildFinished(BuildFinish {
            build: BuildId(1),
            result: Results::Failure,
            text: vec!["failed".to_owned(), "test".to_owned()],
            stop_reason: None,
            properties,
            at: at(75),
        }),
        Op::RequestFinished {
            request: RequestId(1),
            result: Results::Failure,
            why: None,
            at: at(75),
        },
    ]);
    ops
}

pub(super) fn try_shown(dir: &Path, command: &str, is_coloured: bool) -> anyhow::Result<String> {
    shown_on(dir, command, is_coloured, None)
}

/// What is shown on a terminal of this width, or where there is none.
fn shown_on(
    dir: &Path,
    command: &str,
    is_coloured: bool,
    width: Option<usize>,
) -> anyhow::Result<String> {
    let words = ["show", "--basedir", dir.to_str().unwrap()]
        .into_iter()
        .chain(command.split(' '));
    let args = Show::try_parse_from(words)?.args;
    let mut out = Vec::new();
    show(
        &args,
        &mut Screen {
            is_coloured,
            width,
            format_time: |at, format| at.format(format).to_string(),
            out: &mut out,
            notes: &mut io::sink(),
        },
        at(100),
    )?;
    Ok(String::from_utf8(out)?)
}

/// What a page prints.
fn page(show: impl FnOnce(&mut Screen<'_>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    let mut screen = Screen {
        is_coloured: false,
        width: None,
        format_time: |at, format| at.format(format).to_string(),
        out: &mut out,
        notes: &mut io::sink(),
    };
    show(&mut screen).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn shown(command: &str) -> String {
    try_shown(a_state().path(), command, false).unwrap()
}

pub(super) fn refusal(command: &str) -> String {
    let error = try_shown(a_state().path(), command, false).unwrap_err();
    error.to_string()
}

pub(super) fn json_of(command: &str) -> Vec<Value> {
    shown(command)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
