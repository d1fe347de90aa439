//! How long builds will still take (section 19).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{a_change, at, block_on, try_shown};
use crate::logs::{Channel, LogStore};
use crate::model::journal::{BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::{BuildId, BuildNumber, Effort, Forecast, Op, Results, Ticket, Timestamp};
use crate::store::Store;

/// A step is expected to take `secs` seconds and to print `bytes` bytes.
fn expected(secs: f64, bytes: f64) -> Option<Effort> {
    let output = [("stdio".to_owned(), bytes)].into();
    Some(Effort { secs, output })
}

/// What is shown of build 0 of builder `quick`, at 100 s, beside a running master: its steps are
/// expected to take this, one is over, and step `compile` started at 20 s and has printed 250
/// bytes.
fn shown(forecast: &[(&str, Option<Effort>)], what: &str) -> String {
    shown_waiting(forecast, None, what)
}

/// The same if `compile` had to wait for its locks, until then if it has them.
fn shown_waiting(
    forecast: &[(&str, Option<Effort>)],
    wait: Option<Option<Timestamp>>,
    what: &str,
) -> String {
    let granted = wait.flatten().map(|at| {
        let (build, index) = (BuildId(1), 1);
        Op::StepHasLocks { build, index, at }
    });
    let further = granted.into_iter().collect();
    shown_after((forecast, wait.is_some()), further, what)
}

/// The same, after these further ops; `waits` if `compile` starts with a wait for its locks.
fn shown_after(
    (forecast, waits): (&[(&str, Option<Effort>)], bool),
    further: Vec<Op>,
    what: &str,
) -> String {
    let dir = tempfile::tempdir().unwrap();
    let forecast = forecast.iter().cloned();
    let forecast = forecast.map(|(step, effort)| (step.to_owned(), effort));
    let step = |index, name: &str, at| {
        Op::StepStarted(StepStart {
            build: BuildId(1),
            index,
            name: name.to_owned(),
            text: vec![],
            waits: index == 1 && waits,
            at,
        })
    };
    let path = "builders/quick/0/1-compile/stdio".to_owned();
    let mut ops = vec![
        Op::Configured {
            builders: vec![("quick".into(), vec!["bot".into()])],
            slaves: vec!["bot".into()],
        },
        Op::ChangeAdded(a_change(1)),
        Op::BuildStarted(Arc::new(BuildStart {
            build: BuildId(1),
            builder: "quick".into(),
            number: BuildNumber(0),
            builddir: "quick".to_owned(),
            slave: "bot".into(),
            reason: "scheduler".to_owned(),
            forecast: Forecast(forecast.collect()),
            choice: "no other slave was idle".to_owned(),
            at: at(10),
            ..BuildStart::default()
        })),
        step(0, "git", at(10)),
        Op::StepFinished(StepFinish {
            build: BuildId(1),
            index: 0,
            result: Results::Success,
            text: vec![],
            outcome: Box::default(),
            at: at(20),
        }),
        step(1, "compile", at(20)),
        Op::LogOpened(LogOpening {
            build: BuildId(1),
            step: 1,
            position: 0,
            name: "stdio".to_owned(),
            path: path.clone(),
        }),
    ];
    ops.extend(further);
    let logs = LogStore::start(dir.path().to_owned()).unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let (confirm, confirmed) = std::sync::mpsc::channel();
    let confirm = move |ticket| confirm.send(ticket).unwrap();
    let writer = store.start(Box::new(confirm)).unwrap();
    block_on(async {
        let mut log = logs.create(&path);
        log.append(Channel::Header, "make all\n".into()).await;
        log.append(Channel::Stdout, vec![b'x'; 250].into()).await;
        log.close().await;
        writer.write(Some(Ticket(1)), ops).await;
        confirmed.recv().unwrap();
        let shown = try_shown(dir.path(), what, false).unwrap();
        writer.close().await;
        shown
    })
}

#[test]
fn prg_01_a_build_that_runs_is_shown_with_the_time_left() {
    let forecast = [
        ("git", expected(5.0, 9.0)),
        ("compile", expected(100.0, 1_000.0)),
        ("test", expected(50.0, 1.0)),
    ];
    insta::assert_snapshot!(shown(&forecast, "builds"), @r"
    BUILDER  BUILD  RESULT                     STARTED              TOOK        BRANCH  REV  WHO  SLAVE  CHANGES  REASON
    quick    0      running, about 125 s left  2011-03-13 07:06:50  1 min 30 s                    bot             scheduler
    ");
    insta::assert_snapshot!(shown(&forecast, "build quick 0"), @r"
    build quick/0
      result   running, about 125 s left
      reason   scheduler
      slave    bot
      started  2011-03-13 07:06:50
      took     1 min 30 s
      steps
        git      success                   10.0 s
        compile  running, about 75 s left  1 min 20 s    stdio
      how it came about
        slave  on slave bot: no other slave was idle
    ");
    let of_build: Value = serde_json::from_str(&shown(&forecast, "build quick 0 --json")).unwrap();
    assert_eq!(of_build["remaining"], json!(125.0));
    let steps = of_build["steps"].as_array().unwrap().iter();
    let steps: Vec<_> = steps.map(|step| &step["remaining"]).collect();
    assert_eq!(steps, [&Value::Null, &json!(75.0)]);
}

#[test]
fn prg_05_a_build_that_should_be_over_is_shown_as_overdue() {
    let silent = Some(Effort {
        secs: 50.0,
        ..Effort::default()
    });
    let shown = shown(&[("git", silent.clone()), ("compile", silent)], "builds");
    assert!(shown.contains("running, overdue by 30 s "), "{shown}");
}

#[test]
fn prg_01_the_wait_for_locks_is_no_part_of_what_a_step_has_done() {
    let silent = Some(Effort {
        secs: 50.0,
        ..Effort::default()
    });
    let forecast = [("git", silent.clone()), ("compile", silent)];
    for (granted, left) in [(None, "about 50 s left"), (Some(at(80)), "about 30 s left")] {
        let of_build = shown_waiting(&forecast, Some(granted), "build quick 0");
        assert_eq!(of_build.matches(left).count(), 2, "{of_build}");
    }
}

#[test]
fn prg_02_where_a_step_is_new_only_the_others_have_a_time() {
    let forecast = [("compile", expected(100.0, 1_000.0)), ("new", None)];
    let of_build = shown(&forecast, "build quick 0");
    assert!(of_build.contains("result   running\n"), "{of_build}");
    assert!(
        of_build.contains("compile  running, about 75 s left"),
        "{of_build}"
    );
}

#[test]
fn stp_09_the_counts_of_a_step_tell_how_far_it_is() {
    let counted = Op::StepCounted {
        build: BuildId(1),
        index: 1,
        counts: [("tests".to_owned(), 30)].into(),
    };
    let by_tests = Some(Effort {
        secs: 100.0,
        output: [("tests".to_owned(), 40.0)].into(),
    });
    let text = shown_after(
        (&[("compile", by_tests)], false),
        vec![counted],
        "build quick 0",
    );
    assert!(text.contains("about 25 s left"), "{text}");
}
