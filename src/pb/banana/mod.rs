//! Banana: bytes to tokens and back (PROTOCOL section 1).
//!
//! An expression is a flat list of [`Token`]s in the order of the wire; [`Token::List`] says how
//! many expressions after it belong to it. That is a tree without pointers: it is built without
//! recursion and consumed by moving out of it.
//!
//! Invariants: no byte is looked at twice, whatever the chunking; a byte string that lies in one
//! chunk is a slice of it; what a header announces is refused before anything is kept for it.

mod decoder;
mod encoder;
mod vocabulary;

use bytes::Bytes;

pub use decoder::Decoder;
pub use encoder::{Encoder, Mark};
pub use vocabulary::Word;

/// Longest prefix of a type byte, which is also the most digits of an integer (Twisted's limit).
pub const PREFIX_LIMIT: usize = 64;

/// Longest string and longest list that Twisted takes or sends.
pub const SIZE_LIMIT: usize = 640 * 1024;

/// What one token counts in [`super::Limits::message_bytes`], besides the bytes of a string.
pub const TOKEN_COST: usize = size_of::<Token>();

/// One step of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// The next so many expressions are the elements of a list.
    List(usize),
    /// An integer of 64 bits.
    Int(i64),
    /// A larger integer: magnitude in base 128, least significant digit first, no trailing zeros.
    BigInt {
        /// Whether it is below zero.
        negative: bool,
        /// The digits.
        digits: Bytes,
    },
    /// A float.
    Float(f64),
    /// A byte string; also what stood for one as a word of the vocabulary.
    Bytes(Bytes),
}

/// Why bytes cannot be banana, or would be more than the peer may send. The connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BananaError {
    /// More than [`PREFIX_LIMIT`] bytes before a type byte.
    #[error("a prefix is longer than 64 bytes")]
    PrefixTooLong,
    /// A string longer than allowed.
    #[error("a string is longer than allowed")]
    StringTooLong,
    /// A list with more elements than allowed.
    #[error("a list is longer than allowed")]
    ListTooLong,
    /// Lists nested deeper than allowed.
    #[error("lists are nested deeper than allowed")]
    TooDeep,
    /// One expression with more in it than allowed.
    #[error("a message is larger than allowed")]
    MessageTooLarge,
    /// A type byte that does not exist.
    #[error("unknown type byte {0:#04x}")]
    UnknownType(u8),
    /// A word outside the vocabulary, or any word while the dialect has none.
    #[error("unknown word of the vocabulary")]
    UnknownWord,
}

mod kind {
    //! The type bytes.
    pub(super) const LIST: u8 = 0x80;
    pub(super) const INT: u8 = 0x81;
    pub(super) const STRING: u8 = 0x82;
    pub(super) const NEG: u8 = 0x83;
    pub(super) const FLOAT: u8 = 0x84;
    pub(super) const LONG_INT: u8 = 0x85;
    pub(super) const LONG_NEG: u8 = 0x86;
    pub(super) const VOCAB: u8 = 0x87;
}
