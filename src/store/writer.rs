//! Opening the state, and writing to it.

use std::path::Path;

use crate::model::{Op, Recovered, Ticket, Timestamp};

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    // The variants are the implementer's: already running, newer than this program, not ours, SQLite's own.
}

/// The state, opened for writing by the one master that runs on it.
#[derive(Debug)]
pub struct Store {}

impl Store {
    /// Name of the state's file in the base directory.
    pub const FILE: &'static str = "state.sqlite";

    /// Opens (makes, migrates) the state in `basedir`, takes its lock, ends builds that a killed master
    /// left open as RETRY (their text says that the master was restarted; their open steps and
    /// logs are closed) and puts their requests back, and reads what the core must know.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(basedir: &Path, now: Timestamp) -> Result<(Self, Recovered), StoreError> {
        let _ = (basedir, now);
        todo!()
    }

    /// Starts the writer thread. `confirm` is called on it after each commit with the last ticket that
    /// is durable now, which confirms all before it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(self, confirm: Box<dyn Fn(Ticket) + Send>) -> std::io::Result<Writer> {
        let _ = confirm;
        todo!()
    }
}

/// The way to the writer thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {}

impl Writer {
    /// Hands in ops in order; waits while the writer is far behind. With a ticket the ops are committed soon and then
    /// confirmed; without, within a tenth of a second or with the next ticket.
    pub async fn write(&self, ticket: Option<Ticket>, ops: Vec<Op>) {
        let _ = (ticket, ops);
        std::future::ready(()).await;
        todo!()
    }

    /// Whether the disk takes writes at present; while it does not, the writer retries and new changes are to be refused.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        todo!()
    }

    /// Commits everything and waits for it; nothing may be written afterwards.
    pub async fn close(self) {
        std::future::ready(()).await;
        todo!()
    }
}
