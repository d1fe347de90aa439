//! Writing logs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tracing::{error, warn};

use super::Channel;
use super::index::Run;
use super::place;
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
    /// `builders/quick/12/0-compile/stdio`). Directories are made. Never fails: a log that cannot be written
    /// reports that once, in the program's log, and counts what it drops.
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
    /// Appends bytes; waits while too much is waiting to be written. Cancel-safe: nothing is written if it is
    /// dropped while waiting.
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

    /// Waits until everything is in the files and closes them; returns the bytes of all channels.
    pub async fn close(self) -> u64 {
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
        done: Option<oneshot::Sender<u64>>,
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
    turn: u64,
}

impl WriterThread {
    fn run(mut self) {
        let mut touched = Vec::new();
        while let Ok(first) = self.waiting.recv() {
            self.take(first, &mut touched);
            // What the semaphore lets wait is what can be taken at once.
            while let Ok(message) = self.waiting.try_recv() {
                self.take(message, &mut touched);
                if touched.len() >= MAX_TOUCHED {
                    break;
                }
            }
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
                    log.waiting.push((channel, data));
                }
            }
            Message::Close { id, done } => {
                self.flush(id);
                let Some(log) = self.logs.remove(&id) else {
                    return;
                };
                self.recent.remove(&log.turn);
                if log.dropped_bytes > 0 {
                    warn!(
                        size_bytes = log.dropped_bytes,
                        "the log {:?} is cut short: its end could not be written", log.path
                    );
                }
                if let Some(done) = done {
                    // The build may have stopped waiting.
                    done.send(log.size).unwrap_or_default();
                }
            }
        }
    }

    /// Writes what waits of a log.
    fn flush(&mut self, id: u64) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        let weight: usize = log
            .waiting
            .iter()
            .map(|(_, data)| usize::try_from(weight(data)).unwrap_or(SHARE_BYTES))
            .sum();
        self.turn += 1;
        self.recent.remove(&log.turn);
        log.turn = self.turn;
        log.flush(&self.basedir);
        log.share.add_permits(weight);
        if log.files.is_some() {
            self.recent.insert(self.turn, id);
        }
        self.room.add_permits(weight);
        if self.recent.len() > MAX_OPEN_LOGS
            && let Some((_, oldest)) = self.recent.pop_first()
            && let Some(log) = self.logs.get_mut(&oldest)
        {
            log.files = None;
        }
    }
}

struct Log {
    path: String,
    share: Arc<Semaphore>,
    waiting: Vec<(Channel, Bytes)>,
    /// Closed when others need the descriptors; opened again at the next write.
    files: Option<Files>,
    state: State,
    /// Bytes that are in the log.
    size: u64,
    dropped_bytes: u64,
    /// Of its last use.
    turn: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    New,
    Made,
    /// The file system refused; what is in the log stays, the rest is dropped.
    Broken,
}

struct Files {
    data: File,
    index: File,
}

impl Log {
    fn new(path: String, share: Arc<Semaphore>) -> Self {
        Self {
            path,
            share,
            waiting: Vec::new(),
            files: None,
            state: State::New,
            size: 0,
            dropped_bytes: 0,
            turn: 0,
        }
    }

    fn flush(&mut self, basedir: &Directory) {
        if let Err(e) = self.try_flush(basedir) {
            error!(
                "cannot write the log {:?}: {e}; the build goes on without the rest of it",
                self.path
            );
            self.state = State::Broken;
            self.files = None;
        }
        if self.state == State::Broken {
            for (_, data) in self.waiting.drain(..) {
                self.dropped_bytes += length(&data);
            }
        }
    }

    fn try_flush(&mut self, basedir: &Directory) -> io::Result<()> {
        if self.state == State::Broken || (self.state == State::Made && self.waiting.is_empty()) {
            return Ok(());
        }
        let files = match &mut self.files {
            Some(files) => files,
            None => self
                .files
                .insert(Files::open(basedir, &self.path, self.state == State::New)?),
        };
        self.state = State::Made;
        let mut runs = Vec::new();
        let mut written = Ok(());
        for chunks in self.waiting.chunks(MAX_SLICES) {
            let (bytes, result) = write_all(&mut files.data, chunks);
            push_runs(&mut runs, chunks, bytes);
            written = result;
            if written.is_err() {
                break;
            }
        }
        let before = self.size;
        let mut index = Vec::with_capacity(runs.len() * 4);
        for run in &runs {
            run.encode(&mut index);
            self.size += run.length;
        }
        if let Err(e) = files.index.write_all(&index) {
            // Nothing claims the bytes, or only the first of them: what the reader finds.
            self.size = before;
            written = Err(e);
        }
        if written.is_ok() {
            self.waiting.clear();
        } else {
            let all: u64 = self.waiting.drain(..).map(|(_, data)| length(&data)).sum();
            self.dropped_bytes += all - (self.size - before);
        }
        if self.waiting.capacity() > MAX_SLICES {
            self.waiting.shrink_to(MAX_SLICES);
        }
        written
    }
}

impl Files {
    fn open(basedir: &Directory, path: &str, is_new: bool) -> io::Result<Self> {
        let path = Path::new(path);
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(place::outside());
        };
        let dir = place::open(basedir, dir, is_new)?;
        let open = |suffix| {
            let name = with_suffix(name, suffix);
            if !is_new {
                return dir.append(&name);
            }
            match dir.create(&name, 0o666) {
                // It belongs to a build whose number the state has forgotten, because an older copy of the state was
                // put back.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    dir.set_aside(&name)?;
                    dir.create(&name, 0o666)
                }
                made => made,
            }
        };
        let index = open(INDEX)?;
        let data = open(DATA)?;
        Ok(Self { data, index })
    }
}

/// The name with a suffix after its own dots.
pub(super) fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// Writes the chunks without copying them; returns how many bytes went out.
fn write_all(file: &mut File, chunks: &[(Channel, Bytes)]) -> (u64, io::Result<()>) {
    let mut slices: Vec<_> = chunks.iter().map(|(_, data)| IoSlice::new(data)).collect();
    let mut slices = &mut slices[..];
    let mut written = 0;
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(n) => {
                written += u64::try_from(n).unwrap_or(u64::MAX);
                IoSlice::advance_slices(&mut slices, n);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return (written, Err(e)),
        }
    }
    (written, Ok(()))
}

/// Adds runs for the first `bytes` of `chunks`; neighbours of one channel become one run.
fn push_runs(runs: &mut Vec<Run>, chunks: &[(Channel, Bytes)], mut bytes: u64) {
    for (channel, data) in chunks {
        let length = length(data).min(bytes);
        bytes -= length;
        match runs.last_mut() {
            _ if length == 0 => {}
            Some(last) if last.channel == *channel => last.length += length,
            _ => runs.push(Run {
                channel: *channel,
                length,
            }),
        }
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Suffix of the file with the bytes.
pub(super) const DATA: &str = ".log";
/// Suffix of the file with the runs.
pub(super) const INDEX: &str = ".idx";

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
