//! The records of the index of lines that a reader knows: those in the file, and those it has made
//! itself because the file lacks them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::directory::Directory;
use crate::logs::line_index::{RECORD_BYTES, Record};
use crate::logs::place::{LINES, with_suffix};

/// The known records of a log, in order.
///
/// Memory: at most 512 KiB of the file, and 48 bytes for each 64 KiB of text that the file lacks.
#[derive(Debug, Default)]
pub(super) struct Records {
    file: Option<File>,
    /// Whether the file does not fit the log, and is left alone.
    is_distrusted: bool,
    /// Records of the file that are used.
    stored: u64,
    /// The bytes of these, if they are not too many.
    kept: Vec<u8>,
    /// Records after them.
    own: Vec<Record>,
}

impl Records {
    /// Takes in what the file of the log `name` has by now.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn refresh(&mut self, dir: &Directory, name: &OsStr) -> io::Result<()> {
        if self.is_distrusted || !self.own.is_empty() {
            // A file that is behind stays so: the master that wrote it was killed.
            return Ok(());
        }
        if self.file.is_none() {
            match dir.read(&with_suffix(name, LINES)) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let there = file.metadata()?.len() / RECORD_SIZE;
        if there <= self.stored {
            return Ok(());
        }
        self.kept.clear();
        if there <= MOST_KEPT {
            let size = usize::try_from(there * RECORD_SIZE).unwrap_or_default();
            self.kept.resize(size, 0);
            file.read_exact_at(&mut self.kept, 0)?;
        }
        self.stored = there;
        // A power failure may have left zeros.
        while self.stored > 0 && !self.get(self.stored - 1)?.can_be(self.stored) {
            self.stored -= 1;
        }
        Ok(())
    }

    /// The last of the first records for which `holds` is true, or the beginning of the log.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn last_where(&self, holds: impl Fn(&Record) -> bool) -> io::Result<Record> {
        let (mut from, mut to) = (0, self.count());
        let mut found = Record::default();
        while from < to {
            let middle = from + (to - from) / 2;
            let record = self.get(middle)?;
            if holds(&record) {
                (from, found) = (middle + 1, record);
            } else {
                to = middle;
            }
        }
        Ok(found)
    }

    /// Adds a record that was made from the text, unless it is known.
    pub(super) fn add(&mut self, record: &Record) {
        if record.can_be(self.count() + 1) {
            self.own.push(*record);
        }
    }

    /// Forgets all: they do not fit the log.
    pub(super) fn distrust(&mut self) {
        *self = Self {
            is_distrusted: true,
            ..Self::default()
        };
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.stored + u64::try_from(self.own.len()).unwrap_or_default()
    }

    /// The record at this place, from 0.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn get(&self, at: u64) -> io::Result<Record> {
        if let Some(own) = at.checked_sub(self.stored) {
            let own = usize::try_from(own).ok().and_then(|own| self.own.get(own));
            return Ok(own.copied().unwrap_or_default());
        }
        let mut bytes = [0; RECORD_BYTES];
        let start = usize::try_from(at * RECORD_SIZE).unwrap_or(usize::MAX);
        let kept = self
            .kept
            .get(start..)
            .and_then(|kept| kept.get(..RECORD_BYTES));
        match (kept, &self.file) {
            (Some(kept), _) => bytes.copy_from_slice(kept),
            (None, Some(file)) => file.read_exact_at(&mut bytes, at * RECORD_SIZE)?,
            (None, None) => {}
        }
        Ok(Record::decode(&bytes))
    }
}

const RECORD_SIZE: u64 = 32;
/// Most records that are kept in memory: those of 1 GiB of text. Of more, each look is a read.
const MOST_KEPT: u64 = 16 * 1024;
