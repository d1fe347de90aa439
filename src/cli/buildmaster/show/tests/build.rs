//! One build.

use super::*;

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
    build quick/0
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
        change 1   quick counted: built at once
        set 1      submitted by quick at 2011-03-13 07:06:41
        request 1  of set 1, waited 9.0 s
        slave      on slave bot1: no other slave was idle
    "#);
}

#[test]
fn prp_10_a_build_for_programs_has_what_is_promised() {
    let step = |name: &str, result: &str, log: &Value| {
        json!({"name": name, "result": result, "text": [name, "done"],
             "logs": [{"name": "stdio", "bytes": log["bytes"], "complete": log["complete"]}],
             "links": [], "statistics": {}, "hidden": false,
             "commands": [], "first_error": null,
             "started_at": "2011-03-13T07:06:51.000Z", "finished_at": "2011-03-13T07:06:53.000Z",
             "took": 2.0, "remaining": null})
    };
    let expected = json!({
        "builder": "quick",
        "number": 0,
        "result": "failure",
        "text": ["failed", "test"],
        "slave": "bot1",
        "reason": "scheduler",
        "stop_reason": null,
        "started_at": "2011-03-13T07:06:50.000Z",
        "finished_at": "2011-03-13T07:07:55.000Z",
        "took": 65.0,
        "remaining": null,
        "branch": "trunk",
        "revision": null,
        "repository": "",
        "project": "",
        "codebase": "",
        "try": false,
        "failed_steps": ["test"],
        "first_error": null,
        "not_run": [],
        "news": "new",
        "changes": [1],
        "blamelist": ["zoë"],
        "interested_users": ["zoë"],
        "requests": [1],
        "slave_choice": "no other slave was idle",
        "properties": {"buildername": {"value": "quick", "source": "Builder"}},
        "steps": [
            step("compile", "success", &json!({"bytes": 20_000, "complete": true})),
            step("test", "failure", &json!({"bytes": null, "complete": false})),
        ],
    });
    let mut build = json_of("build quick 0 --json").remove(0);
    let object = build.as_object_mut().unwrap();
    let trail = object.remove("trail").unwrap();
    assert_eq!(object.remove("logs_pruned"), Some(json!(false)));
    assert_eq!(object.remove("id"), Some(json!(1)));
    assert_eq!(build, expected);
    assert_eq!(trail["requests"][0]["id"], 1);
    assert_eq!(trail["sets"][0]["scheduler"], "quick");
    assert_eq!(trail["changes"][0]["number"], 1);
    let mut builds = json_of("--json builds");
    assert_eq!(builds.len(), 2);
    builds[1].as_object_mut().unwrap().remove("id");
    assert_eq!(builds[1], expected);
    assert_eq!(builds[0]["result"], Value::Null);
    assert_eq!(builds[0]["finished_at"], Value::Null);
    assert_eq!(json_of("builds quick --json --limit 1"), builds[..1]);
    assert_eq!(json_of("builds full --json"), [] as [Value; 0]);
}
