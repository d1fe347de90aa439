//! What tables of the file are called, and the keys that they may have.

/// A kind of table: its place, its name and its keys.
#[derive(Debug)]
pub(super) struct Shape {
    /// Where it is, as a path without indexes: `builders`, `builders.env`; the top level is empty.
    pub(super) place: &'static str,
    /// What it describes, for messages.
    pub(super) noun: &'static str,
    /// The keys that each table of this shape may have.
    pub(super) keys: &'static [&'static str],
    /// The further keys of each `type`, where tables have one.
    pub(super) kinds: fn() -> Vec<KindShape>,
}

/// What a `type` adds to the shape of its tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindShape {
    /// The value of `type`.
    pub(super) name: &'static str,
    /// The keys that only tables of this type have, by the part of the settings that takes them.
    pub(super) keys: &'static [&'static [&'static str]],
}

impl KindShape {
    /// The keys that only tables of this type have.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().copied().flatten().copied()
    }
}

impl Shape {
    /// The keys of tables of any kind, each once.
    pub(super) fn all_keys(&self) -> Vec<&'static str> {
        let mut keys = self.keys.to_vec();
        for key in (self.kinds)().iter().flat_map(KindShape::keys) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The names of the kinds that have `key` as a key of their own.
    pub(super) fn kinds_with(&self, key: &str) -> Vec<&'static str> {
        let kinds = (self.kinds)().into_iter();
        kinds
            .filter(|kind| kind.keys().any(|own| own == key))
            .map(|kind| kind.name)
            .collect()
    }
}

/// A key and what it belongs to, for messages; at the top level that has no label.
pub(super) fn of(key: &str, label: &str) -> String {
    match label {
        "" => format!("`{key}`"),
        _ => format!("`{key}` of {label}"),
    }
}
