//! The messages of a thread that has deadlines: how they are handed in, and how it waits for them.
//!
//! Waking a thread costs more than most messages do. So a message may be patient: a thread that
//! [waits for company](Wait::Company) sleeps on, until something urgent comes, or many, or its time
//! is over. A thread that waits in another way is woken by each message.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// An inbox: where messages are handed in, and where they are taken.
#[must_use]
pub fn inbox<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        waiting: Mutex::new(Waiting {
            messages: VecDeque::new(),
            senders: 1,
            has_receiver: true,
            sleep: Sleep::Awake,
        }),
        bell: Condvar::new(),
    });
    let sender = Sender(Arc::clone(&shared));
    let taken = VecDeque::new();
    (sender, Receiver { shared, taken })
}

/// How soon a message is to be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Urgency {
    /// At once.
    Urgent,
    /// It may wait for others as long as the thread does.
    Patient,
}

/// How long to wait for the next message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Not at all.
    Not,
    /// Until this moment.
    Until(Instant),
    /// Until this moment, for something urgent or much else. What is patient is taken then.
    Company(Instant),
    /// However long it takes.
    Forever,
}

/// Why no message was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoMessage {
    /// None has come in time.
    Silence,
    /// None waits, and nobody can hand in one any more.
    Abandoned,
}

/// Hands in messages. Clones share the inbox; the messages of one thread keep their order.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// Takes messages.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// Messages that were taken from the shared ones together, to be given out one by one.
    taken: VecDeque<T>,
}

#[derive(Debug)]
struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    /// Rings when the thread that sleeps is to look.
    bell: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    messages: VecDeque<T>,
    senders: usize,
    has_receiver: bool,
    sleep: Sleep,
}

/// What wakes the thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sleep {
    /// It does not sleep.
    Awake,
    /// Any message.
    Light,
    /// Something urgent, or many messages.
    Deep,
}

impl<T> Sender<T> {
    /// Hands in a message; false if nobody takes it any more.
    pub fn send(&self, message: T, urgency: Urgency) -> bool {
        let mut waiting = self.0.lock();
        if !waiting.has_receiver {
            return false;
        }
        waiting.messages.push_back(message);
        let wakes = match waiting.sleep {
            Sleep::Awake => false,
            Sleep::Light => true,
            Sleep::Deep => urgency == Urgency::Urgent || waiting.messages.len() >= MANY,
        };
        if wakes {
            waiting.sleep = Sleep::Awake;
            drop(waiting);
            self.0.bell.notify_one();
        }
        true
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.senders -= 1;
        if waiting.senders == 0 {
            waiting.sleep = Sleep::Awake;
            drop(waiting);
            self.0.bell.notify_one();
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the next message.
    ///
    /// # Errors
    /// See [`NoMessage`].
    pub fn receive(&mut self, wait: Wait) -> Result<T, NoMessage> {
        if let Some(message) = self.taken.pop_front() {
            return Ok(message);
        }
        self.taken = self.shared.take(wait)?;
        self.taken.pop_front().ok_or(NoMessage::Silence)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.has_receiver = false;
        // Who waits for an answer sees that there will be none.
        let messages = std::mem::take(&mut waiting.messages);
        drop(waiting);
        drop(messages);
    }
}

impl<T> Shared<T> {
    /// All messages that wait, as soon as there are some, or as `wait` says.
    fn take(&self, wait: Wait) -> Result<VecDeque<T>, NoMessage> {
        let mut waiting = self.lock();
        loop {
            if !waiting.messages.is_empty() {
                return Ok(std::mem::take(&mut waiting.messages));
            }
            if waiting.senders == 0 {
                return Err(NoMessage::Abandoned);
            }
            let (sleep, until) = match wait {
                Wait::Not => return Err(NoMessage::Silence),
                Wait::Until(at) => (Sleep::Light, Some(at)),
                Wait::Company(at) => (Sleep::Deep, Some(at)),
                Wait::Forever => (Sleep::Light, None),
            };
            let left = until.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(NoMessage::Silence);
            }
            waiting.sleep = sleep;
            waiting = match left {
                Some(left) => {
                    let woken = self.bell.wait_timeout(waiting, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.bell.wait(waiting);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
            waiting.sleep = Sleep::Awake;
        }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many messages wake a thread that waits for company.
const MANY: usize = 64;

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    /// Has a thread wait in this way, and sends messages when it sleeps.
    fn sleeping<T: Send + 'static>(
        wait: Wait,
        hand_in: impl FnOnce(&Sender<T>),
    ) -> (Result<T, NoMessage>, usize) {
        let (sender, mut receiver) = inbox();
        let thread = thread::spawn(move || {
            let message = receiver.receive(wait);
            (message, receiver.taken.len())
        });
        while sender.0.lock().sleep == Sleep::Awake {
            thread::yield_now();
        }
        hand_in(&sender);
        thread.join().expect("it does not panic")
    }

    #[test]
    fn messages_are_taken_in_order_until_the_last_sender_is_gone() {
        let (sender, mut receiver) = inbox();
        let second = sender.clone();
        assert!(sender.send(1, Urgency::Patient));
        assert!(second.send(2, Urgency::Urgent));
        drop((sender, second));
        assert_eq!(receiver.receive(Wait::Not), Ok(1));
        assert_eq!(receiver.receive(Wait::Forever), Ok(2));
        assert_eq!(receiver.receive(Wait::Forever), Err(NoMessage::Abandoned));
    }

    #[test]
    fn a_thread_that_waits_for_company_is_woken_by_what_is_urgent() {
        let woken = sleeping(Wait::Company(far()), |sender| {
            sender.send("patient", Urgency::Patient);
            assert_eq!(sender.0.lock().sleep, Sleep::Deep);
            sender.send("urgent", Urgency::Urgent);
        });
        assert_eq!(woken, (Ok("patient"), 1));
    }

    #[test]
    fn a_thread_that_waits_for_company_is_woken_by_many() {
        let (first, taken) = sleeping(Wait::Company(far()), |sender| {
            for n in 0..MANY {
                sender.send(n, Urgency::Patient);
            }
        });
        assert_eq!((first, taken), (Ok(0), MANY - 1));
    }

    #[test]
    fn what_is_patient_is_taken_when_the_time_is_over() {
        let woken = sleeping(Wait::Company(soon()), |sender| {
            sender.send((), Urgency::Patient);
        });
        assert_eq!(woken, (Ok(()), 0));
    }

    #[test]
    fn a_thread_that_waits_for_anything_is_woken_by_what_is_patient() {
        for wait in [Wait::Forever, Wait::Until(far())] {
            let woken = sleeping(wait, |sender| {
                sender.send((), Urgency::Patient);
            });
            assert_eq!(woken, (Ok(()), 0));
        }
    }

    #[test]
    fn silence_and_the_end_of_either_side_are_told() {
        let (sender, mut receiver) = inbox::<()>();
        assert_eq!(receiver.receive(Wait::Not), Err(NoMessage::Silence));
        assert_eq!(
            receiver.receive(Wait::Until(soon())),
            Err(NoMessage::Silence)
        );
        drop(receiver);
        assert!(!sender.send((), Urgency::Urgent));
        let gone = |wait| {
            let (sender, mut receiver) = inbox::<()>();
            let thread = thread::spawn(move || receiver.receive(wait));
            drop(sender);
            thread.join().expect("it does not panic")
        };
        assert_eq!(gone(Wait::Company(far())), Err(NoMessage::Abandoned));
        assert_eq!(gone(Wait::Forever), Err(NoMessage::Abandoned));
    }
}
