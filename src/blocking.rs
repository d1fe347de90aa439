//! Work that blocks, such as reading files or hashing a password, away from the tasks.
//!
//! All of it starts here, so that a simulation can run it in place.

use tokio::task::JoinHandle;

/// Runs `work` on a thread for blocking work. The work runs to its end even if the handle is
/// dropped.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}
