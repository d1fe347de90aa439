//! What became of a change, and sets that clients look for.

use bytes::Bytes;

use super::*;
use crate::model::Decision;

#[test]
fn what_schedulers_made_of_a_change_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let until = at(160);
    let decisions: Vec<(SchedulerName, Decision)> = [
        ("a", Decision::OffBranch),
        ("b", Decision::OffBranch),
        ("c", Decision::TimerRuns { until }),
        ("d", Decision::OffBranch),
    ]
    .map(|(name, decision)| (name.into(), decision))
    .into();
    let offered = |change, decisions| Op::ChangeOffered {
        change: ChangeNumber(change),
        decisions,
    };
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(a_change(1)),
            Op::ChangeAdded(a_change(2)),
            Op::ChangeAdded(a_change(3)),
            offered(1, decisions.clone()),
            offered(2, Vec::new()),
        ],
    );
    let state = open_state(dir.path());
    let read = |n| state.decisions(ChangeNumber(n)).unwrap();
    assert_eq!(read(1), Some(decisions));
    assert_eq!(read(2), Some(Vec::new()));
    assert_eq!(read(3), None);
    let conn = schema::open_for_reading(dir.path()).unwrap();
    let stored: String = conn
        .query_row(
            "SELECT schedulers FROM decision WHERE change = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let expected = r#"[["off_branch",["a","b"]],[{"timer_runs":{"until":160000000}},["c"]],["off_branch",["d"]]]"#;
    assert_eq!(stored, expected);
}

#[test]
fn a_change_is_found_in_its_sets_and_their_builds() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(a_change(1)),
            Op::ChangeAdded(a_change(2)),
            Op::SetSubmitted(a_set(
                1,
                1,
                &["quick", "full"],
                vec![a_change(1), a_change(2)],
            )),
            Op::SetSubmitted(a_set(2, 3, &["quick"], vec![a_change(2)])),
            started(7, "quick", 0, &[1, 3]),
        ],
    );
    let state = open_state(dir.path());
    let sets = |n| -> Vec<_> {
        let sets = state.sets_of_change(ChangeNumber(n)).unwrap();
        sets.iter().map(|s| s.id.0).collect()
    };
    assert_eq!((sets(1), sets(2), sets(3)), (vec![1], vec![1, 2], vec![]));
    let requests = state.requests_of_change(ChangeNumber(2)).unwrap();
    let requests: Vec<_> = requests
        .iter()
        .map(|r| (r.set.0, r.id.0, r.build.map(|b| b.0)))
        .collect();
    assert_eq!(requests, [(1, 1, Some(0)), (1, 2, None), (2, 3, Some(0))]);
}

#[test]
fn bst_10_tjd_11_a_client_finds_its_set_by_its_own_id_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut ops = Vec::new();
    for (set, id) in [
        (1, Some("id1")),
        (2, Some("other")),
        (3, None),
        (4, Some("id1")),
    ] {
        let mut set = (*a_set(set, set, &["quick"], vec![])).clone();
        set.external_id = id.map(str::to_owned);
        ops.push(Op::SetSubmitted(Arc::new(set)));
    }
    apply_all(dir.path(), &ops);
    reopen(dir.path());
    let state = open_state(dir.path());
    let find = |id| state.set_of_try_job(&"quick".into(), id).unwrap();
    assert_eq!(find("id1"), Some(SetId(4)), "the newest");
    assert_eq!(find("other"), Some(SetId(2)));
    assert_eq!(find(""), None);
}

#[test]
fn a_try_job_is_recovered_with_the_very_same_patch() {
    let dir = tempfile::tempdir().unwrap();
    let diff: Bytes = (0..=255).cycle().take(100_000).collect();
    let mut set = (*a_set(1, 1, &["quick"], vec![])).clone();
    set.stamps = Arc::new(SourceStamps::from(SourceStamp {
        branch: Some("trunk".to_owned()),
        patch: Some(Patch {
            level: 0,
            body: PatchBody::Kept(SetId(1)),
            subdir: None,
            who: Some("zoë".to_owned()),
            comment: Some("try it".to_owned()),
        }),
        project: "p".to_owned(),
        repository: "r".to_owned(),
        ..SourceStamp::default()
    }));
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(Arc::new(set.clone())),
            kept(1, PatchBody::Given(diff.clone())),
            started(1, "quick", 0, &[1]),
        ],
    );
    // Once after a crash in the middle of its build, once after a stop while it is queued.
    for _ in 0..2 {
        let recovered = reopen(dir.path());
        assert_eq!(queue(&recovered), [(1, "quick", 0, 1)]);
        assert_eq!(recovered.requests[0].stamps, set.stamps);
        assert_eq!(*recovered.sets[0].set, set);
        let kept = open_state(dir.path()).diff(SetId(1)).unwrap();
        assert_eq!(kept.unwrap(), diff);
    }
}

