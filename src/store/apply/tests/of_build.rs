//! Builds: their steps, their logs, their ends.

use rusqlite::StatementStatus;

use super::*;
use crate::model::journal::{BuildFinish, StepFinish};
use crate::model::{FirstError, ParentBuild, StepOutcome};
use crate::store::read::{BuildRow, LogRow, StepRow, Wanted};

/// Its first step has ended with this outcome, the second runs.
fn a_running_build(outcome: &StepOutcome) -> Vec<Op> {
    let counted = |tests| Op::StepCounted {
        build: BuildId(7),
        index: 0,
        counts: [("tests".to_owned(), tests)].into(),
    };
    let link = |name: &str| Op::StepLink {
        build: BuildId(7),
        index: 0,
        name: name.to_owned(),
        url: format!("https://example.org/{name}"),
    };
    vec![
        Op::ChangeAdded(a_change(1)),
        Op::SetSubmitted(a_set(1, 1, &["quick"], vec![a_change(1)])),
        started(7, "quick", 0, &[1]),
        step_started(7, 0, "compile"),
        Op::StepHasLocks {
            build: BuildId(7),
            index: 0,
            at: at(315),
        },
        log_opened(7, 0, 0, "stdio"),
        log_opened(7, 0, 1, "config.log"),
        Op::LogClosed {
            build: BuildId(7),
            step: 0,
            name: "stdio".to_owned(),
            size_bytes: 1234,
        },
        counted(7),
        counted(9),
        link("docs"),
        link("docs"),
        link("cover"),
        Op::StepFinished(StepFinish {
            build: BuildId(7),
            index: 0,
            result: Results::Warnings,
            text: vec!["compile".to_owned(), "warnings".to_owned()],
            outcome: Box::new(outcome.clone()),
            at: at(320),
        }),
        step_started(7, 1, "test"),
    ]
}

#[test]
fn a_build_with_steps_and_logs_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = StepOutcome {
        statistics: [("warnings".to_owned(), 3_u64.into())].into(),
        hidden: true,
        ..StepOutcome::default()
    };
    apply_all(dir.path(), &a_running_build(&outcome));
    let state = open_state(dir.path());
    let build = state
        .build(&"quick".into(), BuildNumber(0))
        .unwrap()
        .unwrap();
    let log = |name: &str, size_bytes| LogRow {
        name: name.to_owned(),
        path: format!("builders/quick/7/0-compile.{name}"),
        size_bytes,
    };
    let links = ["docs", "docs", "cover"];
    let links = links.map(|name| (name.to_owned(), format!("https://example.org/{name}")));
    let step = |name: &str, done: Option<i64>, result, text: &[&str], logs| StepRow {
        links: if done.is_some() {
            links.to_vec()
        } else {
            vec![]
        },
        counts: done.map(|_| ("tests".to_owned(), 9)).into_iter().collect(),
        outcome: done.map(|_| outcome.clone()),
        name: name.to_owned(),
        started_at: at(310),
        working_since: done.map(|_| at(315)),
        finished_at: done.map(at),
        result,
        text: text.iter().map(|&t| t.to_owned()).collect(),
        logs,
    };
    let expected = BuildRow {
        id: BuildId(7),
        builder: "quick".into(),
        number: BuildNumber(0),
        slave: "bot".into(),
        requests: vec![RequestId(1)],
        reason: "because".to_owned(),
        changes: vec![ChangeNumber(1)],
        blamelist: vec!["zoë".to_owned()],
        started_at: at(300),
        finished_at: None,
        result: None,
        text: vec![],
        news: None,
        steps: vec![
            step(
                "compile",
                Some(320),
                Some(Results::Warnings),
                &["compile", "warnings"],
                vec![log("stdio", Some(1234)), log("config.log", None)],
            ),
            step("test", None, None, &["compiling"], vec![]),
        ],
        ..build.clone()
    };
    assert_eq!(build, expected);
    assert_eq!(build.properties.get("buildnumber"), Some(&json!(0)));
    assert_eq!(state.builds(None, 9).unwrap(), std::slice::from_ref(&build));
    assert_eq!(state.builds(Some(&"quick".into()), 9).unwrap(), [build]);
    assert_eq!(state.builds(Some(&"full".into()), 9).unwrap(), []);
}

#[test]
fn a_finished_build_keeps_its_result_and_the_reason_of_its_stop() {
    let dir = tempfile::tempdir().unwrap();
    let Op::BuildFinished(end) = finished(7, Results::Exception) else {
        unreachable!("that is what it makes")
    };
    let stopped = BuildFinish {
        stop_reason: Some("wrong branch".to_owned()),
        ..end.clone()
    };
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(a_set(1, 1, &["quick"], vec![])),
            started(7, "quick", 0, &[1]),
            Op::BuildFinished(stopped),
            request_finished(1, Results::Exception),
        ],
    );
    let state = open_state(dir.path());
    let row = &state.builds(None, 1).unwrap()[0];
    assert_eq!(row.result, Some(Results::Exception));
    assert_eq!(row.finished_at, Some(end.at));
    assert_eq!(row.stop_reason.as_deref(), Some("wrong branch"));
    assert_eq!(row.properties, end.properties);
    let request = state.request(RequestId(1)).unwrap().unwrap();
    assert_eq!(request.build, Some(BuildNumber(0)));
    assert_eq!(request.finished, Some((Results::Exception, end.at)));
    assert_eq!(state.builders_with_requests().unwrap(), []);
}

