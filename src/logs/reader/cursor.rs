//! Moves through a log, from any byte or line on, with the channels of its text.

use std::io::{self, ErrorKind};

use super::LogReader;
use crate::logs::Channel;
use crate::logs::index::{Entry, Run};
use crate::logs::line_index::{Indexer, Record};
use crate::logs::lines;

/// A place in a log from which it can be read on.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    indexer: Indexer,
    channel: Channel,
    /// Bytes of the present run after the place.
    left: u64,
    /// The place in the index of channels of what follows the present run.
    next_run: u64,
}

impl Cursor {
    /// The place.
    pub(super) fn place(&self) -> Record {
        self.indexer.place()
    }

    /// The position in the text.
    pub(super) fn byte(&self) -> u64 {
        self.place().byte
    }
}

impl LogReader {
    /// The first place of line `number` (from 1), which is the end of the log if all before is
    /// there. Nothing if it is not.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn seek_line(&mut self, number: u64) -> io::Result<Option<Cursor>> {
        let before = number.saturating_sub(1);
        let mut cursor = self.nearest(|record| record.feeds < before)?;
        loop {
            let left = before - cursor.place().feeds;
            if left == 0 {
                return Ok(Some(cursor));
            }
            let to_feed = |_, bytes: &[u8]| {
                let is_here = lines::count(bytes) >= left;
                let after = lines::after(bytes, left).filter(|_| is_here);
                after.map_or(bytes.len(), |after| {
                    usize::try_from(after).unwrap_or_default()
                })
            };
            if self.pass(&mut cursor, to_feed)?.is_none() {
                return Ok(None);
            }
        }
    }

    /// The place of a byte of the text, or the end of the log if it is shorter.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn seek_byte(&mut self, byte: u64) -> io::Result<Cursor> {
        let mut cursor = self.nearest(|record| record.byte <= byte)?;
        while cursor.byte() < byte {
            let left = byte - cursor.byte();
            let most = |_, bytes: &[u8]| usize::try_from(left).unwrap_or(bytes.len());
            if self.pass(&mut cursor, most)?.is_none() {
                break;
            }
        }
        Ok(cursor)
    }

    /// The present end of the text. Only the index of channels is read.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn end(&mut self) -> io::Result<u64> {
        let mut cursor = self.nearest(|_| true)?;
        let mut end = cursor.byte() + cursor.left;
        while self.next_run(&mut cursor)? {
            end = end.saturating_add(cursor.left);
        }
        Ok(end)
    }

    /// Reads on: hands out the next bytes of one channel, and goes past as many of them as `take`
    /// answers. Returns this number; nothing at the present end of the log.
    ///
    /// # Errors
    /// Reading failed, or the log has fewer bytes than its index says.
    pub(super) fn pass(
        &mut self,
        cursor: &mut Cursor,
        take: impl FnOnce(Channel, &[u8]) -> usize,
    ) -> io::Result<Option<usize>> {
        while cursor.left == 0 {
            if !self.next_run(cursor)? {
                return Ok(None);
            }
        }
        let Self { data, text, .. } = self;
        let bytes = text.at(cursor.byte(), &mut |buffer, at| data.read_at(buffer, at))?;
        if bytes.is_empty() {
            let why = "the end of the log is missing";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
        }
        let most = usize::try_from(cursor.left).unwrap_or(usize::MAX);
        let bytes = &bytes[..most.min(bytes.len())];
        let taken = take(cursor.channel, bytes).min(bytes.len());
        let records = &mut self.records;
        let mut add = |record: &Record| records.add(record);
        cursor.indexer.add(&bytes[..taken], &mut add);
        cursor.left -= u64::try_from(taken).unwrap_or_default();
        Ok(Some(taken))
    }

    /// The last known place before which `holds` is true of all known ones.
    fn nearest(&mut self, holds: impl Fn(&Record) -> bool) -> io::Result<Cursor> {
        self.records.refresh(&self.dir, &self.name)?;
        let record = self.records.last_where(holds)?;
        if let Some(cursor) = self.cursor_at(&record)? {
            return Ok(cursor);
        }
        self.records.distrust();
        let start = self.cursor_at(&Record::default())?;
        start.ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
    }

    /// The place of a record; nothing if the record does not fit the log.
    fn cursor_at(&mut self, record: &Record) -> io::Result<Option<Cursor>> {
        let mut cursor = Cursor {
            indexer: Indexer::at(record),
            channel: Channel::Stdout,
            left: 0,
            next_run: record.run,
        };
        if record.byte == 0 {
            return Ok(Some(cursor));
        }
        let Some((Entry::Run(run), taken)) = self.entry(record.run)? else {
            return Ok(None);
        };
        let Some(left) = run.length.checked_sub(u64::from(record.run_bytes)) else {
            return Ok(None);
        };
        cursor.indexer.resume_run(run.channel);
        (cursor.channel, cursor.left) = (run.channel, left);
        cursor.next_run += taken;
        Ok(Some(cursor))
    }

    /// Goes to the next run; returns whether there is one.
    fn next_run(&mut self, cursor: &mut Cursor) -> io::Result<bool> {
        while let Some((entry, taken)) = self.entry(cursor.next_run)? {
            let place = cursor.next_run;
            cursor.next_run += taken;
            if let Entry::Run(Run { channel, length }) = entry {
                cursor.indexer.begin_run(place, channel);
                (cursor.channel, cursor.left) = (channel, length);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entry at this place of the index of channels, and its size; nothing at its end.
    fn entry(&mut self, place: u64) -> io::Result<Option<(Entry, u64)>> {
        let index = &self.index;
        let mut read = |buffer: &mut [u8], at: u64| super::read_at(index, buffer, at);
        let decode = |bytes: &[u8]| {
            let decoded = Entry::decode(bytes);
            decoded.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
        };
        let mut found = decode(self.runs.at(place, &mut read)?)?;
        if found.is_none() {
            // Only its first bytes may be in the buffer.
            self.runs.clear();
            found = decode(self.runs.at(place, &mut read)?)?;
        }
        Ok(found.map(|(entry, size)| (entry, u64::try_from(size).unwrap_or_default())))
    }
}

/// A piece of a file in memory.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    start: u64,
    bytes: Vec<u8>,
    size: usize,
}

impl Buffer {
    /// An empty buffer of at most `size` bytes.
    pub(super) const fn new(size: usize) -> Self {
        Self {
            start: 0,
            bytes: Vec::new(),
            size,
        }
    }

    /// The bytes from a position on, as many as there are in the buffer; none at the end.
    fn at(
        &mut self,
        position: u64,
        read: &mut dyn FnMut(&mut [u8], u64) -> io::Result<usize>,
    ) -> io::Result<&[u8]> {
        let within = position.checked_sub(self.start);
        let within = within.and_then(|within| usize::try_from(within).ok());
        let within = within.filter(|within| *within < self.bytes.len());
        let from = match within {
            Some(within) => within,
            None => {
                self.bytes.resize(self.size, 0);
                self.start = position;
                let filled = read(&mut self.bytes, position);
                self.bytes.truncate(*filled.as_ref().unwrap_or(&0));
                filled?;
                0
            }
        };
        Ok(self.bytes.get(from..).unwrap_or_default())
    }

    fn clear(&mut self) {
        self.bytes.clear();
    }
}
