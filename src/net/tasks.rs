//! Where the tasks of this floor run, and how they are told to stop.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use super::budget::Budget;

/// Spawns tasks so that none is forgotten: each has a span, is tracked, and hears of the stop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    budget: Arc<Budget>,
}

impl Tasks {
    /// Tasks that `tracker` waits for and `stop` stops.
    #[must_use]
    pub fn new(tracker: TaskTracker, stop: CancellationToken) -> Self {
        let budget = Arc::default();
        Self {
            tracker,
            stop,
            budget,
        }
    }

    /// Tasks that the same tracker waits for, and that can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: self.tracker.clone(),
            stop: self.stop.child_token(),
            budget: Arc::clone(&self.budget),
        }
    }

    /// Runs `future` inside `span` until it ends. It must end soon after the stop.
    pub fn spawn<F>(&self, span: Span, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(future.instrument(span));
    }

    /// The memory that all connections share.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Tells all tasks to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends when the tasks are to stop.
    pub fn stopping(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    /// Waits until all tasks have ended; none may be spawned from then on.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
