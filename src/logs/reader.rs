//! Reads logs, also while they are being written, plain or compressed.
//!
//! Tools that want all of a log copy it ([`LogReader::copy_to`]); pages open a window at a line
//! ([`LogReader::window`]), count its lines ([`LogReader::extent`]) and search it
//! ([`LogReader::search`]). A page that follows a log keeps its reader, waits for
//! [`LogStore::grown_beyond`](super::LogStore::grown_beyond) the bytes that it has shown, and opens
//! the next window then. A log that is compressed meanwhile is read on.

mod block;
mod cursor;
mod first_error;
mod records;
mod search;
mod stretch;
mod stretches;
mod window;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::Path;

use self::cursor::Buffer;
use self::records::Records;
pub use self::search::{Found, Hit, pattern};
pub use self::stretches::Stretch;
pub use self::window::{Cut, Extent, Line, Piece, Window};
use super::Channel;
use super::data::{Data, read_at};
use super::index::{Entry, Run};
use super::place::{self, INDEX, with_suffix};
use crate::directory::Directory;

/// A log on disk.
#[derive(Debug)]
pub struct LogReader {
    dir: Directory,
    name: OsString,
    data: Data,
    index: File,
    records: Records,
    /// Of the text.
    text: Buffer,
    /// Of the index of channels.
    runs: Buffer,
    /// The place of the next run in the index.
    next_run: u64,
    /// The place of its bytes.
    position: u64,
    /// The place of the first bytes that are copied.
    start: u64,
}

impl LogReader {
    /// Opens the log at `path`, which is relative to `basedir` and without suffix.
    ///
    /// # Errors
    /// The log does not exist, or it cannot be read.
    pub fn open(basedir: &Path, path: &str) -> io::Result<Self> {
        let (dir, name) = place::of_log(&Directory::open(basedir)?, path, false)?;
        Ok(Self {
            data: Data::open(&dir, name)?,
            index: dir.read(&with_suffix(name, INDEX))?,
            records: Records::default(),
            text: Buffer::new(TEXT_BUFFER),
            runs: Buffer::new(INDEX_BUFFER),
            name: name.to_owned(),
            dir,
            next_run: 0,
            position: 0,
            start: 0,
        })
    }

    /// Leaves out everything before line `number` (from 1) of the log, counted over all channels.
    /// Returns whether the log has this line so far; without it, nothing is left out.
    ///
    /// # Errors
    /// Reading failed.
    pub fn skip_to_line(&mut self, number: u64) -> io::Result<bool> {
        if number <= 1 {
            return Ok(true);
        }
        let Some(mut cursor) = self.seek_line(number)? else {
            return Ok(false);
        };
        let place = cursor.place();
        if self.pass(&mut cursor, |_, _| 0)?.is_none() {
            return Ok(false);
        }
        self.next_run = place.run;
        self.position = place.byte - u64::from(place.run_bytes);
        self.start = place.byte;
        Ok(true)
    }

    /// Copies the bytes of `channels` to `out`, in order, up to the present end of the index;
    /// called again it goes on from there. Returns how many bytes were copied.
    ///
    /// # Errors
    /// Reading or writing failed, or the log has fewer bytes than its index says: those that are
    /// there have been copied then.
    pub fn copy_to(&mut self, channels: &[Channel], out: &mut dyn Write) -> io::Result<u64> {
        let is_wanted = |channel| channels.contains(&channel).then_some(());
        self.copy_by(is_wanted, &mut |(), bytes| out.write_all(bytes))
    }

