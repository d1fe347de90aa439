#![expect(clippy::unwrap_used, reason = "tests")]

mod heads_of_orders;
mod infrastructure;
mod judged;
mod of_build;
mod of_change;
mod of_letters;
mod of_tests;
mod problems;
mod tested_problems;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::model::journal::{BuildFinish, BuildStart, LogOpening, Recovered, StepStart};
use crate::model::{
    BigState, BuildId, BuildNumber, BuildSet, BuilderName, Change, ChangeNumber, Forecast,
    InstanceRecord, InstanceStop, KnownLogin, LoginRecord, NewChange, Patch, PatchBody, Properties,
    RequestId, Results, SchedulerName, SetId, SourceStamp, SourceStamps, StopMeans, Timestamp,
    WaitingChange,
};
use crate::model::{begin_epoch, end_last_run};
use crate::store::read::{self, VisitRow};
use crate::store::{State, Store, StoreError, schema};

// ---- what the tests of the store say things with ----

pub(in crate::store) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(in crate::store) fn a_change(number: u64) -> Arc<Change> {
    let mut properties = Properties::new();
    properties.set("bug", json!([1, "two"]), "Change");
    Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: at(100),
        when: at(90),
        content: NewChange {
            who: "zoë".to_owned(),
            files: vec!["a.c".to_owned(), "dir/b c".to_owned()],
            files_left_out: 7,
            comments: "line\n\"two\"\0".to_owned(),
            revision: Some(format!("r{number}")),
            branch: Some(String::new()),
            when: Some(at(90)),
            made_at: Some(at(80)),
            category: Some("cat".to_owned()),
            src: Some("git".to_owned()),
            project: "p".to_owned(),
            repository: "r".to_owned(),
            codebase: "c".to_owned(),
            revlink: "http://x/".to_owned(),
            properties,
            notes: Vec::new(),
            is_skipped: false,
        },
    })
}

/// A set of one request a builder, numbered from `first_request`.
pub(in crate::store) fn a_set(
    id: u64,
    first_request: u64,
    builders: &[&str],
    changes: Vec<Arc<Change>>,
) -> Arc<BuildSet> {
    let mut properties = Properties::new();
    properties.set("scheduler", "quick", "Scheduler");
    Arc::new(BuildSet {
        id: SetId(id),
        external_id: Some(format!("job-{id}")),
        scheduler: Some(SchedulerName::from("quick")),
        stamps: Arc::new(SourceStamp::from_changes(changes).into()),
        reason: "because".to_owned(),
        properties: Arc::new(properties),
        submitted_at: at(200),
        priority: 7,
        requests: (first_request..)
            .map(RequestId)
            .zip(builders.iter().map(|&b| BuilderName::from(b)))
            .collect(),
        parent: None,
    })
}

pub(in crate::store) fn started(build: u64, builder: &str, number: u64, requests: &[u64]) -> Op {
    let mut properties = Properties::new();
    properties.set("buildnumber", number, "Build");
    Op::BuildStarted(Arc::new(BuildStart {
        build: BuildId(build),
        builder: builder.into(),
        number: BuildNumber(number),
        builddir: builder.to_owned(),
        slave: "bot".into(),
        requests: requests.iter().copied().map(RequestId).collect(),
        changes: vec![ChangeNumber(1)],
        blamelist: vec!["zoë".to_owned()],
        reason: "because".to_owned(),
        properties,
        forecast: Forecast::default(),
        choice: "no other slave was idle".to_owned(),
        planned: vec![],
        at: at(300),
    }))
}

pub(in crate::store) fn finished(build: u64, result: Results) -> Op {
    let mut properties = Properties::new();
    properties.set_runtime("got_revision", "r1", "Source");
    Op::BuildFinished(BuildFinish {
        build: BuildId(build),
        result,
        text: vec!["build".to_owned(), result.to_string()],
        stop_reason: None,
        properties,
        at: at(400),
    })
}

pub(in crate::store) fn request_finished(request: u64, result: Results) -> Op {
    Op::RequestFinished {
        request: RequestId(request),
        result,
        why: None,
        at: at(400),
    }
}

