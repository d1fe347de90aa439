//! The thread that serves the web pages, so that no page delays a build.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread with a runtime of its own. It ends, with all that still runs there, when this is
/// dropped.
#[derive(Debug)]
pub(super) struct WebThread {
    runtime: Handle,
    _until_dropped: oneshot::Sender<()>,
}

impl WebThread {
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (until_dropped, dropped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("web".to_owned())
            .spawn(move || {
                // Nothing is ever sent.
                runtime.block_on(dropped).unwrap_or_default();
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            _until_dropped: until_dropped,
        })
    }

    /// Where the pages are served.
    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }
}
