//! Encodes values into expressions.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

use bytes::Bytes;

use super::FAILURE_CLASS;
use crate::pb::banana::{Encoder, PREFIX_LIMIT, SIZE_LIMIT, Word};
use crate::pb::{Failure, Luid, Value};

/// Why one of our values cannot be sent. The error is ours; the peer gets nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsendable {
    /// A byte string or text longer than 640 KiB.
    #[error("string is too long to send")]
    StringTooLong,
    /// A list with too many elements.
    #[error("list is too long to send")]
    ListTooLong,
    /// An integer with too many digits.
    #[error("integer is too large to send")]
    IntegerTooLarge,
    /// A value nested deeper than this program ever needs.
    #[error("value is nested too deep to send")]
    TooDeep,
}

/// Encodes the values of one message.
#[derive(Debug)]
pub struct Jellier<'a> {
    out: &'a mut Encoder,
    mine: Vec<Luid>,
}

impl<'a> Jellier<'a> {
    /// Creates an encoder that writes to `out`.
    pub fn new(out: &'a mut Encoder) -> Self {
        Self {
            out,
            mine: Vec::new(),
        }
    }

    /// Our objects that were written, one entry for each reference.
    #[must_use]
    pub fn into_mine(self) -> Vec<Luid> {
        self.mine
    }

    /// Writes one value.
    ///
    /// # Errors
    /// The value cannot be sent; the output contains a part of it.
    pub fn value(&mut self, value: &Value) -> Result<(), Unsendable> {
        self.nested(value, &mut HashMap::new(), 0)
    }

    /// Writes a tuple.
    ///
    /// # Errors
    /// The value cannot be sent; the output contains a part of it.
    pub fn tuple(&mut self, items: &[Value]) -> Result<(), Unsendable> {
        self.open(items.len())?;
        self.out.word(Word::TUPLE);
        self.all(items, &mut HashMap::new(), 1)
    }

    /// Writes a dictionary.
    ///
    /// # Errors
    /// The value cannot be sent; the output contains a part of it.
    pub fn dictionary(&mut self, pairs: &[(Value, Value)]) -> Result<(), Unsendable> {
        self.pairs(pairs, &mut HashMap::new(), 1)
    }

    /// Writes a failure in the spelling that every receiver understands (PROTOCOL section 5): bytes
    /// for the type and text for everything else. Long texts are cut, so a failure can always be
    /// sent.
    pub fn failure(&mut self, failure: &Failure) {
        let parents = failure
            .parents
            .get(..PARENTS_LIMIT)
            .unwrap_or(&failure.parents);
        self.out.list(2);
        self.out.literal(FAILURE_CLASS);
        self.out.list(12);
        self.out.word(Word::DICTIONARY);
        self.key("type");
        self.out.slice(cut(&failure.kind));
        self.key("value");
        self.text(&failure.value);
        self.key("traceback");
        self.text(&failure.traceback);
        self.key("parents");
        self.out.list(parents.len() + 1);
        self.out.word(Word::LIST);
        for parent in parents {
            self.text(parent);
        }
        self.key("tb");
        self.none();
        for key in ["frames", "stack"] {
            self.key(key);
            self.out.list(1);
            self.out.word(Word::LIST);
        }
        self.key("count");
        self.out.int(0);
        for key in ["captureVars", "unsafeTracebacks"] {
            self.key(key);
            self.boolean(false);
        }
        self.key("pickled");
        self.out.int(1);
    }

