//! One log that is being written: what waits for it, its files, and what becomes of it when the
//! disk is full.
//!
//! Invariant: the index claims only bytes that are written. What was written and is not claimed is
//! cut off before the next attempt, so that bytes and runs never come apart.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::sync::{Semaphore, oneshot};
use tracing::{error, info};

use super::{DATA, INDEX, MAX_SLICES, RETRY, SHARE_BYTES, Written, with_suffix};
use crate::directory::Directory;
use crate::logs::Channel;
use crate::logs::index::Run;
use crate::logs::place;

/// A log.
pub(super) struct Log {
    pub(super) path: String,
    pub(super) share: Arc<Semaphore>,
    pub(super) waiting: VecDeque<Chunk>,
    /// Closed when others need the descriptors; opened again at the next write.
    pub(super) files: Option<Files>,
    /// Whether its files were made.
    is_made: bool,
    /// Why it cannot be written now.
    pub(super) trouble: Option<Trouble>,
    /// Bytes that are in the log.
    pub(super) size: u64,
    /// Bytes of the index that say so.
    index_size: u64,
    /// Bytes that were dropped.
    pub(super) lost_bytes: u64,
    /// Those of them that the log itself says nothing of yet.
    unsaid_bytes: u64,
    /// Of its last use.
    pub(super) turn: u64,
    /// It is to be closed when nothing waits any more; perhaps somebody waits for that.
    pub(super) closing: Option<Option<oneshot::Sender<Written>>>,
}

/// What waits to be written.
pub(super) struct Chunk {
    pub(super) channel: Channel,
    pub(super) data: Bytes,
    /// Permits that it has.
    pub(super) weight: u32,
}

/// The file system refuses to take a log.
pub(super) struct Trouble {
    why: String,
    since: Instant,
    pub(super) next_try: Instant,
    /// Whether what waits is dropped, as it was refused for too long or for a reason that does not
    /// pass.
    drops: bool,
}

pub(super) struct Files {
    pub(super) data: File,
    index: File,
}

impl Log {
    pub(super) fn new(path: String, share: Arc<Semaphore>) -> Self {
        Self {
            path,
            share,
            waiting: VecDeque::new(),
            files: None,
            is_made: false,
            trouble: None,
            size: 0,
            index_size: 0,
            lost_bytes: 0,
            unsaid_bytes: 0,
            turn: 0,
            closing: None,
        }
    }

    /// Writes what waits, or drops it if it cannot be written; returns the permits of what does not
    /// wait any more.
    pub(super) fn flush(&mut self, basedir: &Directory, patience: Duration) -> usize {
        let now = Instant::now();
        let before = self.weight();
        if self.trouble.as_ref().is_none_or(|t| t.next_try <= now) {
            match self.try_flush(basedir) {
                Ok(()) => {
                    if let Some(trouble) = self.trouble.take() {
                        info!(
                            "the log {:?} can be written again ({})",
                            self.path, trouble.why
                        );
                    }
                }
                Err(error) => {
                    self.files = None;
                    self.refused(&error, now, patience);
                }
            }
        }
        if self.trouble.as_ref().is_some_and(|trouble| trouble.drops) {
            let dropped: u64 = self.waiting.drain(..).map(|c| length(&c.data)).sum();
            self.lost_bytes += dropped;
            self.unsaid_bytes += dropped;
        }
        if self.waiting.capacity() > MAX_SLICES {
            self.waiting.shrink_to(MAX_SLICES);
        }
        before - self.weight()
    }

    fn refused(&mut self, error: &io::Error, now: Instant, patience: Duration) {
        let passes = matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
        let path = &self.path;
        let trouble = self.trouble.get_or_insert_with(|| {
            if passes {
                error!(
                    "cannot write the log {path:?}: {error}; its step waits for room, {} s at most",
                    patience.as_secs()
                );
            }
            Trouble {
                why: error.to_string(),
                since: now,
                next_try: now,
                drops: false,
            }
        });
        trouble.next_try = now + RETRY;
        let is_over = !passes || now.duration_since(trouble.since) >= patience;
        if is_over && !std::mem::replace(&mut trouble.drops, true) {
            error!(
                "cannot write the log {path:?}: {error}; the build goes on, and what the log lacks is counted"
            );
        }
    }

