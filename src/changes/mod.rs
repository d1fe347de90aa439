//! Change sources: where changes come from.
//!
//! Invariant: a sender gets its acknowledgement only once the change and its effects are on disk.

mod arrivals;
pub mod driver;
pub mod pb;
pub mod try_jobdir;
