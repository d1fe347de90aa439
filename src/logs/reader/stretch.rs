//! A stretch of what a command has written (TST-08).

use std::io;
use std::ops::ControlFlow;

use super::{DATA_BUFFER, LogReader, copy, each_run};
use crate::logs::Channel;

impl LogReader {
    /// Appends `length` bytes of `channels` to `out`, from byte `begin` on, counted over these
    /// channels; fewer if the log has fewer.
    ///
    /// # Errors
    /// Reading failed, or the log has fewer bytes than its index says.
    pub fn read_stretch(
        &mut self,
        channels: &[Channel],
        (begin, length): (u64, u64),
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let (mut seen, mut position, mut left) = (0_u64, 0_u64, length);
        let (data, mut buffer) = (&mut self.data, vec![0; DATA_BUFFER]);
        let mut take = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        each_run(&self.index, |run| {
            if left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            if channels.contains(&run.channel) {
                let skipped = begin.saturating_sub(seen).min(run.length);
                let wanted = (run.length - skipped).min(left);
                copy(data, (position + skipped, wanted), &mut buffer, &mut take)?;
                left -= wanted;
                seen = seen.saturating_add(run.length);
            }
            position = position.saturating_add(run.length);
            Ok(ControlFlow::Continue(()))
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;
    use crate::logs::LogStore;

    #[tokio::test]
    async fn tst_08_a_stretch_is_counted_over_the_output_alone() {
        use Channel::{Header, Stderr, Stdout};
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::start(dir.path().to_owned()).unwrap();
        let mut log = store.create("b/1");
        let pieces = [
            (Header, "command\n"),
            (Stdout, "abc"),
            (Header, "note\n"),
            (Stderr, "def"),
            (Stdout, "ghi"),
        ];
        for (channel, text) in pieces {
            log.append(channel, Bytes::from(text)).await;
        }
        log.close().await;
        let stretch = |place| {
            let mut out = Vec::new();
            let mut reader = LogReader::open(dir.path(), "b/1").unwrap();
            reader
                .read_stretch(&Channel::OUTPUT, place, &mut out)
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(stretch((0, 9)), "abcdefghi");
        assert_eq!(stretch((2, 5)), "cdefg");
        assert_eq!(stretch((3, 3)), "def");
        assert_eq!(stretch((8, 10)), "i");
        assert_eq!(stretch((9, 1)), "");
        assert_eq!(stretch((u64::MAX, 5)), "");
        assert_eq!(stretch((1, 0)), "");
    }
}
