//! Opening the state, and writing to it.
//!
//! One thread owns the connection and drives `Batches`. It takes everything that waits, writes it
//! in one transaction and confirms the last ticket after the commit. While the disk refuses, it
//! keeps the same transaction's ops and tries again; nothing is confirmed or dropped meanwhile, and
//! the senders of more ops wait once `MAX_WAITING_OPS` are waiting. The core alone never waits: it
//! may exceed the limit, and no new work reaches it until there is [room](Writer::room) again.

mod batches;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use tracing::{error, info, warn};

use self::batches::{Batches, Committed, Due};
use super::apply::{Refusal, Running, Telling, apply_and_tell};
use super::events::Events;
use super::file::FILE;
use super::lock::Lock;
use super::recover::recover;
use super::{Reader, StoreError, error, events, fresh, schema, verify};
use crate::clock::Clock;
use crate::inbox::{NoMessage, Receiver, Sender, Urgency, Wait, inbox};
use crate::measure::{Distribution, Histogram};
use crate::model::{Happening, Op, Recovered, Ticket};

/// The state, opened for writing by the one master that runs on it.
#[derive(Debug)]
pub struct Store {
    // Fields are dropped in this order: the lock goes last.
    conn: Connection,
    path: PathBuf,
    lock: Lock,
}

impl Store {
    /// Name of the state's file in the base directory.
    pub const FILE: &'static str = FILE;

    /// Opens (makes, migrates) the state in `basedir`, takes its lock, and reads what the core must
    /// know.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(basedir: &Path) -> Result<(Self, Recovered), StoreError> {
        let lock = Lock::take(basedir)?;
        let path = basedir.join(Self::FILE);
        fresh::check_is_not_lost(basedir)?;
        let conn = schema::open_for_writing(&path)?;
        verify::glance(&conn, &path)?;
        let recovered = recover(&conn, basedir).map_err(|e| schema::refused(&path, e))?;
        Ok((Self { conn, path, lock }, recovered))
    }

    /// Starts the writer thread. `confirm` is called on it after each commit with the last ticket
    /// that is durable now, which confirms all before it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(self, confirm: Box<dyn Fn(Ticket) + Send>) -> std::io::Result<Writer> {
        let (inbox, waiting) = inbox();
        let last = events::last(&self.conn).map_err(std::io::Error::other)?;
        let shared = Arc::new(Shared {
            room: Semaphore::new(MAX_WAITING_OPS),
            beyond: AtomicUsize::new(0),
            is_healthy: AtomicBool::new(true),
            commits: AtomicU64::new(0),
            events: Events::after(last),
            commit_times: Histogram::new(COMMIT_BOUNDS),
        });
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let reader = Reader::new(dir);
        let thread = WriterThread {
            store: self,
            waiting,
            shared: Arc::clone(&shared),
            confirm,
            batches: Batches::new(),
            running: Running::default(),
            clock: Clock::system(),
        };
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || thread.run())?;
        Ok(Writer {
            inbox,
            shared,
            reader,
        })
    }
}

/// The way to the writer thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    inbox: Sender<Message>,
    shared: Arc<Shared>,
    reader: Reader,
}

impl Writer {
    /// Reads what is committed.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Hands in ops in order; waits while the writer is far behind. With a ticket the ops are
    /// committed soon and then confirmed; without, within a tenth of a second or with the next
    /// ticket.
    ///
    /// Cancel-safe: nothing is written if it is dropped while waiting.
    pub async fn write(&self, ticket: Option<Ticket>, ops: Vec<Op>) {
        self.send_when_there_is_room(Write::new(ticket, ops)).await;
    }

    /// Hands in ops as [`Writer::write`] does without a ticket, and waits until they are committed.
    ///
    /// Cancel-safe: they are written as a whole or not at all.
    pub async fn write_and_wait(&self, ops: Vec<Op>) {
        let (done, is_done) = oneshot::channel();
        let mut write = Write::new(None, ops);
        write.done = Some(done);
        self.send_when_there_is_room(write).await;
        // An error says that the state is closed.
        is_done.await.unwrap_or_default();
    }

