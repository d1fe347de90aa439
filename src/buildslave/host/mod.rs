//! The machine that a slave runs on: its programs and its files.
//!
//! Everything that a slave does to its machine for a master passes through [`Host`], so tests can
//! run a slave on a scripted machine. Calls on files block; async code makes them through
//! `blocking`.

pub(super) mod archive;
mod arriving;
mod local;
#[cfg(test)]
pub(super) mod scripted;

use std::ffi::OsString;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::platform::Signal;
use crate::process::Program;

pub use crate::platform::Look;

pub(super) use local::LocalHost;

/// A machine.
pub trait Host: Debug + Send + Sync {
    /// Starts a program.
    ///
    /// # Errors
    /// The system cannot start it.
    fn start(&self, program: Program, console: Console<'_>) -> io::Result<Started>;

    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// The system refuses.
    fn make_dirs(&self, dir: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system refuses.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory, in no order.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// What is at `path` itself: a link is not followed.
    ///
    /// # Errors
    /// Nothing is there, or the system refuses.
    fn kind(&self, path: &Path) -> io::Result<Kind>;

    /// Where the link at `path` leads.
    ///
    /// # Errors
    /// Nothing is there, it is not a link, or the system refuses.
    fn link_target(&self, path: &Path) -> io::Result<PathBuf>;

    /// What is known of the file at `path`; links are followed.
    ///
    /// # Errors
    /// Nothing is there, or the system refuses.
    fn look(&self, path: &Path) -> io::Result<Look>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// Nothing is there, or the system refuses.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>>;

    /// Begins a file that takes the place of `target` when it is whole, with its directories. It
    /// gets `mode`, or that of the file that it replaces.
    ///
    /// # Errors
    /// The file cannot be made.
    fn begin(&self, target: &Path, mode: Option<u32>) -> io::Result<Box<dyn NewFile>>;

    /// How many processors there are.
    fn processors(&self) -> usize;

    /// The home directory of the slave's user.
    fn home(&self) -> Option<PathBuf>;
}

/// What a program reads and writes.
#[derive(Clone, Copy, Debug)]
pub enum Console<'a> {
    /// Pipes for its output, and one for its input if it has any.
    Pipes {
        /// Whether it is given input.
        has_input: bool,
    },
    /// A pseudo terminal.
    Terminal {
        /// The program that runs it there (see [`crate::process::pty`]).
        helper: &'a Path,
    },
}

/// Our end of an output of a program.
pub type Stream = Box<dyn AsyncRead + Send + Unpin>;

/// A program that was started, with our ends of its pipes or of its terminal.
pub struct Started {
    /// The program.
    pub process: Box<dyn Running>,
    /// Its standard input, if it is given any.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its standard output; on a terminal all of its output.
    pub stdout: Option<Stream>,
    /// Its standard error.
    pub stderr: Option<Stream>,
}

impl Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Started");
        debug
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// The end of a program, to come.
pub type Exit<'a> = Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send + 'a>>;

/// A program that runs, or has ended. Killed when it is dropped before its end is known.
pub trait Running: Debug + Send + Sync {
    /// Waits for its end. Cancel-safe.
    fn wait(&mut self) -> Exit<'_>;

    /// Sends a signal to it and to the processes that it has started.
    fn signal(&self, signal: Signal);
}

/// A file that is open for reading.
pub trait OpenFile: Debug + Send + Sync {
    /// What is known of it.
    ///
    /// # Errors
    /// The system refuses.
    fn look(&self) -> io::Result<Look>;

    /// At most `amount` bytes from `offset` on; none at its end.
    ///
    /// # Errors
    /// It cannot be read.
    fn read_at(&self, amount: usize, offset: u64) -> io::Result<Vec<u8>>;
}

/// A file that is being written. If it is dropped before it is finished, nothing is left of it.
pub trait NewFile: Debug + Send {
    /// Adds bytes.
    ///
    /// # Errors
    /// They cannot be written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Puts the file in its place.
    ///
    /// # Errors
    /// It cannot be put there; what was there stays.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// An entry of a directory.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Whether it is a directory, and not a link to one.
    pub is_dir: bool,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A file.
    File,
    /// A link, a device, a pipe.
    Other,
}

/// Reads a file of at most `most` bytes whole; a longer one is an error.
///
/// # Errors
/// The file cannot be read, is not a plain file, or is too long.
pub(super) fn read_whole(host: &dyn Host, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let look = host.look(path)?;
    if !look.is_file() || look.size > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let file = host.open(path)?;
    let mut whole = Vec::new();
    loop {
        let offset = u64::try_from(whole.len()).unwrap_or(u64::MAX);
        let piece = file.read_at(PIECE, offset)?;
        whole.extend_from_slice(&piece);
        if piece.is_empty() || offset > most {
            return Ok(whole);
        }
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = crate::blocking::run(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The system's word for an error, without its number.
pub(super) fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((word, _)) => word.to_owned(),
        None => text,
    }
}

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;
