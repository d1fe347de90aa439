#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::sync::mpsc;

use proptest::prelude::*;

use super::*;
use crate::model::journal::StepFinish;
use crate::model::{BigState, BuildNumber, ChangeNumber, Results};
use crate::store::State;
use crate::store::apply::tests::{
    a_change, a_set, apply_all, at, finished, log_opened, queue, reopen, request_finished, restart,
    started, step_started,
};

struct Running {
    dir: tempfile::TempDir,
    writer: Writer,
    confirmed: mpsc::Receiver<Ticket>,
}

impl Running {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let (confirm, confirmed) = mpsc::channel();
        let writer = store
            .start(Box::new(move |ticket| confirm.send(ticket).unwrap()))
            .unwrap();
        Self {
            dir,
            writer,
            confirmed,
        }
    }

    fn write(&self, ticket: Option<u64>, ops: Vec<Op>) {
        block_on(self.writer.write(ticket.map(Ticket), ops));
    }

    fn wait_for(&self, ticket: u64) {
        while self.confirmed.recv().unwrap() < Ticket(ticket) {}
    }

    fn changes(&self) -> Vec<u64> {
        let state = State::open_readonly(self.dir.path()).unwrap();
        let changes = state.changes(10_000).unwrap();
        changes.iter().rev().map(|c| c.number.0).collect()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// A change and the set it makes, which must be remembered together.
fn change_and_set(number: u64) -> Vec<Op> {
    vec![
        Op::ChangeAdded(a_change(number)),
        Op::SetSubmitted(a_set(number, number, &["quick"], vec![a_change(number)])),
    ]
}

#[test]
fn what_is_confirmed_can_be_read() {
    let run = Running::new();
    for n in 1..=300 {
        run.write(Some(n), vec![Op::ChangeAdded(a_change(n))]);
    }
    run.wait_for(300);
    assert_eq!(run.changes(), (1..=300).collect::<Vec<_>>());
}

#[test]
fn tickets_are_confirmed_in_order_and_the_last_one_always() {
    let run = Running::new();
    for n in 1..=100 {
        run.write(Some(n), vec![Op::ChangeAdded(a_change(n))]);
    }
    block_on(run.writer.clone().close());
    let confirmed: Vec<_> = run.confirmed.try_iter().collect();
    assert!(confirmed.is_sorted());
    assert_eq!(confirmed.last(), Some(&Ticket(100)));
}

#[test]
fn a_ticket_confirms_what_was_handed_in_before_without_one() {
    let run = Running::new();
    run.write(None, vec![Op::ChangeAdded(a_change(1))]);
    run.write(Some(1), vec![]);
    run.wait_for(1);
    assert_eq!(run.changes(), [1]);
}

#[test]
fn ops_without_a_ticket_are_committed_without_company() {
    let run = Running::new();
    run.write(None, vec![Op::ChangeAdded(a_change(1))]);
    let state = State::open_readonly(run.dir.path()).unwrap();
    while state.change(ChangeNumber(1)).unwrap().is_none() {
        thread::yield_now();
    }
}

#[test]
fn close_commits_everything_and_gives_the_lock_back() {
    let run = Running::new();
    for n in 1..=2000 {
        run.write(None, vec![Op::ChangeAdded(a_change(n))]);
    }
    block_on(run.writer.clone().close());
    assert_eq!(run.changes().len(), 2000);
    let recovered = reopen(run.dir.path());
    assert_eq!(recovered.next.change, ChangeNumber(2001));
}

#[test]
fn dropping_the_last_writer_commits_everything_too() {
    let Running {
        dir,
        writer,
        confirmed,
    } = Running::new();
    block_on(writer.write(Some(Ticket(1)), change_and_set(1)));
    drop(writer);
    // The thread drops its end when it is done.
    assert_eq!(confirmed.iter().collect::<Vec<_>>(), [Ticket(1)]);
    let state = State::open_readonly(dir.path()).unwrap();
    assert_eq!(state.changes(9).unwrap().len(), 1);
}

#[test]
fn an_op_that_the_state_refuses_does_not_hold_up_the_others() {
    let run = Running::new();
    run.write(Some(1), vec![Op::ChangeAdded(a_change(1))]);
    run.write(
        Some(2),
        vec![Op::ChangeAdded(a_change(1)), Op::ChangeAdded(a_change(2))],
    );
    run.wait_for(2);
    assert_eq!(run.changes(), [1, 2]);
    assert!(run.writer.is_healthy());
}

/// While somebody else holds the file, or the disk is full, nothing is confirmed, nothing is lost,
/// and those who write wait when too much is waiting.
#[test]
fn while_the_disk_refuses_nothing_is_confirmed_or_lost() {
    let run = Running::new();
    let other = Connection::open(run.dir.path().join(Store::FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    run.write(Some(1), change_and_set(1));
    while run.writer.is_healthy() {
        thread::yield_now();
    }
    let more = u64::try_from(MAX_WAITING_OPS).unwrap() - 2;
    for n in 2..2 + more {
        run.write(Some(n), vec![Op::ChangeAdded(a_change(n))]);
    }
    // All room is taken: the next one has to wait.
    let next = 2 + more;
    let one_more = vec![Op::ChangeAdded(a_change(next))];
    let mut waiting = Box::pin(run.writer.write(Some(Ticket(next)), one_more));
    block_on(std::future::poll_fn(|cx| {
        assert!(waiting.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    }));
    assert!(run.confirmed.try_recv().is_err());
    other.execute_batch("COMMIT").unwrap();
    block_on(waiting);
    run.wait_for(next);
    assert!(run.writer.is_healthy());
    assert_eq!(run.changes(), (1..=next).collect::<Vec<_>>());
}

/// MAS-05: the core must hear of signals also while the disk takes nothing.
#[test]
fn the_core_hands_in_without_waiting_and_others_wait_until_that_is_written_too() {
    let run = Running::new();
    let other = Connection::open(run.dir.path().join(Store::FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let beyond = u64::try_from(MAX_WAITING_OPS).unwrap() + 10;
    for n in 1..=beyond {
        let change = vec![Op::ChangeAdded(a_change(n))];
        run.writer.hand_in(Some(Ticket(n)), change);
    }
    let mut room = Box::pin(run.writer.room());
    block_on(std::future::poll_fn(|cx| {
        assert!(room.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    }));
    other.execute_batch("COMMIT").unwrap();
    block_on(room);
    run.wait_for(beyond);
    assert_eq!(run.changes(), (1..=beyond).collect::<Vec<_>>());
    block_on(run.writer.clone().close());
    let shared = &run.writer.shared;
    assert_eq!(shared.room.available_permits(), MAX_WAITING_OPS);
    assert_eq!(shared.beyond.load(Ordering::Relaxed), 0);
}

#[test]
fn a_full_disk_leaves_nothing_of_the_batch_and_the_same_batch_works_later() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let conn = &store.conn;
    let pages: u32 = conn
        .pragma_query_value(None, "page_count", |r| r.get(0))
        .unwrap();
    let limit = |pages: u32| {
        conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    limit(pages);
    let batch: Vec<_> = (1..200)
        .map(|n| Write::new(Some(Ticket(n)), change_and_set(n)))
        .collect();
    let error = write(conn, &batch).unwrap_err();
    assert_eq!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DiskFull)
    );
    assert!(conn.is_autocommit());
    let state = State::open_readonly(dir.path()).unwrap();
    assert_eq!(state.changes(9).unwrap(), []);
    limit(1_000_000);
    write(conn, &batch).unwrap();
    assert_eq!(state.changes(1000).unwrap().len(), 199);
}

fn write(conn: &Connection, batch: &[Write]) -> rusqlite::Result<()> {
    let mut told = Telling {
        first: 1,
        now: Clock::system().wall(),
        running: &mut crate::store::apply::Running::default(),
        happened: Vec::new(),
    };
    write_all(conn, batch, &mut told)
}

// ---- after a kill ----

#[test]
fn what_a_kill_cut_short_does_not_end_before_it_began_when_the_clock_was_set_back() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(a_set(1, 1, &["quick"], vec![])),
            started(1, "quick", 0, &[1]),
            step_started(1, 0, "compile"),
        ],
    );
    restart(dir.path(), at(0));
    let state = State::open_readonly(dir.path()).unwrap();
    let build = state.build(&"quick".into(), BuildNumber(0));
    let build = build.unwrap().unwrap();
    assert_eq!(build.steps[0].finished_at, Some(at(310)));
    assert_eq!(build.finished_at, Some(at(310)));
}

#[test]
fn open_builds_of_a_killed_master_end_as_retry_and_are_queued_again() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(a_set(1, 1, &["quick", "full"], vec![])),
            started(1, "quick", 0, &[1]),
            step_started(1, 0, "configure"),
            Op::StepFinished(StepFinish {
                build: crate::model::BuildId(1),
                index: 0,
                result: Results::Success,
                text: vec!["configure".to_owned()],
                outcome: Box::default(),
                at: at(350),
            }),
            step_started(1, 1, "compile"),
            log_opened(1, 1, 0, "stdio"),
            started(2, "full", 0, &[2]),
            finished(2, Results::Success),
            request_finished(2, Results::Success),
            Op::SlaveState {
                slave: "bot".into(),
                connected: true,
                info: None,
                at: at(1),
            },
            Op::Configured {
                builders: vec![("quick".into(), vec!["bot".into()])],
                slaves: vec!["bot".into()],
            },
            Op::BuilderState {
                builder: "quick".into(),
                state: BigState::Building,
            },
        ],
    );
    let logs = dir.path().join("builders/quick/1");
    std::fs::create_dir_all(&logs).unwrap();
    std::fs::write(logs.join("1-compile.stdio.log"), "12345").unwrap();

    let recovered = reopen(dir.path());
    let [open] = &recovered.open_builds[..] else {
        panic!("{recovered:?}")
    };
    assert_eq!((open.builder.as_str(), open.number.0), ("quick", 0));
    assert_eq!(queue(&recovered), [(1, "quick", 0, 1)]);
    assert_eq!(recovered.requests[0].submitted_at, at(200));
    restart(dir.path(), at(500));

    let state = State::open_readonly(dir.path()).unwrap();
    let build = state
        .build(&"quick".into(), BuildNumber(0))
        .unwrap()
        .unwrap();
    let told = |text: &[String]| text.join(" ");
    assert_eq!(build.result, Some(Results::Retry));
    assert_eq!(build.finished_at, Some(at(500)));
    assert_eq!(told(&build.text), "retry master restarted");
    let [configure, compile] = &build.steps[..] else {
        panic!("{build:?}")
    };
    assert_eq!(configure.result, Some(Results::Success));
    assert_eq!(compile.result, Some(Results::Retry));
    assert_eq!(compile.finished_at, Some(at(500)));
    assert_eq!(told(&compile.text), "compiling master restarted");
    assert_eq!(build.steps[1].logs[0].size_bytes, Some(5));
    assert!(!state.slaves().unwrap()[0].connected);
    assert_eq!(state.builders().unwrap()[0].state, "offline");

    // The next start finds nothing more to do.
    let again = reopen(dir.path());
    assert!(again.open_builds.is_empty());
    assert!(again.state.epoch >= 500);
    assert_eq!(queue(&again), [(1, "quick", 0, 1)]);
}

