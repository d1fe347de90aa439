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
    /// A table that the reader looks into itself.
    AnyTable,
}

/// The forms of the values of settings, and the settings that must be there.
#[derive(Debug, Default)]
pub(in crate::config) struct Trace {
    /// By the place of the table and the key.
    forms: RefCell<BTreeMap<(&'static str, String), BTreeSet<Wanted>>>,
    /// How many tables there were, by place and type; of any type together under no name.
    tables: RefCell<BTreeMap<(&'static str, &'static str), usize>>,
    /// In how many of them a key had to be there.
    required: RefCell<BTreeMap<(&'static str, &'static str, &'static str), usize>>,
}

impl Trace {
    /// Notes a table at `place` of the type `kind`.
    pub(in crate::config) fn saw_table(&self, place: &'static str, kind: &'static str) {
        *self.tables.borrow_mut().entry((place, kind)).or_default() += 1;
    }

    /// Notes that `key` has to be in a table at `place` of the type `kind`.
    pub(in crate::config) fn saw_required(
        &self,
        place: &'static str,
        kind: &'static str,
        key: &'static str,
    ) {
        let mut required = self.required.borrow_mut();
        *required.entry((place, kind, key)).or_default() += 1;
    }

    /// The keys that had to be in all tables at `place` of the type `kind`.
    pub(in crate::config) fn required(&self, place: &str, kind: &str) -> Vec<&'static str> {
        let tables = self.tables.borrow();
        let all = tables.get(&(place, kind)).copied().unwrap_or_default();
        let required = self.required.borrow();
        let required = required
            .iter()
            .filter(|((at, of, _), count)| *at == place && *of == kind && **count == all);
        required.map(|((.., key), _)| *key).collect()
    }

    /// Notes that `key` of a table at `place` may have one of these forms.
    pub(in crate::config) fn saw(
        &self,
        place: &'static str,
        key: &str,
        forms: impl IntoIterator<Item = Wanted>,
    ) {
        let mut seen = self.forms.borrow_mut();
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
        let seen = self.forms.borrow();
        let forms = seen.get(&(place, key.to_owned()))?;
        (!forms.contains(&Wanted::Any)).then(|| forms.clone())
    }
}
