//! What happens in the master, for those who follow it: try clients, later the web and notifiers.
//!
//! Invariants: telling never waits and never fails, so that nobody who follows can slow the master down. Who is too
//! slow loses the oldest news, is told how many, and looks at the state instead. What is on record is told only when it
//! is durable or on its way to the disk in the same order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{broadcast, watch};

use super::Facts;
use crate::botmaster::Event;
use crate::model::{Op, SlaveName};

/// News kept for those who are behind.
const KEPT: usize = 4096;

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The core announced it.
    Event(Event),
    /// A running build has it remembered: `StepStarted`, `StepHasLocks`, `StepText`, `StepFinished`, `LogOpened`, `LogClosed`.
    Build(Op),
}

/// Where news are told and heard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Newsroom {
    listeners: broadcast::Sender<Arc<News>>,
    /// The last that was told of a shutdown.
    shutting_down: Arc<AtomicBool>,
    /// The slaves that are to end when they are idle.
    graceful: Arc<watch::Sender<BTreeSet<SlaveName>>>,
    /// What this master says of its own process.
    facts: Arc<watch::Sender<Facts>>,
}

impl Newsroom {
    /// One without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self {
            listeners: broadcast::Sender::new(KEPT),
            shutting_down: Arc::default(),
            graceful: Arc::default(),
            facts: Arc::default(),
        }
    }

    /// Tells everybody who listens.
    pub fn tell(&self, news: News) {
        if let News::Event(event) = &news {
            self.note(event);
        }
        if self.listeners.receiver_count() > 0 {
            // That nobody is left to listen is no failure.
            drop(self.listeners.send(Arc::new(news)));
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<News>> {
        self.listeners.subscribe()
    }

    /// Whether the master has been told to stop and takes no work any more; a clean shutdown can be cancelled.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Relaxed)
    }

    /// The slaves that are to be shut down when they are idle, or were, and have not come again (SLV-08).
    #[must_use]
    pub fn graceful(&self) -> watch::Receiver<BTreeSet<SlaveName>> {
        self.graceful.subscribe()
    }

    /// What this master says of its own process.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            stopping: self.is_shutting_down(),
            ..self.facts.borrow().clone()
        }
    }

    /// Changes what this master says of its own process.
    pub fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        self.facts.send_modify(change);
    }

    fn note(&self, event: &Event) {
        if let Event::SlaveGraceful { slave, graceful } = event {
            self.graceful.send_modify(|all| match graceful {
                true => drop(all.insert(slave.clone())),
                false => drop(all.remove(slave)),
            });
        }
        let (begins, ends) = (
            matches!(event, Event::ShuttingDown { .. }),
            matches!(event, Event::ShutdownCancelled),
        );
        if begins || ends {
            self.shutting_down.store(begins, Ordering::Relaxed);
        }
    }
}

impl Default for Newsroom {
    fn default() -> Self {
        Self::new()
    }
}
