//! Two futures of a task, polled in the order in which they were woken.
//!
//! A program that writes to standard output and then to standard error may have written both before
//! the slave gets to run. The system tells which pipe had something first, and this keeps that
//! order; `join!` would lose it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Which of the futures are to be polled, the first woken first.
#[derive(Debug)]
struct Turns {
    due: Mutex<Due>,
}

#[derive(Debug)]
struct Due {
    order: VecDeque<usize>,
    task: Waker,
}

/// Wakes one of the futures.
#[derive(Debug)]
struct Turn {
    of: usize,
    turns: Arc<Turns>,
}

impl Turns {
    fn with<T>(&self, change: impl FnOnce(&mut Due) -> T) -> T {
        // Nothing panics while it holds the lock.
        change(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        let task = self.turns.with(|due| {
            if !due.order.contains(&self.of) {
                due.order.push_back(self.of);
            }
            due.task.clone()
        });
        task.wake();
    }
}

/// Runs both to their end.
pub(super) async fn in_turn(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let turns = Arc::new(Turns {
        due: Mutex::new(Due {
            order: [0, 1].into(),
            task: Waker::noop().clone(),
        }),
    });
    let wakers = [0, 1].map(|of| {
        let turns = Arc::clone(&turns);
        Waker::from(Arc::new(Turn { of, turns }))
    });
    let mut open = [true, true];
    poll_fn(|cx| {
        // A wake from now on comes to this task.
        turns.with(|due| due.task.clone_from(cx.waker()));
        // Each has one turn, so that one that is always ready lets the other have its own.
        for _ in 0..open.len() {
            let Some(of) = turns.with(|due| due.order.pop_front()) else {
                break;
            };
            let mut cx = Context::from_waker(&wakers[of]);
            let poll = match of {
                _ if !open[of] => continue,
                0 => one.as_mut().poll(&mut cx),
                _ => other.as_mut().poll(&mut cx),
            };
            open[of] = poll.is_pending();
        }
        if open.contains(&true) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::cell::RefCell;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_first_woken_is_the_first_polled_and_both_end() {
        let (to_one, mut one) = mpsc::unbounded_channel();
        let (to_other, mut other) = mpsc::unbounded_channel();
        // On the same thread, in between.
        let write = tokio::spawn(async move {
            for _ in 0..8 {
                to_other.send("e").unwrap();
                to_one.send("o").unwrap();
                tokio::task::yield_now().await;
                to_one.send("o").unwrap();
                to_other.send("e").unwrap();
                tokio::task::yield_now().await;
            }
        });
        let seen = RefCell::new(String::new());
        let first = async {
            while let Some(text) = one.recv().await {
                seen.borrow_mut().push_str(text);
            }
        };
        let second = async {
            while let Some(text) = other.recv().await {
                seen.borrow_mut().push_str(text);
            }
        };
        in_turn(first, second).await;
        write.await.unwrap();
        assert_eq!(*seen.borrow(), "eooe".repeat(8));
    }
}
