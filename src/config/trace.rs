//! What the reader wants of each setting, learned by watching it read the examples.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// A form that the value of a setting may have.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::config) enum Wanted {
    /// The reader looks for itself.
    Any,
    Text,
    /// One of these words.
    Word(&'static str),
    Flag,
    False,
    Integer,
    Number,
    List,
    Table,
}

/// The forms of the values of settings, by the place of their table and their key.
#[derive(Debug, Default)]
pub(in crate::config) struct Trace(RefCell<BTreeMap<(&'static str, String), BTreeSet<Wanted>>>);

impl Trace {
    /// Notes that `key` of a table at `place` may have one of these forms.
    pub(in crate::config) fn saw(
        &self,
        place: &'static str,
        key: &str,
        forms: impl IntoIterator<Item = Wanted>,
    ) {
        let mut seen = self.0.borrow_mut();
        seen.entry((place, key.to_owned()))
            .or_default()
            .extend(forms);
    }

    /// The forms that `key` of a table at `place` may have, as far as they are known.
    pub(in crate::config) fn forms(
        &self,
        place: &'static str,
        key: &str,
    ) -> Option<BTreeSet<Wanted>> {
        let seen = self.0.borrow();
        let forms = seen.get(&(place, key.to_owned()))?;
        (!forms.contains(&Wanted::Any)).then(|| forms.clone())
    }
}
