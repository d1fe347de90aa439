//! Perspective Broker without I/O: bytes in, bytes out (PROTOCOL sections 1 to 8).
//!
//! Four layers that do not mix: [`banana`] turns bytes into tokens and back, [`jelly`] turns
//! expressions into [`Value`]s and back, [`broker`] speaks calls, answers and references, and
//! [`cred`] is the challenge-response login. A connection owns one [`Broker`] and feeds it.
//!
//! Invariants: any split of the input gives the same result; nothing is parsed twice; no recursion
//! on depth that a peer controls; every quantity that a peer controls has a limit in [`Limits`];
//! byte strings stay slices of the receive buffer. This module knows nothing of Buildbot's
//! messages; [`crate::protocol`] does.

pub mod banana;
pub mod broker;
pub mod cred;
pub mod failure;
pub mod foreign;
pub mod fuzz;
pub mod hashed;
pub mod jelly;
pub mod limits;
pub mod value;

pub use broker::{Broker, CallId, Event, RequestNumber, Target};
pub use cred::{Attempt, Portal};
pub use failure::Failure;
pub use limits::Limits;
pub use value::{Luid, Value};
