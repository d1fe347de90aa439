#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::model::{NewChange, PatchBody, SetId, Timestamp};

fn change(number: u64, codebase: &str, who: &str) -> Arc<Change> {
    let content = NewChange {
        who: who.to_owned(),
        codebase: codebase.to_owned(),
        revision: Some(format!("r{number}")),
        ..NewChange::default()
    };
    Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: Timestamp(0),
        when: Timestamp(0),
        content,
    })
}

fn stamp(codebase: &str, numbers: &[u64]) -> SourceStamp {
    let changes = numbers
        .iter()
        .map(|&number| change(number, codebase, "ann"));
    SourceStamp {
        codebase: codebase.to_owned(),
        ..SourceStamp::from_changes(changes.collect())
    }
}

fn stamps(all: &[(&str, &[u64])]) -> SourceStamps {
    let all = all
        .iter()
        .map(|(codebase, numbers)| stamp(codebase, numbers));
    all.collect()
}

#[test]
fn cbs_04_there_is_a_stamp_a_codebase_in_their_order() {
    let both = stamps(&[("lib", &[2, 5]), ("core", &[3])]);
    assert_eq!(both.codebases().collect::<Vec<_>>(), ["core", "lib"]);
    assert_eq!(both.of("lib"), Some(&stamp("lib", &[2, 5])));
    assert_eq!(both.of(""), None);
    assert_eq!(both.single(), None);
    assert_eq!(both.change_numbers(), [2, 3, 5].map(ChangeNumber));
    let one = stamps(&[("lib", &[2])]);
    assert_eq!(one.single(), Some(&stamp("lib", &[2])));
    assert_eq!(stamps(&[]), SourceStamps::default());
}

#[test]
fn cbs_07_requests_merge_with_the_same_codebases_and_each_pair() {
    let both = |core, lib| stamps(&[("core", core), ("lib", lib)]);
    assert!(both(&[1], &[2]).can_merge_with(&both(&[3], &[4])));
    assert!(!both(&[1], &[2]).can_merge_with(&stamps(&[("core", &[3])])));
    assert!(!stamps(&[("core", &[3])]).can_merge_with(&both(&[1], &[2])));
    assert!(!both(&[1], &[2]).can_merge_with(&stamps(&[("core", &[3]), ("doc", &[4])])));
    // One of a pair has changes, the other has none.
    assert!(!both(&[1], &[]).can_merge_with(&both(&[3], &[4])));
    assert!(both(&[1], &[]).can_merge_with(&both(&[3], &[])));
}

#[test]
fn cbs_07_a_merged_build_has_the_changes_of_each_codebase() {
    let members = [
        stamps(&[("core", &[1]), ("lib", &[2])]),
        stamps(&[("core", &[1, 3]), ("lib", &[4])]),
    ];
    let merged = SourceStamps::merged(&members.map(Arc::new));
    assert_eq!(*merged, stamps(&[("core", &[1, 3]), ("lib", &[2, 4])]));
    assert_eq!(merged.of("lib").unwrap().revision_to_build(), Some("r4"));
    let alone = Arc::new(stamps(&[("core", &[1])]));
    let kept = SourceStamps::merged(&[Arc::clone(&alone)]);
    assert!(Arc::ptr_eq(&kept, &alone));
}

#[test]
fn bui_09_the_blamelist_is_of_all_stamps() {
    let mut both = stamps(&[("core", &[1]), ("lib", &[])]);
    both.more[0].patch = Some(Patch {
        level: 0,
        body: PatchBody::Kept(SetId(1)),
        subdir: None,
        who: Some("cid".to_owned()),
        comment: None,
    });
    both.first.changes.push(change(2, "core", "bob"));
    assert_eq!(both.blamelist(), ["ann", "bob", "cid"]);
    assert_eq!(both.patched().unwrap().codebase, "lib");
    both.patch_mut().unwrap().level = 3;
    assert_eq!(both.patch().unwrap().level, 3);
}

#[test]
fn one_stamp_is_written_as_itself_and_several_as_a_list() {
    let one = stamps(&[("", &[])]);
    let text = serde_json::to_value(&one).unwrap();
    assert_eq!(text["codebase"], "");
    assert_eq!(serde_json::from_value::<SourceStamps>(text).unwrap(), one);
    let both = stamps(&[("core", &[1]), ("lib", &[])]);
    let text = serde_json::to_value(&both).unwrap();
    assert_eq!(text[1]["codebase"], "lib");
    assert_eq!(serde_json::from_value::<SourceStamps>(text).unwrap(), both);
    let why = |wrong| {
        let read = serde_json::from_value::<SourceStamps>(wrong);
        read.unwrap_err().to_string()
    };
    let twice = json!([{ "codebase": "core" }, { "codebase": "core" }]);
    assert_eq!(why(twice), "source stamps are one for each codebase");
    assert!(why(json!({ "brnach": "rel" })).contains("brnach"));
}
