//! People: who may do what.
//!
//! Invariants: everything is denied unless a rule of the configuration allows it, and a rule that
//! forbids wins. The control socket, the web and all other doors ask the same function,
//! [`may`](may()).

mod may;

pub use may::{Actor, Decision, Ground, TokenRights, may};
