//! What is shown of builders and schedulers before there are builds.

use super::*;

const CONFIG: &str = r#"
slave_port = 0
[[slaves]]
name = "bot1"
password = "secret"
[factories.f]
steps = [{ type = "ShellCommand", command = "true" }]
[[builders]]
name = "quick"
slaves = ["bot1"]
factory = "f"
[[builders]]
name = "late"
slaves = ["bot1"]
factory = "f"
[[schedulers]]
type = "AnyBranch"
name = "any"
tree_stable_timer = "5m"
builders = ["quick"]
[[schedulers]]
type = "Dependent"
name = "after"
upstream = "any"
builders = ["late"]
"#;

/// A base directory with that configuration and, unless the master was never started, with changes
/// 7 and 8 waiting.
fn a_master(was_started: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("master.toml"), CONFIG).unwrap();
    if !was_started {
        return dir;
    }
    let (store, _) = Store::open(dir.path()).unwrap();
    let writer = store.start(Box::new(|_| {})).unwrap();
    let mut ops = vec![Op::Configured {
        builders: vec![("quick".into(), vec!["bot1".into()])],
        slaves: vec!["bot1".into()],
    }];
    for (number, until) in [(7, 160), (8, 190)] {
        ops.push(Op::ChangeAdded(a_change(number)));
        ops.push(Op::ChangeOffered {
            change: ChangeNumber(number),
            decisions: vec![("any".into(), Decision::TimerRuns { until: at(until) })],
        });
    }
    ops.push(Op::SchedulerState {
        scheduler: "any\ntrunk".into(),
        state: Some(json!({"changes": [7, 8], "important": [7, 8], "next": 5})),
    });
    block_on(async {
        writer.write(Some(Ticket(1)), ops).await;
        writer.close().await;
    });
    dir
}

#[test]
fn what_is_configured_is_shown_before_the_first_start() {
    let dir = a_master(false);
    let shown = |what| try_shown(dir.path(), what, false).unwrap();
    insta::assert_snapshot!(shown("builders"), @r"
    BUILDER  STATE    PENDING  LAST BUILD  SLAVES
    quick    offline  0        none        bot1
    late     offline  0        none        bot1
    ");
    insta::assert_snapshot!(shown("slaves"), @r"
    SLAVE  STATE    LAST SEEN  VERSION  BUILDERS
    bot1   offline  never               quick, late
    ");
    insta::assert_snapshot!(shown("schedulers"), @r"
    SCHEDULER  TYPE       STATE    LAST SET  BUILDERS
    any        AnyBranch  offline  none      quick
    after      Dependent  offline  none      late
    ");
    let refused = try_shown(dir.path(), "builds", false).unwrap_err();
    assert!(refused.to_string().starts_with("no state.sqlite in "));
}

#[test]
fn a_builder_of_the_configuration_that_the_state_does_not_know_is_listed() {
    let dir = a_master(true);
    let shown = try_shown(dir.path(), "builders", false).unwrap();
    assert!(shown.contains("\nlate "), "{shown}");
    let shown = try_shown(dir.path(), "schedulers", false).unwrap();
    assert!(
        shown.contains("offline, keeps changes 7, 8 of trunk  "),
        "{shown}"
    );
}

#[test]
fn a_tree_stable_timer_that_runs_is_shown() {
    let dir = a_master(true);
    // A master runs.
    let (_store, _) = Store::open(dir.path()).unwrap();
    let shown = |what| try_shown(dir.path(), what, false).unwrap();
    let waits = "waiting for the tree to be stable until 07:09:50: changes 7, 8 of trunk";
    assert!(
        shown("schedulers").contains(waits),
        "{}",
        shown("schedulers")
    );
    assert!(shown("schedulers").contains("waits for any to succeed"));
    let any: Value =
        serde_json::from_str(shown("schedulers --json").lines().next().unwrap()).unwrap();
    assert_eq!(any["waiting"][0]["changes"], json!([7, 8]));
    assert_eq!(any["waiting"][0]["until"], "2011-03-13T07:09:50.000Z");
    let quick = shown("builders --json");
    let quick: Value = serde_json::from_str(quick.lines().next().unwrap()).unwrap();
    assert_eq!(quick["waiting"][0]["changes"], json!([7, 8]));
}
