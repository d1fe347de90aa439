//! The text of logs that grow, for clients in the mode `full`.
//!
//! Text is read from disk, a slice at a time, when the client has room for it. So a client that is
//! slower than a build holds up nobody, and misses nothing.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;

use tracing::warn;

use crate::logs::{Channel, LogReader, LogStore, Progress};
use crate::model::BuildId;

/// A log: its build, the position of its step, and its own among the logs of the step.
pub(super) type LogKey = (BuildId, usize, usize);

/// A piece of a log.
pub(super) type Piece = (Channel, Vec<u8>);

/// The logs whose text is sent.
#[derive(Default)]
pub(super) struct Tails(BTreeMap<LogKey, Tail>);

struct Tail {
    path: String,
    /// Absent before the first look.
    reader: Option<LogReader>,
    /// Bytes that were read.
    position: u64,
    /// Waits for more.
    growth: Option<Pin<Box<dyn Future<Output = Progress> + Send + Sync>>>,
    /// Whether nobody will tell of growth any more.
    is_closed: bool,
}

impl Tails {
    /// Follows a log from its beginning.
    pub(super) fn add(&mut self, key: LogKey, path: &str) {
        let tail = Tail {
            path: path.to_owned(),
            reader: None,
            position: 0,
            growth: None,
            is_closed: false,
        };
        self.0.insert(key, tail);
    }

    pub(super) fn remove(&mut self, key: LogKey) {
        self.0.remove(&key);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Waits until a log has more text than was read. Cancel-safe.
    pub(super) async fn grown(&mut self, logs: &LogStore) -> LogKey {
        poll_fn(|cx| {
            for (key, tail) in &mut self.0 {
                while !tail.is_closed {
                    let growth = tail.growth.get_or_insert_with(|| {
                        let (logs, path, size) = (logs.clone(), tail.path.clone(), tail.position);
                        Box::pin(async move { logs.grown_beyond(&path, size).await })
                    });
                    let Poll::Ready(progress) = growth.as_mut().poll(cx) else {
                        break;
                    };
                    tail.growth = None;
                    tail.is_closed = progress.is_closed;
                    if progress.size_bytes > tail.position {
                        return Poll::Ready(*key);
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Reads the next slice of a log; empty at its present end, and if the log is not followed or
    /// cannot be read (which is logged).
    pub(super) async fn read(&mut self, key: LogKey, basedir: &Path) -> Vec<Piece> {
        let Some(tail) = self.0.get_mut(&key) else {
            return Vec::new();
        };
        let (basedir, path) = (basedir.to_owned(), tail.path.clone());
        let reader = tail.reader.take();
        let reading = crate::blocking::run(move || -> io::Result<_> {
            let mut reader = match reader {
                Some(reader) => reader,
                None => LogReader::open(&basedir, &path)?,
            };
            let mut pieces: Vec<Piece> = Vec::new();
            let mut add = |channel, bytes: &[u8]| {
                match pieces.last_mut() {
                    Some((last, text)) if *last == channel => text.extend_from_slice(bytes),
                    _ => pieces.push((channel, bytes.to_vec())),
                }
                Ok(())
            };
            let bytes = reader.copy_some((SLICE_BYTES, SLICE_RUNS), &mut add)?;
            Ok((reader, pieces, bytes))
        });
        let read = reading.await.map_err(io::Error::other).flatten();
        match read {
            Ok((reader, pieces, bytes)) => {
                tail.reader = Some(reader);
                tail.position += bytes;
                tail.growth = None;
                pieces
            }
            Err(error) => {
                warn!("cannot read a log for a status client: {error}");
                self.0.remove(&key);
                Vec::new()
            }
        }
    }
}

impl std::fmt::Debug for Tails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Maximum size of a slice (LIV-04).
const SLICE_BYTES: u64 = 64 * 1024;
/// Maximum number of runs of a slice: each may become a notification of its own.
const SLICE_RUNS: usize = 64;
