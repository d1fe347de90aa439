//! Change sources: where changes come from.
//!
//! Invariant: a sender gets its acknowledgement only once the change and its effects are on disk.

mod arrivals;
mod bzr_poller;
mod cvs_poller;
pub mod driver;
pub mod drivers;
mod gerrit;
mod git_poller;
mod hg_poller;
mod maildir;
mod mails;
mod p4_poller;
pub mod pb;
mod poller;
mod polling;
mod pull_poller;
mod svn_poller;
pub mod try_jobdir;

pub use git_poller::{Brought, brought};
