//! Jelly: typed values as expressions (PROTOCOL section 3).
//!
//! The decoder moves data out of the tokens. It knows a closed set of types and rejects all others,
//! as Twisted rejects unregistered types. Nothing is ever looked up or created by name.
//!
//! Invariants: no recursion on depth that the peer controls. A value that refers to itself is
//! rejected, so every [`super::Value`] is a finite tree of limited depth and size, where shared
//! parts count at each use.

mod decode;
mod encode;

pub use decode::{Refused, Unjellier};
pub use encode::{Jellier, Unsendable};

/// The class of failures on the wire.
const FAILURE_CLASS: &[u8] = b"twisted.spread.pb.CopyableFailure";
