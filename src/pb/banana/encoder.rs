//! Encodes tokens into bytes and holds the unsent bytes.

use std::{fmt, mem};

use bytes::{BufMut, Bytes, BytesMut};

use super::{Token, Word, kind};

/// Writes expressions. Small values are collected in one buffer; long byte strings are sent without
/// a copy.
#[derive(Default)]
pub struct Encoder {
    vocabulary: bool,
    /// Finished slices, in order, before `tail`.
    done: Vec<Bytes>,
    tail: BytesMut,
    /// Number of bytes in `done`.
    done_len: usize,
}

/// A position in the output, for undoing later writes.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    done: usize,
    done_len: usize,
    tail: usize,
}

impl Encoder {
    /// Sets whether the dialect has a vocabulary; initially it has none.
    pub fn set_vocabulary(&mut self, vocabulary: bool) {
        self.vocabulary = vocabulary;
    }

    /// Begins a list of `len` expressions, which follow.
    pub fn list(&mut self, len: usize) {
        self.head(u64::try_from(len).unwrap_or(u64::MAX), kind::LIST);
    }

    /// Writes an integer.
    pub fn int(&mut self, int: i64) {
        let kind = match int {
            0..=0x7fff_ffff => kind::INT,
            0x8000_0000.. => kind::LONG_INT,
            -0x8000_0000..=-1 => kind::NEG,
            i64::MIN..-0x8000_0000 => kind::LONG_NEG,
        };
        self.head(int.unsigned_abs(), kind);
    }

    /// Writes an integer of more than 64 bits from its digits.
    pub fn big_int(&mut self, negative: bool, digits: &[u8]) {
        self.tail.extend_from_slice(digits);
        self.tail.put_u8(if negative {
            kind::LONG_NEG
        } else {
            kind::LONG_INT
        });
    }

    /// Writes a float.
    pub fn float(&mut self, float: f64) {
        self.tail.put_u8(kind::FLOAT);
        self.tail.put_f64(float);
    }

    /// Writes a byte string, abbreviated when it is a word of the vocabulary.
    pub fn bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < OWN_SLICE {
            return self.slice(bytes);
        }
        self.head(u64::try_from(bytes.len()).unwrap_or(u64::MAX), kind::STRING);
        self.end_tail();
        self.done_len += bytes.len();
        self.done.push(bytes.clone());
    }

    /// Writes a byte string by copying it, abbreviated when it is a word of the vocabulary.
    pub fn slice(&mut self, bytes: &[u8]) {
        if self.vocabulary
            && let Some(word) = Word::find(bytes)
        {
            return self.word(word);
        }
        self.literal(bytes);
    }

    /// Writes a word.
    pub fn word(&mut self, word: Word) {
        if self.vocabulary {
            self.tail.extend_from_slice(&[word.index(), kind::VOCAB]);
        } else {
            self.literal(word.text().as_bytes());
        }
    }

    /// Writes a byte string that is not a word of the vocabulary.
    pub fn literal(&mut self, bytes: &[u8]) {
        self.head(u64::try_from(bytes.len()).unwrap_or(u64::MAX), kind::STRING);
        self.tail.extend_from_slice(bytes);
    }

    /// Writes decoded tokens.
    pub fn token(&mut self, token: &Token) {
        match token {
            Token::List(len) => self.list(*len),
            Token::Int(int) => self.int(*int),
            Token::BigInt { negative, digits } => self.big_int(*negative, digits),
            Token::Float(float) => self.float(*float),
            Token::Bytes(bytes) => self.bytes(bytes),
        }
    }

    /// Writes bytes that are encoded already.
    pub fn encoded(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Appends everything from `other`.
    pub fn append(&mut self, mut other: Self) {
        self.end_tail();
        self.done_len += other.done_len;
        self.done.append(&mut other.done);
        self.tail = other.tail;
    }

    /// The current end of the output.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            done: self.done.len(),
            done_len: self.done_len,
            tail: self.tail.len(),
        }
    }

    /// Undoes all writes since `mark`. The mark must be from this output, and the output since then
    /// not taken.
    pub fn rewind(&mut self, mark: Mark) {
        // The tail at that time is the beginning of the first slice finished since.
        if let Some(ended) = self.done.get(mark.done) {
            self.tail = BytesMut::from(ended.get(..mark.tail).unwrap_or_default());
        } else {
            self.tail.truncate(mark.tail);
        }
        self.done.truncate(mark.done);
        self.done_len = mark.done_len;
    }

    /// Takes the unsent output.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.end_tail();
        self.done_len = 0;
        mem::take(&mut self.done)
    }

    /// Number of unsent bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done_len + self.tail.len()
    }

    /// Whether there are no unsent bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn head(&mut self, mut number: u64, kind: u8) {
        let mut head = [0_u8; 11];
        let mut len = 0;
        for byte in &mut head {
            len += 1;
            *byte = u8::try_from(number & 0x7f).unwrap_or_default();
            number >>= 7;
            if number == 0 {
                break;
            }
        }
        if let Some(byte) = head.get_mut(len) {
            *byte = kind;
        }
        self.tail
            .extend_from_slice(head.get(..=len).unwrap_or_default());
    }

    fn end_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        // Reuse a small buffer once its bytes are sent. A large buffer would be kept by every
        // connection that was ever busy.
        let tail = if self.tail.len() <= OWN_SLICE {
            self.tail.split()
        } else {
            mem::take(&mut self.tail)
        };
        self.done_len += tail.len();
        self.done.push(tail.freeze());
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("vocabulary", &self.vocabulary)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Minimum length of a byte string that is sent as its own slice. Copying a shorter string is
/// cheaper than another slice in a vectored write.
const OWN_SLICE: usize = 4 * 1024;
