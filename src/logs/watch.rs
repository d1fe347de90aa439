//! Wakes up a reader in another process when a log grows or is closed.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::debug;

use super::place::INDEX;

/// Waits for changes of one log. The system reports each write to the index of the log, and its
/// close.
///
/// Make it before the log is read, so that no change is missed.
#[derive(Debug)]
pub struct LogWatcher {
    changes: Receiver<()>,
    /// Absent if the system has no watches left. Then each wait takes its whole time.
    watcher: Option<RecommendedWatcher>,
    patience: Duration,
}

impl LogWatcher {
    /// Watches the log at `path`, which is relative to `basedir` and without suffix.
    #[must_use]
    pub fn new(basedir: &Path, path: &str) -> Self {
        let (changed, changes) = mpsc::sync_channel(1);
        let tell = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                // A change that is not yet looked at stands for this one too.
                changed.try_send(()).unwrap_or_default();
            }
        };
        let index = basedir.join(format!("{path}{INDEX}"));
        let watching = notify::recommended_watcher(tell).and_then(|mut watcher| {
            watcher.watch(&index, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        Self {
            changes,
            watcher: watching
                .inspect_err(|error| debug!("cannot watch {}: {error}", index.display()))
                .ok(),
            patience: FIRST_PATIENCE,
        }
    }

    /// Waits for a change, or for a bounded time: the state learns of the end of a log a little
    /// after its close, and a master may be killed.
    pub fn wait(&mut self) {
        let longest = match self.watcher {
            Some(_) => LONGEST_PATIENCE,
            None => UNWATCHED_PATIENCE,
        };
        match self.changes.recv_timeout(self.patience) {
            Ok(()) => self.patience = FIRST_PATIENCE,
            Err(RecvTimeoutError::Timeout) => self.patience = (self.patience * 2).min(longest),
            // Without a watcher nobody sends.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(self.patience);
                self.patience = (self.patience * 2).min(longest);
            }
        }
    }
}

/// Whether bytes were added, or the writer has closed the file.
const fn is_change(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Modify(_) | EventKind::Access(AccessKind::Close(AccessMode::Write))
    )
}

/// The first wait after a change.
const FIRST_PATIENCE: Duration = Duration::from_millis(20);
/// The longest wait without a change.
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);
/// The longest wait where changes are not reported.
const UNWATCHED_PATIENCE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;
    use crate::logs::{Channel, LogStore};

    #[tokio::test]
    async fn growth_and_close_wake_a_reader() {
        let base = tempfile::tempdir().unwrap();
        let store = LogStore::start(base.path().to_owned()).unwrap();
        let mut sink = store.create("builders/full/1/0-a.stdio");
        sink.append(Channel::Stdout, Bytes::from_static(b"a")).await;
        let index = base.path().join("builders/full/1/0-a.stdio.idx");
        while std::fs::metadata(&index).map_or(0, |found| found.len()) == 0 {
            tokio::task::yield_now().await;
        }
        let watcher = LogWatcher::new(base.path(), "builders/full/1/0-a.stdio");
        assert!(watcher.watcher.is_some());
        sink.append(Channel::Stdout, Bytes::from_static(b"b")).await;
        watcher.changes.recv().unwrap();
        sink.close().await;
        watcher.changes.recv().unwrap();
    }

    #[test]
    fn reading_is_not_a_change() {
        use notify::event::{DataChange, ModifyKind};
        let close = |mode| EventKind::Access(AccessKind::Close(mode));
        assert!(is_change(close(AccessMode::Write)));
        assert!(is_change(EventKind::Modify(ModifyKind::Data(
            DataChange::Any
        ))));
        assert!(!is_change(close(AccessMode::Read)));
        assert!(!is_change(EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
    }

    #[test]
    fn a_log_that_cannot_be_watched_is_looked_at_from_time_to_time() {
        let mut watcher = LogWatcher::new(Path::new("/nonexistent"), "log");
        assert!(watcher.watcher.is_none());
        watcher.wait();
        assert_eq!(watcher.patience, FIRST_PATIENCE * 2);
    }
}
