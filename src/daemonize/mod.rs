//! Programs that go to the background: starting, the pid file, stopping, the log file.
//!
//! A program goes to the background by starting itself again: [`spawn`] runs the same executable
//! with other arguments and waits until the child says over its standard output that it is up,
//! or that it failed, or that it keeps trying. The child holds a [`Readiness`], made first thing in
//! `main` before any thread exists; it becomes the leader of a session of its own, and lets go of
//! the terminal when it has said its word. Nothing forks a process that has threads.
//!
//! Invariants: a program is running if and only if its pid file is locked, so a file left over by
//! a crash, or a number that another process has by now, means nothing. The lock is released by
//! the kernel at the end of the process, whatever its end was. Commands that the program starts do
//! not inherit it.

mod log_file;
mod log_output;
mod pid_file;
mod readiness;

pub use log_file::{LogFile, Rotation};
pub use log_output::{Format, LogOutput, Stderr};
pub use pid_file::{PidFile, PidFileError, Stopped, await_end, running, stop};
pub use readiness::{Readiness, SpawnError, Started, spawn};
