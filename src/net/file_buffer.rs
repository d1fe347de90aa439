//! What a connection keeps of a file that its peer writes or reads in small blocks.
//!
//! A slave waits for the answer to each block. Most blocks are answered here, because handing each
//! to the task of its transfer and from there to a thread would cost more than all the rest.
//!
//! Invariant: at most [`GATHERED_BYTES`] and one block wait here for the disk, and at most what
//! one call read ahead waits for the peer. A peer has one call outstanding.

use bytes::Bytes;

use crate::model::transfer::MAX_BLOCK_BYTES;
use crate::pb::Value;

/// Bytes of blocks that are written together.
pub(super) const GATHERED_BYTES: usize = 256 * 1024;
/// Most bytes that are read at once, unless the peer asks for more.
const AHEAD_BYTES: usize = 256 * 1024;
/// What a block that waits costs beside its bytes. Without it, a peer could send empty ones without
/// end.
const BLOCK_BYTES: usize = 128;

/// Blocks on their way to the disk, and bytes on their way from it.
#[derive(Debug, Default)]
pub(super) struct FileBuffer {
    blocks: Vec<Bytes>,
    /// What the blocks cost.
    bytes: usize,
    /// What follows in the file that is read.
    ahead: Bytes,
}

/// What became of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Handled {
    /// This is its answer.
    Answered(Value),
    /// The transfer must handle it, after writing the blocks of the calls before it.
    Passed(Vec<Bytes>),
}

impl FileBuffer {
    /// Handles a call if neither the disk nor the transfer is needed.
    pub(super) fn on_call(&mut self, method: &[u8], args: &[Value]) -> Handled {
        match method {
            b"write" => {
                let Some(block) = written(args) else {
                    return Handled::Answered(Value::None);
                };
                let bytes = self.bytes.saturating_add(block.len()) + BLOCK_BYTES;
                if bytes >= GATHERED_BYTES {
                    return self.pass();
                }
                self.blocks.push(block.clone());
                self.bytes = bytes;
                Handled::Answered(Value::None)
            }
            b"read" if !self.ahead.is_empty() => {
                Handled::Answered(Value::Bytes(self.take(asked(args))))
            }
            _ => self.pass(),
        }
    }

    /// Takes the answer to a call that reads at most `most` bytes: `data` begins with it.
    pub(super) fn on_read(&mut self, most: usize, data: Bytes) -> Bytes {
        if self.ahead.is_empty() {
            self.ahead = data;
        } else {
            // Of a peer that did not wait for an answer.
            self.ahead = [&self.ahead[..], &data[..]].concat().into();
        }
        self.take(most)
    }

    fn take(&mut self, most: usize) -> Bytes {
        self.ahead.split_to(most.min(self.ahead.len()))
    }

    fn pass(&mut self) -> Handled {
        self.bytes = 0;
        Handled::Passed(std::mem::take(&mut self.blocks))
    }
}

/// What a call writes; absent if it is invalid.
pub(super) fn written(args: &[Value]) -> Option<&Bytes> {
    args.first().and_then(Value::as_raw)
}

/// How many bytes a call reads at most.
pub(super) fn asked(args: &[Value]) -> usize {
    let most = usize::try_from(MAX_BLOCK_BYTES).unwrap_or(usize::MAX);
    let asked = args.first().and_then(Value::as_int);
    let asked = asked.and_then(|asked| usize::try_from(asked).ok());
    asked.unwrap_or(most).min(most)
}

