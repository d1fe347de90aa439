//! The objects that the peer can call, with their reference counts (PROTOCOL section 4.3).

use std::collections::HashMap;

use crate::pb::Luid;

/// Our objects by number, with their reference counts. The count is zero until the object is sent.
#[derive(Debug, Default)]
pub(super) struct Exports(HashMap<Luid, u64>);

impl Exports {
    /// Adds an object, unless it is known already.
    pub(super) fn add(&mut self, luid: Luid) {
        self.0.entry(luid).or_insert(0);
    }

    /// Counts a sent reference. An object that the peer has released in the meantime becomes known
    /// again, because the peer will release this reference too.
    pub(super) fn sent(&mut self, luid: Luid) {
        let count = self.0.entry(luid).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Counts a released reference. Returns whether it was the last reference; `None` if the peer
    /// held none.
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
