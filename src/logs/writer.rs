//! Writing logs.

mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tracing::{error, warn};

use self::log::{Chunk, Log};
use super::Channel;
use crate::directory::Directory;

/// Makes logs, all written by one thread. Cheap to clone; the thread ends when the last clone and
/// the last sink are gone.
#[derive(Clone, Debug)]
pub struct LogStore {
    inbox: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    next: Arc<AtomicU64>,
}

impl LogStore {
    /// Starts the writer for logs below `basedir`.
    ///
    /// # Errors
    /// There is no such directory, or the thread cannot be started.
    pub fn start(basedir: PathBuf) -> io::Result<Self> {
        let basedir = Directory::open(&basedir)?;
        let (inbox, waiting) = mpsc::channel();
        let room = Arc::new(Semaphore::new(WAITING_BYTES));
        let thread = WriterThread {
            basedir,
            waiting,
            room: Arc::clone(&room),
            logs: BTreeMap::new(),
            recent: BTreeMap::new(),
            stalled: BTreeSet::new(),
            turn: 0,
        };
        thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            inbox,
            room,
            next: Arc::default(),
        })
    }

    /// A new log at `path` (relative to the base directory, without suffix, such as
    /// `builders/quick/12/0-compile.stdio`). Directories are made. Never fails: while a log cannot
    /// be written, those who write to it wait, for some minutes where the disk is full; then text
    /// is dropped and counted until it can be written again, and the log says how much is missing.
    #[must_use]
    pub fn create(&self, path: &str) -> LogSink {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let share = Arc::new(Semaphore::new(SHARE_BYTES));
        let sink = LogSink {
            id,
            inbox: self.inbox.clone(),
            room: Arc::clone(&self.room),
            share: Arc::clone(&share),
        };
        sink.send(Message::Create {
            id,
            path: path.to_owned(),
            share,
        });
        sink
    }
}

/// What became of a log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// Bytes of all channels that are in it.
    pub size_bytes: u64,
    /// Bytes that could not be written.
    pub lost_bytes: u64,
}

/// A log that is being written. Dropping it closes the log without waiting.
#[derive(Debug)]
pub struct LogSink {
    id: u64,
    inbox: mpsc::Sender<Message>,
    /// What may wait of all logs together, in bytes.
    room: Arc<Semaphore>,
    /// What may wait of this log, so that one log cannot take all room.
    share: Arc<Semaphore>,
}

impl LogSink {
    /// Appends bytes; waits while too much is waiting to be written. Cancel-safe: nothing is
    /// written if it is dropped while waiting.
    pub async fn append(&mut self, channel: Channel, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let weight = weight(&data);
        let never_closed = "the semaphores are never closed";
        // The share first: a log that waits for its own share must not hold room of the others.
        let share = self.share.acquire_many(weight).await.expect(never_closed);
        let room = self.room.acquire_many(weight).await.expect(never_closed);
        // The thread gives them back.
        share.forget();
        room.forget();
        let id = self.id;
        self.send(Message::Append { id, channel, data });
    }

    /// Waits until everything is in the files, or given up, and closes them.
    pub async fn close(self) -> Written {
        let (done, closed) = oneshot::channel();
        self.send(Message::Close {
            id: self.id,
            done: Some(done),
        });
        closed.await.unwrap_or_default()
    }

    fn send(&self, message: Message) {
        // The thread ends only after the last sink.
        if self.inbox.send(message).is_err() {
            error!("the thread that writes logs is gone");
        }
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        // Closing twice does nothing. At the very end nobody may be there to hear it.
        let (id, done) = (self.id, None);
        self.inbox
            .send(Message::Close { id, done })
            .unwrap_or_default();
    }
}

#[derive(Debug)]
enum Message {
    Create {
        id: u64,
        path: String,
        share: Arc<Semaphore>,
    },
    Append {
        id: u64,
        channel: Channel,
        data: Bytes,
    },
    Close {
        id: u64,
        done: Option<oneshot::Sender<Written>>,
    },
}

/// Permits for `data`: its bytes and what it costs to keep it, but never more than a log may have.
fn weight(data: &Bytes) -> u32 {
    u32::try_from(data.len().saturating_add(CHUNK_BYTES).min(SHARE_BYTES))
        .expect("the limit is a small number")
}

