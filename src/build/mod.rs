//! One build: an async task with a plan, a slave and log sinks (sections 17 and 18).
//!
//! Invariants: the task ends exactly once, with a result, whatever happens; steps run one at a time
//! in order; it decides nothing about other builds. What must be remembered of steps and logs goes
//! to the store as ops without a ticket, in order, before the outcome is returned.
