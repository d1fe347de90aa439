//! Jelly: typed values as expressions (PROTOCOL section 3).
//!
//! A decoder moves what it can out of the tokens. It knows a closed set of types: what it does not
//! know is refused, as Twisted refuses what was not registered, and nothing is ever looked up or
//! made by name.
//!
//! Invariants: no recursion on depth that the peer controls; a value that refers to itself is
//! refused, so every [`super::Value`] is a finite tree of bounded depth and bounded size, shared
//! parts counted as often as they are used.

mod decode;
mod encode;

pub use decode::{Refused, Unjellier};
pub use encode::{Jellier, Unsendable};

/// The class of failures on the wire.
const FAILURE_CLASS: &[u8] = b"twisted.spread.pb.CopyableFailure";