pub(in crate::store) fn step_started(build: u64, index: u32, name: &str) -> Op {
    Op::StepStarted(StepStart {
        build: BuildId(build),
        index,
        name: name.to_owned(),
        text: vec!["compiling".to_owned()],
        waits: true,
        at: at(310),
    })
}

pub(in crate::store) fn log_opened(build: u64, step: u32, position: u32, name: &str) -> Op {
    Op::LogOpened(LogOpening {
        build: BuildId(build),
        step,
        position,
        name: name.to_owned(),
        path: format!("builders/quick/{build}/{step}-compile.{name}"),
    })
}

/// Opens, applies and closes.
pub(in crate::store) fn apply_all(dir: &Path, ops: &[Op]) {
    Store::open(dir).unwrap();
    let conn = schema::open_for_writing(&dir.join(Store::FILE)).unwrap();
    for op in ops {
        apply(&conn, op).unwrap();
    }
}

pub(in crate::store) fn reopen(dir: &Path) -> Recovered {
    Store::open(dir).unwrap().1
}

/// A master starts on the state, and ends what the last run left open.
pub(in crate::store) fn restart(dir: &Path, wall: Timestamp) {
    let mut recovered = reopen(dir);
    let mut ops = vec![begin_epoch(&mut recovered, wall)];
    ops.extend(end_last_run(&mut recovered, wall));
    let conn = schema::open_for_writing(&dir.join(Store::FILE)).unwrap();
    for op in ops {
        apply(&conn, &op).unwrap();
    }
}

/// What is queued, as (request, builder, retries, starts).
pub(in crate::store) fn queue(recovered: &Recovered) -> Vec<(u64, &str, u32, u32)> {
    let requests = recovered.requests.iter();
    requests
        .map(|r| (r.id.0, r.builder.as_str(), r.retries, r.start_count))
        .collect()
}

fn open_state(dir: &Path) -> State {
    State::open_readonly(dir).unwrap()
}

// ---- what is written can be read again ----

#[test]
fn a_change_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut plain = (*a_change(2)).clone();
    plain.content = NewChange {
        who: "bob".to_owned(),
        ..NewChange::default()
    };
    let changes = [a_change(1), Arc::new(plain)];
    apply_all(dir.path(), &changes.clone().map(Op::ChangeAdded));
    let state = open_state(dir.path());
    let [one, two] = [1, 2].map(|n| state.change(ChangeNumber(n)).unwrap().unwrap());
    assert_eq!((&one, &two), (&*changes[0], &*changes[1]));
    assert_eq!(state.changes(1).unwrap(), [two]);
    assert_eq!(state.change(ChangeNumber(3)).unwrap(), None);
}

#[test]
fn a_property_nested_as_deep_as_a_peer_may_send_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut change = (*a_change(1)).clone();
    let deep = (0..400).fold(json!(1), |inner, _| json!([inner]));
    change.content.properties.set("deep", deep, "Change");
    apply_all(dir.path(), &[Op::ChangeAdded(Arc::new(change.clone()))]);
    let read = open_state(dir.path()).change(ChangeNumber(1)).unwrap();
    assert_eq!(read, Some(change));
}

