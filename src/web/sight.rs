//! What a reader may not view does not exist for that reader (MAY-04).
//!
//! Invariant: the gate finds out once for each request which builders are hidden from its reader.
//! Everything that an answer is made from passes [`Hidden`]: the configuration, the snapshot of the
//! core, the state ([`Inner::state_for`]), the counters of the program and what happens. So no
//! page, no document and no count has to ask for itself.

use std::collections::BTreeSet;

use super::hidden::Hidden;
use super::reader::Reader;
use super::site::Inner;
use crate::control::{Target, object};
use crate::model::{Action, Object};
use crate::store::{self, State, StoreError};

impl Inner {
    /// What reads the state for `reader`.
    pub(super) fn state_for(&self, reader: &Reader) -> store::Reader {
        reader.hidden().in_state(self.control.reader())
    }

    /// The builders that `reader` may not see.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) async fn hidden_from(&self, reader: &Reader) -> Result<Hidden, StoreError> {
        let config = self.config();
        let mut rules = config.permissions.rules.iter();
        let may_be_forbidden = rules.any(|rule| rule.may_not.contains(Action::View));
        if !may_be_forbidden && reader.may(&config, Action::View, &Object::default()) {
            return Ok(Hidden::default());
        }
        let reader = reader.clone();
        let look = move |state: &State| {
            // Those that are not configured any more still have builds.
            let known = state.builder_names()?.into_iter();
            let all: BTreeSet<_> = known
                .chain(config.builders.iter().map(|b| b.name.clone()))
                .collect();
            let mut hidden = BTreeSet::new();
            for builder in all {
                let object = object(state, &config, &Target::Builder(builder.clone()))?;
                if !reader.may(&config, Action::View, &object) {
                    hidden.insert(builder);
                }
            }
            Ok(Hidden::new(hidden))
        };
        self.control.reader().read(look).await
    }
}

#[cfg(test)]
mod tests;
