//! Banana: converts bytes to tokens and back (PROTOCOL section 1).
//!
//! An expression is a flat list of [`Token`]s in the order of the wire; [`Token::List`] says how
//! many expressions after it belong to it. This tree has no pointers. It is built without
//! recursion, and consumed by moving tokens out.
//!
//! Invariants: no byte is read twice, in any chunking. A byte string within one chunk is a slice of
//! the chunk. An element that exceeds a limit is rejected by its header, before any memory is used
//! for the element.

mod decoder;
mod encoder;
mod vocabulary;

use bytes::Bytes;

pub use decoder::Decoder;
pub use encoder::{Encoder, Mark};
pub use vocabulary::Word;

/// Maximum length of the prefix of a type byte, and of the digits of an integer (Twisted's limit).
pub const PREFIX_LIMIT: usize = 64;

/// Maximum length of a string or list that Twisted accepts or sends.
pub const SIZE_LIMIT: usize = 640 * 1024;

/// The memory count of a token in [`super::Limits::message_bytes`], besides the bytes of a string.
pub const TOKEN_COST: usize = size_of::<Token>();

/// One step of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// The beginning of a list with this number of elements, which are the next expressions.
    List(usize),
    /// An integer of 64 bits.
    Int(i64),
    /// A larger integer: magnitude in base 128, least significant digit first, no trailing zeros.
    BigInt {
        /// Whether the integer is negative.
        negative: bool,
        /// The digits.
        digits: Bytes,
    },
    /// A float.
    Float(f64),
    /// A byte string, which may have been a word of the vocabulary on the wire.
    Bytes(Bytes),
}

/// Why bytes are not banana or exceed a limit of the peer. The connection ends.
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
    /// An expression larger than allowed.
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
