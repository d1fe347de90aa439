#![expect(clippy::unwrap_used, reason = "tests")]

mod builds;
mod changes;
mod ends;
mod logs;
mod schedulers;

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::logs::{Channel, LogStore};
use crate::model::journal::BuildStart;
use crate::model::{
    BuildId, BuildNumber, BuildSet, Change, Decision, FilterField, Forecast, NewChange, Op,
    Properties, RequestId, Results, SetId, SourceStamp, Ticket,
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
        said: NewChange {
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
        Op::StepStarted {
            build: BuildId(1),
            index,
            name: name.to_owned(),
            text: vec![],
            waits: false,
            at: at(11),
        },
        Op::LogOpened {
            build: BuildId(1),
            step: index,
            position: 0,
            name: "stdio".to_owned(),
            path: format!("builders/quick/0/{index}-{name}/stdio"),
        },
        Op::StepFinished {
            build: BuildId(1),
            index,
            result,
            text: vec![name.to_owned(), "done".to_owned()],
            outcome: Box::default(),
            at: at(13),
        },
    ]
}

/// A base directory with a failed build, a running one and a request that waits.
fn a_state() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), at(0)).unwrap();
    let writer = store.start(Box::new(|_| {})).unwrap();
    let set = BuildSet {
        id: SetId(1),
        external_id: None,
        scheduler: Some("quick".into()),
        stamp: Arc::new(SourceStamp::from_changes(vec![a_change(1)])),
        reason: "scheduler".to_owned(),
        properties: Arc::default(),
        submitted_at: at(1),
        priority: 0,
        requests: vec![
            (RequestId(1), "quick".into()),
            (RequestId(2), "quick".into()),
            (RequestId(3), "full".into()),
        ],
    };
    let mut ops = vec![
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
            state: "building",
        },
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
        started(1, 0, 1),
    ];
    ops.extend(step(0, "compile", Results::Success));
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
        Op::BuildFinished {
            build: BuildId(1),
            result: Results::Failure,
            text: vec!["failed".to_owned(), "test".to_owned()],
            stop_reason: None,
            properties,
            at: at(75),
        },
        Op::RequestFinished {
            request: RequestId(1),
            result: Results::Failure,
            why: None,
            at: at(75),
        },
        started(2, 1, 2),
    ]);
    block_on(async {
        writer.write(Some(Ticket(1)), ops).await;
        writer.close().await;
    });
    dir
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
            zone: Zone::Utc,
            out: &mut out,
            notes: &mut io::sink(),
        },
        at(100),
    )?;
    Ok(String::from_utf8(out)?)
}

fn shown(command: &str) -> String {
    try_shown(a_state().path(), command, false).unwrap()
}

fn refusal(command: &str) -> String {
    let error = try_shown(a_state().path(), command, false).unwrap_err();
    error.to_string()
}

