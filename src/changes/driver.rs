//! Change sources that act by themselves, such as pollers: what they are given. The table of their
//! kinds is in `drivers`.
//!
//! A driver is a task that gets something from outside, reads it with pure code and offers it. It
//! keeps nothing that must survive a restart: where it goes on from is the cursor, which is stored
//! with the changes (INT-02). An error is reported and the attempt is repeated; it never ends a
//! driver (INT-01).

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, Poked};
use crate::model::{SourceAttempt, SourceName, Timestamp};
use crate::net::Tasks;

/// A change source that acts by itself.
pub trait Driver: fmt::Debug + Send {
    /// Works until [`Desk::leaving`] is cancelled, and then ends soon.
    fn run(self: Box<Self>, desk: Desk) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What a driver works with.
#[derive(Debug)]
pub struct Desk {
    /// The source, by its name in the configuration.
    pub source: SourceName,
    /// Where offers go; its `config` has the register of repositories.
    pub control: Control,
    /// The base directory.
    pub basedir: PathBuf,
    /// For work beside the driver.
    pub tasks: Tasks,
    /// The source is removed or has other settings, or the master stops.
    pub leaving: CancellationToken,
    /// Hears when the source is told to look now (INT-11).
    pub poked: Poked,
}

/// Why a driver goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wake {
    /// It is time.
    Due,
    /// Somebody wants it to look now.
    Poked,
    /// It is to end.
    Leaving,
}

impl Desk {
    /// Waits until `due`, or until something comes first.
    pub async fn wait(&self, due: Instant) -> Wake {
        tokio::select! {
            biased;
            () = self.leaving.cancelled() => Wake::Leaving,
            () = self.poked.wait() => Wake::Poked,
            () = sleep_until(due) => Wake::Due,
        }
    }

    /// Puts on record how an attempt went, and when the next one is made (INT-01).
    pub fn tried(&self, result: Result<Option<String>, String>, next: Option<Timestamp>) {
        let (note, error) = match result {
            Ok(note) => (note, None),
            Err(error) => (None, Some(error)),
        };
        self.control.source_tried(SourceAttempt {
            source: self.source.clone(),
            at: self.control.clock().wall(),
            next,
            error,
            note,
        });
    }
}