    fn weight(&self) -> usize {
        let weights = self.waiting.iter().map(|chunk| chunk.weight);
        weights
            .map(|w| usize::try_from(w).unwrap_or(SHARE_BYTES))
            .sum()
    }

    fn try_flush(&mut self, basedir: &Directory) -> io::Result<()> {
        if self.is_made && self.waiting.is_empty() && self.unsaid_bytes == 0 {
            return Ok(());
        }
        if self.files.is_none() {
            let is_new = !self.is_made;
            let files = Files::open(basedir, &self.path, is_new)?;
            if !is_new {
                cut(&files.data, self.size)?;
                cut(&files.index, self.index_size)?;
            }
            self.files = Some(files);
            self.is_made = true;
        }
        if self.unsaid_bytes > 0 {
            let why = self.trouble.as_ref().map_or("", |trouble| &trouble.why);
            let note = format!(
                "\n{} bytes of this log are missing here: the master could not write them ({why})\n",
                self.unsaid_bytes
            );
            let chunk = Chunk {
                channel: Channel::Header,
                data: note.into(),
                weight: 0,
            };
            self.append(&[chunk])?;
            self.unsaid_bytes = 0;
        }
        while !self.waiting.is_empty() {
            let chunks: Vec<Chunk> = self
                .waiting
                .drain(..self.waiting.len().min(MAX_SLICES))
                .collect();
            let before = self.size;
            let appended = self.append(&chunks);
            if appended.is_err() {
                self.put_back(chunks, self.size - before);
                return appended;
            }
        }
        Ok(())
    }

    /// Appends `chunks`; on an error `size` says how much of them is in the log.
    fn append(&mut self, chunks: &[Chunk]) -> io::Result<()> {
        let files = self.files.as_mut().ok_or(ErrorKind::NotFound)?;
        let (bytes, written) = write_all(&mut files.data, chunks);
        let mut runs = Vec::new();
        push_runs(&mut runs, chunks, bytes);
        let mut index = Vec::with_capacity(runs.len() * 4);
        for run in &runs {
            run.encode(&mut index);
        }
        // If this fails nothing claims the bytes, and the files are cut before the next attempt.
        files.index.write_all(&index)?;
        self.size += bytes;
        self.index_size += u64::try_from(index.len()).unwrap_or(u64::MAX);
        written
    }

    /// Has `chunks` wait again, without their first `written` bytes.
    fn put_back(&mut self, chunks: Vec<Chunk>, mut written: u64) {
        let later = std::mem::take(&mut self.waiting);
        for mut chunk in chunks {
            let done = length(&chunk.data).min(written);
            written -= done;
            chunk
                .data
                .advance(usize::try_from(done).unwrap_or(chunk.data.len()));
            if !chunk.data.is_empty() {
                self.waiting.push_back(chunk);
            }
        }
        self.waiting.extend(later);
    }
}

/// Takes off what was written beyond `size` and not claimed.
fn cut(file: &File, size: u64) -> io::Result<()> {
    if file.metadata()?.len() > size {
        file.set_len(size)?;
    }
    Ok(())
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
                // It belongs to a build whose number the state has forgotten, because an older copy
                // of the state was put back.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    dir.set_aside(&name)?;
                    dir.create(&name, 0o666)
                }
                made => made,
            }
        };
        let index = open(INDEX)?;
        let data = open(DATA);
        if is_new && data.is_err() {
            // The next attempt makes both.
            dir.remove_file(&with_suffix(name, INDEX)).ok();
        }
        Ok(Self { data: data?, index })
    }
}

/// Writes the chunks without copying them; returns how many bytes went out.
fn write_all(file: &mut File, chunks: &[Chunk]) -> (u64, io::Result<()>) {
    let mut slices: Vec<_> = chunks.iter().map(|c| IoSlice::new(&c.data)).collect();
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
fn push_runs(runs: &mut Vec<Run>, chunks: &[Chunk], mut bytes: u64) {
    for Chunk { channel, data, .. } in chunks {
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
