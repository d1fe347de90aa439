#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::journal::{BuildFinish, LogOpening};
use crate::model::{Op, Results, SchedulerName};
use crate::store::apply::tests::{
    a_change, a_set, apply_all, at, finished, log_opened, reopen, request_finished, started,
    step_started,
};
use crate::store::read::tests::plan;
use crate::store::{Store, apply, schema};

/// Build number `n` of `quick`, with its change, its set and its request, which have the same
/// number, ended at `n` seconds.
fn built(n: u64) -> Vec<Op> {
    let mut ops = begun(n, &["quick"], n);
    ops.extend(ended(n));
    ops.push(Op::SetFinished {
        set: SetId(n),
        result: Results::Success,
        at: at(400),
    });
    ops
}

/// The same, as far as its start; it is of a set with these builders, whose first request this is.
fn begun(n: u64, builders: &[&str], request: u64) -> Vec<Op> {
    vec![
        Op::ChangeAdded(a_change(n)),
        Op::SetSubmitted(a_set(n, request, builders, vec![a_change(n)])),
        started(n, builders[0], n, &[request]),
        step_started(n, 0, "compile"),
        log_opened(n, 0, 0, "stdio"),
    ]
}

fn ended(n: u64) -> Vec<Op> {
    let mut end = finished(n, Results::Success);
    if let Op::BuildFinished(BuildFinish { at: ended, .. }) = &mut end {
        *ended = at(i64::try_from(n).unwrap());
    }
    vec![end, request_finished(n, Results::Success)]
}

struct Base {
    dir: tempfile::TempDir,
    conn: Connection,
    state: State,
}

impl Base {
    fn with(ops: impl IntoIterator<Item = Op>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        apply_all(dir.path(), &ops.into_iter().collect::<Vec<_>>());
        let conn = schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
        let state = State::open_readonly(dir.path()).unwrap();
        Self { dir, conn, state }
    }

    fn prune(&self, page: impl Fn(&State, u64) -> Result<Page, StoreError>) -> Vec<Pruned> {
        let mut all = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next {
            let page = page(&self.state, from).unwrap();
            if let Some(pruned) = page.found {
                apply::apply(&self.conn, &Op::Pruned(pruned.clone())).unwrap();
                all.push(pruned);
            }
            next = page.next;
        }
        all
    }

    fn prune_builds(&self, what: What, limits: Limits) -> Vec<Pruned> {
        self.prune(|state, from| state.prunable_builds(&"quick".into(), what, &limits, from))
    }

    fn prune_changes(&self, limits: Limits) -> Vec<Pruned> {
        self.prune(|state, from| state.prunable_changes(&limits, from))
    }

