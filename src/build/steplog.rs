//! One log of a step, with its limits (LOG-03).
//!
//! Invariants: bytes go to the sink as they came; what a log keeps in memory is at most the tail
//! that is configured (LOG-05), and nothing when there is none.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::config::LogLimits;
use crate::logs::{Channel, LogSink, Written, end_follows, output_exceeded};

/// A log that is being written.
#[derive(Debug)]
pub(super) struct StepLog {
    name: String,
    sink: LogSink,
    limits: LogLimits,
    /// Bytes of stdout and stderr that came.
    output: u64,
    /// Bytes of headers that came from the slave.
    headers: u64,
    /// Bytes of stdout and stderr that are in the log.
    kept: u64,
    tail: Tail,
}

/// What became of a log of a step.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) name: String,
    /// Where it is, for [`crate::logs::LogSyncs`].
    pub(super) path: String,
    pub(super) written: Written,
    /// Bytes of output that it was given.
    pub(super) output_bytes: u64,
}

impl StepLog {
    pub(super) fn new(name: String, sink: LogSink, limits: LogLimits) -> Self {
        Self {
            name,
            sink: sink.compressed_above(limits.compress_above()),
            limits,
            output: 0,
            headers: 0,
            kept: 0,
            tail: Tail::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes what the slave sent; returns when the log has it.
    pub(super) async fn append(&mut self, channel: Channel, data: Bytes) {
        let Some(max_size) = self.limits.max_size else {
            self.put(channel, data).await;
            return;
        };
        let (came, limit) = match channel {
            Channel::Stdout | Channel::Stderr => (&mut self.output, max_size),
            Channel::Header => (&mut self.headers, max_size.max(MIN_HEADERS)),
        };
        let room = limit.saturating_sub(*came);
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let was_within = *came <= limit;
        *came = came.saturating_add(size);
        if size <= room {
            self.put(channel, data).await;
            return;
        }
        let mut rest = data;
        let kept = rest.split_to(usize::try_from(room).unwrap_or(rest.len()));
        if !kept.is_empty() {
            self.put(channel, kept).await;
        }
        if channel == Channel::Header {
            return;
        }
        if was_within {
            self.note(output_exceeded(max_size)).await;
        }
        if let Some(max_tail) = self.limits.max_tail_size {
            self.tail.push(channel, &rest, max_tail);
        }
    }

    /// Appends what the master has to say, as a header, whatever the limits.
    pub(super) async fn note(&mut self, text: String) {
        self.sink.append(Channel::Header, text.into()).await;
    }

    /// Appends the kept tail, if there is one, and closes the log.
    pub(super) async fn close(mut self) -> Closed {
        let tail = std::mem::take(&mut self.tail);
        if tail.size > 0 {
            self.note(end_follows(tail.size)).await;
            for (channel, data) in tail.pieces {
                self.put(channel, data.freeze()).await;
            }
        }
        Closed {
            path: self.sink.path().to_owned(),
            written: self.sink.close().await,
            name: self.name,
            output_bytes: self.kept,
        }
    }

    async fn put(&mut self, channel: Channel, data: Bytes) {
        if Channel::OUTPUT.contains(&channel) {
            let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.kept = self.kept.saturating_add(size);
        }
        self.sink.append(channel, data).await;
    }
}

/// Bytes that the headers of a limited log may always have, so that a small limit does not hide the
/// command.
const MIN_HEADERS: u64 = 1 << 20;

/// The last bytes of what was dropped. They are copies: slices would keep whole receive buffers
/// alive.
#[derive(Debug, Default)]
struct Tail {
    pieces: VecDeque<(Channel, BytesMut)>,
    size: u64,
}

impl Tail {
    fn push(&mut self, channel: Channel, data: &[u8], max: u64) {
        let max_here = usize::try_from(max).unwrap_or(usize::MAX);
        let (_, data) = data.split_at(data.len().saturating_sub(max_here));
        if data.is_empty() {
            return;
        }
        match self.pieces.back_mut() {
            Some((last, piece)) if *last == channel && piece.len() < PIECE_SIZE => {
                piece.extend_from_slice(data);
            }
            Some(_) | None => self.pieces.push_back((channel, BytesMut::from(data))),
        }
        self.size = self
            .size
            .saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        while self.size > max {
            let Some((_, piece)) = self.pieces.front_mut() else {
                return;
            };
            let surplus = usize::try_from(self.size - max).unwrap_or(usize::MAX);
            let gone = surplus.min(piece.len());
            piece.advance(gone);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
            self.size = self
                .size
                .saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        }
    }
}

/// Pieces of the tail grow to about this size, so that many small ones cost little beside their
/// bytes.
const PIECE_SIZE: usize = 4096;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::LogCompression;
    use crate::logs::LogStore;

    #[tokio::test]
    async fn log_03_a_finished_log_is_compressed_as_configured() {
        let base = tempfile::tempdir().unwrap();
        let store = LogStore::start(base.path().to_owned()).unwrap();
        let usual = LogLimits::default();
        let never = LogLimits {
            compression: LogCompression::None,
            ..usual
        };
        for (name, limits) in [("usual", usual), ("never", never)] {
            let mut log = StepLog::new(name.to_owned(), store.create(&format!("b/{name}")), limits);
            log.append(Channel::Stdout, Bytes::from(vec![b'x'; 4097]))
                .await;
            assert_eq!(log.close().await.written.size_bytes, 4097);
        }
        let is_there = |file| base.path().join("b").join(file).exists();
        while is_there("usual.log") {
            tokio::task::yield_now().await;
        }
        assert!(is_there("usual.log.gz") && is_there("never.log"));
    }

    fn tail_of(pieces: &[(Channel, &str)], max: u64) -> Vec<(Channel, String)> {
        let mut tail = Tail::default();
        for (channel, data) in pieces {
            tail.push(*channel, data.as_bytes(), max);
            assert!(tail.size <= max);
        }
        let shown = |(channel, data): &(Channel, BytesMut)| {
            (*channel, String::from_utf8_lossy(data).into_owned())
        };
        tail.pieces.iter().map(shown).collect()
    }

    #[test]
    fn the_tail_has_the_last_bytes_in_order_with_their_channels() {
        use Channel::{Stderr, Stdout};
        assert_eq!(
            tail_of(&[(Stdout, "abc"), (Stdout, "de"), (Stderr, "f")], 10),
            [(Stdout, "abcde".to_owned()), (Stderr, "f".to_owned())]
        );
        assert_eq!(
            tail_of(&[(Stdout, "abc"), (Stderr, "de"), (Stdout, "f")], 4),
            [
                (Stdout, "c".to_owned()),
                (Stderr, "de".to_owned()),
                (Stdout, "f".to_owned())
            ]
        );
        assert_eq!(
            tail_of(&[(Stdout, "abc"), (Stderr, "defghijk")], 4),
            [(Stderr, "hijk".to_owned())]
        );
        assert_eq!(tail_of(&[(Stdout, "abc")], 0), []);
    }

    #[test]
    fn many_small_pieces_cost_little() {
        let mut tail = Tail::default();
        for _ in 0..100_000 {
            tail.push(Channel::Stdout, b"x", 50_000);
        }
        assert_eq!(tail.size, 50_000);
        assert!(tail.pieces.len() <= 14, "{}", tail.pieces.len());
    }
}
