//! A configuration as a tree: plain values, and where each is written.
//!
//! Trees come from TOML ([`Node::from_toml`]) and from the language, which makes new ones of them.
//! A place is a range of offsets that [`super::places::Places`] understands.

use std::ops::Range;
use std::rc::Rc;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Range<usize>,
    pub(super) data: Data,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Text(Text),
    Integer(Integer),
    Float(Float),
    Boolean(bool),
    Datetime(Rc<str>),
    Array(Vec<Node>),
    Table(Fields),
}

/// A text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) value: Rc<str>,
    /// Of a text that was put together: which part of it comes from where. Parts that are as
    /// written are as long here as there.
    pub(super) pieces: Option<Rc<[Piece]>>,
}

/// A part of a text that was put together.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Bytes of the text.
    pub(super) here: Range<usize>,
    /// Where they come from.
    pub(super) from: Range<usize>,
}

/// A whole number.
#[derive(Clone, Debug)]
pub(super) struct Integer {
    digits: Rc<str>,
    /// Its base; nothing if it was computed.
    radix: Option<u32>,
}

/// A fraction.
#[derive(Clone, Debug)]
pub(super) struct Float(Rc<str>);

/// A table, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<Field>);

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: Rc<str>,
    pub(super) key_place: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    /// A value as TOML has it. Its file begins at the offset `base`.
    pub(super) fn from_toml(value: &Spanned<DeValue<'_>>, base: usize) -> Self {
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(Text::new(text)),
            DeValue::Integer(number) => Data::Integer(Integer {
                digits: number.as_str().into(),
                radix: Some(number.radix()),
            }),
            DeValue::Float(number) => Data::Float(Float(number.as_str().into())),
            DeValue::Boolean(flag) => Data::Boolean(*flag),
            DeValue::Datetime(date) => Data::Datetime(date.to_string().into()),
            DeValue::Array(entries) => {
                let entries = entries.iter().map(|entry| Self::from_toml(entry, base));
                Data::Array(entries.collect())
            }
            DeValue::Table(table) => Data::Table(Fields::from_toml(table, base)),
        };
        Self {
            place: moved(&value.span(), base),
            data,
        }
    }

    /// `json` as a value at `place`. None is left out (CFL-20): nothing, if it is none itself.
    pub(super) fn from_json(json: &Json, place: &Range<usize>) -> Option<Self> {
        let data = match json {
            Json::Null => return None,
            Json::Bool(flag) => Data::Boolean(*flag),
            Json::Number(number) if number.is_f64() => {
                Data::Float(Float(number.to_string().into()))
            }
            Json::Number(number) => Data::Integer(Integer::computed(&number.to_string())),
            Json::String(text) => Data::Text(Text::new(text)),
            Json::Array(entries) => {
                let entries = entries
                    .iter()
                    .filter_map(|entry| Self::from_json(entry, place));
                Data::Array(entries.collect())
            }
            Json::Object(map) => {
                let fields = map.iter().filter_map(|(key, value)| {
                    Some(Field {
                        key: key.as_str().into(),
                        key_place: place.clone(),
                        value: Self::from_json(value, place)?,
                    })
                });
                Data::Table(Fields(fields.collect()))
            }
        };
        Some(Self {
            place: place.clone(),
            data,
        })
    }
}

impl Node {
    /// Its value as JSON. A date is its text, and a number that JSON does not have is none.
    pub(super) fn json(&self) -> Json {
        match &self.data {
            Data::Text(text) => Json::from(&*text.value),
            Data::Integer(number) => number.value().map_or(Json::Null, Json::from),
            Data::Float(number) => {
                let number = number.as_str().parse().ok();
                let number = number.and_then(serde_json::Number::from_f64);
                number.map_or(Json::Null, Json::Number)
            }
            Data::Boolean(flag) => Json::Bool(*flag),
            Data::Datetime(date) => Json::from(&**date),
            Data::Array(entries) => entries.iter().map(Self::json).collect(),
            Data::Table(fields) => fields.json(),
        }
    }
}

