//! Change sources: where changes come from.
//!
//! Invariant: a sender is told that its change was accepted only when the change and what follows
//! from it are on disk.

pub mod pb;
pub mod try_jobdir;
