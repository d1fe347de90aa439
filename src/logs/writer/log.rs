//! One log as a machine: what waits for it, how much of it is in its files, and what becomes of it
//! when the disk is full.
//!
//! ```text
//!            Task::Open                  Task::Append
//!  shut ------------------> open  <---------------------+
//!    ^                       |  |  on_appended(): all of it
//!    +-----------------------+  +-----------------------+
//!      refused(): later, or given up; shut(): others need the descriptors
//! ```
//!
//! Invariant: the index claims only bytes that are written. What was written and is not claimed is
//! cut off before the next attempt, so that bytes and runs never come apart.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use super::{MAX_SLICES, RETRY};
use crate::logs::index::Run;
use crate::logs::{Channel, marks};

/// A log that is being written.
#[derive(Debug)]
pub(super) struct Log {
    path: String,
    waiting: VecDeque<Chunk>,
    files: Files,
    trouble: Option<Trouble>,
    /// Bytes that are in the log.
    size: u64,
    /// Bytes of the index that say so.
    index_size: u64,
    /// Bytes that were dropped.
    lost_bytes: u64,
    /// Those of them that the log itself says nothing of yet.
    unsaid_bytes: u64,
}

/// The files of a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Files {
    /// They were never made.
    Unmade,
    /// They were made, and are closed.
    Shut,
    /// They are open.
    Open,
}

/// The file system refuses to take a log.
#[derive(Debug)]
struct Trouble {
    why: String,
    since: Instant,
    next_try: Instant,
    /// Whether what waits is dropped, as it was refused for too long or for a reason that does not
    /// pass.
    drops: bool,
}

/// Bytes of one channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Chunk {
    pub(super) channel: Channel,
    pub(super) data: Bytes,
    /// Permits that it has.
    pub(super) weight: usize,
}

/// What is to be done for a log.
#[derive(Debug, PartialEq)]
pub(super) enum Task {
    /// Open its files.
    Open(Opening),
    /// Append bytes, and their runs to the index.
    Append(Batch),
}

/// How files are opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Opening {
    /// Where, relative to the base directory, without suffix.
    pub(super) path: String,
    /// Whether they are made.
    pub(super) is_new: bool,
    /// Bytes that belong to the log; what follows is cut off.
    pub(super) size: u64,
    /// Bytes that belong to the index; what follows is cut off.
    pub(super) index_size: u64,
}

/// What is appended together.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    chunks: Vec<Chunk>,
    /// Whether it says what the log lacks.
    is_note: bool,
}

/// What came of a batch.
#[derive(Debug)]
pub(super) struct Appended {
    /// Bytes that were written and that the index claims.
    pub(super) size: u64,
    /// Bytes that were added to the index.
    pub(super) index_size: u64,
    /// Why it was not all.
    pub(super) error: Option<io::Error>,
}

/// Something to tell the operator of a log.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Notice {
    /// The disk is full, and who writes the log waits.
    Waits { why: String },
    /// What cannot be written is dropped and counted.
    Drops { why: String },
    /// The log can be written again.
    Recovered { why: String },
}

