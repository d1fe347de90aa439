//! What happens in the master, for those who follow it: try clients, later the web and notifiers.
//!
//! Invariants: telling never waits and never fails, so that nobody who follows can slow the master down. Who is too
//! slow loses the oldest news, is told how many, and looks at the state instead. What is on record is told only when it
//! is durable or on its way to the disk in the same order.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::botmaster::Event;
use crate::model::Op;

/// News kept for those who are behind.
const KEPT: usize = 4096;

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The core announced it.
    Event(Event),
    /// A running build has it remembered: `StepStarted`, `StepText`, `StepFinished`, `LogOpened`, `LogClosed`.
    Build(Op),
}

/// Where news are told and heard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Newsroom(broadcast::Sender<Arc<News>>);

impl Newsroom {
    /// One without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    /// Tells everybody who listens.
    pub fn tell(&self, news: News) {
        if self.0.receiver_count() > 0 {
            // That nobody is left to listen is no failure.
            drop(self.0.send(Arc::new(news)));
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<News>> {
        self.0.subscribe()
    }
}

impl Default for Newsroom {
    fn default() -> Self {
        Self::new()
    }
}