#[test]
fn an_open_set_comes_back_whole_with_its_changes_and_patch() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (a_change(1), a_change(2));
    let plain = a_set(1, 1, &["quick", "full"], vec![one.clone(), two.clone()]);
    let mut tried = (*a_set(2, 3, &["full"], vec![two.clone()])).clone();
    tried.external_id = None;
    tried.scheduler = None;
    tried.stamps = Arc::new(SourceStamps::from(SourceStamp {
        revision: Some("abc".to_owned()),
        patch: Some(Patch {
            level: 1,
            body: PatchBody::Kept(SetId(2)),
            subdir: Some("sub".to_owned()),
            who: None,
            comment: Some("try it".to_owned()),
        }),
        ..tried.stamps.first().clone()
    }));
    let tried = Arc::new(tried);
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(one),
            Op::ChangeAdded(two),
            Op::SetSubmitted(plain.clone()),
            Op::SetSubmitted(tried.clone()),
            request_finished(2, Results::Failure),
        ],
    );
    let recovered = reopen(dir.path());
    let sets: Vec<_> = recovered.sets.iter().map(|s| &*s.set).collect();
    assert_eq!(sets, [&*plain, &*tried]);
    assert_eq!(
        recovered.sets[0].finished,
        [(RequestId(2), Results::Failure)]
    );
    assert_eq!(recovered.sets[1].finished, []);
    assert_eq!(queue(&recovered), [(1, "quick", 0, 0), (3, "full", 0, 0)]);
    let request = &recovered.requests[1];
    assert!(Arc::ptr_eq(&request.stamps, &recovered.sets[1].set.stamps));
    assert!(Arc::ptr_eq(
        &recovered.sets[0].set.stamps.first().changes[1],
        &recovered.sets[1].set.stamps.first().changes[0],
    ));
    assert!(recovered.changes.is_empty(), "no scheduler holds any");
}

#[test]
fn bst_11_a_set_is_shown_before_during_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let set = a_set(1, 1, &["quick", "full"], vec![]);
    apply_all(dir.path(), &[Op::SetSubmitted(set.clone())]);
    let read = |dir: &Path| open_state(dir).build_set(SetId(1)).unwrap().unwrap();
    let before = read(dir.path());
    assert_eq!(before.reason, "because");
    assert_eq!(before.external_id.as_deref(), Some("job-1"));
    assert_eq!(before.submitted_at, at(200));
    assert_eq!(before.properties, *set.properties);
    assert_eq!(before.requests, set.requests);
    assert_eq!(before.finished, None);
    let ended = Op::SetFinished {
        set: SetId(1),
        result: Results::Warnings,
        at: at(450),
    };
    apply_all(dir.path(), &[ended]);
    assert_eq!(
        read(dir.path()),
        read::SetRow {
            finished: Some((Results::Warnings, at(450))),
            ..before
        }
    );
    assert!(reopen(dir.path()).sets.is_empty());
}

#[test]
fn brq_06_starts_that_fail_count_like_those_that_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let failed = |requests: &[u64]| Op::StartFailed {
        requests: requests.iter().map(|&id| RequestId(id)).collect(),
    };
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(a_set(1, 1, &["quick", "quick"], vec![])),
            failed(&[1, 2]),
            failed(&[1]),
            started(7, "quick", 0, &[1]),
        ],
    );
    assert_eq!(
        queue(&reopen(dir.path())),
        [(1, "quick", 0, 3), (2, "quick", 0, 1)]
    );
}

#[test]
fn scheduler_states_come_back_with_the_changes_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let state = |name: &str, state: Option<Value>| Op::SchedulerState {
        scheduler: name.into(),
        state,
    };
    let held = json!({"due": 5, "branches": [{"changes": [2, 1]}], "other": [3]});
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(a_change(1)),
            Op::ChangeAdded(a_change(2)),
            Op::ChangeAdded(a_change(3)),
            state("quick", Some(json!(1))),
            state("quick", Some(held.clone())),
            state("gone", Some(json!({}))),
            state("gone", None),
            state("never", None),
        ],
    );
    let recovered = reopen(dir.path());
    assert_eq!(
        recovered.schedulers.into_iter().collect::<Vec<_>>(),
        [(SchedulerName::from("quick"), held)]
    );
    let changes: Vec<_> = recovered.changes.into_values().collect();
    assert_eq!(changes, [a_change(1), a_change(2)]);
}

