//! Builds and requests that did not end as they were meant to: what is shown of the reason.

use super::*;
use crate::model::end_last_run;
use crate::model::journal::BuildFinish;
use crate::store::Writer;

/// A master starts on the state, and has ended what the last run left open.
fn begin(dir: &Path, wall: Timestamp) -> Writer {
    let (store, mut recovered) = Store::open(dir).unwrap();
    let writer = store.start(Box::new(|_| {})).unwrap();
    block_on(writer.write_and_wait(end_last_run(&mut recovered, wall)));
    writer
}

/// What is shown when the master was killed, has started again, and has written this.
fn shown_after(ops: &[Op], command: &str) -> String {
    let dir = a_state();
    let writer = begin(dir.path(), at(80));
    block_on(async {
        writer.write(Some(Ticket(1)), ops.to_vec()).await;
        writer.close().await;
    });
    try_shown(dir.path(), command, false).unwrap()
}

#[test]
fn a_build_in_place_of_one_that_was_interrupted_says_so() {
    let again = [started(3, 2, 2)];
    let shown = shown_after(&again, "build quick 2");
    let marked = "    built again  because build 1 was interrupted: master restarted\n";
    assert!(shown.contains(marked), "{shown}");
    let shown = shown_after(&again, "build quick 2 --json");
    let build: Value = serde_json::from_str(&shown).unwrap();
    let before = json!([{"number": 1, "why": "master restarted"}]);
    assert_eq!(build["trail"]["again_after"], before);
    for first in ["build quick 0", "build quick 1"] {
        let shown = shown_after(&again, first);
        assert!(!shown.contains("built again"), "{shown}");
    }
}

#[test]
fn bui_11_and_bui_09_a_stopped_build_shows_the_reason_and_who_is_interested() {
    let mut properties = Properties::new();
    properties.set("owner", "dee", "Force");
    let ended = Op::BuildFinished(BuildFinish {
        build: BuildId(3),
        result: Results::Exception,
        text: vec!["exception".to_owned(), "interrupted".to_owned()],
        stop_reason: Some("wrong branch".to_owned()),
        properties,
        at: at(90),
    });
    let shown = shown_after(&[started(3, 2, 2), ended], "build quick 2");
    for line in [
        "  stopped     wrong branch\n",
        "  blamelist   zoë\n",
        "  interested  dee, zoë\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn bui_11_a_request_that_ended_without_a_build_shows_why() {
    let why = "stopped before its build began: wrong branch";
    let ended = [Op::RequestFinished {
        request: RequestId(3),
        result: Results::Exception,
        why: Some(why.to_owned()),
        at: at(90),
    }];
    let shown = shown_after(&ended, "requests --all --limit 1");
    assert!(shown.contains(&format!("  exception, {why}  ")), "{shown}");
    let shown = shown_after(&ended, "requests --all --limit 1 --json");
    let request: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(request["why"], json!(why));
}

#[test]
fn a_running_master_is_noticed() {
    let dir = a_state();
    let shown = |what| try_shown(dir.path(), what, false).unwrap();
    assert!(shown("builds").contains("interrupted"));
    let _writer = begin(dir.path(), at(100));
    assert!(shown("builds").contains("retry"));
    assert!(shown("slaves").contains("offline"));
}
