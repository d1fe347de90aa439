//! Names of slaves, builders and so on: each is given once, and who refers to one means one that
//! exists.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::class::Class;
use super::reader::{Sink, Table, Value};
use super::spelling;

/// The names of one kind of thing, and where each was given.
#[derive(Debug)]
pub(super) struct Names<'a> {
    noun: &'static str,
    places: BTreeMap<&'a str, Range<usize>>,
    /// Whether a name could not be read; then an unknown name may be that one.
    is_incomplete: bool,
}

impl<'a> Names<'a> {
    /// No names yet of what is called `noun`.
    pub(super) const fn new(noun: &'static str) -> Self {
        Self {
            noun,
            places: BTreeMap::new(),
            is_incomplete: false,
        }
    }

    /// Adds the `name` of `table`, which must be a new one.
    pub(super) fn declare(&mut self, table: &mut Table<'a>) -> Option<(&'a str, Value<'a>)> {
        let value = table.require("name", "\"NAME\"");
        let named = value.and_then(|value| Some((value.name()?, value)));
        self.is_incomplete |= named.is_none();
        let (name, value) = named?;
        let Some(first) = self.places.get(name) else {
            self.places.insert(name, value.span());
            return Some((name, value));
        };
        let there = value.sink.places.in_words(first, &value.span());
        value.sink.clash(
            (value.span(), first.clone()),
            format!(
                "the name `{name}` is used by two {}, here and {there}",
                self.plural()
            ),
            "first used here",
            format!("give each {} a name of its own", self.noun),
        );
        None
    }

    /// Adds a name that cannot be there yet.
    pub(super) fn insert(&mut self, name: &'a str, place: Range<usize>) {
        self.places.insert(name, place);
    }

    /// All names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &Range<usize>)> {
        self.places.iter().map(|(name, place)| (*name, place))
    }

    /// The name that `value` gives, which must be one of these.
    pub(super) fn refer(&self, value: &Value<'a>) -> Option<&'a str> {
        self.look_up(value.name()?, value, value.span())
    }

    /// The name that the key of `value` gives, which must be one of these.
    pub(super) fn refer_by_key(&self, value: &Value<'a>) -> Option<&'a str> {
        self.look_up(value.key, value, value.key_span.clone())
    }

    fn look_up(&self, name: &'a str, value: &Value<'a>, span: Range<usize>) -> Option<&'a str> {
        self.is_known(name, value, span).then_some(name)
    }

    /// Whether `name`, which `value` gives, is one of these.
    pub(super) fn check(&self, name: &str, value: &Value<'_>) -> bool {
        self.is_known(name, value, value.span())
    }

    fn is_known(&self, name: &str, value: &Value<'_>, span: Range<usize>) -> bool {
        if self.places.contains_key(name) {
            return true;
        }
        let known: Vec<&str> = self.places.keys().copied().collect();
        let near = spelling::nearest(name, known.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("there are no {} in this file", self.plural()),
            None => format!("the {} are {}", self.plural(), spelling::listing(&known)),
        };
        let message = format!(
            "{} names the {} `{name}`, which does not exist",
            value.label, self.noun
        );
        match near {
            // It may be one that could not be read.
            _ if value.sink.incomplete.contains(self.noun) => {}
            Some(_) => {
                let class = Class::UnknownReference;
                value.sink.error_of(class, span, message, help);
            }
            None if self.is_incomplete => {}
            None => value.sink.unknown(span, message, help),
        }
        false
    }

    /// Warns of each name that is not among `used` (CFL-13); `says` is what is wrong with one.
    pub(super) fn warn_unused(
        &self,
        sink: &Sink<'_>,
        used: &BTreeSet<&str>,
        says: impl Fn(&str) -> String,
    ) {
        for (name, place) in self.iter().filter(|(name, _)| !used.contains(name)) {
            sink.unused(place.clone(), says(name));
        }
    }

    /// What several of them are called.
    fn plural(&self) -> String {
        match self.noun.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{}s", self.noun),
        }
    }

    /// Where `name` was given.
    pub(super) fn place(&self, name: &str) -> Option<&Range<usize>> {
        self.places.get(name)
    }
}