#[test]
fn changes_that_come_to_wait_are_added_to_the_state_until_that_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let state = |state: Option<Value>| Op::SchedulerState {
        scheduler: "quick".into(),
        state,
    };
    let waits = |change, important| Op::SchedulerWaits {
        scheduler: "quick".into(),
        waits: WaitingChange {
            change: ChangeNumber(change),
            important,
        },
    };
    let held = || {
        let recovered = reopen(dir.path());
        let changes: Vec<_> = recovered
            .changes
            .into_keys()
            .map(|number| number.0)
            .collect();
        (recovered.schedulers.into_values().next(), changes)
    };
    let first = json!({"changes": [1], "important": []});
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(a_change(1)),
            Op::ChangeAdded(a_change(2)),
            Op::ChangeAdded(a_change(3)),
            state(Some(first.clone())),
            waits(2, true),
            waits(3, false),
        ],
    );
    let all = json!({"changes": [1, 2, 3], "important": [2]});
    assert_eq!(held(), (Some(all), vec![1, 2, 3]));
    apply_all(dir.path(), &[state(Some(first.clone()))]);
    assert_eq!(held(), (Some(first), vec![1]));
    apply_all(dir.path(), &[waits(2, true), state(None)]);
    assert_eq!(held(), (None, vec![]));
}

#[test]
fn web_04_the_newest_comings_and_goings_of_a_slave_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let state = |slave: &str, connected, secs| Op::SlaveState {
        slave: slave.into(),
        connected,
        info: None,
        at: at(secs),
    };
    let mut ops = vec![state("other", true, 1)];
    for n in 0..130 {
        ops.push(state("bot", true, 10 * n));
        // What it tells of itself later begins nothing.
        ops.push(state("bot", true, 10 * n + 1));
        ops.push(state("bot", false, 10 * n + 5));
    }
    ops.push(state("bot", true, 9_000));
    apply_all(dir.path(), &ops);
    let visits = open_state(dir.path()).visits(&"bot".into()).unwrap();
    assert_eq!(visits.len(), 100);
    let visit = |came, went: Option<i64>| VisitRow {
        came_at: at(came),
        went_at: went.map(at),
    };
    assert_eq!(visits[0], visit(9_000, None));
    assert_eq!(visits[1], visit(1_290, Some(1_295)));
    assert_eq!(visits[99], visit(310, Some(315)));
    let others = open_state(dir.path()).visits(&"other".into()).unwrap();
    assert_eq!(others, [visit(1, None)]);
}

#[test]
fn builders_and_slaves_are_those_of_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let slave_state = |connected, info: Option<&[(&str, &str)]>, secs| Op::SlaveState {
        slave: "bot".into(),
        connected,
        info: info.map(|pairs| {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            Arc::new(pairs.collect())
        }),
        at: at(secs),
    };
    apply_all(
        dir.path(),
        &[
            Op::Configured {
                builders: vec![("old".into(), vec!["bot".into()])],
                slaves: vec!["bot".into(), "gone".into()],
            },
            slave_state(true, Some(&[("version", "0.8.14")]), 10),
            slave_state(false, None, 20),
            Op::Configured {
                builders: vec![
                    ("zeta".into(), vec!["bot".into(), "new".into()]),
                    ("alpha".into(), vec!["bot".into()]),
                ],
                slaves: vec!["new".into(), "bot".into()],
            },
            Op::BuilderState {
                builder: "zeta".into(),
                state: BigState::Building,
            },
            Op::SetSubmitted(a_set(1, 1, &["zeta", "zeta", "alpha"], vec![])),
            started(1, "zeta", 0, &[1]),
            finished(1, Results::Failure),
            request_finished(1, Results::Failure),
            started(2, "zeta", 1, &[2]),
            started(3, "old", 0, &[]),
        ],
    );
    let state = open_state(dir.path());
    let builders = state.builders().unwrap();
    let zeta = read::BuilderRow {
        paused: None,
        name: "zeta".into(),
        state: "building".to_owned(),
        slaves: vec!["bot".into(), "new".into()],
        building: vec![(BuildNumber(1), "bot".into())],
        last: Some((BuildNumber(0), Results::Failure, at(400))),
    };
    assert_eq!(builders[0], zeta);
    assert_eq!(builders.len(), 2);
    let pending = state.pending().unwrap();
    assert_eq!(pending, [("alpha".into(), (1, at(200)))].into(), "BLD-17");
    let names: Vec<_> = state.builder_names().unwrap();
    assert_eq!(names, ["alpha".into(), "old".into(), "zeta".into()]);
    let slaves = state.slaves().unwrap();
    assert_eq!(slaves[0].seen_at, None);
    assert_eq!(slaves[0].name.as_str(), "new");
    assert_eq!(
        slaves[1],
        read::SlaveRow {
            paused: None,
            name: "bot".into(),
            connected: false,
            seen_at: Some(at(20)),
            heard_at: None,
            info: [("version".to_owned(), "0.8.14".to_owned())].into(),
            builders: vec!["zeta".into(), "alpha".into()],
        }
    );
}

