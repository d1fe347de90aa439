//! Step logs: append-only files below the builder's directory, readable while they are written and
//! with ordinary tools.
//!
//! A log is two files, or three. `NAME.log` has the bytes of all channels in the order in which
//! they came, exactly as the slave sent them (LOG-04). After the end of a long log, the file is
//! replaced by `NAME.log.gz`, which has the same bytes and can be read from any position
//! (`packed`).
//! `NAME.idx` says which run of bytes belongs to which
//! channel: for each run, in order, the number `length * 4 + channel` in groups of seven bits, the
//! lowest first, with the high bit set on all bytes but the last. Bytes beyond the last whole run
//! of the index are not part of the log yet. The number `n * 4 + 3`, which names no channel, begins
//! a mark, followed by one more such number: everything up to that update of the step's command `n`
//! stands before it. Nothing writes marks yet; readers skip them.
//!
//! A log of more than 64 KiB has a third file, `NAME.lin`, by which any line of it is found with a
//! few reads (`line_index`). It only saves time: a reader makes up for what the file lacks.
//!
//! Invariants: one thread writes all logs; what waits for it is bounded in bytes, so that a slow
//! disk makes the build task wait, which makes the slave wait (LOG-05); log text never passes the
//! core and never goes into SQLite. Bytes are written before the run that claims them, so a reader
//! sees a whole beginning of the log at any moment. The logs of a step are forced to the disk after
//! its end, in the background, and all of a build before the state hears of the end of the build
//! ([`LogSyncs`]). So a power failure loses nothing of the logs of a finished build, and of others
//! at most the end.

mod data;
mod finish;
mod growth;
mod index;
mod line_index;
mod lines;
mod marks;
mod name;
mod packed;
mod place;
pub mod reader;
mod remove;
mod watch;
pub mod writer;

pub use finish::LogSyncs;
pub use growth::{Growing, Progress};
pub use marks::{Marks, end_follows, output_exceeded};
pub use name::file_name;
pub use reader::LogReader;
pub use remove::remove;
pub use watch::LogWatcher;
pub use writer::{LogSink, LogStore, Written};

pub use crate::model::Channel;
