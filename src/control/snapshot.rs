//! What the core knows, for those who look often: pages, and everybody who watches.
//!
//! Invariants: a snapshot is never older than the last batch of events that the core has handled
//! when it is asked for. Looking costs the core at most one answer a batch, however many look, and
//! nothing while nobody looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::botmaster::Live;

/// The newest snapshot, shared by everybody who looks. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// How many batches the core has handled or begun.
    batch: AtomicU64,
    /// The snapshot of one batch; empty until somebody looks.
    newest: Mutex<Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    batch: u64,
    snapshot: Arc<OnceCell<Arc<Live>>>,
}

impl Snapshots {
    /// The core handles a batch now: what was seen before it is out of date.
    pub fn outdate(&self) {
        self.shared.batch.fetch_add(1, Ordering::AcqRel);
    }

    /// How many batches the core has handled or begun. A snapshot is current as long as this is the
    /// same.
    #[must_use]
    pub fn batch(&self) -> u64 {
        self.shared.batch.load(Ordering::Acquire)
    }

    /// The snapshot of now. The core is asked by `ask` if nobody has looked since its last batch.
    /// Cancel-safe: another reader asks instead.
    pub(super) async fn current(
        &self,
        ask: impl AsyncFnOnce() -> Result<Live, String>,
    ) -> Result<Arc<Live>, String> {
        let snapshot = self.of_this_batch();
        let live = snapshot.get_or_try_init(async || ask().await.map(Arc::new));
        live.await.cloned()
    }

    fn of_this_batch(&self) -> Arc<OnceCell<Arc<Live>>> {
        let newest = self.shared.newest.lock();
        let mut newest = newest.unwrap_or_else(PoisonError::into_inner);
        let batch = self.shared.batch.load(Ordering::Acquire);
        if newest.batch != batch {
            *newest = Newest {
                batch,
                snapshot: Arc::default(),
            };
        }
        Arc::clone(&newest.snapshot)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;

    use super::*;

    /// Looks; counts how often the core is asked.
    async fn look(snapshots: &Snapshots, asked: &Cell<u32>) -> Arc<Live> {
        let ask = async || {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            Ok(Live::default())
        };
        snapshots.current(ask).await.unwrap()
    }

    #[tokio::test]
    async fn everybody_who_looks_between_two_batches_shares_one_answer() {
        let (snapshots, asked) = (Snapshots::default(), Cell::new(0));
        let (one, two) = tokio::join!(look(&snapshots, &asked), look(&snapshots, &asked));
        let three = look(&snapshots, &asked).await;
        assert!(Arc::ptr_eq(&one, &two) && Arc::ptr_eq(&one, &three));
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn after_a_batch_the_core_is_asked_anew() {
        let (snapshots, asked) = (Snapshots::default(), Cell::new(0));
        let before = look(&snapshots, &asked).await;
        snapshots.outdate();
        let after = look(&snapshots, &asked).await;
        assert!(!Arc::ptr_eq(&before, &after));
        assert_eq!(asked.get(), 2);
    }

    #[tokio::test]
    async fn a_core_that_does_not_answer_is_asked_again() {
        let (snapshots, asked) = (Snapshots::default(), Cell::new(0));
        let refused = snapshots.current(async || Err("stopping".to_owned()));
        assert_eq!(refused.await.unwrap_err(), "stopping");
        look(&snapshots, &asked).await;
        assert_eq!(asked.get(), 1);
    }
}