#[test]
fn known_logins_are_kept_in_the_order_of_their_records() {
    let dir = tempfile::tempdir().unwrap();
    let login = |user: &str, network: &str| KnownLogin {
        user: user.to_owned(),
        network: network.parse().unwrap(),
    };
    let known = |login, forgotten, secs| Op::LoginKnown {
        record: LoginRecord { login, forgotten },
        at: at(secs),
    };
    let (v4, v6) = (login("bot", "10.0.0.1"), login("zoë", "2001:db8::"));
    let ops = [
        known(v4.clone(), None, 1),
        known(login("bot", "10.0.0.2"), None, 2),
        known(v6.clone(), None, 3),
        known(v4.clone(), None, 4),
        known(login("x", "10.0.0.3"), Some(login("bot", "10.0.0.2")), 5),
    ];
    apply_all(dir.path(), &ops);
    let recovered = reopen(dir.path()).known_logins;
    assert_eq!(recovered, [v6, v4, login("x", "10.0.0.3")]);
}

#[test]
fn lat_07_instances_are_on_record_until_they_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let instance = |slave: &str, of: Option<(&str, StopMeans)>| Op::SlaveInstance {
        slave: slave.into(),
        instance: of.map(|(identity, means)| {
            let (identity, limit) = (identity.to_owned(), Duration::from_millis(1500));
            let stop = InstanceStop { means, limit };
            InstanceRecord { identity, stop }
        }),
    };
    let words = vec!["stop it".to_owned(), "\u{1}é".to_owned()];
    let command = StopMeans::Command { words };
    let program = "podman".to_owned();
    let docker = StopMeans::Docker { program };
    let ops = [
        instance("a", Some(("", command.clone()))),
        instance("a", Some(("i-1", command))),
        instance("b", Some(("", docker))),
        instance("c", Some(("", StopMeans::Process))),
        instance("d", Some(("x", StopMeans::Process))),
        instance("d", None),
    ];
    apply_all(dir.path(), &ops);
    let recovered = reopen(dir.path()).slaves;
    let there = recovered.into_iter();
    let there = there.map(|(slave, known)| Op::SlaveInstance {
        slave,
        instance: known.instance,
    });
    let [_, a, b, c, _, d] = ops;
    assert_eq!(there.collect::<Vec<_>>(), [a, b, c, d]);
}

#[test]
fn what_contradicts_the_state_is_refused_and_leaves_the_transaction_open() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(dir.path(), &[Op::ChangeAdded(a_change(1))]);
    let conn = schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
    conn.execute_batch("BEGIN").unwrap();
    for op in [
        Op::ChangeAdded(a_change(1)),
        finished(99, Results::Success),
        step_started(99, 0, "no such build"),
    ] {
        assert!(matches!(apply(&conn, &op), Err(Refusal::Op(_))), "{op:?}");
    }
    apply(&conn, &Op::ChangeAdded(a_change(2))).unwrap();
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!(open_state(dir.path()).changes(9).unwrap().len(), 2);
}

#[test]
fn a_second_master_is_told_who_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::AlreadyRunning { .. }));
    let pid = format!("(process {})", std::process::id());
    assert!(error.to_string().ends_with(&pid), "{error}");
    let state = State::open_readonly(dir.path()).unwrap();
    assert!(state.is_master_running());
    drop(store);
    assert!(!state.is_master_running());
    Store::open(dir.path()).unwrap();
}
