//! Work that blocks, such as reading files or hashing a password, away from the tasks.
//!
//! All of it starts here, so that a simulation can run it in place.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::task::{JoinError, JoinHandle};

/// Runs `work` on a thread for blocking work. The work runs to its end even if the handle is
/// dropped.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Work<T> {
    let place = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&place);
    let done = start(Box::new(move || {
        let result = work();
        *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }));
    Work { done, place }
}

/// Once for all kinds of work: what the runtime keeps for each kind of task is large.
fn start(work: Box<dyn FnOnce() + Send>) -> JoinHandle<()> {
    tokio::task::spawn_blocking(work)
}

/// Work on a thread of its own; ends with its result, or with an error if it panics.
#[derive(Debug)]
pub struct Work<T> {
    done: JoinHandle<()>,
    place: Arc<Mutex<Option<T>>>,
}

impl<T> Future for Work<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(Pin::new(&mut self.done).poll(context))?;
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        match place.take() {
            Some(result) => Poll::Ready(Ok(result)),
            // Only if it is asked again after its end.
            None => Poll::Pending,
        }
    }
}
