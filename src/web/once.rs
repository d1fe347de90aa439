//! Forms that were sent: a double click does not do a thing twice.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Maximum number of forms that are remembered; the oldest are forgotten.
const MOST: usize = 10_000;

/// The forms that were sent.
#[derive(Debug, Default)]
pub(super) struct Once {
    sent: Mutex<Sent>,
}

#[derive(Debug, Default)]
struct Sent {
    known: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Once {
    /// Takes the form `key`. Returns false if it was taken already.
    pub(super) fn take(&self, key: &str) -> bool {
        let mut sent = self.sent();
        if !sent.known.insert(key.to_owned()) {
            return false;
        }
        sent.order.push_back(key.to_owned());
        if sent.order.len() > MOST
            && let Some(oldest) = sent.order.pop_front()
        {
            sent.known.remove(&oldest);
        }
        true
    }

    /// What the form asked for was not done, so it can be sent again.
    pub(super) fn give_back(&self, key: &str) {
        let mut sent = self.sent();
        sent.known.remove(key);
        sent.order.retain(|known| known != key);
    }

    /// No code panics while it holds the lock.
    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_once_and_the_oldest_are_forgotten() {
        let once = Once::default();
        assert!(once.take("a"));
        assert!(!once.take("a"));
        once.give_back("a");
        assert!(once.take("a"));
        for number in 0..MOST {
            assert!(once.take(&number.to_string()));
        }
        assert_eq!(once.sent().known.len(), MOST);
        assert!(once.take("a"), "it is forgotten");
    }
}
