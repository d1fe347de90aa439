//! IRC, as a bot speaks it (IRC-01, IRC-07, IRC-08): lines, the decisions of a connection, and who
//! is known there.
//!
//! Invariants: what a server sends is bounded and never trusted; no line that is sent has a line
//! end, or more than 512 bytes. Nothing here knows of builds.
//!
//! Start reading at [`Session`].

mod message;
mod network;
mod pacer;
mod sasl;
mod session;
mod text;

pub use message::{LONGEST_LINE, Message, line};
pub use network::{CaseMapping, Hints, Network, Presence};
pub use pacer::Pacer;
pub use sasl::Sasl;
pub use session::{Heard, Session, Wishes};
pub use text::{Colour, coloured, ctcp, cut, plain, safe};
