//! The kinds of step, a file each.

pub(super) mod git;
pub(super) mod shell;