    /// Hands in ops as [`Writer::write`] does, but at once, also while the writer is far behind.
    pub fn hand_in(&self, ticket: Option<Ticket>, ops: Vec<Op>) {
        let write = Write::new(ticket, ops);
        self.shared.take_room(write.size());
        self.send(write);
    }

    /// Waits while the writer is far behind. Cancel-safe.
    pub async fn room(&self) {
        let room = self.shared.room.acquire().await;
        drop(room.expect("the semaphore is never closed"));
    }

    async fn send_when_there_is_room(&self, write: Write) {
        let room = self.shared.room.acquire_many(write.weight()).await;
        room.expect("the semaphore is never closed").forget();
        self.send(write);
    }

    fn send(&self, write: Write) {
        let urgency = match write.ticket {
            Some(_) => Urgency::Urgent,
            None => Urgency::Patient,
        };
        if !self.inbox.send(Message::Write(write), urgency) {
            error!("something is written to the state after it was closed");
        }
    }

    /// Whether the disk takes writes at present; while it does not, the writer retries and new
    /// changes are to be refused.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.is_healthy.load(Ordering::Relaxed)
    }

    /// How often this master has committed something. What is read of the state is the same as long
    /// as this is the same.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Acquire)
    }

    /// What has happened and is committed, in order (STA-01).
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// How long commits took, those that the disk refused left out.
    #[must_use]
    pub fn commit_times(&self) -> Distribution {
        self.shared.commit_times.get()
    }

    /// How many ops wait to be committed.
    #[must_use]
    pub fn waiting_ops(&self) -> usize {
        let taken = MAX_WAITING_OPS.saturating_sub(self.shared.room.available_permits());
        taken + self.shared.beyond.load(Ordering::Relaxed)
    }

    /// Commits everything and waits for it; nothing may be written afterwards.
    ///
    /// While the disk takes no writes this does not end; the caller has the deadline.
    pub async fn close(self) {
        self.reader.close();
        let (done, is_done) = oneshot::channel();
        if self.inbox.send(Message::Close(done), Urgency::Urgent) {
            // An error says that the thread is gone, and with it everything was committed.
            is_done.await.unwrap_or_default();
        }
    }
}

#[derive(Debug)]
struct Shared {
    /// One permit an op.
    room: Semaphore,
    /// Permits that were taken although there were none; those that come back settle this first.
    beyond: AtomicUsize,
    is_healthy: AtomicBool,
    commits: AtomicU64,
    events: Events,
    commit_times: Histogram,
}

impl Shared {
    /// Takes permits, whether they are there or not.
    fn take_room(&self, permits: usize) {
        let taken = self.room.forget_permits(permits);
        self.beyond.fetch_add(permits - taken, Ordering::Relaxed);
    }

    fn give_room(&self, permits: usize) {
        let settle = |beyond: usize| Some(beyond.saturating_sub(permits));
        let beyond = self
            .beyond
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, settle)
            .unwrap_or_default();
        self.room.add_permits(permits.saturating_sub(beyond));
    }
}

#[derive(Debug)]
enum Message {
    Write(Write),
    Close(oneshot::Sender<()>),
}

/// What was handed in together; written in one transaction.
#[derive(Debug)]
struct Write {
    ticket: Option<Ticket>,
    ops: Vec<Op>,
    /// Who waits for the commit.
    done: Option<oneshot::Sender<()>>,
}

impl Write {
    fn new(ticket: Option<Ticket>, ops: Vec<Op>) -> Self {
        let done = None;
        Self { ticket, ops, done }
    }

    /// Permits that it needs: one an op, at least one, and never more than there are.
    fn size(&self) -> usize {
        self.ops.len().clamp(1, MAX_WAITING_OPS)
    }

    fn weight(&self) -> u32 {
        u32::try_from(self.size()).expect("the limit is a small number")
    }
}

/// The thread that drives [`Batches`].
struct WriterThread {
    store: Store,
    waiting: Receiver<Message>,
    shared: Arc<Shared>,
    confirm: Box<dyn Fn(Ticket) + Send>,
    batches: Batches,
    running: Running,
    clock: Clock,
}