#[test]
fn bui_10_a_build_that_was_stopped_before_the_kill_is_not_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let stopped = |reason: &str| Op::BuildStopped {
        build: crate::model::BuildId(1),
        reason: reason.to_owned(),
    };
    apply_all(
        dir.path(),
        &[
            Op::SetSubmitted(a_set(1, 1, &["quick", "full"], vec![])),
            started(1, "quick", 0, &[1]),
            step_started(1, 0, "clean"),
            stopped("wrong branch"),
            stopped("too slow"),
        ],
    );
    restart(dir.path(), at(500));
    let recovered = reopen(dir.path());
    assert!(recovered.open_builds.is_empty());
    assert_eq!(queue(&recovered), [(2, "full", 0, 0)]);
    let ended = (crate::model::RequestId(1), Results::Exception);
    assert_eq!(recovered.sets[0].finished, [ended]);

    let state = State::open_readonly(dir.path()).unwrap();
    let build = state
        .build(&"quick".into(), BuildNumber(0))
        .unwrap()
        .unwrap();
    assert_eq!(build.result, Some(Results::Exception));
    assert_eq!(build.text, ["exception", "interrupted"]);
    assert_eq!(build.stop_reason.as_deref(), Some("wrong branch"));
    assert_eq!(build.steps[0].result, Some(Results::Exception));
    let request = state.request(crate::model::RequestId(1)).unwrap();
    assert_eq!(request.unwrap().build, Some(BuildNumber(0)));
}