    /// Hands out all bytes with their channels, in order, as [`LogReader::copy_to`] does.
    ///
    /// # Errors
    /// As for [`LogReader::copy_to`].
    pub fn copy_each(
        &mut self,
        out: &mut dyn FnMut(Channel, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.copy_by(Some, out)
    }

    /// Hands out at most `most_bytes` bytes of at most `most_runs` runs, in order, up to the
    /// present end of the index; called again it goes on from there. Returns how many bytes were
    /// handed out.
    ///
    /// # Errors
    /// As for [`LogReader::copy_to`].
    pub fn copy_some(
        &mut self,
        (most_bytes, most_runs): (u64, usize),
        out: &mut dyn FnMut(Channel, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let (mut copied, mut runs) = (0, 0);
        let mut index = vec![0; INDEX_BUFFER];
        let mut buffer = vec![0; DATA_BUFFER];
        loop {
            let filled = read_at(&self.index, &mut index, self.next_run)?;
            let mut rest = &index[..filled];
            while let Some((entry, taken)) =
                Entry::decode(rest).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?
            {
                if let Entry::Run(run) = entry {
                    if copied >= most_bytes || runs >= most_runs {
                        return Ok(copied);
                    }
                    let end = self.position.saturating_add(run.length);
                    let from = self.start.clamp(self.position, end);
                    let length = (end - from).min(most_bytes - copied);
                    copied += self.copy((run.channel, from, length), &mut buffer, out)?;
                    runs += 1;
                    if from + length < end {
                        self.start = from + length;
                        return Ok(copied);
                    }
                    self.position = end;
                }
                rest = &rest[taken..];
                self.next_run += u64::try_from(taken).expect("a buffer is small");
            }
            if rest.len() == filled {
                return Ok(copied);
            }
        }
    }

    /// Hands out the bytes of the channels that have a key; neighbours of one key are read
    /// together.
    fn copy_by<K: Copy + PartialEq>(
        &mut self,
        key_of: impl Fn(Channel) -> Option<K>,
        out: &mut dyn FnMut(K, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut copied = 0;
        let mut index = vec![0; INDEX_BUFFER];
        let mut buffer = vec![0; DATA_BUFFER];
        loop {
            let filled = read_at(&self.index, &mut index, self.next_run)?;
            let mut rest = &index[..filled];
            let mut wanted: Option<(K, u64, u64)> = None;
            while let Some((entry, taken)) =
                Entry::decode(rest).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?
            {
                rest = &rest[taken..];
                let Entry::Run(run) = entry else { continue };
                let key = key_of(run.channel);
                if let Some(stretch) = wanted.take_if(|(last, ..)| Some(*last) != key) {
                    copied += self.copy(stretch, &mut buffer, out)?;
                }
                if let Some(key) = key {
                    let (_, _, length) = wanted.get_or_insert((key, self.position, 0));
                    *length = length.saturating_add(run.length);
                }
                self.position = self.position.saturating_add(run.length);
            }
            if let Some(stretch) = wanted {
                copied += self.copy(stretch, &mut buffer, out)?;
            }
            let used = filled - rest.len();
            if used == 0 {
                return Ok(copied);
            }
            self.next_run += u64::try_from(used).expect("a buffer is small");
        }
    }

    /// How many bytes of `channels` there are up to the present end of the index. Only the index is
    /// read.
    ///
    /// # Errors
    /// Reading failed.
    pub fn count(&self, channels: &[Channel]) -> io::Result<u64> {
        let mut count = 0_u64;
        each_run(&self.index, |run| {
            if channels.contains(&run.channel) {
                count = count.saturating_add(run.length);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    /// Looks whether the log has all the bytes that its index says; returns how many bytes it has.
    ///
    /// # Errors
    /// Reading failed, or bytes are missing.
    pub fn check(&mut self) -> io::Result<u64> {
        let (indexed, there) = (self.count(&Channel::ALL)?, self.data.len()?);
        if there < indexed {
            let why = format!("it has {there} bytes, and its index is of {indexed}");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
        }
        Ok(there)
    }

    /// Copies a stretch of bytes, without those before the start.
    fn copy<K: Copy>(
        &mut self,
        (key, position, length): (K, u64, u64),
        buffer: &mut [u8],
        out: &mut dyn FnMut(K, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let skipped = self.start.saturating_sub(position).min(length);
        let stretch = (position + skipped, length - skipped);
        copy(&mut self.data, stretch, buffer, &mut |bytes| {
            out(key, bytes)
        })?;
        Ok(length - skipped)
    }
}

/// Copies a stretch of bytes.
fn copy(
    data: &mut Data,
    (mut position, mut left): (u64, u64),
    buffer: &mut [u8],
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    while left > 0 {
        let want = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let got = data.read_at(&mut buffer[..want], position)?;
        if got == 0 {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the end of the log is missing",
            ));
        }
        out(&buffer[..got])?;
        let got = u64::try_from(got).expect("a buffer is small");
        position += got;
        left -= got;
    }
    Ok(())
}

/// Looks at the runs of an index from the first one on, up to its present end, until `look` has
/// seen enough.
fn each_run(
    index: &File,
    mut look: impl FnMut(Run) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let (mut buffer, mut from) = (vec![0; INDEX_BUFFER], 0);
    loop {
        let filled = read_at(index, &mut buffer, from)?;
        let mut rest = &buffer[..filled];
        while let Some((entry, taken)) =
            Entry::decode(rest).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?
        {
            rest = &rest[taken..];
            let Entry::Run(run) = entry else { continue };
            if look(run)?.is_break() {
                return Ok(());
            }
        }
        let used = filled - rest.len();
        if used == 0 {
            return Ok(());
        }
        from += u64::try_from(used).expect("a buffer is small");
    }
}

const INDEX_BUFFER: usize = 8 * 1024;
const DATA_BUFFER: usize = 64 * 1024;
/// Enough for the text between two records of the index of lines, and a window after it.
const TEXT_BUFFER: usize = 128 * 1024;
