//! Writing logs.
//!
//! One thread owns all files and drives `Queue`, which decides what is written where and when.

mod files;
mod line_records;
mod log;
mod queue;
mod thread;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tracing::error;

use self::thread::WriterThread;
use super::Channel;
use super::finish::{Finisher, LogSyncs};
use super::growth::{Growing, Growth, Progress};
use super::reader::LogReader;
use crate::directory::Directory;
use crate::inbox::{Sender, Urgency, inbox};

/// Makes logs, all written by one thread. Cheap to clone; the thread ends when the last clone and
/// the last sink are gone.
#[derive(Clone, Debug)]
pub struct LogStore {
    inbox: Sender<Message>,
    room: Arc<Semaphore>,
    next: Arc<AtomicU64>,
    finisher: Finisher,
    growing: Growing,
    basedir: Arc<Path>,
}

impl LogStore {
    /// Starts the writer for logs below `basedir`.
    ///
    /// # Errors
    /// The directory does not exist, or the thread cannot be started.
    pub fn start(basedir: PathBuf) -> io::Result<Self> {
        let path = Arc::from(basedir.as_path());
        let basedir = Directory::open(&basedir)?;
        let finisher = Finisher::start(Arc::new(basedir.itself()?))?;
        let (inbox, waiting) = inbox();
        let room = Arc::new(Semaphore::new(WAITING_BYTES));
        let thread = WriterThread::new(basedir, waiting, Arc::clone(&room), finisher.clone());
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            inbox,
            room,
            next: Arc::default(),
            finisher,
            growing: Growing::default(),
            basedir: path,
        })
    }

    /// A new log at `path` (relative to the base directory, without suffix, such as
    /// `builders/quick/12/0-compile.stdio`). Directories are made. Never fails: while a log cannot
    /// be written, those who write to it wait, for some minutes where the disk is full; then text
    /// is dropped and counted until it can be written again, and the log says how much is missing.
    #[must_use]
    pub fn create(&self, path: &str) -> LogSink {
        let id = LogId(self.next.fetch_add(1, Ordering::Relaxed));
        let share = Arc::new(Semaphore::new(SHARE_BYTES));
        let sink = LogSink {
            id,
            inbox: self.inbox.clone(),
            room: Arc::clone(&self.room),
            share: Arc::clone(&share),
            path: path.to_owned(),
            compress_above: None,
            is_closed: false,
        };
        let message = Message::Create {
            id,
            path: path.to_owned(),
            share,
            growth: self.growing.open(path),
        };
        sink.send(message, Urgency::Patient);
        sink
    }

    /// Opens a log that was closed, for reading.
    ///
    /// # Errors
    /// The log does not exist, or it cannot be read.
    pub fn read(&self, path: &str) -> io::Result<LogReader> {
        LogReader::open(&self.basedir, path)
    }

    /// Forces logs of a build to the disk.
    #[must_use]
    pub fn syncs(&self) -> LogSyncs {
        LogSyncs::new(&self.finisher)
    }

    /// The logs that are open, for those who follow them. It does not keep the writer alive.
    #[must_use]
    pub fn growing(&self) -> Growing {
        self.growing.clone()
    }

    /// Waits until the log at `path` has more than `size` bytes in its files or is closed. A log
    /// that is not open is closed.
    pub async fn grown_beyond(&self, path: &str, size: u64) -> Progress {
        self.growing.beyond(path, size).await
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
    id: LogId,
    inbox: Sender<Message>,
    /// What may wait of all logs together, in bytes.
    room: Arc<Semaphore>,
    /// What may wait of this log, so that one log cannot take all room.
    share: Arc<Semaphore>,
    path: String,
    /// Size in bytes above which the closed log is compressed, if at all.
    compress_above: Option<u64>,
    /// Whether the thread has been told that the log ends.
    is_closed: bool,
}

impl LogSink {
    /// Where the log is, relative to the base directory, without suffix.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Compresses the log after its close if it has more than `size` bytes.
    #[must_use]
    pub fn compressed_above(mut self, size: Option<u64>) -> Self {
        self.compress_above = size;
        self
    }

    /// Appends bytes; waits while too much is waiting to be written. Cancel-safe: nothing is
    /// written if it is dropped while waiting.
    pub async fn append(&mut self, channel: Channel, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let weight = u32::try_from(weight(&data)).expect("the limit is a small number");
        let never_closed = "the semaphores are never closed";
        // The share first: a log that waits for its own share must not hold room of the others.
        let share = self.share.acquire_many(weight).await.expect(never_closed);
        let room = self.room.acquire_many(weight).await.expect(never_closed);
        // The thread gives them back.
        share.forget();
        room.forget();
        let id = self.id;
        // Whoever writes much does not wait for the thread.
        let has_room = self.share.available_permits() > SHARE_BYTES / 2
            && self.room.available_permits() > WAITING_BYTES / 2;
        let urgency = match has_room {
            true => Urgency::Patient,
            false => Urgency::Urgent,
        };
        self.send(Message::Append { id, channel, data }, urgency);
    }

    /// Waits until everything is in the files, or given up, and closes the files. Then the log may
    /// be compressed in the background. [`LogSyncs`] forces it to the disk.
    pub async fn close(mut self) -> Written {
        let (done, closed) = oneshot::channel();
        self.is_closed = true;
        self.send(self.closing(Some(done)), Urgency::Urgent);
        closed.await.unwrap_or_default()
    }

    fn closing(&self, done: Option<oneshot::Sender<Written>>) -> Message {
        let closing = Closing {
            compress_above: self.compress_above,
            done,
        };
        Message::Close {
            id: self.id,
            closing,
        }
    }

    fn send(&self, message: Message, urgency: Urgency) {
        // The thread ends only after the last sink.
        if !self.inbox.send(message, urgency) {
            error!("the thread that writes logs is gone");
        }
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        if !self.is_closed {
            // At the very end nobody may be there to hear it.
            self.inbox.send(self.closing(None), Urgency::Patient);
        }
    }
}

/// Names a log between its sink and the thread.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct LogId(u64);

#[derive(Debug)]
enum Message {
    Create {
        id: LogId,
        path: String,
        share: Arc<Semaphore>,
        growth: Growth,
    },
    Append {
        id: LogId,
        channel: Channel,
        data: Bytes,
    },
    Close {
        id: LogId,
        closing: Closing,
    },
}

/// What is to be done after the close of a log.
#[derive(Debug, Default)]
struct Closing {
    /// Size in bytes above which the log is compressed, if at all.
    compress_above: Option<u64>,
    /// Who waits for the close.
    done: Option<oneshot::Sender<Written>>,
}

/// Permits for `data`: its bytes and what it costs to keep it, but never more than a log may have.
fn weight(data: &Bytes) -> usize {
    data.len().saturating_add(CHUNK_BYTES).min(SHARE_BYTES)
}

/// How long those who write to a log wait when the disk is full.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a log that cannot be written is left alone before the next attempt.
const RETRY: Duration = Duration::from_millis(500);
/// How long a message waits for others.
const LINGER: Duration = Duration::from_millis(10);
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
