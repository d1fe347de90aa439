//! Where the tasks of this floor run, and how they are told to stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{EnterGuard, Handle};
use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use super::budget::Budget;

/// Spawns tasks so that none is forgotten: each has a span, is tracked, and hears of the stop.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    budget: Arc<Budget>,
    running: Arc<Mutex<Running>>,
    /// Where they run; absent: where they are spawned.
    runtime: Option<Handle>,
}

/// The tasks that have not ended.
#[derive(Debug, Default)]
struct Running {
    next: u64,
    /// By which each can be ended; absent while it is being spawned.
    tasks: BTreeMap<u64, Option<AbortHandle>>,
}

impl Tasks {
    /// Tasks that `tracker` waits for and `stop` stops.
    #[must_use]
    pub fn new(tracker: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            tracker,
            stop,
            ..Self::default()
        }
    }

    /// Tasks that the same tracker waits for, and that can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: self.tracker.clone(),
            stop: self.stop.child_token(),
            budget: Arc::clone(&self.budget),
            running: Arc::clone(&self.running),
            runtime: self.runtime.clone(),
        }
    }

    /// The same tasks, of which those that are spawned here run on `runtime`.
    #[must_use]
    pub fn on(&self, runtime: Handle) -> Self {
        Self {
            runtime: Some(runtime),
            ..self.clone()
        }
    }

    /// Makes their runtime the current one, where sockets are opened, until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> Option<EnterGuard<'_>> {
        self.runtime.as_ref().map(Handle::enter)
    }

    /// Runs `future` inside `span` until it ends. It must end soon after the stop.
    pub fn spawn<F>(&self, span: Span, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_boxed(span, Box::pin(future));
    }

    /// Once for all kinds of futures: what the runtime keeps for each kind of task is large.
    fn spawn_boxed(&self, span: Span, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let mut running = lock(&self.running);
        let key = running.next;
        running.next += 1;
        running.tasks.insert(key, None);
        drop(running);
        let ended = Ended {
            key,
            running: Arc::clone(&self.running),
        };
        let future = future.instrument(span);
        let tracked = self.tracker.track_future(async move {
            let _ended = ended;
            future.await;
        });
        let task = match &self.runtime {
            Some(runtime) => runtime.spawn(tracked),
            None => tokio::spawn(tracked),
        };
        // It may have ended already.
        if let Some(abort) = lock(&self.running).tasks.get_mut(&key) {
            *abort = Some(task.abort_handle());
        }
    }

    /// Ends all tasks where they are, those of its children and its parent too, as when a process
    /// is killed. Says how many there were.
    pub fn abort(&self) -> usize {
        let tasks = std::mem::take(&mut lock(&self.running).tasks);
        tasks.values().flatten().for_each(AbortHandle::abort);
        tasks.len()
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

/// Leaves the list of running tasks when it is dropped.
struct Ended {
    key: u64,
    running: Arc<Mutex<Running>>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        lock(&self.running).tasks.remove(&self.key);
    }
}

/// No code panics while it holds the lock, and the value is whole at every point.
fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tracing::Span;

    use super::*;

    #[tokio::test]
    async fn tasks_that_do_not_stop_by_themselves_can_be_ended() {
        let tasks = Tasks::default();
        tasks.spawn(Span::none(), async {});
        tasks.child().spawn(Span::none(), std::future::pending());
        while lock(&tasks.running).tasks.len() > 1 {
            tokio::task::yield_now().await;
        }

        tasks.stop();
        assert_eq!(tasks.abort(), 1);

        tasks.finished().await;
        assert_eq!(tasks.abort(), 0);
    }
}
