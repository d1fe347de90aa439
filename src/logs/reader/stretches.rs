//! A log in parts, for drawings of it.

use std::io;

use super::LogReader;
use crate::logs::line_index::BLOCK_BYTES;

/// A part of a log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stretch {
    /// Bytes of all channels.
    pub bytes: u64,
    /// Bytes of standard error; at least this many if it is a part of a huge log.
    pub stderr: u64,
}

impl LogReader {
    /// The log in at most `most` parts of about the same size, each of at least 64 KiB. Only the
    /// index of lines is read, and text that this index lacks.
    ///
    /// # Errors
    /// Reading failed.
    pub fn stretches(&mut self, most: u64) -> io::Result<Vec<Stretch>> {
        let end = self.end()?;
        let tail = self.seek_byte(end)?.place();
        let count = self.records.count() + 1;
        let parts = usize::try_from(count.min(most.max(1))).unwrap_or(usize::MAX);
        let mut stretches = vec![Stretch::default(); parts];
        let mut before = 0;
        for at in 0..count {
            let record = match at + 1 < count {
                true => self.records.get(at)?,
                false => tail,
            };
            let part = u128::from(at) * parts as u128 / u128::from(count);
            let part = &mut stretches[usize::try_from(part).unwrap_or(0)];
            part.bytes += record.byte.saturating_sub(before);
            part.stderr += u64::from(record.stderr).min(BLOCK_BYTES);
            before = record.byte;
        }
        Ok(stretches)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;
    use crate::logs::Channel::{self, Stderr, Stdout};
    use crate::logs::LogStore;

    const PATH: &str = "builders/quick/12/0-compile.stdio";
    const MIB: usize = 1024 * 1024;

    fn stretches(pieces: &[(Channel, usize)], most: u64) -> Vec<Stretch> {
        let base = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = LogStore::start(base.path().to_owned()).unwrap();
            let mut sink = store.create(PATH);
            for (channel, size) in pieces {
                let bytes = Bytes::from(vec![b'x'; *size]);
                sink.append(*channel, bytes).await;
            }
            sink.close().await;
        });
        let mut reader = LogReader::open(base.path(), PATH).unwrap();
        reader.stretches(most).unwrap()
    }

    #[test]
    fn parts_have_their_share_of_standard_error() {
        let all = stretches(&[(Stdout, MIB), (Stderr, MIB / 2), (Stdout, MIB / 2)], 4);
        let bytes: Vec<_> = all.iter().map(|part| part.bytes).collect();
        assert_eq!(bytes.iter().sum::<u64>(), 2 * 1024 * 1024);
        assert_eq!(bytes.len(), 4);
        let stderr: Vec<_> = all.iter().map(|part| part.stderr).collect();
        assert_eq!((stderr[0], stderr[1]), (0, 0));
        // A record says at most 65 535 of 65 536 bytes.
        assert!(stderr[2] > 400_000 && stderr[3] < 100_000, "{stderr:?}");
    }

    #[test]
    fn a_short_log_is_one_part() {
        let whole = |bytes, stderr| vec![Stretch { bytes, stderr }];
        assert_eq!(stretches(&[], 200), whole(0, 0));
        assert_eq!(stretches(&[(Stderr, 7), (Stdout, 3)], 200), whole(10, 7));
    }
}