fn json_of(command: &str) -> Vec<Value> {
    shown(command)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn builders_for_people() {
    insta::assert_snapshot!(shown("builders"), @r"
    BUILDER  STATE    PENDING                      LAST BUILD  SLAVES
    quick    offline  0                            0 failure   bot1, bot2
    full     offline  1 since 2011-03-13 07:06:41  none        bot2
    ");
}

#[test]
fn bld_17_a_builder_tells_since_when_its_oldest_request_waits() {
    let since: Vec<_> = json_of("builders --json")
        .iter()
        .map(|builder| builder["pending_since"].clone())
        .collect();
    assert_eq!(since, [Value::Null, json!(1_300_000_001.0)]);
}

#[test]
fn slaves_for_people() {
    insta::assert_snapshot!(shown("slaves"), @r"
    SLAVE  STATE    LAST SEEN            VERSION  BUILDERS
    bot1   offline  2011-03-13 07:06:42  0.8.14   quick
    bot2   offline  never                         quick, full
    ");
}

#[test]
fn requests_for_people() {
    insta::assert_snapshot!(shown("requests"), @r"
    REQUEST  BUILDER  STATE    QUEUED               SET  REASON
    2        quick    build 1  2011-03-13 07:06:41  1    scheduler
    3        full     pending  2011-03-13 07:06:41  1    scheduler
    ");
    insta::assert_snapshot!(shown("requests --all --limit 1"), @r"
    REQUEST  BUILDER  STATE    QUEUED               SET  REASON
    3        full     pending  2011-03-13 07:06:41  1    scheduler
    ");
    insta::assert_snapshot!(shown("requests --pending"), @r"
    REQUEST  BUILDER  STATE    QUEUED               SET  REASON
    3        full     pending  2011-03-13 07:06:41  1    scheduler
    ");
}

#[test]
fn builds_for_people() {
    insta::assert_snapshot!(shown("builds"), @r"
    BUILDER  BUILD  RESULT             STARTED              TOOK       BRANCH  REV  WHO  SLAVE  CHANGES  REASON
    quick    1      interrupted        2011-03-13 07:06:50             trunk        zoë  bot1   1        scheduler
    quick    0      new failure: test  2011-03-13 07:06:50  1 min 5 s  trunk        zoë  bot1   1        scheduler
    ");
    assert_eq!(
        shown("builds full"),
        "no builds yet
"
    );
    insta::assert_snapshot!(shown("build quick 0"), @r#"
    build 0 of quick
      result     new failure: test
      text       failed test
      reason     scheduler
      slave      bot1
      started    2011-03-13 07:06:50
      ended      2011-03-13 07:07:55 (1 min 5 s)
      branch     trunk
      changes    1
      blamelist  zoë
      requests   1
      steps
        compile  success  2.0 s  compile done  stdio (19 KiB)
        test     failure  2.0 s  test done     stdio
      properties
        buildername  "quick"  from Builder
      how it came about
        change 1    quick counted: built at once
        set 1       submitted by quick at 2011-03-13 07:06:41
        request 1   of set 1, waited 9.0 s
        slave bot1  chosen: no other slave was idle
    "#);
}

#[test]
fn prp_10_a_build_for_programs_has_what_is_promised() {
    let expected = json!({
        "builder": "quick",
        "number": 0,
        "result": "failure",
        "text": ["failed", "test"],
        "slave": "bot1",
        "reason": "scheduler",
        "stop_reason": null,
        "started_at": 1_300_000_010.0,
        "finished_at": 1_300_000_075.0,
        "elapsed": 65.0,
        "remaining": null,
        "branch": "trunk",
        "revision": null,
        "repository": "",
        "project": "",
        "codebase": "",
        "try": false,
        "failed_steps": ["test"],
        "not_run": [],
        "judgement": "new",
        "changes": [1],
        "blamelist": ["zoë"],
        "interested_users": ["zoë"],
        "requests": [1],
        "choice": "no other slave was idle",
        "properties": {"buildername": {"value": "quick", "source": "Builder"}},
        "steps": [
            {"name": "compile", "result": "success", "text": ["compile", "done"],
             "logs": ["stdio"], "started_at": 1_300_000_011.0, "finished_at": 1_300_000_013.0,
             "remaining": null},
            {"name": "test", "result": "failure", "text": ["test", "done"],
             "logs": ["stdio"], "started_at": 1_300_000_011.0, "finished_at": 1_300_000_013.0,
             "remaining": null},
        ],
    });
    let mut build = json_of("build quick 0 --json").remove(0);
    let trail = build.as_object_mut().unwrap().remove("trail").unwrap();
    assert_eq!(build, expected);
    assert_eq!(trail["requests"][0]["id"], 1);
    assert_eq!(trail["sets"][0]["scheduler"], "quick");
    assert_eq!(trail["changes"][0]["number"], 1);
    assert_eq!(trail["slave"], "no other slave was idle");
    let builds = json_of("--json builds");
    assert_eq!(builds.len(), 2);
    assert_eq!(builds[1], expected);
    assert_eq!(builds[0]["result"], Value::Null);
    assert_eq!(builds[0]["finished_at"], Value::Null);
    assert_eq!(json_of("builds quick --json --limit 1"), builds[..1]);
    assert_eq!(json_of("builds full --json"), [] as [Value; 0]);
}

#[test]
fn the_rest_for_programs() {
    // No master is running: nobody is connected, nothing goes on.
    assert_eq!(
        json_of("builders --json")[0],
        json!({
            "name": "quick", "description": null, "tags": null, "state": "offline",
            "slaves": ["bot1", "bot2"], "pending": 0, "pending_since": null, "waiting": [],
            "building": [{"number": 1, "slave": "bot1"}],
            "last": {"number": 0, "result": "failure", "finished_at": 1_300_000_075.0},
        })
    );
    assert_eq!(
        json_of("slaves --json")[0],
        json!({
            "name": "bot1", "connected": false, "connected_since": null, "last_seen": 1_300_000_002.0,
            "info": {"version": "0.8.14"}, "builders": ["quick"], "paused": null,
            "graceful_since": null, "told_to_end_at": null, "held_until": null, "instance": null,
            "refused": [], "refused_others": [],
        })
    );
    let change = json!({
        "number": 1, "who": "zoë", "files": ["src/a.c"], "files_left_out": 0, "comments": "fix\u{1b}[2J it\n\nreally",
        "revision": "r1", "branch": "trunk", "project": "", "repository": "", "codebase": "",
        "category": null, "revlink": "", "src": null,
        "properties": {"bug": {"value": 17, "source": "Change"}},
        "when": 1_299_999_995.0, "when_not_used": null,
        "made_at": null, "arrived_at": 1_300_000_000.0,
    });
    assert_eq!(json_of("changes --json"), std::slice::from_ref(&change));
    let requests = json_of("requests --all --json");
    let states: Vec<_> = requests
        .iter()
        .map(|r| [&r["id"], &r["state"], &r["build"], &r["result"]].map(Value::clone))
        .collect();
    let expected = [
        json!([3, "pending", null, null]),
        json!([2, "building", 1, null]),
        json!([1, "finished", 0, "failure"]),
    ];
    assert_eq!(json!(states), json!(expected));
}

#[test]
fn a_log_is_copied_byte_for_byte() {
    let dir = a_state();
    let logs = LogStore::start(dir.path().to_owned()).unwrap();
    let mut log = logs.create("builders/quick/0/0-compile/stdio");
    block_on(async {
        for (channel, text) in [
            (Channel::Header, "make\n"),
            (Channel::Stdout, "one\r\x1b["),
            (Channel::Stderr, "two"),
            (Channel::Header, "\nexit 0"),
        ] {
            log.append(channel, text.into()).await;
        }
        log.close().await;
    });
    let shown = |command| try_shown(dir.path(), command, false).unwrap();
    assert_eq!(shown("log quick 0 compile"), "one\r\x1b[two");
    assert_eq!(shown("log quick 0 compile stdio"), "one\r\x1b[two");
    assert_eq!(
        shown("log quick 0 compile stdio --headers"),
        "make\none\r\x1b[two\nexit 0"
    );
    let missing = try_shown(dir.path(), "log quick 0 test stdio", false).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read the log "));
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    for (command, expected) in [
        (
            "builds quik",
            r#"there is no builder "quik"; did you mean "quick"?"#,
        ),
        (
            "build xyz 0",
            r#"there is no builder "xyz"; there are "full" and "quick""#,
        ),
        (
            "build quick 7",
            "there is no build 7 of quick; its last one is 1",
        ),
        ("build full 0", "full has no builds yet"),
        ("change 9", "there is no change 9"),
        (
            "log quick 0 tets stdio",
            r#"there is no step "tets"; did you mean "test"?"#,
        ),
        (
            "log quick 0 test err",
            r#"there is no log "err"; there are "stdio""#,
        ),
        (
            "log quick 1 test",
            r#"there is no step "test"; there are none yet"#,
        ),
    ] {
        assert_eq!(refusal(command), expected);
    }
    let empty = tempfile::tempdir().unwrap();
    let error = try_shown(empty.path(), "builders", false).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is this a master's base directory?")
    );
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_state_is_shown_as_such() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path(), at(0)).unwrap();
    for (what, expected) in [
        ("builders", "the configuration has no builders\n"),
        ("slaves", "the configuration has no slaves\n"),
        ("changes", "no changes yet\n"),
        ("requests", "no requests\n"),
        ("builds", "no builds yet\n"),
        ("builds --json", ""),
    ] {
        assert_eq!(try_shown(dir.path(), what, false).unwrap(), expected);
    }
}

#[test]
fn colours_do_not_move_the_columns() {
    let coloured = try_shown(a_state().path(), "builds", true).unwrap();
    assert!(coloured.contains("\x1b[31mnew failure: test\x1b[0m  2011"));
    assert!(coloured.contains("\x1b[35minterrupted\x1b[0m        2011"));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert!(is_broken_pipe(&error.context("cannot read the log x.log")));
}
