//! What a reader may not view does not exist for that reader (MAY-04).
//!
//! Invariant: the gate finds out once for each request what is hidden from its reader. Everything
//! that an answer is made from passes [`Hidden`]: the configuration, the snapshot of the core, the
//! state ([`Inner::state_for`]), the counters of the program and what happens. So no page, no
//! document and no count has to ask for itself.

use super::hidden::Hidden;
use super::reader::Reader;
use super::site::Inner;
use crate::store::{self, StoreError};

impl Inner {
    /// What reads the state for `reader`.
    pub(super) fn state_for(&self, reader: &Reader) -> store::Reader {
        reader.hidden().in_state(self.control.reader())
    }

    /// What `reader` may not see.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) async fn hidden_from(&self, reader: &Reader) -> Result<Hidden, StoreError> {
        let config = self.config();
        let unseen = self.control.unseen_by(reader.caller(), &config).await?;
        Ok(Hidden::new(unseen))
    }
}

#[cfg(test)]
mod tests;
