//! Files of the master that slaves send and read: where they may be, and how they arrive.
//!
//! A step makes a [`Transfer`] from a [`Source`], a [`FileSink`], a [`TreeSink`] or a [`Stream`],
//! and lends it to the connection for the time of a command ([`Transfer::lend`]). The slave's calls
//! then read from it or write to it. When the command is over, the step gets the transfer back and
//! puts the file into its place, or drops it.
//!
//! Invariants: paths stay below the directory that the configuration writes, whatever properties
//! and archives say ([`MasterFiles`]); links are never followed there. A file or tree arrives under
//! a temporary name and gets its own name only when it is whole. What a killed master leaves under
//! a temporary name is removed when the directory is used again. A transfer never fails a call of
//! the slave, because old slaves hang for ever then; it remembers its first problem, and ignores
//! all further data.
//!
//! All calls block. Callers run them on a thread that may.

mod draft;
mod place;
mod problem;
mod sink;
mod source;
mod stream;
mod tree;
mod unpack;

use bytes::Bytes;
use tokio::sync::oneshot;

pub use self::place::{MasterFiles, MasterPath};
pub use self::problem::Problem;
pub use self::sink::FileSink;
pub use self::source::Source;
pub use self::stream::Stream;
pub use self::tree::TreeSink;

/// The master's end of a transfer, with the first problem that it met.
#[derive(Debug)]
pub struct Transfer {
    end: End,
    problem: Option<Problem>,
}

#[derive(Debug)]
enum End {
    Source(Source),
    File(FileSink),
    Stream(Stream),
    Tree(TreeSink),
}

/// A call of the slave.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Read at most this many bytes.
    Read(usize),
    /// Write these blocks, in order.
    Write(Vec<Bytes>),
    /// Nothing more is written or read.
    Close,
    /// Times of access and modification, in seconds since 1970.
    Times(f64, f64),
    /// The archive is complete.
    Unpack,
}

impl From<Source> for Transfer {
    fn from(source: Source) -> Self {
        Self::new(End::Source(source))
    }
}

impl From<FileSink> for Transfer {
    fn from(sink: FileSink) -> Self {
        Self::new(End::File(sink))
    }
}

impl From<Stream> for Transfer {
    fn from(stream: Stream) -> Self {
        Self::new(End::Stream(stream))
    }
}

impl From<TreeSink> for Transfer {
    fn from(sink: TreeSink) -> Self {
        Self::new(End::Tree(sink))
    }
}

impl Transfer {
    const fn new(end: End) -> Self {
        Self { end, problem: None }
    }

    /// Carries out a call of the slave. Answers with bytes only for [`Request::Read`]; there are
    /// none at the end, and after a problem.
    pub fn answer(&mut self, request: Request) -> Bytes {
        if self.problem.is_some() {
            return Bytes::new();
        }
        let done = match (&mut self.end, request) {
            (End::Source(source), Request::Read(most)) => source.read(most),
            (End::File(sink), Request::Write(blocks)) => sink.write(&blocks).map(|()| Bytes::new()),
            (End::Stream(stream), Request::Write(blocks)) => {
                stream.write(&blocks).map(|()| Bytes::new())
            }
            (End::Stream(stream), Request::Close) => {
                stream.close();
                Ok(Bytes::new())
            }
            (End::Tree(sink), Request::Write(blocks)) => sink.write(&blocks).map(|()| Bytes::new()),
            (End::File(sink), Request::Close) => {
                sink.close();
                Ok(Bytes::new())
            }
            (End::File(sink), Request::Times(accessed, modified)) => {
                sink.keep_times(accessed, modified);
                Ok(Bytes::new())
            }
            (End::Tree(sink), Request::Unpack) => sink.unpack().map(|()| Bytes::new()),
            // What is invalid for this end is ignored.
            (End::Source(_) | End::File(_) | End::Stream(_) | End::Tree(_), _) => Ok(Bytes::new()),
        };
        done.unwrap_or_else(|problem| {
            self.problem = Some(problem);
            Bytes::new()
        })
    }

    /// The first problem, if there was one.
    #[must_use]
    pub const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Drops a transfer whose command failed. Answers with the first problem, if there was one.
    #[must_use]
    pub fn into_problem(self) -> Option<Problem> {
        self.problem
    }

    /// Ends a transfer whose command succeeded: puts what has arrived into its place.
    ///
    /// # Errors
    /// The first problem of the transfer; or the slave did not send everything; or it cannot be put
    /// into its place. Then nothing is left of it, and what was there before stays.
    pub fn finish(self) -> Result<(), Problem> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        match self.end {
            End::Source(_) => Ok(()),
            End::File(sink) => sink.finish(),
            End::Stream(stream) => stream.finish(),
            End::Tree(sink) => sink.finish(),
        }
    }

    /// Lends the transfer to whoever serves the slave's calls. It comes back when that is dropped.
    #[must_use]
    pub fn lend(self) -> (Lent, Loan) {
        let (back, loan) = oneshot::channel();
        let lent = Lent {
            transfer: Some(self),
            back: Some(back),
        };
        (lent, Loan(loan))
    }
}

/// A transfer in the hands of whoever serves the slave's calls.
#[derive(Debug)]
pub struct Lent {
    transfer: Option<Transfer>,
    back: Option<oneshot::Sender<Transfer>>,
}

impl Lent {
    /// Carries out a call of the slave, as [`Transfer::answer`] does.
    pub fn answer(&mut self, request: Request) -> Bytes {
        let transfer = self.transfer.as_mut();
        transfer.map_or_else(Bytes::new, |transfer| transfer.answer(request))
    }

    /// The first problem, if there was one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        self.transfer.as_ref()?.problem()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(transfer), Some(back)) = (self.transfer.take(), self.back.take()) {
            // Nobody waits for it if the step has given up; then it is removed here.
            drop(back.send(transfer));
        }
    }
}

/// The claim to a transfer that is lent.
#[derive(Debug)]
pub struct Loan(oneshot::Receiver<Transfer>);

impl Loan {
    /// Waits until the transfer comes back; absent if the code that served it failed.
    pub async fn back(self) -> Option<Transfer> {
        self.0.await.ok()
    }
}

#[cfg(test)]
mod tests;
