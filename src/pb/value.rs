//! Typed values, decoded by jelly (PROTOCOL section 3).

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::Failure;

/// Number of an exported object, valid for one connection (PROTOCOL section 4.3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Luid(pub i64);

/// A typed value. Shared parts of a message (`reference` / `dereference`) are shared here as well.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// A larger integer: sign and magnitude, base 128, least significant digit first.
    BigInt {
        /// Whether it is below zero.
        negative: bool,
        /// The digits, each below 0x80, without trailing zeros.
        digits: Bytes,
    },
    /// A float.
    Float(f64),
    /// A byte string: Python 2 `str`, Python 3 `bytes`.
    Bytes(Bytes),
    /// Text: Python 2 `unicode`, Python 3 `str`. UTF-8 as the peer sent it, not checked.
    Text(Bytes),
    /// A list.
    List(Vec<Self>),
    /// A tuple.
    Tuple(Vec<Self>),
    /// A dictionary, in the order of the wire.
    Dict(Vec<(Self, Self)>),
    /// A set.
    Set(Vec<Self>),
    /// A frozen set.
    FrozenSet(Vec<Self>),
    /// A decimal: digits with their sign, and exponent.
    Decimal(i64, i64),
    /// `datetime`, `date`, `time` or `timedelta` (the tag), and its numbers.
    Time(&'static str, Bytes),
    /// A reference to an object of the side that holds this value: outgoing `(remote N)`, incoming
    /// `(local N)`.
    Mine(Luid),
    /// A reference to an object of the peer: incoming `(remote N)`, outgoing `(local N)`.
    Theirs(Luid),
    /// A value that its owner could not send, with the reason.
    Unpersistable(Bytes),
    /// An exception sent as a value.
    Failure(Box<Failure>),
    /// A value that occurs more than once in the message.
    Shared(Arc<Self>),
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "each accessor asks for a few kinds; a value of any other kind, old or new, is none"
)]
impl Value {
    /// Text from a `&str`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A byte string from a `&str` or bytes.
    #[must_use]
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes.as_ref()))
    }

    /// Looks through [`Value::Shared`].
    #[must_use]
    pub fn unshared(&self) -> &Self {
        let mut value = self;
        while let Self::Shared(inner) = value {
            value = inner;
        }
        value
    }

    /// The raw bytes of a byte string or a unicode string; Buildbot mixes both everywhere (PROTOCOL
    /// section 6).
    #[must_use]
    pub fn as_raw(&self) -> Option<&Bytes> {
        match self.unshared() {
            Self::Bytes(b) | Self::Text(b) => Some(b),
            _ => None,
        }
    }

    /// A byte string or text as text, undecodable bytes replaced.
    #[must_use]
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        self.as_raw().map(|b| String::from_utf8_lossy(b))
    }

    /// An integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self.unshared() {
            Self::Int(i) => Some(*i),
            Self::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// An integer or a float as a float.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "peers mix integers and floats for seconds"
    )]
    pub fn as_float(&self) -> Option<f64> {
        match self.unshared() {
            Self::Float(f) => Some(*f),
            other => other.as_int().map(|i| i as f64),
        }
    }

    /// A flag: boolean, integer or `None` (PROTOCOL section 3, last point).
    #[must_use]
    pub fn as_flag(&self) -> Option<bool> {
        match self.unshared() {
            Self::None => Some(false),
            other => other.as_int().map(|i| i != 0),
        }
    }

    /// The items of a list or a tuple.
    #[must_use]
    pub fn as_items(&self) -> Option<&[Self]> {
        match self.unshared() {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a dictionary.
    #[must_use]
    pub fn as_dict(&self) -> Option<&[(Self, Self)]> {
        match self.unshared() {
            Self::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value of `key` in a dictionary whose keys are bytes or text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let pairs = self.as_dict()?;
        pairs
            .iter()
            .find(|(k, _)| k.as_raw().is_some_and(|k| k == key.as_bytes()))
            .map(|(_, v)| v)
    }

    /// The peer's object that this refers to.
    #[must_use]
    pub fn as_theirs(&self) -> Option<Luid> {
        match self.unshared() {
            Self::Theirs(luid) => Some(*luid),
            _ => None,
        }
    }
}
