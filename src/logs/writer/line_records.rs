//! Writes the index of lines of a log, as its text is written.
//!
//! Records are written some at a time, with the file open only meanwhile, so that they cost no
//! descriptor. If they cannot be written, the log has no more of them: readers make up for that.

use std::io::{self, Write};

use tracing::debug;

use super::log::Batch;
use crate::directory::Directory;
use crate::logs::Channel;
use crate::logs::line_index::{Indexer, RECORD_BYTES, Record};
use crate::logs::place::{self, LINES, with_suffix};

/// The index of lines of a log that is being written.
#[derive(Debug)]
pub(super) struct LineRecords {
    path: String,
    indexer: Indexer,
    /// Bytes of the index of channels.
    index_size: u64,
    /// Records that are not written yet.
    waiting: Vec<u8>,
    file: LineFile,
}

/// The file of the index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LineFile {
    /// Not made yet.
    Unmade,
    /// Made.
    Made,
    /// Given up, with the records it has.
    Abandoned,
}

impl LineRecords {
    /// Of the new log at `path`.
    pub(super) fn new(path: String) -> Self {
        Self {
            path,
            indexer: Indexer::at(&Record::default()),
            index_size: 0,
            waiting: Vec::new(),
            file: LineFile::Unmade,
        }
    }

    /// Notes the first `bytes` of a batch, which are now in the log, as are their runs in its index
    /// of channels.
    pub(super) fn add(&mut self, basedir: &Directory, batch: &Batch, bytes: u64) {
        if self.file == LineFile::Abandoned {
            return;
        }
        let mut last: Option<Channel> = None;
        let mut runs = batch.runs(bytes).into_iter();
        for (channel, piece) in batch.pieces(bytes) {
            if last != Some(channel)
                && let Some(run) = runs.next()
            {
                self.indexer.begin_run(self.index_size, channel);
                self.index_size += run.encoded_size();
            }
            last = Some(channel);
            let waiting = &mut self.waiting;
            self.indexer
                .add(piece, &mut |record| record.encode(waiting));
        }
        if self.waiting.len() >= MOST_WAITING {
            self.flush(basedir);
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, basedir: &Directory) {
        if self.waiting.is_empty() {
            return;
        }
        self.file = match self.write(basedir) {
            Ok(()) => LineFile::Made,
            Err(error) => {
                debug!(
                    "cannot write the index of lines of {:?}: {error}",
                    self.path
                );
                LineFile::Abandoned
            }
        };
        self.waiting.clear();
    }

    fn write(&self, basedir: &Directory) -> io::Result<()> {
        let (dir, name) = place::of_log(basedir, &self.path, false)?;
        let name = with_suffix(name, LINES);
        let mut file = match self.file {
            LineFile::Unmade => dir.create(&name, 0o666)?,
            LineFile::Made | LineFile::Abandoned => dir.append(&name)?,
        };
        file.write_all(&self.waiting)
    }
}

/// Bytes of records that are written together: those of 1 MiB of text.
const MOST_WAITING: usize = 16 * RECORD_BYTES;
