//! One build: an async task with a plan, a slave and log sinks (sections 17 and 18).
//!
//! Invariants: the task ends exactly once, with a result, whatever happens; steps run one at a time
//! in order; it decides nothing about other builds. What must be remembered of steps and logs goes
//! to the store as ops without a ticket, in order, before the outcome is returned. While a command
//! runs its events are read all the time, and nothing is awaited of the slave but those events;
//! what it says is acknowledged when the log has taken it.
//!
//! Start reading at [`run`], then `step`, `command` and `steps::shell`. Pure parts: `fold`,
//! `render`,
//! `rules`, `watcher`.

mod command;
mod control;
mod desk;
mod fold;
mod guard;
mod journal;
mod lines;
mod mask;
mod remote;
mod render;
mod report_program;
mod rules;
mod runner;
mod secrets;
mod step;
mod steplist;
mod steplog;
mod steplogs;
mod steps;
mod surroundings;
mod taps;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod watcher;

pub use control::Control;
pub use desk::Desk;
pub use fold::{Contribution, contribution, headline};
pub use journal::Journal;
pub use remote::Remote;
pub use runner::{Services, run};