struct WriterThread {
    basedir: Directory,
    waiting: mpsc::Receiver<Message>,
    room: Arc<Semaphore>,
    logs: BTreeMap<u64, Log>,
    /// Logs with open files, by the turn of their last use.
    recent: BTreeMap<u64, u64>,
    /// Logs that cannot be written, and are to be tried again.
    stalled: BTreeSet<u64>,
    turn: u64,
}

impl WriterThread {
    fn run(mut self) {
        let mut touched = Vec::new();
        loop {
            let first = if self.stalled.is_empty() {
                self.waiting.recv().map_err(Into::into)
            } else {
                self.waiting.recv_timeout(RETRY)
            };
            match first {
                Ok(first) => self.take(first, &mut touched),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // What the semaphore lets wait is what can be taken at once.
            while let Ok(message) = self.waiting.try_recv() {
                self.take(message, &mut touched);
                if touched.len() >= MAX_TOUCHED {
                    break;
                }
            }
            touched.extend(&self.stalled);
            for id in touched.drain(..) {
                self.flush(id);
            }
        }
    }

    fn take(&mut self, message: Message, touched: &mut Vec<u64>) {
        match message {
            Message::Create { id, path, share } => {
                self.logs.insert(id, Log::new(path, share));
                // Readers find the log from now on, also while it is empty.
                self.flush(id);
            }
            Message::Append { id, channel, data } => {
                if let Some(log) = self.logs.get_mut(&id) {
                    if log.waiting.is_empty() {
                        touched.push(id);
                    }
                    let weight = weight(&data);
                    log.waiting.push_back(Chunk {
                        channel,
                        data,
                        weight,
                    });
                }
            }
            Message::Close { id, done } => {
                if let Some(log) = self.logs.get_mut(&id) {
                    // That of the caller who waits for it comes before that of the sink which is
                    // dropped.
                    log.closing.get_or_insert(done);
                }
                self.flush(id);
            }
        }
    }

    /// Writes what waits of a log, and closes it if that is wanted and nothing waits any more.
    fn flush(&mut self, id: u64) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        self.turn += 1;
        self.recent.remove(&log.turn);
        log.turn = self.turn;
        let weight = log.flush(&self.basedir, PATIENCE);
        log.share.add_permits(weight);
        self.room.add_permits(weight);
        if log.files.is_some() {
            self.recent.insert(self.turn, id);
        }
        if log.waiting.is_empty() && log.closing.is_some() {
            self.close(id);
        } else if log.trouble.is_some() {
            self.stalled.insert(id);
        } else {
            self.stalled.remove(&id);
        }
        if self.recent.len() > MAX_OPEN_LOGS
            && let Some((_, oldest)) = self.recent.pop_first()
            && let Some(log) = self.logs.get_mut(&oldest)
        {
            log.files = None;
        }
    }

    fn close(&mut self, id: u64) {
        self.stalled.remove(&id);
        let Some(log) = self.logs.remove(&id) else {
            return;
        };
        self.recent.remove(&log.turn);
        if log.lost_bytes > 0 {
            warn!(
                size_bytes = log.lost_bytes,
                "the log {:?} is incomplete: some of it could not be written", log.path
            );
        }
        if let Some(done) = log.closing.flatten() {
            let written = Written {
                size_bytes: log.size,
                lost_bytes: log.lost_bytes,
            };
            // The build may have stopped waiting.
            done.send(written).unwrap_or_default();
        }
    }
}

/// The name with a suffix after its own dots.
pub(super) fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// Suffix of the file with the bytes.
pub(super) const DATA: &str = ".log";
/// Suffix of the file with the runs.
pub(super) const INDEX: &str = ".idx";

/// How long those who write to a log wait when the disk is full.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a log that cannot be written is left alone before the next attempt.
const RETRY: Duration = Duration::from_millis(500);
/// What may wait to be written of all logs together.
const WAITING_BYTES: usize = 8 * 1024 * 1024;
/// What may wait of one log: large enough to keep the disk busy, small enough for eight others.
const SHARE_BYTES: usize = 1024 * 1024;
/// What a waiting chunk costs beside its bytes.
const CHUNK_BYTES: usize = 128;
/// Slices of one vectored write; the limit of Linux.
const MAX_SLICES: usize = 1024;
/// Logs that are written in one round.
const MAX_TOUCHED: usize = 4096;
/// Logs whose files are open at a time, two descriptors each, of the 1024 that a process has by
/// default.
const MAX_OPEN_LOGS: usize = 128;

#[cfg(test)]
mod tests;