impl WriterThread {
    fn run(mut self) {
        loop {
            match self.batches.due(Instant::now()) {
                Due::Receive(wait) => self.receive(wait),
                Due::Commit => self.commit(),
                Due::Checkpoint => self.checkpoint(),
                Due::End => break,
            }
        }
        let Store { conn, path, lock } = self.store;
        if let Err((_, e)) = conn.close() {
            warn!("cannot close {} properly: {e}", path.display());
        }
        drop(lock);
        if let Some(closed) = self.batches.into_closed() {
            // An error says that nobody waits any more.
            closed.send(()).unwrap_or_default();
        }
    }

    fn receive(&mut self, wait: Wait) {
        match self.waiting.receive(wait) {
            Ok(message) => self.batches.take(Instant::now(), message),
            Err(NoMessage::Silence) => self.batches.on_silence(),
            Err(NoMessage::Abandoned) => self.batches.on_abandoned(),
        }
    }

    fn commit(&mut self) {
        let begun = Instant::now();
        let mut told = Telling {
            first: self.shared.events.last() + 1,
            now: self.clock.wall(),
            running: &mut self.running,
            happened: Vec::new(),
        };
        match write_all(&self.store.conn, self.batches.batch(), &mut told) {
            Ok(()) => {
                self.shared.commit_times.add(begun.elapsed());
                let told = told.happened;
                self.on_committed(told);
            }
            Err(error) => {
                self.on_refused(&error);
                thread::sleep(self.batches.refused());
            }
        }
    }

    fn on_committed(&mut self, told: Vec<Happening>) {
        self.shared.commits.fetch_add(1, Ordering::AcqRel);
        if !self.shared.is_healthy.swap(true, Ordering::Relaxed) {
            info!("{} takes writes again", self.store.path.display());
        }
        let Committed { ticket, writes } = self.batches.committed();
        if let Some(ticket) = ticket {
            (self.confirm)(ticket);
        }
        self.shared.events.tell(told);
        for write in writes {
            self.shared.give_room(write.size());
            if let Some(done) = write.done {
                // Whoever waited may have gone away.
                done.send(()).unwrap_or_default();
            }
        }
    }

    /// Says so once, until the disk takes writes again.
    fn on_refused(&self, error: &rusqlite::Error) {
        if !self.shared.is_healthy.swap(false, Ordering::Relaxed) {
            return;
        }
        let path = self.store.path.display();
        if error::is_damage(error) {
            error!(
                "{path} is damaged: {error}; nothing can be written to it any more, and what happens is kept in memory \
                 only: stop the master and restore a backup of the state"
            );
        } else {
            error!(
                "cannot write to {path}: {error}; what happens waits in memory until it can be written"
            );
        }
    }

    /// Moves the write-ahead log into the file, as far as readers allow.
    fn checkpoint(&mut self) {
        let conn = &self.store.conn;
        let moved = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        // What cannot be moved now is moved later; it is safe where it is.
        if let Err(e) = moved {
            let path = self.store.path.display();
            warn!("cannot move the write-ahead log into {path}: {e}");
        }
        self.batches.checkpointed();
    }
}

/// Writes all of `batch` in one transaction, or nothing. Adds what has happened by it to `told`.
fn write_all(conn: &Connection, batch: &[Write], told: &mut Telling<'_>) -> rusqlite::Result<()> {
    let written = (|| {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for op in batch.iter().flat_map(|write| &write.ops) {
            match apply_and_tell(conn, op, told) {
                Ok(()) => {}
                // It would be refused for ever, and all that come after must not wait for it.
                Err(Refusal::Op(why)) => {
                    error!("contradictory write rejected by the state: {why}: {op:?}");
                }
                Err(Refusal::Disk(e)) => return Err(e),
            }
        }
        events::write(conn, &told.happened)?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    })();
    if written.is_err() && !conn.is_autocommit() {
        // SQLite may have rolled back by itself; if it cannot now, the next BEGIN fails and we are
        // here again.
        conn.execute_batch("ROLLBACK").unwrap_or_default();
    }
    written
}

/// How many ops may wait to be committed before those who bring more have to wait.
const MAX_WAITING_OPS: usize = 4096;
/// Bounds of the times of commits, in seconds.
const COMMIT_BOUNDS: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0];
#[cfg(test)]
mod tests;
