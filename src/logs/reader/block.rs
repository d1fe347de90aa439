//! Reads a log in blocks, for those who send it on.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::LogReader;
use crate::logs::Channel;

impl LogReader {
    /// Appends what `channels` have in a range of the text to `out`, until `out` has `most` bytes.
    /// Returns the position from which to read on. It is the start of the range if the log has
    /// nothing more so far.
    ///
    /// A call goes past at most 16 MiB of text, so `out` may stay empty where other channels are.
    ///
    /// # Errors
    /// Reading failed, or the log has fewer bytes than its index says.
    pub fn read_block(
        &mut self,
        range: Range<u64>,
        channels: &[Channel],
        most: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<u64> {
        let mut cursor = self.seek_byte(range.start)?;
        let end = range.end.min(range.start.saturating_add(MOST_PASSED));
        while cursor.byte() < end && out.len() < most {
            let left = usize::try_from(end - cursor.byte()).unwrap_or(usize::MAX);
            let left = left.min(most - out.len());
            let take = |channel, bytes: &[u8]| {
                let bytes = &bytes[..left.min(bytes.len())];
                if channels.contains(&channel) {
                    out.extend_from_slice(bytes);
                }
                bytes.len()
            };
            if self.pass(&mut cursor, take)?.is_none() {
                break;
            }
        }
        Ok(cursor.byte().max(range.start))
    }

    /// The file of a compressed log, which any gzip program reads; absent if the log is plain.
    ///
    /// # Errors
    /// The file cannot be opened a second time.
    pub fn packed(&self) -> io::Result<Option<File>> {
        self.data.packed()
    }
}

/// Bytes that one call goes past.
const MOST_PASSED: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;
    use crate::logs::LogStore;

    #[tokio::test]
    async fn blocks_have_each_byte_of_the_wanted_channels_once() {
        let base = tempfile::tempdir().unwrap();
        let store = LogStore::start(base.path().to_owned()).unwrap();
        let mut sink = store.create("builders/full/1/0-a.stdio");
        let mut expected = [Vec::new(), Vec::new()];
        for n in 0..20_000 {
            let line = format!("line {n}\n").into_bytes();
            let channel = match n % 3 {
                0 => Channel::Stderr,
                _ => Channel::Stdout,
            };
            expected[0].extend_from_slice(&line);
            if channel == Channel::Stderr {
                expected[1].extend_from_slice(&line);
            }
            sink.append(channel, Bytes::from(line)).await;
        }
        sink.close().await;
        let mut reader = LogReader::open(base.path(), "builders/full/1/0-a.stdio").unwrap();
        for (channels, expected) in [&Channel::ALL[..], &[Channel::Stderr]].iter().zip(expected) {
            let (mut all, mut from) = (Vec::new(), 0);
            loop {
                let mut block = Vec::new();
                let next = reader.read_block(from..u64::MAX, channels, 10_000, &mut block);
                let next = next.unwrap();
                assert!(block.len() <= 10_000);
                if next == from {
                    break;
                }
                all.extend(block);
                from = next;
            }
            assert!(all == expected, "{channels:?}");
        }
        let mut part = Vec::new();
        let next = reader.read_block(3..11, &Channel::ALL, 100, &mut part);
        assert_eq!((next.unwrap(), part.as_slice()), (11, &b"e 0\nline"[..]));
        assert!(reader.packed().unwrap().is_none());
    }
}
