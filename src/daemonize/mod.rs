//! Background programs: start, pid file, stop and log file.
//!
//! A program moves to the background by starting itself again: [`spawn`] runs the same executable
//! with other arguments and waits until the child reports over standard output that it is ready,
//! has failed or is still trying. The child creates a [`Readiness`] at the beginning of `main`,
//! before any thread exists. The child leads its own session and releases the terminal after its
//! report. No process with threads is ever forked.
//!
//! Invariants: a program is running if and only if its pid file is locked. A stale file after a
//! crash, or a reused process number, therefore means nothing. The kernel releases the lock at the
//! end of the process, even after a crash. Child processes do not inherit the lock.

mod log_file;
mod log_output;
mod pid_file;
mod readiness;
#[cfg(unix)]
mod stderr;

pub use log_file::{LogFile, Rotation};
pub use log_output::{Format, LogOutput};
pub use pid_file::{PidFile, PidFileError, Stopped, await_end, running, stop, stop_by_request};
pub use readiness::{Readiness, SpawnError, Started, spawn};
#[cfg(unix)]
pub use stderr::Stderr;
