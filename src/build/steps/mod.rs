//! The kinds of step, a file each.

pub(super) mod shell;
