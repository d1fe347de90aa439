//! Notices files that appear in a directory.
//!
//! The system's notifications are taken here alone, so that a simulation can give its own.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Notifications about one directory, until this is dropped.
#[derive(Debug)]
pub(super) struct Arrivals {
    _watcher: RecommendedWatcher,
}

impl Arrivals {
    /// Notifies `wake` when a file appears in `dir`.
    ///
    /// # Errors
    /// The system gives no notifications about the directory.
    pub(super) fn watch(dir: &Path, wake: &Arc<Notify>) -> Result<Self, impl fmt::Display + use<>> {
        let wake = Arc::clone(wake);
        let tell = move |event: notify::Result<notify::Event>| {
            // Ignore our own reads and moves, but not the loss of events.
            if event.is_err() || event.is_ok_and(|event| appears(event.kind)) {
                wake.notify_one();
            }
        };
        notify::recommended_watcher(tell).and_then(|mut watcher| {
            watcher.watch(dir, RecursiveMode::NonRecursive)?;
            Ok(Self { _watcher: watcher })
        })
    }
}

fn appears(kind: EventKind) -> bool {
    use RenameMode::{Any, Both, Other, To};
    kind.is_create()
        || matches!(
            kind,
            EventKind::Any
                | EventKind::Other
                | EventKind::Modify(ModifyKind::Name(Any | Both | Other | To))
        )
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, RemoveKind};

    use super::*;

    #[test]
    fn only_files_that_appear_wake_the_watcher() {
        assert!(appears(EventKind::Create(CreateKind::File)));
        assert!(appears(EventKind::Modify(ModifyKind::Name(RenameMode::To))));
        assert!(!appears(EventKind::Modify(ModifyKind::Name(
            RenameMode::From
        ))));
        assert!(!appears(EventKind::Access(AccessKind::Read)));
        assert!(!appears(EventKind::Remove(RemoveKind::File)));
    }
}