impl Log {
    pub(super) fn new(path: String) -> Self {
        Self {
            path,
            waiting: VecDeque::new(),
            files: Files::Unmade,
            trouble: None,
            size: 0,
            index_size: 0,
            lost_bytes: 0,
            unsaid_bytes: 0,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Bytes that are in the log.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that were dropped.
    pub(super) const fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_written(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When to try again, if it cannot be written now.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.trouble.as_ref().map(|trouble| trouble.next_try)
    }

    /// Has bytes wait to be written.
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.waiting.push_back(chunk);
    }

    /// What to do at `now`; nothing if all is done, or the next attempt comes later.
    pub(super) fn task(&mut self, now: Instant) -> Option<Task> {
        if self.next_try().is_some_and(|at| at > now) || self.is_done() {
            return None;
        }
        if self.files != Files::Open {
            return Some(Task::Open(Opening {
                path: self.path.clone(),
                is_new: self.files == Files::Unmade,
                size: self.size,
                index_size: self.index_size,
            }));
        }
        let is_note = self.unsaid_bytes > 0;
        let chunks = if is_note {
            vec![self.note()]
        } else {
            let most = self.waiting.len().min(MAX_SLICES);
            let chunks = self.waiting.drain(..most).collect();
            if self.waiting.capacity() > MAX_SLICES {
                self.waiting.shrink_to(MAX_SLICES);
            }
            chunks
        };
        Some(Task::Append(Batch { chunks, is_note }))
    }

    fn is_done(&self) -> bool {
        self.files != Files::Unmade && self.waiting.is_empty() && self.unsaid_bytes == 0
    }

    /// Says in the log what it lacks.
    fn note(&self) -> Chunk {
        let why = self.trouble.as_ref().map_or("", |trouble| &trouble.why);
        let note = marks::missing(self.unsaid_bytes, why);
        Chunk {
            channel: Channel::Header,
            data: note.into(),
            weight: 0,
        }
    }

    /// Its files are open.
    pub(super) fn on_opened(&mut self) {
        self.files = Files::Open;
    }

    /// What came of a batch; returns the permits of what does not wait any more.
    pub(super) fn on_appended(&mut self, batch: Batch, size: u64, index_size: u64) -> usize {
        self.size += size;
        self.index_size += index_size;
        let is_whole = size == batch.length();
        if batch.is_note {
            if is_whole {
                self.unsaid_bytes = 0;
            }
            return 0;
        }
        let before: usize = batch.chunks.iter().map(|chunk| chunk.weight).sum();
        if is_whole {
            return before;
        }
        before - self.put_back(batch.chunks, size)
    }

    /// Ends trouble if nothing is left to do.
    pub(super) fn settle(&mut self) -> Option<Notice> {
        if !self.is_done() {
            return None;
        }
        let trouble = self.trouble.take()?;
        Some(Notice::Recovered { why: trouble.why })
    }

    /// The disk refused the last task.
    pub(super) fn refused(
        &mut self,
        error: &io::Error,
        now: Instant,
        patience: Duration,
    ) -> Option<Notice> {
        self.shut();
        let passes = matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
        let is_first = self.trouble.is_none();
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            why: error.to_string(),
            since: now,
            next_try: now,
            drops: false,
        });
        trouble.next_try = now + RETRY;
        let why = error.to_string();
        let is_over = !passes || now.duration_since(trouble.since) >= patience;
        if is_over && !std::mem::replace(&mut trouble.drops, true) {
            return Some(Notice::Drops { why });
        }
        is_first.then_some(Notice::Waits { why })
    }

    /// Drops what waits if it is not to wait any more; returns its permits.
    pub(super) fn drop_refused(&mut self) -> usize {
        if !self.trouble.as_ref().is_some_and(|trouble| trouble.drops) {
            return 0;
        }
        let mut weight = 0;
        for chunk in self.waiting.drain(..) {
            weight += chunk.weight;
            self.lost_bytes += chunk.length();
            self.unsaid_bytes += chunk.length();
        }
        weight
    }

    /// Its files are closed.
    pub(super) fn shut(&mut self) {
        if self.files == Files::Open {
            self.files = Files::Shut;
        }
    }

    /// Has `chunks` wait again, without their first `written` bytes; returns their permits.
    fn put_back(&mut self, chunks: Vec<Chunk>, mut written: u64) -> usize {
        let later = std::mem::take(&mut self.waiting);
        let mut weight = 0;
        for mut chunk in chunks {
            let done = chunk.length().min(written);
            written -= done;
            chunk
                .data
                .advance(usize::try_from(done).unwrap_or(chunk.data.len()));
            if !chunk.data.is_empty() {
                weight += chunk.weight;
                self.waiting.push_back(chunk);
            }
        }
        self.waiting.extend(later);
        weight
    }
}

impl Batch {
    /// The bytes, without copying them.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(|chunk| &chunk.data[..])
    }

    /// The runs of the first `bytes`; neighbours of one channel are one run.
    pub(super) fn runs(&self, bytes: u64) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (channel, piece) in self.pieces(bytes) {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            match runs.last_mut() {
                Some(last) if last.channel == channel => last.length += length,
                Some(_) | None => runs.push(Run { channel, length }),
            }
        }
        runs
    }

    /// What the index says of the first `bytes`.
    pub(super) fn index(&self, bytes: u64) -> Vec<u8> {
        let runs = self.runs(bytes);
        let mut index = Vec::with_capacity(runs.len() * 4);
        for run in runs {
            run.encode(&mut index);
        }
        index
    }

    /// The first `bytes`, piece by piece, none of which is empty.
    pub(super) fn pieces(&self, bytes: u64) -> impl Iterator<Item = (Channel, &[u8])> {
        let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
        let pieces = self.chunks.iter().map(move |chunk| {
            let piece = &chunk.data[..chunk.data.len().min(left)];
            left -= piece.len();
            (chunk.channel, piece)
        });
        pieces.filter(|(_, piece)| !piece.is_empty())
    }

    fn length(&self) -> u64 {
        self.chunks.iter().map(Chunk::length).sum()
    }
}

impl Chunk {
    fn length(&self) -> u64 {
        u64::try_from(self.data.len()).unwrap_or(u64::MAX)
    }
}
