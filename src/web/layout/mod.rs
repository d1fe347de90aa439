//! Where things stand on the pages that are drawn as matrices.
//!
//! Invariants: pure functions of numbers and times. Every place of a table belongs to exactly one
//! cell, so that nothing can overlap; the cost is linear in what is drawn, but for sorting it.

pub mod elastic;
pub mod fields;
pub mod fold;
