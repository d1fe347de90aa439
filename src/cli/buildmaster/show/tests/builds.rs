//! Lists of builds: how each compares with the one before it, and how they fit a terminal.

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::model::journal::{BuildFinish, StepFinish, StepStart};
use crate::model::{Patch, PatchBody, StepOutcome};

/// A build to be recorded: branch, newest change, whether it is a try, result.
type Recorded = (&'static str, Option<u64>, bool, Option<Results>);

/// A state with these builds of builder `quick`, numbered from 0.
fn state_of(builds: &[Recorded]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let writer = store.start(Box::new(|_| {})).unwrap();
    let mut ops = vec![Op::Configured {
        builders: vec![("quick".into(), vec!["bot1".into()])],
        slaves: vec!["bot1".into()],
    }];
    for (n, &(branch, change, is_try, result)) in (0..).zip(builds) {
        let patch = is_try.then(|| Patch {
            level: 0,
            body: PatchBody::Given(b"+".to_vec().into()),
            subdir: None,
            who: None,
            comment: None,
        });
        let stamp = SourceStamp {
            branch: Some(branch.to_owned()),
            patch,
            repository: "git://here/it".to_owned(),
            ..SourceStamp::default()
        };
        ops.push(Op::SetSubmitted(Arc::new(BuildSet {
            id: SetId(n + 1),
            external_id: None,
            scheduler: None,
            stamps: Arc::new(stamp.into()),
            reason: "because".to_owned(),
            properties: Arc::default(),
            submitted_at: at(1),
            priority: 0,
            requests: vec![(RequestId(n + 1), "quick".into())],
            parent: None,
        })));
        let Op::BuildStarted(start) = started(n + 1, n, n + 1) else {
            panic!("a build starts");
        };
        ops.push(Op::BuildStarted(Arc::new(BuildStart {
            changes: change.map(ChangeNumber).into_iter().collect(),
            planned: ["compile", "test", "deploy"].map(str::to_owned).to_vec(),
            ..(*start).clone()
        })));
        if let Some(result) = result {
            ops.push(Op::StepStarted(StepStart {
                build: BuildId(n + 1),
                index: 0,
                name: "compile".to_owned(),
                text: vec![],
                waits: false,
                at: at(11),
            }));
            ops.push(Op::StepFinished(StepFinish {
                build: BuildId(n + 1),
                index: 0,
                result,
                text: vec![],
                outcome: Box::default(),
                at: at(13),
            }));
            ops.push(Op::BuildFinished(BuildFinish {
                build: BuildId(n + 1),
                result,
                text: vec![],
                stop_reason: None,
                properties: Properties::new(),
                at: at(75),
            }));
        }
    }
    block_on(async {
        writer.write(Some(Ticket(1)), ops).await;
        writer.close().await;
    });
    dir
}

#[test]
fn links_and_numbers_of_steps_are_shown_and_hidden_steps_are_not() {
    let dir = state_of(&[("main", None, false, Some(Success))]);
    let step = |index, name: &str| {
        Op::StepStarted(StepStart {
            build: BuildId(1),
            index,
            name: name.to_owned(),
            text: vec!["working".to_owned()],
            waits: false,
            at: at(13),
        })
    };
    let end = |index, hidden| {
        Op::StepFinished(StepFinish {
            build: BuildId(1),
            index,
            result: Success,
            text: vec![],
            outcome: Box::new(StepOutcome {
                statistics: [("warnings-count".to_owned(), (index + 2).into())].into(),
                hidden,
                ..StepOutcome::default()
            }),
            at: at(14),
        })
    };
    let link = Op::StepLink {
        build: BuildId(1),
        index: 1,
        name: "coverage".to_owned(),
        url: "https://ci.example.org/7/".to_owned(),
    };
    let ops = vec![
        step(1, "test"),
        link,
        end(1, false),
        step(2, "tidy"),
        end(2, true),
    ];
    let (store, _) = Store::open(dir.path()).unwrap();
    let writer = store.start(Box::new(|_| {})).unwrap();
    block_on(async {
        writer.write(Some(Ticket(2)), ops).await;
        writer.close().await;
    });
    let shown = try_shown(dir.path(), "build quick 0", false).unwrap();
    let (_, steps) = shown.split_once("  steps\n").unwrap();
    let (steps, _) = steps.split_once("  how it").unwrap();
    insta::assert_snapshot!(steps, @"
      compile  success  2.0 s
      test     success  1.0 s
      deploy   not run
      hidden: tidy
    links and numbers of steps
      test  coverage        https://ci.example.org/7/
      test  warnings-count  3
    ");
    let build = lines_of(&dir, "build quick 0 --json").remove(0);
    let steps = build["steps"].as_array().unwrap();
    let link = json!({"name": "coverage", "url": "https://ci.example.org/7/"});
    assert_eq!(steps[1]["links"], json!([link]));
    assert_eq!(steps[1]["statistics"], json!({"warnings-count": 3}));
    let hidden: Vec<_> = steps.iter().map(|step| step["hidden"].clone()).collect();
    assert_eq!(hidden, [false, false, true]);
}

fn lines_of(dir: &tempfile::TempDir, command: &str) -> Vec<Value> {
    let shown = try_shown(dir.path(), command, false).unwrap();
    let lines = shown.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

use Results::{Exception, Failure, Retry, Success};

const HISTORY: &[Recorded] = &[
    ("main", None, false, Some(Failure)),
    ("next", None, false, Some(Success)),
    ("main", None, true, Some(Success)),
    ("main", None, false, Some(Retry)),
    ("main", None, false, Some(Failure)),
    ("next", None, false, Some(Failure)),
    ("main", None, false, Some(Exception)),
    ("main", None, false, Some(Success)),
    ("main", None, true, Some(Failure)),
    ("main", None, false, None),
];

#[test]
fn prb_23_a_build_is_compared_with_the_one_before_it_of_its_branch() {
    let dir = state_of(HISTORY);
    let builds = lines_of(&dir, "builds --json");
    let judged: Vec<_> = builds.iter().rev().map(|b| b["news"].clone()).collect();
    let (new, still, fixed, none) = (json!("new"), json!("still"), json!("fixed"), Value::Null);
    let expected = [
        &new, &none, &none, &none, &still, &new, &none, &fixed, &none, &none,
    ];
    assert_eq!(judged.iter().collect::<Vec<_>>(), expected);
    let newest = lines_of(&dir, "builds --json --limit 3");
    assert_eq!(newest[..], builds[..3], "also when few are listed");
    let text = try_shown(dir.path(), "builds", false).unwrap();
    for words in [
        "success, fixed  ",
        "still failure: compile  ",
        "new failure: compile  ",
        "exception: compile  ",
        "  main, try  ",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
}

#[test]
fn a_build_of_an_older_change_is_not_compared_with_one_of_a_newer_change() {
    let dir = state_of(&[
        ("main", Some(1), false, Some(Failure)),
        ("main", Some(5), false, Some(Success)),
        ("main", Some(1), false, Some(Failure)),
        ("main", Some(6), false, Some(Success)),
    ]);
    let builds = lines_of(&dir, "builds --json");
    let judged: Vec<_> = builds.iter().rev().map(|b| &b["news"]).collect();
    assert_eq!(json!(judged), json!(["new", "fixed", "still", null]));
}

#[test]
fn a_try_is_never_the_last_build_of_a_builder() {
    let dir = state_of(HISTORY);
    let builder = lines_of(&dir, "builders --json").remove(0);
    let (number, result) = (&builder["last"]["number"], &builder["last"]["result"]);
    assert_eq!((number, result), (&json!(7), &json!("success")));
}

#[test]
fn builds_are_counted_from_the_end() {
    let dir = state_of(&HISTORY[..9]);
    for (nth, number) in [("last", 7), ("-1", 8), ("-2", 7), ("-9", 0), ("4", 4)] {
        let build = lines_of(&dir, &format!("build quick {nth} --json")).remove(0);
        assert_eq!(build["number"], json!(number), "{nth}");
    }
    for (nth, expected) in [
        ("-10", "quick has fewer builds than that"),
        ("first", "is not a build; write a number, `last`"),
    ] {
        let command = format!("build quick {nth}");
        let why = try_shown(dir.path(), &command, false).unwrap_err();
        assert!(why.to_string().contains(expected), "{why}");
    }
}

#[test]
fn steps_that_a_build_did_not_come_to_are_shown() {
    let dir = state_of(HISTORY);
    let shown = try_shown(dir.path(), "build quick 0", false).unwrap();
    let steps = "    compile  failure  2.0 s\n    test     not run\n    deploy   not run\n";
    assert!(shown.contains(steps), "{shown}");
    let build = lines_of(&dir, "build quick 0 --json").remove(0);
    assert_eq!(build["not_run"], json!(["test", "deploy"]));
    let running = try_shown(dir.path(), "build quick 9", false).unwrap();
    assert!(!running.contains("not run"), "{running}");
}

#[test]
fn tables_fit_the_terminal_and_are_whole_where_there_is_none() {
    let dir = state_of(HISTORY);
    let whole = shown_on(dir.path(), "builds", false, None).unwrap();
    assert!(
        whole
            .lines()
            .all(|line| line.contains("scheduler") || line.contains("REASON"))
    );
    for width in [40, 60, 80, 100] {
        for what in [
            "builds",
            "builders",
            "slaves",
            "requests --all",
            "build quick 0",
        ] {
            let shown = shown_on(dir.path(), what, false, Some(width)).unwrap();
            let fits = |line: &str| line.width() <= width;
            assert!(shown.lines().all(fits), "{what} at {width}:\n{shown}");
        }
    }
    let shown = shown_on(dir.path(), "builds", false, Some(80)).unwrap();
    let (heading, rows) = shown.split_once('\n').unwrap();
    let names: Vec<_> = heading.split_whitespace().collect();
    let first = [
        "BUILDER", "BUILD", "RESULT", "STARTED", "TOOK", "BRANCH", "REV", "WHO",
    ];
    assert_eq!(names, first, "what is asked first is there");
    assert!(rows.contains("new failure: co…  03-13 07:06  "), "{shown}");
    let json = shown_on(dir.path(), "builds --json", false, Some(40)).unwrap();
    assert_eq!(json, try_shown(dir.path(), "builds --json", false).unwrap());
}