#[test]
fn a_retried_build_gives_its_open_requests_back_with_their_count() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(a_set(1, 1, &["quick", "quick", "quick"], vec![])),
            started(7, "quick", 0, &[1, 2]),
            finished(7, Results::Retry),
            // It has no retries left.
            request_finished(2, Results::Exception),
            Op::RequestRetries {
                request: RequestId(1),
                retries: 3,
            },
        ],
    );
    let state = open_state(dir.path());
    let pending = state.places_in_queue(&"quick".into(), None, true, 9);
    let pending = pending.unwrap().into_iter().map(|place| {
        let row = state.request(place.id).unwrap().unwrap();
        (row.id.0, row.retries)
    });
    let pending: Vec<_> = pending.collect();
    assert_eq!(pending, [(1, 3), (3, 0)]);
    let over = state.request(RequestId(2)).unwrap().unwrap();
    assert_eq!(
        over.build,
        Some(BuildNumber(0)),
        "BRQ-07: it is known by which build it ended"
    );
    drop(state);
    assert_eq!(
        queue(&reopen(dir.path())),
        [(1, "quick", 3, 1), (3, "quick", 0, 0)]
    );
}

#[test]
fn the_insert_of_a_log_is_compiled_once() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(
        dir.path(),
        &[started(7, "quick", 0, &[]), step_started(7, 0, "compile")],
    );
    let conn = schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
    for position in 0..10 {
        let name = format!("log-{position}");
        apply(&conn, &log_opened(7, 0, position, &name)).unwrap();
    }
    let statement = conn.prepare_cached(steps::LOG_OPENED).unwrap();
    assert_eq!(statement.get_status(StatementStatus::Run), 10);
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
}

#[test]
fn a_triggered_set_keeps_the_build_that_triggered_it() {
    let dir = tempfile::tempdir().unwrap();
    let parent = ParentBuild {
        build: BuildId(7),
        builder: "quick".into(),
        number: BuildNumber(0),
        step: 3,
        waits: true,
    };
    let mut set = a_set(2, 2, &["full"], Vec::new());
    Arc::make_mut(&mut set).parent = Some(parent.clone());
    let ops = [
        Op::ChangeAdded(a_change(1)),
        Op::SetSubmitted(a_set(1, 1, &["quick"], vec![a_change(1)])),
        started(7, "quick", 0, &[1]),
        Op::SetSubmitted(set),
    ];
    apply_all(dir.path(), &ops);
    let shown = open_state(dir.path()).build_set(SetId(2)).unwrap();
    assert_eq!(shown.unwrap().parent, Some(parent.clone()));
    let (_store, recovered) = Store::open(dir.path()).unwrap();
    let parents = recovered.sets.iter().map(|known| known.set.parent.clone());
    assert_eq!(parents.collect::<Vec<_>>(), [None, Some(parent)]);
}

#[test]
fn steps_that_are_added_are_among_those_of_the_build() {
    let dir = tempfile::tempdir().unwrap();
    let planned = ["steps", "unit", "lint"].map(str::to_owned).to_vec();
    let ops = [
        Op::ChangeAdded(a_change(1)),
        Op::SetSubmitted(a_set(1, 1, &["quick"], vec![a_change(1)])),
        started(7, "quick", 0, &[1]),
        Op::StepsAdded {
            build: BuildId(7),
            planned: planned.clone(),
        },
    ];
    apply_all(dir.path(), &ops);
    let build = open_state(dir.path()).build(&"quick".into(), BuildNumber(0));
    assert_eq!(build.unwrap().unwrap().planned, planned);
}

#[test]
fn web_07_a_build_that_failed_keeps_its_first_error() {
    let error = |text: &str| FirstError {
        log: "stdio".to_owned(),
        line: 7,
        text: text.to_owned(),
    };
    let step = |index, result, error| {
        let outcome = StepOutcome {
            first_error: error,
            ..StepOutcome::default()
        };
        [
            step_started(7, index, &format!("step{index}")),
            Op::StepFinished(StepFinish {
                build: BuildId(7),
                index,
                result,
                text: Vec::new(),
                outcome: Box::new(outcome),
                at: at(320),
            }),
        ]
    };
    for (result, expected) in [
        (Results::Failure, Some("a.c:1: error: \"no\"")),
        (Results::Warnings, None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut ops = vec![
            Op::SetSubmitted(a_set(1, 1, &["quick"], vec![])),
            started(7, "quick", 0, &[1]),
        ];
        ops.extend(step(0, Results::Success, None));
        ops.extend(step(
            1,
            Results::Failure,
            Some(error("a.c:1: error: \"no\"")),
        ));
        ops.extend(step(2, Results::Failure, Some(error("later"))));
        ops.push(finished(7, result));
        apply_all(dir.path(), &ops);
        let state = open_state(dir.path());
        let brief = &state
            .brief_builds(&"quick".into(), Wanted::default(), 1)
            .unwrap()[0];
        let found = brief.first_error.as_ref();
        assert_eq!(found.map(|error| error.text.as_str()), expected);
        assert!(found.is_none_or(|error| error.step == "step1" && error.line == 7));
    }
}
