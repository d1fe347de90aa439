//! Tells readers in this process of the growth of logs, so that they need not poll.
//!
//! The registry has an entry for each open log. The writer's thread owns the senders, in a
//! [`Growth`] for each log; readers wait on the receivers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::measure::Counter;

/// How far a log is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Bytes that are in its files, of all channels.
    pub size_bytes: u64,
    /// Whether it is closed, and will not grow any more.
    pub is_closed: bool,
}

/// The open logs, by their paths. Cheap to clone; clones are the same registry.
#[derive(Clone, Debug, Default)]
pub struct Growing {
    logs: Arc<Mutex<BTreeMap<String, watch::Receiver<Progress>>>>,
    bytes: Arc<Bytes>,
}

/// Bytes of all logs since the start of the program.
#[derive(Debug, Default)]
struct Bytes {
    written: Counter,
    lost: Counter,
}

/// The growth of one log. When it is dropped, the log is closed.
#[derive(Debug)]
pub(super) struct Growth {
    path: String,
    sender: watch::Sender<Progress>,
    registry: Growing,
}

impl Growing {
    /// Adds the log at `path`.
    pub(super) fn open(&self, path: &str) -> Growth {
        let (sender, receiver) = watch::channel(Progress::default());
        self.logs().insert(path.to_owned(), receiver);
        Growth {
            path: path.to_owned(),
            sender,
            registry: self.clone(),
        }
    }

    /// Whether the log at `path` is open, and may still grow. Ask before you read its end.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.logs().contains_key(path)
    }

    /// Waits until the log at `path` has more than `size` bytes in its files or is closed. A log
    /// that is not open is closed.
    pub async fn beyond(&self, path: &str, size: u64) -> Progress {
        let closed = Progress {
            size_bytes: 0,
            is_closed: true,
        };
        let Some(mut receiver) = self.logs().get(path).cloned() else {
            return closed;
        };
        let is_due = |progress: &Progress| progress.is_closed || progress.size_bytes > size;
        match receiver.wait_for(is_due).await {
            Ok(progress) => *progress,
            Err(_) => closed,
        }
    }

    /// Bytes that were written to logs since the start of the program.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.bytes.written.get()
    }

    /// Bytes that closed logs lack because they could not be written.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        self.bytes.lost.get()
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<String, watch::Receiver<Progress>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Growth {
    /// Notes that `size` more bytes are in the files.
    pub(super) fn add(&self, size: u64) {
        self.registry.bytes.written.add(size);
        self.sender
            .send_modify(|progress| progress.size_bytes += size);
    }

    /// Notes that the log, which is complete, lacks `size` bytes.
    pub(super) fn lost(&self, size: u64) {
        self.registry.bytes.lost.add(size);
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        let mut logs = self.registry.logs();
        // Another log may have the path by now.
        let own = self.sender.subscribe();
        if logs
            .get(&self.path)
            .is_some_and(|there| there.same_channel(&own))
        {
            logs.remove(&self.path);
        }
        drop(logs);
        self.sender
            .send_modify(|progress| progress.is_closed = true);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::Growing;
    use crate::logs::{Channel, LogReader, LogStore};

    #[tokio::test]
    async fn a_reader_wakes_up_when_bytes_can_be_read_and_at_the_end() {
        let base = tempfile::tempdir().unwrap();
        let store = LogStore::start(base.path().to_owned()).unwrap();
        let path = "builders/full/1/0-a.stdio";
        let mut sink = store.create(path);
        let waiting = store.clone();
        let first = tokio::spawn(async move { waiting.grown_beyond(path, 0).await });
        sink.append(Channel::Stdout, Bytes::from_static(b"abc"))
            .await;
        let progress = first.await.unwrap();
        assert_eq!((progress.size_bytes, progress.is_closed), (3, false));
        let reader = LogReader::open(base.path(), path).unwrap();
        assert_eq!(reader.count(&Channel::ALL).unwrap(), 3);

        let waiting = store.clone();
        let end = tokio::spawn(async move { waiting.grown_beyond(path, 3).await });
        tokio::task::yield_now().await;
        sink.close().await;
        assert!(end.await.unwrap().is_closed);
        assert!(store.grown_beyond(path, 0).await.is_closed);
    }

    #[tokio::test]
    async fn a_log_in_the_place_of_another_is_open() {
        let growing = Growing::default();
        assert!(!growing.has("a"));
        let old = growing.open("a");
        let new = growing.open("a");
        drop(old);
        new.add(1);
        new.lost(2);
        assert_eq!((growing.written_bytes(), growing.lost_bytes()), (1, 2));
        assert!(growing.has("a"));
        assert!(!growing.beyond("a", 0).await.is_closed);
        drop(new);
        assert!(growing.beyond("a", 0).await.is_closed);
    }
}
