//! The error for an invalid message of a peer.

/// A value of a peer that is not what the protocol asks for. The text names the place and what is
/// there, for the peer's own error message and for our log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    /// `place` should be `wanted`.
    pub(crate) fn wrong(place: &str, wanted: &str) -> Self {
        Self(format!("{place}: expected {wanted}"))
    }

    /// `place` is missing.
    pub(crate) fn missing(place: &str) -> Self {
        Self(format!("{place}: missing"))
    }

    /// `place` holds more than `limit` of `unit`.
    pub(crate) fn too_many(place: &str, limit: usize, unit: &str) -> Self {
        Self(format!("{place}: more than {limit} {unit}"))
    }
}
