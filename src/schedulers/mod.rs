//! The registry of schedulers and their kinds; owned and driven by the core (sections 3 to 9).
//!
//! Pure: time is an argument. A scheduler gets every change, decides for itself, and answers with
//! the sets it wants submitted and what it must remember.
//!
//! Invariants: every scheduler gets every change in the order of arrival, whatever the others do
//! with it (CHG-04, CHG-05); what a scheduler must know after a restart is handed out with the
//! effects that made it, so that both become durable together; what is waited for is measured in
//! steady time, which the owner turns into deadlines, and only a Nightly looks at the wall clock;
//! the owner reports the end of every set that was wanted, also of one that could not be made.
//! Start reading at [`Registry`], then `kind` and the table `kinds`, then the kinds: `dependent`
//! and `periodic` are the simplest.

mod codebases;
mod effects;
pub mod forcing;
mod foresight;
mod kind;
mod kinds;
mod registry;
mod remembering;
mod search;
#[cfg(test)]
mod tests;
mod timed;
mod tree;
mod trees;
mod waiting;

pub use effects::{Effects, SchedulerIx, Submission};
pub use foresight::{Foreseen, Foresight, Outlook};
pub use kind::Due;
pub use kinds::{next_run_of, runs};
pub use registry::Registry;
pub use search::{Run, next_run};
