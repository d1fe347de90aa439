//! Pseudo terminals on a system without them.

use std::io;
use std::path::{Path, PathBuf};

use super::{Process, Program};

/// Nothing: this process is never a helper.
pub const fn maybe_exec() {}

/// The program that would be the helper.
#[must_use]
pub fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("buildslave"))
}

/// Refuses.
///
/// # Errors
/// Always: the system has no pseudo terminals.
pub fn start(_: Program, _: &Path) -> io::Result<(Process, tokio::io::Empty)> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        crate::platform::NO_TERMINALS,
    ))
}
