//! Reads a TOML tree and keeps the places of its values. Each key is taken once. A mistake is noted
//! and reading continues, so all mistakes are reported together.
//!
//! Invariant: a reader that returns nothing has noted an error. A configuration is used only if the
//! [`Sink`] is empty at the end. Keys that were not taken are errors.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use serde_json::Value as Json;

use super::class::Class;
use super::idle::IDLE;
use super::needs::{Need, Needed};
use super::shape::{KindShape, Shape, of};
use super::spelling;
use super::trace::Wanted;
use super::tree::{Data, Fields, Node};

pub(super) use super::sink::{Sink, Triggered};

/// A table whose keys are taken one by one.
#[derive(Debug)]
#[must_use = "call `finish`, which reports unknown keys"]
pub(super) struct Table<'a> {
    /// Where errors go.
    pub(super) sink: &'a Sink<'a>,
    /// Its place: the header, or the braces.
    pub(super) span: Range<usize>,
    /// What it describes, with the name if it has one.
    pub(super) label: Rc<str>,
    shape: &'static Shape,
    /// Its `type`, as soon as that was read.
    kind: Option<KindShape>,
    entries: BTreeMap<&'a str, (Range<usize>, &'a Node)>,
    /// All that it has.
    fields: &'a Fields,
}

impl<'a> Table<'a> {
    /// Begins to read `table`.
    pub(super) fn new(
        sink: &'a Sink<'a>,
        shape: &'static Shape,
        span: Range<usize>,
        table: &'a Fields,
    ) -> Self {
        if shape.place.is_empty() {
            sink.root.get_or_init(|| shape);
        }
        sink.saw_table(shape.place, "");
        let name = table.get("name").and_then(|n| n.data.as_str());
        let name = name.filter(|n| !n.is_empty() && !n.contains(char::is_control));
        let label = match name {
            Some(name) => format!("{} `{name}`", shape.noun).into(),
            None => shape.noun.into(),
        };
        let entries = table
            .iter()
            .map(|field| (&*field.key, (field.key_place.clone(), &field.value)));
        Self {
            sink,
            span,
            label,
            shape,
            kind: None,
            entries: entries.collect(),
            fields: table,
        }
    }