    /// Recursion is limited by [`DEPTH_LIMIT`]. `shared` has the numbers of the written shared
    /// parts by address; all parts stay borrowed meanwhile.
    fn nested(
        &mut self,
        value: &Value,
        shared: &mut HashMap<*const Value, i64>,
        depth: usize,
    ) -> Result<(), Unsendable> {
        if depth > DEPTH_LIMIT {
            return Err(Unsendable::TooDeep);
        }
        match value {
            Value::None => self.none(),
            Value::Bool(flag) => self.boolean(*flag),
            Value::Int(int) => self.out.int(*int),
            Value::BigInt { negative, digits } => {
                if digits.len() > PREFIX_LIMIT {
                    return Err(Unsendable::IntegerTooLarge);
                }
                self.out.big_int(*negative, digits);
            }
            Value::Float(float) => self.out.float(*float),
            Value::Bytes(bytes) => self.bytes(bytes)?,
            Value::Text(text) => {
                self.out.list(2);
                self.out.literal(b"unicode");
                self.bytes(text)?;
            }
            Value::List(items) => {
                self.open(items.len())?;
                self.out.word(Word::LIST);
                self.all(items, shared, depth + 1)?;
            }
            Value::Tuple(items) => {
                self.open(items.len())?;
                self.out.word(Word::TUPLE);
                self.all(items, shared, depth + 1)?;
            }
            Value::Set(items) => {
                self.open(items.len())?;
                self.out.literal(b"set");
                self.all(items, shared, depth + 1)?;
            }
            Value::FrozenSet(items) => {
                self.open(items.len())?;
                self.out.literal(b"frozenset");
                self.all(items, shared, depth + 1)?;
            }
            Value::Dict(pairs) => self.pairs(pairs, shared, depth + 1)?,
            Value::Decimal(digits, exponent) => {
                self.out.list(3);
                self.out.literal(b"decimal");
                self.out.int(*digits);
                self.out.int(*exponent);
            }
            Value::Time(tag, numbers) => {
                self.out.list(2);
                self.out.literal(tag.as_bytes());
                self.bytes(numbers)?;
            }
            Value::Mine(luid) => {
                self.mine.push(*luid);
                self.number(Word::REMOTE, luid.0);
            }
            Value::Theirs(luid) => self.number(Word::LOCAL, luid.0),
            Value::Unpersistable(reason) => {
                self.out.list(2);
                self.out.word(Word::UNPERSISTABLE);
                self.bytes(reason)?;
            }
            Value::Failure(failure) => self.failure(failure),
            Value::Shared(part) => {
                let next = i64::try_from(shared.len() + 1).unwrap_or(i64::MAX);
                let at = ptr::from_ref::<Value>(Arc::as_ref(part));
                let number = *shared.entry(at).or_insert(next);
                if number != next {
                    self.number(Word::DEREFERENCE, number);
                    return Ok(());
                }
                self.out.list(3);
                self.out.word(Word::REFERENCE);
                self.out.int(number);
                self.nested(part, shared, depth + 1)?;
            }
        }
        Ok(())
    }

    fn all(
        &mut self,
        items: &[Value],
        shared: &mut HashMap<*const Value, i64>,
        depth: usize,
    ) -> Result<(), Unsendable> {
        items
            .iter()
            .try_for_each(|item| self.nested(item, shared, depth))
    }

    fn pairs(
        &mut self,
        pairs: &[(Value, Value)],
        shared: &mut HashMap<*const Value, i64>,
        depth: usize,
    ) -> Result<(), Unsendable> {
        self.open(pairs.len())?;
        self.out.word(Word::DICTIONARY);
        pairs.iter().try_for_each(|(key, value)| {
            self.out.list(2);
            self.nested(key, shared, depth)?;
            self.nested(value, shared, depth)
        })
    }

    /// Begins a list of a type name and `elements` further elements.
    fn open(&mut self, elements: usize) -> Result<(), Unsendable> {
        if elements >= SIZE_LIMIT {
            return Err(Unsendable::ListTooLong);
        }
        self.out.list(elements + 1);
        Ok(())
    }

    fn bytes(&mut self, bytes: &Bytes) -> Result<(), Unsendable> {
        if bytes.len() > SIZE_LIMIT {
            return Err(Unsendable::StringTooLong);
        }
        self.out.bytes(bytes);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.list(2);
        self.out.literal(b"unicode");
        self.out.slice(cut(text));
    }

    /// Begins an item of a failure's dictionary.
    fn key(&mut self, key: &str) {
        self.out.list(2);
        self.out.list(2);
        self.out.literal(b"unicode");
        self.out.literal(key.as_bytes());
    }

    fn none(&mut self) {
        self.out.list(1);
        self.out.word(Word::NONE);
    }

    fn boolean(&mut self, flag: bool) {
        self.out.list(2);
        self.out.literal(b"boolean");
        self.out.literal(if flag { b"true" } else { b"false" });
    }

    fn number(&mut self, word: Word, number: i64) {
        self.out.list(2);
        self.out.word(word);
        self.out.int(number);
    }
}

/// Cuts a text to the maximum length of a string.
fn cut(text: &str) -> &[u8] {
    text.as_bytes()
        .get(..text.floor_char_boundary(SIZE_LIMIT))
        .unwrap_or_default()
}

/// Maximum number of bases of a class in a failure.
const PARENTS_LIMIT: usize = 100;

/// Maximum nesting to send; our decoder accepts less.
const DEPTH_LIMIT: usize = 512;
