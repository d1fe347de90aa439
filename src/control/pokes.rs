//! How sources that act by themselves are told to look now (INT-11), and what is approved (POL-13).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::model::SourceName;

/// The sources that can be told. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pokes {
    sources: Arc<Mutex<BTreeMap<SourceName, Arc<Ear>>>>,
}

/// What a source is told.
#[derive(Debug, Default)]
struct Ear {
    notify: Notify,
    approvals: Mutex<Vec<Approval>>,
    /// Dropped at the end of the next poll.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

/// Somebody wants a pull request to be built.
#[derive(Debug)]
pub struct Approval {
    /// The number of the pull request.
    pub pull: u64,
    /// The commit that is approved; the beginning of its id may do.
    pub head: String,
    answer: oneshot::Sender<Result<(), String>>,
}

impl Ear {
    /// Adds an approval, unless there are too many.
    fn hand_in(&self, pull: u64, head: String) -> Option<oneshot::Receiver<Result<(), String>>> {
        let (answer, answered) = oneshot::channel();
        let mut approvals = self
            .approvals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if approvals.len() >= MOST_APPROVALS {
            return None;
        }
        approvals.push(Approval { pull, head, answer });
        drop(approvals);
        self.notify.notify_one();
        Some(answered)
    }
}

impl Approval {
    /// Answers whoever approves.
    pub fn settle(self, result: Result<(), String>) {
        // Whoever approves may be gone; what follows from it remains.
        drop(self.answer.send(result));
    }
}

/// Hears when its source is told to look; until it is dropped.
#[derive(Debug)]
pub struct Poked {
    source: SourceName,
    ear: Arc<Ear>,
    pokes: Pokes,
}

impl Pokes {
    /// Tells the source `name` to look now; one that looks already looks once more. Says whether
    /// there is such a source.
    #[must_use]
    pub fn poke(&self, name: &SourceName) -> bool {
        let found = self.sources().get(name).cloned();
        found.inspect(|source| source.notify.notify_one()).is_some()
    }

    /// Has the source `name` look now, and waits until it has looked, with or without success.
    /// Returns at once if there is no such source, or if too many wait for it.
    pub async fn poll(&self, name: &SourceName) {
        let looked = {
            let Some(ear) = self.sources().get(name).cloned() else {
                return;
            };
            let (waiting, looked) = oneshot::channel();
            let mut all = ear.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= MOST_WAITING {
                return;
            }
            all.push(waiting);
            drop(all);
            ear.notify.notify_one();
            looked
        };
        // The sender is dropped without a word.
        looked.await.ok();
    }

    /// Hands the source `name` an approval, and has it look now. Gives its answer.
    ///
    /// # Errors
    /// The source does not act by itself, or it refuses, or it has ended.
    pub async fn approve(&self, name: &SourceName, pull: u64, head: String) -> Result<(), String> {
        let ended = || format!("change source {name} does not run");
        let answered = {
            let ear = self.sources().get(name).cloned().ok_or_else(ended)?;
            ear.hand_in(pull, head)
                .ok_or_else(|| format!("change source {name} has too many approvals to look at"))?
        };
        answered.await.map_err(|_| ended())?
    }

    /// The sources that can be told.
    #[must_use]
    pub fn names(&self) -> Vec<SourceName> {
        self.sources().keys().cloned().collect()
    }

    /// Lets the source `name` hear.
    #[must_use]
    pub fn listen(&self, name: &SourceName) -> Poked {
        let ear = Arc::new(Ear::default());
        self.sources().insert(name.clone(), Arc::clone(&ear));
        Poked {
            source: name.clone(),
            ear,
            pokes: self.clone(),
        }
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<SourceName, Arc<Ear>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poked {
    /// Waits until the source is told to look; returns at once if it was told since the last call.
    /// Cancel-safe.
    pub async fn wait(&self) {
        self.ear.notify.notified().await;
    }

    /// The approvals that have not been looked at.
    #[must_use]
    pub fn approvals(&self) -> Vec<Approval> {
        let approvals = self.ear.approvals.lock();
        std::mem::take(&mut *approvals.unwrap_or_else(PoisonError::into_inner))
    }

    /// Those who wait for the end of a poll that begins now. Dropping them ends their wait.
    #[must_use]
    pub fn waiting(&self) -> Vec<oneshot::Sender<()>> {
        let waiting = self.ear.waiting.lock();
        std::mem::take(&mut *waiting.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Poked {
    fn drop(&mut self) {
        let mut sources = self.pokes.sources();
        let own = sources.get(&self.source);
        if own.is_some_and(|own| Arc::ptr_eq(own, &self.ear)) {
            sources.remove(&self.source);
        }
        drop(sources);
        // Nobody looks any more.
        drop(self.waiting());
    }
}

/// Approvals that wait for a source to look at them.
const MOST_APPROVALS: usize = 100;

/// Callers that wait for the end of a poll.
const MOST_WAITING: usize = 100;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn int_11_a_poke_is_heard_once_even_before_the_source_waits() {
        let (pokes, name) = (Pokes::default(), SourceName::from("widget"));
        assert!(!pokes.poke(&name));
        let poked = pokes.listen(&name);
        assert!(pokes.poke(&name) && pokes.poke(&name));
        poked.wait().await;
        // The next source of the name has begun before this one ends.
        let next = pokes.listen(&name);
        drop(poked);
        assert!(pokes.poke(&name));
        next.wait().await;
        drop(next);
        assert!(pokes.names().is_empty());
    }

    #[tokio::test]
    async fn hki_07_the_end_of_a_poll_can_be_waited_for() {
        let (pokes, name) = (Pokes::default(), SourceName::from("widget"));
        // Nobody polls.
        pokes.poll(&name).await;
        let poked = pokes.listen(&name);
        let asked = tokio::spawn({
            let (pokes, name) = (pokes.clone(), name.clone());
            async move { pokes.poll(&name).await }
        });
        poked.wait().await;
        let waiting = poked.waiting();
        assert_eq!(waiting.len(), 1);
        assert!(!asked.is_finished());
        drop(waiting);
        asked.await.unwrap();
        // The poller ends instead.
        let asked = tokio::spawn(async move { pokes.poll(&name).await });
        poked.wait().await;
        drop(poked);
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn pol_13_an_approval_is_answered_by_its_source() {
        let (pokes, name) = (Pokes::default(), SourceName::from("pulls"));
        assert!(pokes.approve(&name, 7, "abcdef0".to_owned()).await.is_err());
        let poked = pokes.listen(&name);
        let asked = tokio::spawn({
            let (pokes, name) = (pokes.clone(), name.clone());
            async move { pokes.approve(&name, 7, "abcdef0".to_owned()).await }
        });
        poked.wait().await;
        for approval in poked.approvals() {
            let said = format!("{} {}", approval.pull, approval.head);
            approval.settle(Err(said));
        }
        assert!(poked.approvals().is_empty());
        assert!(matches!(asked.await, Ok(Err(said)) if said == "7 abcdef0"));
    }
}
