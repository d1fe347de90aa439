//! How text is spelled for a peer (PROTOCOL section 6).

use crate::pb::Value;

/// Whether a peer wants byte strings or unicode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TextStyle {
    /// Slaves and clients up to 0.8, on Python 2: byte strings.
    Bytes,
    /// Workers and clients from 0.9 on: unicode.
    Unicode,
}

impl TextStyle {
    /// `text` for this peer.
    #[must_use]
    pub fn value(self, text: &str) -> Value {
        match self {
            Self::Bytes => Value::bytes(text),
            Self::Unicode => Value::text(text),
        }
    }

    /// `raw` for this peer; for one that wants text, what is not UTF-8 is replaced.
    #[must_use]
    pub fn lossy(self, raw: &[u8]) -> Value {
        match self {
            Self::Bytes => Value::bytes(raw),
            Self::Unicode => Value::text(&String::from_utf8_lossy(raw)),
        }
    }

    /// `raw` for this peer; what is not UTF-8 stays a byte string.
    #[must_use]
    pub fn raw(self, raw: &[u8]) -> Value {
        match (self, str::from_utf8(raw)) {
            (Self::Unicode, Ok(text)) => Value::text(text),
            (Self::Unicode, Err(_)) | (Self::Bytes, _) => Value::bytes(raw),
        }
    }
}
