//! How sources that act by themselves are told to look now (INT-11).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::SourceName;

/// The sources that can be told. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pokes {
    sources: Arc<Mutex<BTreeMap<SourceName, Arc<Notify>>>>,
}

/// Hears when its source is told to look; until it is dropped.
#[derive(Debug)]
pub struct Poked {
    source: SourceName,
    notify: Arc<Notify>,
    pokes: Pokes,
}

impl Pokes {
    /// Tells the source `name` to look now; one that looks already looks once more. Says whether
    /// there is such a source.
    #[must_use]
    pub fn poke(&self, name: &SourceName) -> bool {
        let found = self.sources().get(name).cloned();
        found.inspect(|source| source.notify_one()).is_some()
    }

    /// The sources that can be told.
    #[must_use]
    pub fn names(&self) -> Vec<SourceName> {
        self.sources().keys().cloned().collect()
    }

    /// Lets the source `name` hear.
    #[must_use]
    pub fn listen(&self, name: &SourceName) -> Poked {
        let notify = Arc::new(Notify::new());
        self.sources().insert(name.clone(), Arc::clone(&notify));
        Poked {
            source: name.clone(),
            notify,
            pokes: self.clone(),
        }
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<SourceName, Arc<Notify>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poked {
    /// Waits until the source is told to look; returns at once if it was told since the last call.
    /// Cancel-safe.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Poked {
    fn drop(&mut self) {
        let mut sources = self.pokes.sources();
        let own = sources.get(&self.source);
        if own.is_some_and(|own| Arc::ptr_eq(own, &self.notify)) {
            sources.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
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
}
