//! The index of lines: a file `NAME.lin` beside a log, with a record for each 64 KiB of its text.
//!
//! A record describes a place in the log in 32 bytes, little-endian:
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 8 | the position in the text |
//! | 8 | line feeds before it |
//! | 8 | the place in `NAME.idx` of the run that has the byte at the position |
//! | 4 | bytes of this run before the position |
//! | 2 | the style in force ([`Style::to_bits`]) |
//! | 2 | bytes of standard error since the previous record; 65535 stands for more, too |
//!
//! Record `k` (from 1) is the first place from `k` × 64 KiB on that is not within a control
//! sequence. The beginning of the log has no record, so a short log has no such file. The text
//! between two records has to be scanned to find a line in it, and no more than that.
//!
//! Invariant: records claim only bytes that `NAME.idx` claims. The file is not forced to the disk:
//! a reader drops records that cannot be true and scans the text instead.

use super::Channel;
use super::lines;
use crate::text::sgr::{Scanner, Style};

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    /// The position in the text.
    pub(super) byte: u64,
    /// Line feeds before it.
    pub(super) feeds: u64,
    /// The place in the index of channels of the run that has this byte.
    pub(super) run: u64,
    /// Bytes of this run before the position.
    pub(super) run_bytes: u32,
    /// The style in force.
    pub(super) style: Style,
    /// Bytes of standard error since the previous record.
    pub(super) stderr: u16,
}

impl Record {
    /// Appends the record to `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.byte, self.feeds, self.run] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.run_bytes.to_le_bytes());
        out.extend_from_slice(&self.style.to_bits().to_le_bytes());
        out.extend_from_slice(&self.stderr.to_le_bytes());
    }

    /// The record of these bytes.
    pub(super) fn decode(bytes: &[u8; RECORD_BYTES]) -> Self {
        let part = |at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(part)
        };
        let [_, _, _, _, _, _, _, _, .., r0, r1, r2, r3, s0, s1, e0, e1] = *bytes;
        Self {
            byte: part(0),
            feeds: part(8),
            run: part(16),
            run_bytes: u32::from_le_bytes([r0, r1, r2, r3]),
            style: Style::from_bits(u16::from_le_bytes([s0, s1])),
            stderr: u16::from_le_bytes([e0, e1]),
        }
    }

    /// Whether this can be the record number `number` (from 1) of a log.
    pub(super) fn can_be(&self, number: u64) -> bool {
        let due = number.saturating_mul(BLOCK_BYTES);
        self.byte
            .checked_sub(due)
            .is_some_and(|late| late < BLOCK_BYTES)
            && self.feeds <= self.byte
            && self.run <= self.byte.saturating_mul(MOST_INDEX_BYTES)
    }
}

/// Makes records from the text of a log as it goes by; knows the place that is reached.
#[derive(Clone, Debug)]
pub(super) struct Indexer {
    byte: u64,
    feeds: u64,
    run: u64,
    run_bytes: u32,
    scanner: Scanner,
    channel: Channel,
    stderr: u16,
    /// The position from which on the next record is due.
    due: u64,
}

impl Indexer {
    /// At a place in a log.
    pub(super) fn at(record: &Record) -> Self {
        Self {
            byte: record.byte,
            feeds: record.feeds,
            run: record.run,
            run_bytes: record.run_bytes,
            scanner: Scanner::with_style(record.style),
            channel: Channel::Stdout,
            stderr: 0,
            due: (record.byte / BLOCK_BYTES + 1) * BLOCK_BYTES,
        }
    }

    /// The place that is reached. Its style is that of the next text, also within a sequence.
    pub(super) fn place(&self) -> Record {
        Record {
            byte: self.byte,
            feeds: self.feeds,
            run: self.run,
            run_bytes: self.run_bytes,
            style: self.scanner.style(),
            stderr: self.stderr,
        }
    }

    /// The next byte begins the run at this place in the index of channels.
    pub(super) fn begin_run(&mut self, run: u64, channel: Channel) {
        (self.run, self.run_bytes, self.channel) = (run, 0, channel);
    }

    /// The next byte is in a run of this channel that has begun before.
    pub(super) fn resume_run(&mut self, channel: Channel) {
        self.channel = channel;
    }

