//! State in one SQLite file in the base directory: one writer thread with group commit, readers on
//! connections of their own (WAL).
//!
//! Invariants: every write is an [`crate::model::Op`]; the ops of one ticket are one transaction;
//! tickets are committed in order, many per commit, with `synchronous = FULL`; a ticket is
//! confirmed only after its commit. Ops without a ticket may wait a little for the next commit. The
//! lock on the state, not a pid file, says "already running". SQL is static text next to its
//! function.
//!
//! Start reading at `migrations/0001.sql`, then `apply` (what each op writes), `recover` (what a
//! start reads and repairs), [`writer`], and [`prune`] for what goes again.

mod apply;
mod column;
#[cfg(test)]
pub(crate) mod crowd;
mod error;
mod events;
mod expectation;
mod file;
mod fresh;
mod hiding;
mod known_login;
mod lock;
mod old_master;
pub mod prune;
mod raised;
pub mod read;
mod reader;
mod recover;
mod schema;
mod stamp;
mod state;
pub mod verify;
pub mod writer;

pub use error::StoreError;
pub use events::Events;
pub use fresh::begin_anew;
pub use old_master::{OldNumbers, old_numbers};
pub use raised::{NextOnes, raise_numbers};
pub use reader::Reader;
pub use state::{OneMoment, State};
pub use writer::{Store, Writer};
