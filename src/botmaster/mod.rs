//! The core: builders, slave-builders, slaves, build sets, requests. Pure; the single owner of control state.
//!
//! One face: inputs are handled, commands come out, one deadline is the next.

pub mod plan;

pub use plan::{BuildOutcome, BuildPlan};
