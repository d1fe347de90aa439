//! Change sources: where changes come from.
//!
//! Invariant: a sender gets its acknowledgement only once the change and its effects are on disk.

mod arrivals;
pub mod driver;
pub mod drivers;
mod maildir;
mod mails;
pub mod pb;
pub mod try_jobdir;