    /// Takes the `type` of the table, which adds the keys of that kind. A table without a `type` is
    /// of the kind `usual`, if there is one.
    pub(super) fn kind<K>(
        &mut self,
        kinds: &'static [K],
        shape_of: impl Fn(&K) -> KindShape,
        usual: Option<&'static str>,
    ) -> Option<&'static K> {
        let names: Vec<_> = kinds.iter().map(|kind| shape_of(kind).name).collect();
        let value = match usual {
            Some(_) => self.take("type"),
            None => {
                let example = names.first().copied().unwrap_or_default();
                Some(self.require("type", &format!("{example:?}"))?)
            }
        };
        let name = match value {
            Some(value) => match value.one_of(&names) {
                Some(name) => name,
                None => {
                    let text = value.data().as_str().unwrap_or_default();
                    if !spelling::is_planned_kind(self.shape.place, text) {
                        self.report_misspelt();
                    }
                    return None;
                }
            },
            None => usual?,
        };
        let kind = kinds.iter().find(|kind| shape_of(kind).name == name)?;
        self.kind = Some(shape_of(kind));
        self.sink.saw_table(self.shape.place, name);
        Some(kind)
    }

    /// Takes the value of `key` into `setting`, which keeps its default if the key is absent or its
    /// value is invalid.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        setting: &mut T,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) {
        if let Some(value) = self.take(key).and_then(|value| read(&value)) {
            *setting = value;
        }
    }

    /// Takes the value of `key` into an optional setting.
    pub(super) fn set_some<T>(
        &mut self,
        key: &'static str,
        setting: &mut Option<T>,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) {
        self.set(key, setting, |value| read(value).map(Some));
    }

    /// Takes the value of `key`, which the shape lists.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        debug_assert!(self.has_key(key), "`{key}` is not in the shape");
        let (key_span, value) = self.entries.remove(key)?;
        Some(Value {
            sink: self.sink,
            place: self.shape.place,
            key,
            key_span,
            label: Rc::clone(&self.label),
            value,
        })
    }

    /// Takes the value of a required `key`; `example` is a value for the error message.
    pub(super) fn require(&mut self, key: &'static str, example: &str) -> Option<Value<'a>> {
        let value = self.take(key);
        let kind = self.kind.filter(|kind| kind.keys().any(|own| own == key));
        let kind = kind.map_or("", |kind| kind.name);
        self.sink.saw_required(self.shape.place, kind, key);
        if value.is_none() && !self.has_misspelt(key) {
            let message = format!("{} needs `{key}`", self.label);
            let help = format!("add `{key} = {example}`");
            self.sink.missing(self.span.clone(), message, help);
        }
        value
    }

    /// Whether an unknown key is a misspelling of `key`. Then `key` is not reported as missing too.
    pub(super) fn has_misspelt(&self, key: &str) -> bool {
        let keys = self.keys();
        let mut unknown = self.entries.keys().filter(|k| !keys.contains(k));
        unknown.any(|k| spelling::meant(&keys, k).is_some_and(|(ours, _)| ours == key))
    }

    /// The allowed keys.
    fn keys(&self) -> Vec<&'static str> {
        match self.kind {
            Some(kind) => self.shape.keys.iter().copied().chain(kind.keys()).collect(),
            None => self.shape.all_keys(),
        }
    }

    /// Whether tables of its kind may have `key`.
    pub(super) fn has_key(&self, key: &str) -> bool {
        let mut own = self.kind.iter().flat_map(KindShape::keys);
        self.shape.keys.contains(&key) || own.any(|own| own == key)
    }

    /// The value of `key`, which stays to be taken.
    pub(super) fn peek(&self, key: &'static str) -> Option<Value<'a>> {
        let (key_span, value) = self.entries.get(key)?;
        Some(Value {
            sink: self.sink,
            place: self.shape.place,
            key,
            key_span: key_span.clone(),
            label: Rc::clone(&self.label),
            value,
        })
    }

    /// Gives the table `value` as that of its key, if it may have that key and says nothing of it.
    pub(super) fn inherit(&mut self, value: &Value<'a>) {
        if self.has_key(value.key) && !self.entries.contains_key(value.key) {
            let entry = (value.key_span.clone(), value.value);
            self.entries.insert(value.key, entry);
        }
    }

    /// The place of `key`, if it has not been taken.
    pub(super) fn place(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(|(span, _)| span.clone())
    }

    /// The text of `key` and its place, if it is a text and nobody took it yet.
    pub(super) fn text_of(&self, key: &str) -> Option<(&'a str, Range<usize>)> {
        let (_, value) = self.entries.get(key)?;
        Some((value.data.as_str()?, value.place.clone()))
    }

    fn unknown_key(&self, keys: &[&'static str], key: &str) -> (String, String) {
        let root = self.sink.root.get().map_or(&[][..], |root| root.keys);
        spelling::unknown_key(self.shape.place, keys, root, &self.label, key)
    }

    /// Reports the keys that no kind has and that are near to one: what can be said of a table of
    /// an unknown kind.
    fn report_misspelt(&self) {
        let keys = self.shape.all_keys();
        for (key, (span, _)) in &self.entries {
            let is_misspelt = !keys.contains(key) && spelling::meant(&keys, key).is_some();
            if is_misspelt {
                let (message, help) = self.unknown_key(&keys, key);
                self.sink
                    .error_of(Class::UnknownKey, span.clone(), message, help);
            }
        }
    }

    /// Warns of settings that do nothing beside the others, and are written in the table itself.
    fn warn_of_idle(&self) {
        let kind = self.kind.map_or("", |kind| kind.name);
        let rows = IDLE.iter().filter(|row| row.place == self.shape.place);
        for row in rows {
            let Some(field) = self.fields.field(row.key) else {
                continue;
            };
            let is_told = self.entries.contains_key(row.key);
            if is_told || self.sink.is_bundled(&field.key_place) {
                continue;
            }
            if let Some((message, help)) = row.told(kind, self.fields, &self.label) {
                self.sink.warning(field.key_place.clone(), message, help);
            }
        }
    }

    /// Reports the keys that have not been taken.
    pub(super) fn finish(self) {
        self.warn_of_idle();
        for (key, (span, _)) in &self.entries {
            let others = self.shape.kinds_with(key);
            let mut class = Class::UnknownKey;
            let (message, help) = if self.has_key(key) {
                class = Class::NotAllowed;
                let message = format!("{} has no effect here", of(key, &self.label));
                let help = spelling::hint(self.shape.place, key).unwrap_or("remove it");
                (message, help.to_owned())
            } else if let (Some(kind), false) = (self.kind, others.is_empty()) {
                spelling::key_of_others(self.shape, kind, key, &others)
            } else {
                self.unknown_key(&self.keys(), key)
            };
            self.sink.error_of(class, span.clone(), message, help);
        }
    }
}

/// A value, and its names in messages.
#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    /// Where errors go.
    pub(super) sink: &'a Sink<'a>,
    /// Place of its table.
    pub(super) place: &'static str,
    /// Its key; for an entry of a list, that of the list.
    pub(super) key: &'a str,
    /// Place of its key.
    pub(super) key_span: Range<usize>,
    /// What its table describes.
    pub(super) label: Rc<str>,
    value: &'a Node,
}

