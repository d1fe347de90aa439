//! What waits for locks.

use super::*;
use crate::botmaster::{self, LockBlock, LockHolder, LockUser};
use crate::cli::buildmaster::show::locks as pages;
use crate::config::{LockMode, LockScope};
use crate::view::LockWait;

#[test]
fn lck_11_who_waits_for_which_lock_who_holds_it_and_at_which_place() {
    let step = |name: &str| LockUser::Step {
        index: 1,
        name: name.into(),
    };
    let wait = botmaster::LockWait {
        builder: "a".into(),
        number: BuildNumber(7),
        user: step("test"),
        since: at(1),
        blocks: vec![LockBlock {
            lock: "db".into(),
            scope: LockScope::Slave("s".into()),
            mode: LockMode::Exclusive,
            holders: vec![LockHolder {
                builder: "b".into(),
                number: Some(BuildNumber(3)),
                user: Some(LockUser::Build),
            }],
            place: 2,
        }],
    };
    let view = LockWait::from(&wait);
    insta::assert_snapshot!(page(|screen| pages::page(screen, std::slice::from_ref(&view))), @r"
    WAITING           SINCE                LOCK     HELD BY  PLACE
    step test of a/7  2011-03-13 07:06:41  db of s  b/3      2
    ");
    assert_eq!(
        serde_json::to_value(&view).unwrap(),
        json!({
            "builder": "a",
            "number": 7,
            "step": "test",
            "since": "2011-03-13T07:06:41.000Z",
            "locks": [{
                "lock": "db",
                "slave": "s",
                "group": null,
                "mode": "exclusive",
                "holders": [{"builder": "b", "number": 3, "step": null}],
                "place": 2,
            }],
            "text": "step test of build a/7 waits for lock db of slave s, held by b/3, place 2",
        })
    );
    assert_eq!(
        page(|screen| pages::page(screen, &[])),
        "nothing waits for a lock\n"
    );
    let wire = serde_json::to_value(&wait).unwrap();
    assert_eq!(
        serde_json::from_value::<botmaster::LockWait>(wire).unwrap(),
        wait
    );
}