/// How many bytes to read at once for a peer that asks for at most `most`: a multiple of that.
pub(super) fn ahead(most: usize) -> usize {
    let blocks = AHEAD_BYTES.checked_div(most).unwrap_or_default();
    most * blocks.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: usize = GATHERED_BYTES / 2;

    fn block(byte: u8, len: usize) -> [Value; 1] {
        [Value::bytes(vec![byte; len])]
    }

    fn answer() -> Handled {
        Handled::Answered(Value::None)
    }

    fn read(file: &mut FileBuffer, most: i64) -> Handled {
        file.on_call(b"read", &[Value::Int(most)])
    }

    #[test]
    fn small_blocks_are_written_together_and_in_order() {
        let mut file = FileBuffer::default();
        let bytes = |byte| Bytes::from(vec![byte; HALF]);
        assert_eq!(file.on_call(b"write", &block(1, HALF)), answer());
        let passed = Handled::Passed(vec![bytes(1)]);
        assert_eq!(file.on_call(b"write", &block(2, HALF)), passed);
        assert_eq!(file.on_call(b"write", &block(3, HALF)), answer());
        let passed = Handled::Passed(vec![bytes(3)]);
        assert_eq!(file.on_call(b"close", &[]), passed);
        assert_eq!(file.on_call(b"close", &[]), Handled::Passed(Vec::new()));
    }

    #[test]
    fn a_peer_cannot_make_the_connection_keep_empty_blocks_without_end() {
        let mut file = FileBuffer::default();
        let most = GATHERED_BYTES / BLOCK_BYTES;
        let mut calls = 1..=most;
        let passed = calls.find_map(|_| match file.on_call(b"write", &block(0, 0)) {
            Handled::Answered(_) => None,
            Handled::Passed(blocks) => Some(blocks.len()),
        });
        assert_eq!(passed, Some(most - 1));
    }

    #[test]
    fn a_block_that_is_no_string_is_nothing() {
        let mut file = FileBuffer::default();
        assert_eq!(file.on_call(b"write", &[]), answer());
        assert_eq!(file.on_call(b"write", &[Value::Int(1)]), answer());
    }

    #[test]
    fn a_block_is_bytes_or_text() {
        let data = Bytes::from_static(b"x");
        for value in [Value::Bytes(data.clone()), Value::Text(data.clone())] {
            assert_eq!(written(&[value]), Some(&data));
        }
    }

    #[test]
    fn what_was_read_ahead_answers_later_calls() {
        let mut file = FileBuffer::default();
        let got = |bytes: &'static [u8]| Handled::Answered(Value::bytes(bytes));
        assert_eq!(read(&mut file, 2), Handled::Passed(Vec::new()));
        assert_eq!(file.on_read(2, Bytes::from_static(b"abcde")), "ab");
        assert_eq!(read(&mut file, 2), got(b"cd"));
        assert_eq!(read(&mut file, 2), got(b"e"));
        assert_eq!(read(&mut file, 2), Handled::Passed(Vec::new()));
        assert_eq!(file.on_read(2, Bytes::new()), "");
        assert_eq!(read(&mut file, 2), Handled::Passed(Vec::new()));
    }

    #[test]
    fn a_peer_that_does_not_wait_for_answers_gets_all_bytes() {
        let mut file = FileBuffer::default();
        assert_eq!(file.on_read(1, Bytes::from_static(b"ab")), "a");
        assert_eq!(file.on_read(2, Bytes::from_static(b"cd")), "bc");
    }

    #[test]
    fn a_block_is_below_the_limit_of_strings_whatever_is_asked() {
        let most = i64::from(MAX_BLOCK_BYTES);
        let block = usize::try_from(most).unwrap_or_default();
        for (value, bytes) in [
            (Value::Int(4), 4),
            (Value::Int(most), block),
            (Value::Int(most + 1), block),
            (Value::Int(-1), block),
            (Value::None, block),
            (Value::Int(0), 0),
        ] {
            assert_eq!(asked(&[value]), bytes);
        }
        assert_eq!(asked(&[]), block);
    }

    #[test]
    fn as_many_whole_blocks_as_fit_are_read_at_once() {
        assert_eq!(ahead(16 * 1024), AHEAD_BYTES);
        assert_eq!(ahead(100 * 1024), 200 * 1024);
        assert_eq!(ahead(AHEAD_BYTES + 1), AHEAD_BYTES + 1);
        assert_eq!(ahead(0), 0);
    }
}
