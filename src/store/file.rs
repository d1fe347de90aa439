//! The file of the state.

/// Its name in the base directory.
pub(super) const FILE: &str = "state.sqlite";