impl<'a> Value<'a> {
    /// Tells who watches which forms of the value are wanted.
    pub(super) fn wants(&self, forms: impl IntoIterator<Item = Wanted>) {
        self.sink.wanted(self.place, self.key, forms);
    }

    /// The place of the value in the file.
    pub(super) fn span(&self) -> Range<usize> {
        self.value.place.clone()
    }

    /// The value as it is.
    pub(super) fn raw(&self) -> &'a Data {
        self.wants([Wanted::Any]);
        self.data()
    }

    /// The value as it is, which may have one of these forms.
    pub(super) fn among(&self, forms: impl IntoIterator<Item = Wanted>) -> &'a Data {
        self.wants(forms);
        self.data()
    }

    /// The value as it is, for who has told what is wanted.
    pub(super) fn data(&self) -> &'a Data {
        &self.value.data
    }

    /// Notes an error about the value: "`key` of the table `what`".
    pub(super) fn error(&self, what: &str, help: impl Into<String>) {
        let message = format!("{} {what}", of(self.key, &self.label));
        self.sink.error(self.span(), message, help);
    }

    /// Notes that the part of the file with this value needs `what`.
    pub(super) fn needs(&self, what: Needed) {
        self.sink.need(Need {
            owner: self.label.to_string(),
            what,
            span: self.span(),
        });
    }

    /// Notes that the value has the wrong type; returns nothing.
    pub(super) fn expected<T>(&self, wanted: &str, help: impl Into<String>) -> Option<T> {
        let is = self.data().noun();
        self.error(&format!("must be {wanted}, not {is}"), help);
        None
    }

    /// The place of the bytes `part` of its text, as exactly as the way it is written allows.
    pub(super) fn part(&self, part: Range<usize>) -> Range<usize> {
        let span = self.span();
        if let Data::Text(text) = self.data()
            && let Some(pieces) = &text.pieces
        {
            let at = pieces.iter().rfind(|piece| piece.here.start <= part.start);
            return at.map_or(span, |piece| {
                let start = piece.from.start + (part.start - piece.here.start);
                let start = start.min(piece.from.end);
                start..(start + part.len()).clamp(start, piece.from.end)
            });
        }
        let written = self.sink.places.written(&span);
        let found = self.data().as_str().and_then(|text| written.find(text));
        match found {
            Some(at) => span.start + at + part.start..span.start + at + part.end,
            None => span,
        }
    }

    /// A string.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.wants([Wanted::Text]);
        self.written()
    }

    fn written(&self) -> Option<&'a str> {
        match self.data().as_str() {
            Some(text) => Some(text),
            None => self.expected("a string", format!("for example `{} = \"…\"`", self.key)),
        }
    }

    /// A string that can be a name: not empty, without line breaks and other control characters.
    pub(super) fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.error("is empty", "put a value between the quotes");
            return None;
        }
        if text.contains(char::is_control) {
            self.error("contains control characters", "use printable characters");
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        self.wants([Wanted::Flag]);
        match self.data().as_bool() {
            Some(flag) => Some(flag),
            None => self.expected("true or false", "write `true` or `false`, without quotes"),
        }
    }

    /// Whether it is the word `false`, which stands for "none" where a string or number may be
    /// absent.
    pub(super) fn is_false(&self) -> bool {
        self.wants([Wanted::False]);
        self.data().as_bool() == Some(false)
    }

    /// Whether it is the string `word`, which stands for something beside numbers.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.wants([Wanted::Text]);
        self.data().as_str() == Some(word)
    }

    /// An integer within `range`.
    pub(super) fn integer<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + std::fmt::Display + PartialOrd + TryFrom<i64>,
    {
        self.wants([Wanted::Integer]);
        let Some(integer) = self.data().as_integer() else {
            return self.expected("an integer", "write a number without quotes or fraction");
        };
        let number = integer.value();
        let number = number.and_then(|n| T::try_from(n).ok());
        if number.is_none_or(|n| !range.contains(&n)) {
            let help = format!("a number from {} to {}", range.start(), range.end());
            self.error("is out of range", help);
            return None;
        }
        number
    }

    /// One of `known`. Any other string is an error that names the nearest of them.
    pub(super) fn one_of(&self, known: &[&'static str]) -> Option<&'static str> {
        self.wants(known.iter().copied().map(Wanted::Word));
        let Some(text) = self.data().as_str() else {
            let words = spelling::listing(known);
            return self.expected("a string", format!("it may be {words}, in quotes"));
        };
        let found = known.iter().copied().find(|k| *k == text);
        if found.is_none() {
            let (message, help) =
                spelling::unknown_value((self.place, self.key), &self.label, known, text);
            self.sink.error(self.span(), message, help);
        }
        found
    }

    /// The entries of a list.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        self.wants([Wanted::List]);
        match self.data().as_array() {
            Some(array) => Some(array.iter().map(|value| self.with(value)).collect()),
            None => self.expected("a list", format!("for example `{} = [\"…\"]`", self.key)),
        }
    }

    /// The entries of a list, or a string as a list of one.
    pub(super) fn one_or_list(&self) -> Option<Vec<Self>> {
        self.wants([Wanted::List]);
        match self.data().as_array() {
            Some(_) => self.list(),
            None => Some(vec![self.clone()]),
        }
    }

    /// A table of fixed keys.
    pub(super) fn table(&self, shape: &'static Shape) -> Option<Table<'a>> {
        self.wants([Wanted::Table]);
        match self.data().as_table() {
            Some(table) => Some(Table::new(self.sink, shape, self.span(), table)),
            None => self.expected("a table", format!("for example `{} = {{ … }}`", self.key)),
        }
    }

    /// The tables of a list of tables.
    pub(super) fn tables(&self, shape: &'static Shape) -> Vec<Table<'a>> {
        self.wants([Wanted::List]);
        if self.data().is_table() {
            let help = format!("write `[[{}]]` with two brackets", self.key);
            self.expected::<()>("a list of tables", help);
            return self.table(shape).into_iter().collect();
        }
        let example = match shape.keys.contains(&"type") {
            true => "{ type = \"…\" }",
            false => "{ KEY = … }",
        };
        if self.data().as_array().is_none() {
            let help = format!("for example `{} = [{example}]`", self.key);
            return self.expected("a list of tables", help).unwrap_or_default();
        }
        let entries = self.list().unwrap_or_default();
        let table = |entry: &Self| {
            if entry.data().is_table() {
                return entry.table(shape);
            }
            let help = format!("write each entry of the list as a table: `{example}`");
            entry.expected("a list of tables", help)
        };
        entries.iter().filter_map(table).collect()
    }

    /// The entries of a table with keys of the user's choice, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'a str, Self)> {
        self.wants([Wanted::Table]);
        let Some(table) = self.data().as_table() else {
            let mut entries = self.data().as_array().into_iter().flatten();
            let is_list = entries.any(|entry| entry.data.is_table());
            let help = match is_list && self.place.is_empty() {
                true => format!("write `[{}.NAME]` for each", self.key),
                false => format!("for example `{} = {{ NAME = \"…\" }}`", self.key),
            };
            return self.expected("a table", help).unwrap_or_default();
        };
        let entries = table.iter().map(|field| {
            let mut entry = self.with(&field.value);
            entry.key = &field.key;
            entry.key_span = field.key_place.clone();
            entry.label = of(self.key, &self.label).into();
            (entry.key, entry)
        });
        entries.collect()
    }

    /// Its value as JSON; dates and infinite numbers have none (PRP-03).
    pub(super) fn json(&self) -> Option<Json> {
        self.wants([Wanted::Any]);
        match self.data() {
            Data::Text(text) => Some(Json::from(&*text.value)),
            Data::Integer(_) => self.integer(i64::MIN..=i64::MAX).map(Json::from),
            Data::Float(float) => {
                let number = float.as_str().parse().ok();
                let number = number.and_then(serde_json::Number::from_f64);
                if number.is_none() {
                    self.error(
                        "is not a JSON value",
                        "JSON has no infinite numbers and no NaN",
                    );
                }
                number.map(Json::Number)
            }
            Data::Boolean(flag) => Some(Json::Bool(*flag)),
            Data::Datetime(_) => self.expected("a JSON value", "put the date in quotes"),
            Data::Array(_) => {
                let entries = self.list()?;
                Some(entries.iter().filter_map(Self::json).collect())
            }
            Data::Table(_) => {
                let entries = self.entries();
                let values = entries.iter().filter_map(|(k, v)| Some((*k, v.json()?)));
                Some(values.map(|(k, v)| (k.to_owned(), v)).collect())
            }
        }
    }

    fn with(&self, value: &'a Node) -> Self {
        Self {
            value,
            ..self.clone()
        }
    }
}
