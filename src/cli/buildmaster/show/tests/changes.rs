//! Changes, and what became of them.

use super::*;
use crate::cli::buildmaster::show::change as pages;
use crate::view::{self, ChangePage};

#[test]
fn changes_for_people() {
    insta::assert_snapshot!(shown("changes"), @r"
    CHANGE  ARRIVED              WHO  BRANCH  REVISION  COMMENTS
    1       2011-03-13 07:06:40  zoë  trunk   r1        fix�[2J it
    ");
    insta::assert_snapshot!(shown("change 1"), @r"
    change 1
      who       zoë
      arrived   2011-03-13 07:06:40
      when      2011-03-13 07:06:35
      branch    trunk
      revision  r1
      comments
        fix�[2J it

        really
      files
        src/a.c
      properties
        bug  17  from Change
      schedulers
        quick  counted: built at once
        full   counted: the timer runs until 2011-03-13 07:07:40
        docs   not counted: the filter rejects its category
      build sets
        1  quick  not finished  2011-03-13 07:06:41  quick build 0, quick build 1, full pending
    ");
}

#[test]
fn files_that_were_too_many_to_keep_are_counted() {
    let mut change = (*a_change(1)).clone();
    change.content.files_left_out = 12;
    let shown = page(|screen| pages::change(screen, &(&change).into()));
    assert!(
        shown.contains("  12 more files are not listed because the list was too long to keep"),
        "{shown}"
    );
}

#[test]
fn tim_02_a_time_that_is_not_used_is_shown_with_the_reason() {
    for (when, expected) in [
        (
            Timestamp::from_secs(99_999_999_999),
            "  when      5138-11-16 09:46:39 (not used: too far ahead)\n",
        ),
        (
            Timestamp::from_secs(1_700_000_000_000),
            "  when      1700000000000 s since 1970 (not used: not a valid time)\n",
        ),
    ] {
        let mut change = Change::clone(&a_change(1));
        change.when = when;
        let shown = page(|screen| pages::change(screen, &(&change).into()));
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_change_of_which_nothing_was_written_down_is_shown_as_such() {
    for (schedulers, expected) in [
        (None, "  schedulers: their decisions were not recorded\n"),
        (Some(Vec::new()), "  schedulers: none were configured\n"),
    ] {
        let found = ChangePage {
            change: view::Change::from(&*a_change(1)),
            schedulers,
            sets: Vec::new(),
            requests: Vec::new(),
            sets_were_pruned: false,
        };
        let shown = page(|screen| pages::page(screen, &found));
        let end = format!("{expected}  in no build set yet\n");
        assert!(shown.ends_with(&end), "{shown}");
    }
}

#[test]
fn a_change_for_programs_says_what_became_of_it() {
    let [change] = &json_of("change 1 --json")[..] else {
        panic!("one line");
    };
    let decision = |scheduler, decision, counts, at: Value, field: Value, why| {
        json!({"scheduler": scheduler, "decision": decision, "counts": counts, "at": at,
               "field": field, "why": why})
    };
    assert_eq!(
        change["schedulers"],
        json!([
            decision(
                "quick",
                "built_at_once",
                true,
                Value::Null,
                Value::Null,
                "counted: built at once"
            ),
            decision(
                "full",
                "timer_runs",
                true,
                json!("2011-03-13T07:07:40.000Z"),
                Value::Null,
                "counted: the timer runs until 2011-03-13T07:07:40.000Z"
            ),
            decision(
                "docs",
                "filtered",
                false,
                Value::Null,
                json!("category"),
                "not counted: the filter rejects its category"
            ),
        ])
    );
    assert_eq!(
        change["sets"],
        json!([{"id": 1, "scheduler": "quick", "external_id": null, "reason": "scheduler",
                "parent": null, "submitted_at": "2011-03-13T07:06:41.000Z", "result": null, "finished_at": null}])
    );
    let requests = change["requests"].as_array().unwrap().iter();
    let builds: Vec<_> = requests.map(|r| (&r["builder"], &r["build"])).collect();
    assert_eq!(
        json!(builds),
        json!([["quick", 0], ["quick", 1], ["full", null]])
    );
}

#[test]
fn a_change_for_programs_has_what_is_promised() {
    let expected = json!({
        "number": 1, "who": "zoë", "files": ["src/a.c"], "files_left_out": 0,
        "comments": "fix\u{1b}[2J it\n\nreally", "revision": "r1", "branch": "trunk",
        "project": "", "repository": "", "codebase": "", "category": null, "revlink": "",
        "notes": [], "skipped": false,
        "src": null, "properties": {"bug": {"value": 17, "source": "Change"}},
        "when": "2011-03-13T07:06:35.000Z", "when_not_used": null, "made_at": null,
        "arrived_at": "2011-03-13T07:06:40.000Z",
    });
    assert_eq!(json_of("changes --json"), [expected]);
}