    /// The next bytes of the run. Hands out a record for each place that is due.
    pub(super) fn add(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(&Record)) {
        while !bytes.is_empty() {
            let is_due = self.byte >= self.due;
            if is_due && self.scanner.is_in_text() {
                out(&self.place());
                self.stderr = 0;
                self.due = (self.byte / BLOCK_BYTES + 1) * BLOCK_BYTES;
                continue;
            }
            // Within a sequence, byte by byte to its end.
            let most = if is_due { 1 } else { self.due - self.byte };
            let most = usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len()));
            let (now, later) = bytes.split_at(most);
            self.pass(now);
            bytes = later;
        }
    }

    fn pass(&mut self, bytes: &[u8]) {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.scanner.feed(bytes);
        self.feeds += lines::count(bytes);
        self.byte += size;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.run_bytes = self.run_bytes.saturating_add(size);
        if self.channel == Channel::Stderr {
            let size = u16::try_from(size).unwrap_or(u16::MAX);
            self.stderr = self.stderr.saturating_add(size);
        }
    }
}

/// Bytes of a record.
pub(super) const RECORD_BYTES: usize = 32;
/// Bytes of text between two records.
pub(super) const BLOCK_BYTES: u64 = 64 * 1024;
/// Most bytes of the index of channels for a byte of text, generously: a run of one byte, and
/// marks.
const MOST_INDEX_BYTES: u64 = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of runs of one channel after the other, cut into pieces of at most `piece`.
    fn records(runs: &[(Channel, Vec<u8>)], piece: usize) -> Vec<Record> {
        let mut indexer = Indexer::at(&Record::default());
        let mut records = Vec::new();
        for (place, (channel, bytes)) in (0..).zip(runs) {
            indexer.begin_run(place, *channel);
            for piece in bytes.chunks(piece) {
                indexer.add(piece, &mut |record| records.push(*record));
            }
        }
        records
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let record = Record {
            byte: 0x0102_0304_0506_0708,
            feeds: 9,
            run: 10,
            run_bytes: 11,
            style: Style {
                is_bold: true,
                ..Style::default()
            },
            stderr: 12,
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert_eq!(bytes[..9], [8, 7, 6, 5, 4, 3, 2, 1, 9]);
        let bytes: Option<[u8; RECORD_BYTES]> = bytes.try_into().ok();
        assert_eq!(bytes.map(|bytes| Record::decode(&bytes)), Some(record));
    }

    #[test]
    fn each_block_of_text_has_a_record() {
        let line = b"0123456789abcde\n".repeat(5000);
        let runs = [
            (Channel::Stdout, line.clone()),
            (Channel::Stderr, b"\x1b[31m".to_vec()),
            (Channel::Stderr, line),
        ];
        let found = records(&runs, 1000);
        let places: Vec<_> = found
            .iter()
            .map(|r| (r.byte, r.feeds, r.run, r.run_bytes))
            .collect();
        assert_eq!(
            places,
            [(65_536, 4096, 0, 65_536), (131_072, 8191, 2, 51_067)]
        );
        assert_eq!((found[0].stderr, found[1].stderr), (0, 51_072));
        assert_eq!(found[0].style, Style::default());
        assert_eq!(found[1].style.foreground.map(|ink| ink.number()), Some(1));
        assert!(found[0].can_be(1) && found[1].can_be(2));
        assert!(!found[0].can_be(2) && !found[1].can_be(1) && !Record::default().can_be(1));
    }

    #[test]
    fn a_record_is_not_within_a_sequence() {
        let mut text = vec![b'x'; 65_534];
        text.extend_from_slice(b"\x1b[1mbold");
        let found = records(&[(Channel::Stdout, text)], 7);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].byte, 65_538);
        assert!(found[0].style.is_bold);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_text_comes(
            seed in prop::collection::vec(
                prop_oneof![Just(0x1b), Just(b'['), Just(b'm'), Just(b'\n'), any::<u8>()], 1..50),
            piece in 1_usize..5000,
        ) {
            let text = seed.repeat(140_000 / seed.len());
            let runs = [(Channel::Stdout, text.clone()), (Channel::Stderr, text)];
            prop_assert_eq!(records(&runs, piece), records(&runs, usize::MAX));
        }
    }
}