fn moved(span: &Range<usize>, base: usize) -> Range<usize> {
    span.start + base..span.end + base
}

impl Data {
    pub(super) fn as_str(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        Some(&text.value)
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        let Self::Boolean(flag) = self else {
            return None;
        };
        Some(*flag)
    }

    pub(super) fn as_integer(&self) -> Option<&Integer> {
        let Self::Integer(number) = self else {
            return None;
        };
        Some(number)
    }

    pub(super) fn as_float(&self) -> Option<&Float> {
        let Self::Float(number) = self else {
            return None;
        };
        Some(number)
    }

    pub(super) fn as_array(&self) -> Option<&Vec<Node>> {
        let Self::Array(entries) = self else {
            return None;
        };
        Some(entries)
    }

    pub(super) fn as_table(&self) -> Option<&Fields> {
        let Self::Table(fields) = self else {
            return None;
        };
        Some(fields)
    }

    pub(super) fn is_str(&self) -> bool {
        self.as_str().is_some()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.as_integer().is_some()
    }

    pub(super) fn is_float(&self) -> bool {
        self.as_float().is_some()
    }

    pub(super) fn is_array(&self) -> bool {
        self.as_array().is_some()
    }

    pub(super) fn is_table(&self) -> bool {
        self.as_table().is_some()
    }

    /// The entries of a list; anything else as a list of one.
    pub(super) fn one_or_list(node: &Node) -> &[Node] {
        match node.data.as_array() {
            Some(entries) => entries,
            None => std::slice::from_ref(node),
        }
    }

    /// What values of its kind are called.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(true) => "`true`",
            Self::Boolean(false) => "`false`",
            Self::Datetime(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Text {
    /// A text that stands somewhere as it is.
    pub(super) fn new(value: &str) -> Self {
        Self {
            value: value.into(),
            pieces: None,
        }
    }
}

impl Integer {
    /// A number that was computed.
    pub(super) fn computed(digits: &str) -> Self {
        Self {
            digits: digits.into(),
            radix: None,
        }
    }

    /// Its digits, with a sign and without the prefix of its base.
    pub(super) fn as_str(&self) -> &str {
        &self.digits
    }

    /// Its base.
    pub(super) fn radix(&self) -> u32 {
        self.radix.unwrap_or(10)
    }

    /// Its base, if it was written rather than computed.
    pub(super) const fn written_radix(&self) -> Option<u32> {
        self.radix
    }

    /// The number, if it has at most 64 bits.
    pub(super) fn value(&self) -> Option<i64> {
        i64::from_str_radix(&self.digits, self.radix()).ok()
    }
}

impl std::fmt::Display for Integer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = match self.radix() {
            2 => "0b",
            8 => "0o",
            16 => "0x",
            _ => "",
        };
        write!(f, "{prefix}{}", self.digits)
    }
}

impl Float {
    /// As it is written, without underscores.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Fields {
    /// A table as TOML has it. Its file begins at the offset `base`.
    pub(super) fn from_toml(table: &DeTable<'_>, base: usize) -> Self {
        let fields = table.iter().map(|(key, value)| Field {
            key: key.get_ref().as_ref().into(),
            key_place: moved(&key.span(), base),
            value: Node::from_toml(value, base),
        });
        let mut fields: Vec<Field> = fields.collect();
        fields.sort_by_key(|field| field.key_place.start);
        Self(fields)
    }

    /// The table as JSON.
    pub(super) fn json(&self) -> Json {
        let fields = self.iter();
        let fields = fields.map(|field| (field.key.to_string(), field.value.json()));
        Json::Object(fields.collect())
    }

    /// The value of `key`; looks through all.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.field(key).map(|field| &field.value)
    }

    /// The field `key`; looks through all.
    pub(super) fn field(&self, key: &str) -> Option<&Field> {
        self.0.iter().find(|field| &*field.key == key)
    }

    pub(super) fn contains_key(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| &*field.key)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }
}
