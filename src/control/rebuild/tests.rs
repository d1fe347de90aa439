use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::model::{Change, ChangeNumber, NewChange, Patch, PatchBody, SetId, Timestamp};

fn change(number: u64) -> Arc<Change> {
    Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        content: NewChange {
            branch: Some("rel".to_owned()),
            revision: Some(format!("r{number}")),
            ..NewChange::default()
        },
    })
}

#[test]
fn sst_07_a_rebuild_is_of_the_revision_that_was_got_with_branch_and_patch() {
    let stamps = SourceStamps::from(SourceStamp {
        branch: Some("rel".to_owned()),
        patch: Some(Patch {
            level: 1,
            body: PatchBody::Kept(SetId(1)),
            subdir: None,
            who: None,
            comment: None,
        }),
        ..SourceStamp::default()
    });
    let mut properties = Properties::new();
    properties.set("revision", Value::Null, "Build");
    assert_eq!(absolute(&stamps, &properties), stamps);
    // Not that one: somebody has only wished for it.
    properties.set("got_revision", "r8", "Force");
    assert_eq!(absolute(&stamps, &properties), stamps);
    properties.set_runtime("got_revision", "r9", "git");
    let again = absolute(&stamps, &properties);
    let (again, stamp) = (again.first(), stamps.first());
    assert_eq!(again.revision.as_deref(), Some("r9"));
    let kept = |stamp: &SourceStamp| (stamp.branch.clone(), stamp.patch.clone());
    assert_eq!(kept(again), kept(stamp));
}

#[test]
fn sst_07_a_merged_build_is_built_again_at_the_newest_change() {
    let of = |numbers: &[u64]| {
        let changes = numbers.iter().map(|&number| change(number)).collect();
        Arc::new(SourceStamps::from(SourceStamp::from_changes(changes)))
    };
    let merged = SourceStamps::merged(&[of(&[3]), of(&[1, 3, 4])]);
    let again = absolute(&merged, &Properties::new());
    assert_eq!(again.first().revision.as_deref(), Some("r4"));
    assert_eq!(again.first().branch.as_deref(), Some("rel"));
    let numbers: Vec<_> = again.changes().map(|c| c.number.0).collect();
    assert_eq!(numbers, [1, 3, 4]);
    // It builds that revision, whoever else builds something newer.
    assert!(!again.can_merge_with(&of(&[5])));
    assert!(again.can_merge_with(&again));
    let twice = SourceStamps::merged(&[Arc::new(again.clone()), Arc::new(again.clone())]);
    assert_eq!(*twice, again);
}

#[test]
fn a_build_whose_changes_are_forgotten_is_built_again_as_it_began() {
    let mut properties = Properties::new();
    properties.set("revision", "r7", "Build");
    let again = absolute(&SourceStamps::default(), &properties);
    assert_eq!(again.first().revision.as_deref(), Some("r7"));
}
