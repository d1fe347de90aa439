//! `show sources`.

use super::*;
use crate::model::{OfferTaken, Op, SourceAttempt, Ticket};

const CONFIG: &str = r#"
slave_port = 9989
[[slaves]]
name = "bot1"
password = "x"
[factories.f]
steps = [{ type = "ShellCommand", command = "true" }]
[[builders]]
name = "quick"
slaves = ["bot1"]
factory = "f"
[[schedulers]]
type = "AnyBranch"
name = "any"
builders = ["quick"]
[[change_sources]]
type = "PB"
password = "x"
[[change_sources]]
type = "PB"
name = "hook"
port = 9990
password = "x"
"#;

fn a_master(ops: Vec<Op>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("master.toml"), CONFIG).unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let writer = store.start(Box::new(|_| ())).unwrap();
    block_on(async {
        writer.write(Some(Ticket(1)), ops).await;
        writer.close().await;
    });
    dir
}

#[test]
fn int_01_sources_are_shown_with_their_last_error_and_counts() {
    let dir = a_master(vec![
        Op::OfferTaken(Box::new(OfferTaken {
            source: "change".into(),
            delivery: None,
            cursor: None,
            identities: Vec::new(),
            taken: 12,
            known: 3,
            dropped: 1,
            at: at(7),
        })),
        Op::SourceTried(Box::new(SourceAttempt {
            source: "hook".into(),
            at: at(8),
            next: None,
            error: Some("the secret is wrong".to_owned()),
            note: None,
        })),
    ]);
    let shown = |what| try_shown(dir.path(), what, false).unwrap();
    insta::assert_snapshot!(shown("sources"), @r"
    SOURCE  TYPE  LAST                 NEXT  CHANGES                     STATE
    change  PB    2011-03-13 07:06:47  -     12 new, 3 known, 1 dropped  ok
    hook    PB    2011-03-13 07:06:48  -     0 new                       the last attempt failed: the secret is wrong
    ");
    let last = shown("schedulers");
    let last = last.lines().last().unwrap();
    let says = "change source hook does not work: the last attempt failed: the secret is wrong";
    assert_eq!(last, says);
    let json = shown("sources --json");
    let hook: Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert_eq!(hook["failing"], 1);
    assert_eq!(hook["type"], "PB");
    assert_eq!(hook["last_success"], Value::Null);
}
