#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::*;
use crate::model::{Change, ChangeNumber, NewChange, Patch, PatchBody, SetId, Timestamp};

fn request(id: u64, stamp: SourceStamp) -> BuildRequest {
    BuildRequest {
        id: RequestId(id),
        set: SetId(1),
        builder: "b".into(),
        stamps: Arc::new(stamp.into()),
        reason: "".into(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        retries: 0,
        start_count: 0,
    }
}

fn place_of(request: &BuildRequest) -> Place {
    Place {
        priority: Reverse(request.priority),
        order: Order::default(),
        id: request.id,
    }
}

fn changes(branch: &str, numbers: &[u64]) -> SourceStamp {
    let of = |&n| {
        Arc::new(Change {
            number: ChangeNumber(n),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            content: NewChange {
                branch: Some(branch.to_owned()),
                ..NewChange::default()
            },
        })
    };
    SourceStamp::from_changes(numbers.iter().map(of).collect())
}

fn revision(revision: Option<&str>) -> SourceStamp {
    SourceStamp {
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    }
}

fn patched() -> SourceStamp {
    SourceStamp {
        patch: Some(Patch {
            level: 1,
            body: PatchBody::Kept(SetId(1)),
            subdir: None,
            who: None,
            comment: None,
        }),
        ..revision(Some("r10"))
    }
}

fn project(project: &str) -> SourceStamp {
    SourceStamp {
        project: project.to_owned(),
        ..SourceStamp::default()
    }
}

fn merge(a: SourceStamp, b: SourceStamp, expect: bool) {
    assert_eq!(a.can_merge_with(&b), expect, "{a:?} {b:?}");
    let compatible = Merging::default();
    merge_by(compatible, &request(1, a), &request(2, b), expect);
}

fn merge_by(merging: Merging, a: &BuildRequest, b: &BuildRequest, expect: bool) {
    let mut queue = RequestQueue::new(merging);
    queue.insert(a, &mut Vec::new());
    queue.insert(b, &mut Vec::new());
    let taken = queue.take_first(None, |_| true).len();
    assert_eq!(taken, if expect { 2 } else { 1 }, "{a:?} {b:?}");
    assert_eq!(queue.len(), usize::from(!expect));
}

const fn by(rule: MergeRule) -> Merging {
    Merging {
        rule,
        compare_properties: false,
    }
}

#[test]
fn sst_05_decides_what_is_taken_together() {
    let r = |text| revision(Some(text));
    merge(changes("trunk", &[1]), changes("trunk", &[2]), true);
    merge(changes("trunk", &[1]), changes("rel", &[2]), false);
    merge(changes("trunk", &[1]), revision(None), false);
    merge(revision(None), revision(None), true);
    merge(r("r10"), r("r10"), true);
    merge(r("r10"), r("r11"), false);
    merge(r("r10"), revision(None), false);
    merge(patched(), patched(), false);
    merge(project("p"), project("q"), false);
}

#[test]
fn cbs_07_requests_merge_only_with_the_same_codebases() {
    let cases = include_str!("../../../../tests/data/codebase-cases.json");
    let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    let of = |id: u64, codebases: &serde_json::Value| {
        let stamps = codebases
            .as_array()
            .unwrap()
            .iter()
            .map(|codebase| SourceStamp {
                codebase: codebase.as_str().unwrap().to_owned(),
                ..changes("trunk", &[id])
            });
        BuildRequest {
            stamps: Arc::new(stamps.collect()),
            ..request(id, SourceStamp::default())
        }
    };
    let mut held = 0;
    for case in cases
        .iter()
        .filter(|case| case["expect"]["merge"].is_boolean())
    {
        let (a, b) = (of(1, &case["given"]["a"]), of(2, &case["given"]["b"]));
        let expect = case["expect"]["merge"].as_bool().unwrap();
        assert_eq!(a.stamps.can_merge_with(&b.stamps), expect, "{case}");
        for rule in [MergeRule::Compatible, MergeRule::SameBranch] {
            merge_by(by(rule), &a, &b, expect);
            merge_by(by(rule), &b, &a, expect);
        }
        held += 1;
    }
    assert_eq!(held, 2);
    // One pair that does not merge keeps the requests apart.
    let stamps = |revision_of_lib| {
        let lib = SourceStamp {
            codebase: "lib".to_owned(),
            ..revision(revision_of_lib)
        };
        Arc::new([changes("trunk", &[1]), lib].into_iter().collect())
    };
    let with = |id, stamps| BuildRequest {
        stamps,
        ..request(id, SourceStamp::default())
    };
    let (old, new) = (stamps(Some("v1")), stamps(Some("v2")));
    let compatible = Merging::default();
    merge_by(compatible, &with(1, Arc::clone(&old)), &with(2, new), false);
    merge_by(compatible, &with(1, Arc::clone(&old)), &with(2, old), true);
}

#[test]
fn sst_06_merges_changes_without_duplicates_in_order() {
    let stamps = [changes("t", &[3]), changes("t", &[1, 3])];
    let merged = SourceStamp::merged(&stamps.each_ref());
    let numbers: Vec<u64> = merged.changes.iter().map(|c| c.number.0).collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn nothing_is_merged_where_merging_is_off() {
    let (a, b) = (request(1, revision(None)), request(2, revision(None)));
    let mut queue = RequestQueue::new(by(MergeRule::Never));
    queue.insert(&a, &mut Vec::new());
    queue.insert(&b, &mut Vec::new());
    assert_eq!(queue.take_first(None, |_| true), [RequestId(1)]);
    assert_eq!(queue.first(), Some(place_of(&b).key()));
}

#[test]
fn sb_02_requests_put_back_keep_their_places() {
    let requests = [
        request(1, changes("t", &[1])),
        request(2, changes("t", &[2])),
        request(3, changes("other", &[3])),
    ];
    let mut queue = RequestQueue::default();
    for r in &requests {
        queue.insert(r, &mut Vec::new());
    }
    assert_eq!(
        queue.take_first(None, |_| true),
        [RequestId(1), RequestId(2)]
    );
    queue.insert(&requests[0], &mut Vec::new());
    queue.insert(&requests[1], &mut Vec::new());
    let order: Vec<u64> = queue.iter().map(|(_, id)| id.0).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn brq_09_always_same_branch_looks_at_the_branch_alone() {
    let on = |branch: &str, revision: Option<&str>| SourceStamp {
        branch: Some(branch.to_owned()),
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    };
    let merge = |a: &SourceStamp, b: &SourceStamp, expect| {
        let (a, b) = (request(1, a.clone()), request(2, b.clone()));
        merge_by(by(MergeRule::SameBranch), &a, &b, expect);
        merge_by(by(MergeRule::SameBranch), &b, &a, expect);
    };
    let changed = changes("trunk", &[1]);
    merge(&changed, &changes("trunk", &[2]), true);
    merge(&changed, &on("trunk", None), true);
    merge(&changed, &on("trunk", Some("r1")), true);
    merge(&on("trunk", Some("r1")), &on("trunk", Some("r2")), true);
    merge(&on("trunk", Some("r1")), &on("trunk", None), true);
    merge(&changed, &changes("rel", &[2]), false);
    merge(&on("trunk", None), &revision(None), false);
    merge(&project("p"), &project("q"), false);
    merge(&patched(), &revision(Some("r10")), false);
    merge(&patched(), &patched(), false);
}

#[test]
fn what_is_merged_by_branch_builds_the_newest_that_is_asked_for() {
    let merged = |members: &[SourceStamp]| {
        let members: Vec<_> = members.iter().collect();
        SourceStamp::merged(&members)
    };
    let r = |text| revision(Some(text));
    assert_eq!(merged(&[r("r1"), r("r2")]).revision.as_deref(), Some("r2"));
    assert_eq!(
        merged(&[revision(None), r("r2")]).revision.as_deref(),
        Some("r2")
    );
    assert_eq!(merged(&[r("r1"), revision(None)]).revision, None);
    let all = merged(&[changes("t", &[4]), r("r1"), changes("t", &[2])]);
    let numbers: Vec<u64> = all.changes.iter().map(|c| c.number.0).collect();
    assert_eq!((numbers.as_slice(), &all.revision), (&[2, 4][..], &None));
    assert_eq!(merged(&[changes("t", &[4]), r("r1")]).changes.len(), 1);
}

#[test]
fn brq_09_requests_with_other_properties_are_kept_apart_where_properties_are_compared() {
    let with = |id: u64, value: u64, source: &str| {
        let mut properties = Properties::new();
        properties.set("p", value, source);
        BuildRequest {
            properties: Arc::new(properties),
            ..request(id, revision(None))
        }
    };
    for rule in [MergeRule::Compatible, MergeRule::SameBranch] {
        let comparing = Merging {
            rule,
            compare_properties: true,
        };
        let one = with(1, 1, "Scheduler");
        merge_by(comparing, &one, &with(2, 2, "Scheduler"), false);
        merge_by(comparing, &one, &request(2, revision(None)), false);
        merge_by(comparing, &one, &with(2, 1, "Force"), true);
        merge_by(by(rule), &one, &with(2, 2, "Scheduler"), true);
    }
}

#[test]
fn another_rule_counts_for_what_waits() {
    let requests = [
        request(1, revision(Some("r1"))),
        request(2, revision(Some("r2"))),
        request(3, revision(Some("r1"))),
    ];
    let mut queue = RequestQueue::new(by(MergeRule::Never));
    for r in &requests {
        queue.insert(r, &mut Vec::new());
    }
    queue.set_rules(
        by(MergeRule::SameBranch),
        None,
        None,
        requests.iter(),
        &mut Vec::new(),
    );
    queue.set_rules(
        by(MergeRule::Compatible),
        None,
        None,
        requests.iter(),
        &mut Vec::new(),
    );
    let taken = queue.take_first(None, |_| true);
    assert_eq!(taken, [RequestId(1), RequestId(3)]);
    queue.remove(&requests[1]);
    assert_eq!(queue.first(), None);
}

#[test]
fn brq_09_priority_goes_before_age_in_the_queue_and_in_what_is_merged() {
    // Numbers tell the age: the clock was set back meanwhile.
    let at = |id: u64, priority: i32, secs: i64| BuildRequest {
        priority,
        submitted_at: Timestamp::from_secs(secs),
        ..request(id, revision(None))
    };
    let requests = [
        at(1, 0, 30),
        at(2, 5, 40),
        at(3, 0, 10),
        at(4, 5, 40),
        at(5, -1, 1),
    ];
    let mut queue = RequestQueue::new(by(MergeRule::Compatible));
    for r in &requests {
        queue.insert(r, &mut Vec::new());
    }
    let order: Vec<u64> = queue.iter().map(|(_, id)| id.0).collect();
    assert_eq!(order, [2, 4, 1, 3, 5]);
    let taken = queue.take_first(None, |_| true);
    assert_eq!(taken, [2, 4, 1, 3, 5].map(RequestId));
}

#[test]
fn bld_17_the_oldest_request_may_be_behind_more_urgent_ones() {
    let mut queue = RequestQueue::new(Merging::default());
    assert_eq!(queue.oldest(), None);
    for (id, priority) in [(4, 2), (5, 2), (2, 1), (3, 0), (6, -1)] {
        let request = BuildRequest {
            priority,
            ..request(id, SourceStamp::default())
        };
        queue.insert(&request, &mut Vec::new());
    }
    assert_eq!(queue.first().map(|(_, id)| id), Some(RequestId(4)));
    assert_eq!(queue.oldest(), Some(RequestId(2)));
}