    /// The numbers in a column, in order.
    fn numbers(&self, sql: &str) -> Vec<u64> {
        let mut select = self.conn.prepare(sql).unwrap();
        let rows = select.query_map([], |row| whole(row, 0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn builds(&self) -> Vec<u64> {
        self.numbers("SELECT number FROM build ORDER BY id")
    }
}

fn count(count: u32) -> Limits {
    Limits {
        count: Some(count),
        ..Limits::default()
    }
}

fn since(secs: i64) -> Limits {
    Limits {
        since: Some(at(secs)),
        ..Limits::default()
    }
}

#[test]
fn mas_08_builds_beyond_the_count_go_with_all_that_is_theirs_in_small_steps() {
    let base = Base::with((1..=100).flat_map(built));
    let numbers = reopen(base.dir.path()).next;
    let steps = base.prune_builds(What::Builds, count(3));
    assert_eq!(base.builds(), [98, 99, 100]);
    for (table, column) in [
        ("build_set", "id"),
        ("request", "id"),
        ("step", "build"),
        ("log", "build"),
        ("change_in_set", "build_set"),
    ] {
        let sql = format!("SELECT {column} FROM {table} ORDER BY 1");
        assert_eq!(base.numbers(&sql), [98, 99, 100], "{table}");
    }
    for step in &steps {
        let Pruned::Builds(builds) = step else {
            panic!("{step:?}");
        };
        assert!(builds.len() <= usize::try_from(PAGE).unwrap());
    }
    assert_eq!(steps.len(), 7);
    assert_eq!(base.prune_builds(What::Builds, count(3)), []);
    assert_eq!(reopen(base.dir.path()).next, numbers);
    let quick = "quick".into();
    let is_gone = |n| base.state.was_build(&quick, BuildNumber(n)).unwrap();
    assert!(is_gone(97) && !is_gone(101));
    assert!(base.state.was_request(RequestId(97)).unwrap());
    assert!(base.state.were_sets().unwrap());
}

#[test]
fn mas_08_what_runs_or_belongs_to_an_open_set_stays_and_so_does_the_last_build() {
    let mut ops = built(1);
    // It runs; the second belongs to a set that waits for another builder.
    ops.extend(begun(2, &["quick"], 2));
    ops.extend(begun(3, &["quick", "full"], 3));
    ops.extend(ended(3));
    ops.extend(built(5));
    // The newest runs, so that this is the last that has ended.
    ops.extend(begun(6, &["quick"], 6));
    let base = Base::with(ops);
    base.prune_builds(What::Builds, count(1));
    assert_eq!(base.builds(), [2, 3, 5, 6]);
    base.prune_builds(What::Logs, count(1));
    assert_eq!(
        base.numbers("SELECT build FROM log ORDER BY 1"),
        [2, 3, 5, 6]
    );
    let recovered = reopen(base.dir.path());
    let open: Vec<_> = recovered.requests.iter().map(|r| r.id.0).collect();
    assert_eq!(open, [2, 4, 6]);
}

#[test]
fn mas_08_a_set_stays_as_long_as_one_of_its_builds_does() {
    let mut ops = begun(1, &["full", "quick"], 1);
    ops.push(started(2, "quick", 2, &[2]));
    ops.push(finished(1, Results::Success));
    ops.push(finished(2, Results::Success));
    ops.extend([1, 2].map(|request| request_finished(request, Results::Success)));
    ops.push(Op::SetFinished {
        set: SetId(1),
        result: Results::Success,
        at: at(400),
    });
    ops.extend(built(3));
    let base = Base::with(ops);
    base.prune_builds(What::Builds, count(1));
    assert_eq!(base.builds(), [1, 3]);
    assert_eq!(base.numbers("SELECT id FROM build_set ORDER BY 1"), [1, 3]);
}

#[test]
fn mas_08_old_builds_go_but_never_the_last_one() {
    let base = Base::with((1..=5).flat_map(built));
    base.prune_builds(What::Builds, since(3));
    assert_eq!(base.builds(), [3, 4, 5]);
    base.prune_builds(What::Builds, since(1_000));
    assert_eq!(base.builds(), [5]);
}

#[test]
fn mas_08_logs_go_and_their_builds_stay() {
    let base = Base::with((1..=5).flat_map(built));
    base.prune_builds(What::Logs, count(2));
    assert_eq!(base.builds(), [1, 2, 3, 4, 5]);
    assert_eq!(base.numbers("SELECT build FROM log ORDER BY 1"), [4, 5]);
    assert_eq!(base.prune_builds(What::Logs, count(2)), []);
    let is_gone = |n| base.state.are_logs_gone(BuildId(n)).unwrap();
    assert!(is_gone(3) && !is_gone(4));
}

#[test]
fn chg_07_changes_stay_that_an_open_set_or_a_scheduler_has() {
    let mut ops: Vec<_> = (1..=10).map(|n| Op::ChangeAdded(a_change(n))).collect();
    ops.push(Op::SetSubmitted(a_set(1, 1, &["quick"], vec![a_change(1)])));
    let scheduler = SchedulerName::from("nightly");
    let state = Some(json!({"branches": [{"changes": [4]}]}));
    ops.push(Op::SchedulerState { scheduler, state });
    let base = Base::with(ops);
    let numbers = reopen(base.dir.path()).next;
    let changes = || base.numbers("SELECT number FROM change ORDER BY 1");
    base.prune_changes(count(3));
    assert_eq!(changes(), [1, 4, 8, 9, 10]);
    assert!(base.state.was_change(ChangeNumber(7)).unwrap());
    // All have come at 100 seconds.
    base.prune_changes(since(100));
    assert_eq!(changes(), [1, 4, 8, 9, 10]);
    base.prune_changes(since(101));
    assert_eq!(changes(), [1, 4]);
    assert_eq!(reopen(base.dir.path()).next, numbers);
}

#[test]
fn mas_08_sets_without_a_build_go_when_they_are_older_than_the_builds_that_stay() {
    let cancelled = |n: u64, submitted: i64| {
        let mut set = (*a_set(n, n, &["quick"], vec![])).clone();
        set.submitted_at = at(submitted);
        [
            Op::SetSubmitted(std::sync::Arc::new(set)),
            request_finished(n, Results::Failure),
            Op::SetFinished {
                set: SetId(n),
                result: Results::Failure,
                at: at(400),
            },
        ]
    };
    let mut ops: Vec<_> = (1..=3).flat_map(built).collect();
    // All builds have begun at 300 seconds.
    ops.extend(cancelled(11, 299));
    ops.extend(cancelled(12, 300));
    let base = Base::with(ops);
    let sets = |limits| {
        base.prune(|state, _| state.prunable_sets(&"quick".into(), &limits));
        base.numbers("SELECT id FROM build_set WHERE id > 10 ORDER BY 1")
    };
    assert_eq!(sets(count(4)), [11, 12], "there are fewer builds");
    assert_eq!(sets(count(2)), [12]);
    assert_eq!(sets(since(301)), [0; 0]);
}

#[test]
fn mas_08_directories_of_logs_are_known_until_they_are_gone_from_the_disk() {
    let base = Base::with((1..=3).flat_map(built));
    base.prune_builds(What::Logs, count(1));
    base.prune_builds(What::Builds, count(1));
    // A start in between changes nothing.
    reopen(base.dir.path());
    let dir = |n: u64| format!("builders/quick/{n}");
    let known = || base.state.forgotten_log_dirs("").unwrap();
    assert_eq!(known(), [(dir(1), false), (dir(2), false)]);
    assert_eq!(
        base.state.forgotten_log_dirs(&dir(1)).unwrap(),
        [(dir(2), false)]
    );
    let gone = Op::Pruned(Pruned::LogDirs(vec![dir(1)]));
    apply::apply(&base.conn, &gone).unwrap();
    assert_eq!(known(), [(dir(2), false)]);
}

/// A builder was called otherwise before, and kept its directory.
#[test]
fn mas_08_logs_of_another_builder_in_the_same_directory_stay() {
    let mut ops = built(1);
    ops.extend(built(2));
    ops.push(Op::Configured {
        builders: vec![("full".into(), Vec::new())],
        slaves: Vec::new(),
    });
    ops.push(started(7, "full", 1, &[]));
    ops.push(step_started(7, 0, "compile"));
    ops.push(Op::LogOpened(LogOpening {
        build: BuildId(7),
        step: 0,
        position: 0,
        name: "stdio".to_owned(),
        path: "builders/quick/1/0-compile/stdio".to_owned(),
    }));
    let base = Base::with(ops);
    base.prune_builds(What::Builds, count(1));
    let known = base.state.forgotten_log_dirs("").unwrap();
    assert_eq!(known, [("builders/quick/1".to_owned(), true)]);
}

#[test]
fn mas_08_what_is_within_the_horizons_is_not_looked_at() {
    let base = Base::with([]);
    for sql in [
        NEWEST_BUILD,
        LAST_ENDED_BUILD,
        PROOFS,
        BEGIN_OF_BUILD,
        NEWEST_CHANGE,
        BUILDS,
        BUILDS_WITH_LOGS,
        CHANGES,
        OPEN_SET_OF_BUILD,
        OPEN_SET_OF_CHANGE,
        UNBUILT_SETS,
        LOG_DIRS,
        USER_OF_LOG_DIR,
        REMOVE_LOGS,
        MARK_LOGS,
        REMOVE_SET,
    ] {
        for line in plan(&base.conn, sql) {
            // The requests of one build, and the builders.
            let is_small = line.starts_with("SCAN j VIRTUAL TABLE") || line == "SCAN x";
            let is_constant = line == "SCAN CONSTANT ROW";
            assert!(
                !line.starts_with("SCAN") || is_small || is_constant,
                "{line}\n{sql}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever ran, waited or ended: a start after pruning hands back what it would have without.
    #[test]
    fn mas_08_pruning_changes_nothing_that_a_start_needs(
        fates in proptest::collection::vec(0..4_u8, 1..24),
        kept in 1..6_u32,
        old in 0..30_i64,
    ) {
        let mut ops = Vec::new();
        for (n, fate) in (1..).zip(&fates) {
            match fate {
                0 => ops.extend(built(n)),
                1 => ops.extend(begun(n, &["quick"], n)),
                2 => ops.extend([Op::ChangeAdded(a_change(n)), Op::SetSubmitted(a_set(n, n, &["quick"], vec![a_change(n)]))]),
                _ => {
                    ops.extend(begun(n, &["quick"], n));
                    ops.push(finished(n, Results::Retry));
                }
            }
        }
        let base = Base::with(ops);
        let seen = || {
            let recovered = reopen(base.dir.path());
            let requests: Vec<_> = recovered.requests.iter().map(|r| (r.id, r.stamps.clone())).collect();
            let last = base.state.builder_names().unwrap();
            (recovered.next, requests, recovered.sets.len(), last)
        };
        let before = seen();
        let limits = Limits { count: Some(kept), since: Some(at(old)), ..Limits::default() };
        base.prune_builds(What::Builds, limits);
        base.prune_builds(What::Logs, count(1));
        base.prune(|state, _| state.prunable_sets(&"quick".into(), &limits));
        base.prune_changes(limits);
        prop_assert_eq!(seen(), before);
    }
}

#[test]
fn mas_08_the_directory_of_a_build_is_found_in_old_and_new_paths() {
    for (path, dir) in [
        (
            "builders/quick/12/0-compile.stdio",
            Some("builders/quick/12"),
        ),
        (
            "builders/quick/12/0-compile/stdio",
            Some("builders/quick/12"),
        ),
        ("builders/7/12/0-12/stdio", Some("builders/7/12")),
        ("builders/quick/stdio", None),
        ("stdio", None),
    ] {
        assert_eq!(log_dir(path), dir, "{path}");
    }
}

#[test]
fn prb_24_builds_that_show_a_problem_are_kept() {
    let base = Base::with((1..=40).flat_map(built));
    let problem = "INSERT INTO problem (builder, tree, step, state, first, found, suspects,
            fixed_in, first_build, last_build, good_build, opened_at, ended_at)
        VALUES ('quick', '[]', 'test', ?1, 1, '{}', '[]', '[]', ?2, ?3, ?4, 1, ?5)";
    for (state, first, ended) in [(0, 5, None), (1, 10, Some(900)), (1, 20, Some(100))] {
        let of = params![state, first, first + 2, first - 1, ended];
        base.conn.execute(problem, of).unwrap();
    }
    let mut limits = count(1);
    limits.proofs_since = Timestamp(500);
    base.prune_builds(What::Builds, limits);
    assert_eq!(base.builds(), [4, 5, 7, 9, 10, 12, 40]);
    // Their logs are kept with them.
    limits.proofs_since = Timestamp(1000);
    base.prune_builds(What::Builds, limits);
    assert_eq!(base.builds(), [4, 5, 7, 40]);
}
