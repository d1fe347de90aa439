//! Step logs: append-only files below the builder's directory, readable while they are written and
//! with ordinary tools.
//!
//! A log is two files. `NAME.log` has the bytes of all channels in the order in which they came,
//! exactly as the slave sent them (LOG-04). `NAME.idx` says which run of bytes belongs to which
//! channel. Bytes beyond the last run of the index are not part of the log yet.
//!
//! Invariants: one thread writes all logs; what waits for it is bounded in bytes, so that a slow
//! disk makes the build task wait, which makes the slave wait (LOG-05); log text never passes the
//! core and never goes into SQLite.

pub mod reader;
pub mod writer;

pub use reader::LogReader;
pub use writer::{LogSink, LogStore};

/// A channel of a log (LOG-02). The numbers are those Buildbot's status clients know.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Channel {
    /// Standard output, and the text of followed files.
    Stdout = 0,
    /// Standard error.
    Stderr = 1,
    /// What the slave or the master says about the command.
    Header = 2,
}