#[test]
fn cbs_05_a_set_of_several_codebases_comes_back_with_each_stamp() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (a_change(1), a_change(2));
    let of = |codebase: &str, change: &Arc<Change>| SourceStamp {
        codebase: codebase.to_owned(),
        ..SourceStamp::from_changes(vec![Arc::clone(change)])
    };
    let tried = SourceStamp {
        codebase: "tools".to_owned(),
        revision: Some("r5".to_owned()),
        patch: Some(Patch {
            level: 1,
            body: PatchBody::Kept(SetId(1)),
            subdir: None,
            who: None,
            comment: None,
        }),
        ..SourceStamp::default()
    };
    let mut set = (*a_set(1, 1, &["quick"], vec![])).clone();
    set.stamps = Arc::new(
        [of("core", &two), of("lib", &one), tried]
            .into_iter()
            .collect(),
    );
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(one),
            Op::ChangeAdded(two),
            Op::SetSubmitted(Arc::new(set.clone())),
            started(1, "quick", 0, &[1]),
        ],
    );
    let recovered = reopen(dir.path());
    assert_eq!(recovered.requests[0].stamps, set.stamps);
    assert_eq!(*recovered.sets[0].set, set);
    let state = open_state(dir.path());
    let (stamps, _) = state.wishes(&[RequestId(1)]).unwrap();
    assert_eq!(stamps, [Arc::clone(&set.stamps)]);
    let line = state.origin_of(&[RequestId(1)]).unwrap().unwrap().line;
    let codebases = line.more.iter().map(|line| line.codebase.as_str());
    assert_eq!(line.codebase, "core");
    assert_eq!(codebases.collect::<Vec<_>>(), ["lib", "tools"]);
    for change in [1, 2] {
        let builds = state.builds_of_change(ChangeNumber(change)).unwrap();
        assert_eq!(builds.len(), 1, "change {change}");
    }
    drop(state);
    let conn = Connection::open(dir.path().join("state.sqlite")).unwrap();
    conn.execute("DELETE FROM build_set WHERE id = 1", [])
        .unwrap();
    let left = conn.query_row("SELECT count(*) FROM change_in_set", [], |row| row.get(0));
    assert_eq!(left, Ok(0), "all of them are removed with the set");
}

fn kept(set: u64, body: PatchBody) -> Op {
    let set = SetId(set);
    Op::PatchKept { set, body }
}

#[test]
fn a_rebuild_has_a_copy_of_the_diff_which_outlives_the_set_it_is_from() {
    let dir = tempfile::tempdir().unwrap();
    let set = |id: u64| {
        let mut set = (*a_set(id, id, &["quick"], vec![])).clone();
        set.stamps = Arc::new(SourceStamps::from(SourceStamp {
            patch: Some(Patch {
                level: 1,
                body: PatchBody::Kept(SetId(id)),
                subdir: None,
                who: None,
                comment: None,
            }),
            ..SourceStamp::default()
        }));
        Op::SetSubmitted(Arc::new(set))
    };
    let ops = [
        set(1),
        kept(1, PatchBody::Given(Bytes::from_static(b"diff"))),
        set(2),
        kept(2, PatchBody::Kept(SetId(1))),
        // What it is from is gone.
        set(3),
        kept(3, PatchBody::Kept(SetId(9))),
    ];
    apply_all(dir.path(), &ops);
    let conn = schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
    conn.execute("DELETE FROM build_set WHERE id = 1", [])
        .unwrap();
    let diff = |set| open_state(dir.path()).diff(SetId(set)).unwrap();
    assert_eq!(diff(1), None);
    assert_eq!(diff(2).unwrap(), b"diff");
    assert_eq!(diff(3).unwrap(), b"");
}
