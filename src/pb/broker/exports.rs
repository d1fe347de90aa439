//! The objects that the peer can call, and how many references it holds (PROTOCOL section 4.3).

use std::collections::HashMap;

use crate::pb::Luid;

/// Our objects by number, with their counts of references; zero for one that was not sent yet.
#[derive(Debug, Default)]
pub(super) struct Exports(HashMap<Luid, u64>);

impl Exports {
    /// Makes an object known; no matter if it is.
    pub(super) fn add(&mut self, luid: Luid) {
        self.0.entry(luid).or_insert(0);
    }

    /// Counts a reference that is sent. An object that the peer has let go of in the meantime is
    /// known again, since the peer will give this reference back as well.
    pub(super) fn sent(&mut self, luid: Luid) {
        let count = self.0.entry(luid).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Counts a reference that comes back. `None`: the peer had none; else whether it was the last.
    pub(super) fn returned(&mut self, luid: Luid) -> Option<bool> {
        let count = self.0.get_mut(&luid)?;
        *count = count.checked_sub(1)?;
        let last = *count == 0;
        if last {
            self.0.remove(&luid);
        }
        Some(last)
    }

    pub(super) fn contains(&self, luid: Luid) -> bool {
        self.0.contains_key(&luid)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