#[test]
fn numbers_are_never_used_twice_also_when_everything_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    apply_all(
        dir.path(),
        &[
            Op::ChangeAdded(a_change(5)),
            Op::SetSubmitted(a_set(6, 7, &["quick", "full"], vec![])),
            started(9, "quick", 41, &[7]),
            finished(9, Results::Success),
            started(10, "full", 0, &[]),
            started(11, "alpha", 3, &[]),
        ],
    );
    let before = reopen(dir.path()).next;
    assert_eq!(before.change.0, 6);
    assert_eq!(before.set.0, 7);
    assert_eq!(before.request.0, 9);
    assert_eq!(before.build.0, 12);
    let of: Vec<_> = before
        .build_of
        .iter()
        .map(|(b, n)| (b.as_str(), n.0))
        .collect();
    assert_eq!(of, [("alpha", 4), ("full", 1), ("quick", 42)]);
    let mut its_dirs = before.build_of.iter();
    assert!(its_dirs.all(|(b, n)| before.build_in[b.as_str()] == *n));
    let conn = schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
    conn.execute_batch("DELETE FROM build; DELETE FROM build_set; DELETE FROM change;")
        .unwrap();
    drop(conn);
    assert_eq!(reopen(dir.path()).next, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A kill at any moment leaves the files as they were, and a power failure may leave the last
    /// part of the write-ahead log out: what is found is a prefix of the tickets, each whole.
    #[test]
    fn a_cut_at_any_byte_leaves_whole_tickets(cut in 0.0..=1.0_f64) {
        let run = Running::new();
        const TICKETS: u64 = 20;
        for n in 1..=TICKETS {
            run.write(Some(n), change_and_set(n));
            run.wait_for(n);
        }
        let dead = tempfile::tempdir().unwrap();
        for file in ["state.sqlite", "state.sqlite-wal"] {
            std::fs::copy(run.dir.path().join(file), dead.path().join(file)).unwrap();
        }
        let wal = std::fs::File::options()
            .write(true)
            .open(dead.path().join("state.sqlite-wal"))
            .unwrap();
        let whole = wal.metadata().unwrap().len();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a small number")]
        let kept = (whole as f64 * cut) as u64;
        wal.set_len(kept).unwrap();

        let recovered = reopen(dead.path());
        let found = recovered.next.change.0 - 1;
        if kept == whole {
            prop_assert_eq!(found, TICKETS);
        }
        let expected: Vec<u64> = (1..=found).collect();
        let queued: Vec<u64> = recovered.requests.iter().map(|r| r.id.0).collect();
        prop_assert_eq!(&queued, &expected);
        let stamps: Vec<u64> = recovered
            .sets
            .iter()
            .flat_map(|s| s.set.stamps.first().changes.iter().map(|c| c.number.0))
            .collect();
        prop_assert_eq!(stamps, expected);
    }
}
