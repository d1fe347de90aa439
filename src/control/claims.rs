//! What is on record of the identities and deliveries of changes, and what is on its way there
//! (INT-03, INT-04).
//!
//! Invariants: two offers with something in common are never on their way at the same time, so that
//! the later one finds on record what the earlier one brought. A fingerprint that is not here is
//! certainly not on record, so that a new change costs no look at the state. An offer gets all that
//! it claims or nothing, so that two never wait for each other.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The fingerprints that are known. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    /// A claim has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Known {
    on_record: HashSet<u64>,
    on_its_way: HashSet<u64>,
}

/// Fingerprints that nobody else can claim until this is settled or dropped.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    fingerprints: Vec<u64>,
    may_be_on_record: bool,
}

impl Claims {
    /// With these fingerprints on record.
    pub(super) fn on_record(fingerprints: Vec<u64>) -> Self {
        let claims = Self::default();
        claims.known().on_record.extend(fingerprints);
        claims
    }

    /// Claims `fingerprints`, once nobody else claims one of them. Cancel-safe.
    pub(super) async fn claim(&self, fingerprints: Vec<u64>) -> Claim {
        loop {
            // Registered before the look, so that no end is missed.
            let mut ended = pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            if let Some(may_be_on_record) = self.take(&fingerprints) {
                return Claim {
                    claims: self.clone(),
                    fingerprints,
                    may_be_on_record,
                };
            }
            ended.await;
        }
    }

    /// Says whether one of `fingerprints` may be on record; absent if somebody claims one.
    fn take(&self, fingerprints: &[u64]) -> Option<bool> {
        let mut known = self.known();
        if fingerprints
            .iter()
            .any(|one| known.on_its_way.contains(one))
        {
            return None;
        }
        known.on_its_way.extend(fingerprints);
        Some(fingerprints.iter().any(|one| known.on_record.contains(one)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        let known = self.shared.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Whether something of it may be on record, so that the state must be asked.
    pub(super) const fn may_be_on_record(&self) -> bool {
        self.may_be_on_record
    }

    /// What was claimed is on disk.
    pub(super) fn settle(self) {
        self.claims.known().on_record.extend(&self.fingerprints);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.fingerprints.is_empty() {
            return;
        }
        let mut known = self.claims.known();
        for one in &self.fingerprints {
            known.on_its_way.remove(one);
        }
        drop(known);
        self.claims.shared.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn who_claims_the_same_waits_for_what_becomes_of_it() {
        let claims = Claims::on_record(vec![7]);
        let first = claims.claim(vec![1, 2]).await;
        assert!(!first.may_be_on_record());
        let claimed = claims.clone();
        let second = tokio::spawn(async move { claimed.claim(vec![2, 3]).await });
        let other = claims.claim(vec![3]).await;
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        first.settle();
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(other);
        assert!(second.await.unwrap().may_be_on_record());
        assert!(claims.claim(vec![7]).await.may_be_on_record());
    }

    #[tokio::test]
    async fn what_was_given_up_is_not_on_record() {
        let claims = Claims::default();
        drop(claims.claim(vec![1]).await);
        assert!(!claims.claim(vec![1]).await.may_be_on_record());
    }
}
