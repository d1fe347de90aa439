//! Decodes expressions into values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;

use super::FAILURE_CLASS;
use crate::pb::banana::Token;
use crate::pb::{Failure, Limits, Luid, Value};

/// Why an expression is not a value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// An unknown type. The call or answer is rejected; the connection stays open.
    #[error("{0}")]
    Insecure(String),
    /// A known type with wrong content, or a value that contains itself. The call or answer is
    /// rejected; the connection stays open.
    #[error("malformed jelly: {0}")]
    Malformed(&'static str),
    /// Shared parts expand the value beyond the limits. The connection ends.
    #[error("a value expands to more than allowed")]
    TooLarge,
}

/// Decodes the values of one message.
#[derive(Debug)]
pub struct Unjellier<'a> {
    limits: &'a Limits,
    /// Number of values so far; shared values count at each use.
    expanded: usize,
    theirs: Vec<Luid>,
}

impl<'a> Unjellier<'a> {
    /// A decoder for one message.
    #[must_use]
    pub fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            expanded: 0,
            theirs: Vec::new(),
        }
    }

    /// The peer's objects received so far, one entry for each receipt. They must be released if the
    /// message is rejected.
    #[must_use]
    pub fn into_theirs(self) -> Vec<Luid> {
        self.theirs
    }

    /// Decodes the next value of `tokens`. Without an error, exactly the tokens of the value are
    /// taken.
    ///
    /// # Errors
    /// The value is rejected; some of its tokens are left.
    pub fn value(&mut self, tokens: &mut vec::Drain<'_, Token>) -> Result<Value, Refused> {
        let mut references = References::default();
        let mut stack: Vec<Open> = Vec::new();
        loop {
            if let Some(Open {
                frame: Frame::Dict { key: None, .. },
                ..
            }) = stack.last()
            {
                expect_pair(tokens.next())?;
            }
            self.expanded += 1;
            let mut done = match self.begin(tokens, &mut references)? {
                Begun::Leaf(value) => Done { value, height: 0 },
                Begun::Shared(shared) => self.expand(shared, stack.len())?,
                Begun::Open(frame) => {
                    stack.push(Open {
                        frame,
                        expanded_before: self.expanded,
                        height: 0,
                    });
                    continue;
                }
            };
            // The value may complete its container, which may complete its own container, and so
            // on.
            loop {
                let Some(open) = stack.last_mut() else {
                    return Ok(done.value);
                };
                open.height = open.height.max(done.height + 1);
                if !open.frame.add(done.value) {
                    break;
                }
                let Some(open) = stack.pop() else {
                    return Err(Refused::Malformed("nothing is open"));
                };
                done = Done {
                    height: open.height,
                    value: open.close(self.expanded, &mut references)?,
                };
            }
        }
    }

    fn begin(
        &mut self,
        tokens: &mut vec::Drain<'_, Token>,
        references: &mut References,
    ) -> Result<Begun, Refused> {
        let len = match tokens.next().ok_or(END)? {
            Token::Bytes(bytes) => return leaf(Value::Bytes(bytes)),
            Token::Int(int) => return leaf(Value::Int(int)),
            Token::BigInt { negative, digits } => return leaf(Value::BigInt { negative, digits }),
            Token::Float(float) => return leaf(Value::Float(float)),
            Token::List(len) => len,
        };
        let Some(rest) = len.checked_sub(1) else {
            return Err(Refused::Malformed("an empty list has no type"));
        };
        let Some(Token::Bytes(tag)) = tokens.next() else {
            return Err(Refused::Malformed("a type is not a byte string"));
        };
        match &*tag {
            b"unicode" => text(tokens, rest).map(Value::Text).and_then(leaf),
            b"None" if rest == 0 => leaf(Value::None),
            b"boolean" => match &*text(tokens, rest)? {
                b"true" => leaf(Value::Bool(true)),
                b"false" => leaf(Value::Bool(false)),
                _ => Err(Refused::Malformed("a boolean is neither true nor false")),
            },
            b"tuple" => Ok(items(Kind::Tuple, rest)),
            b"list" => Ok(items(Kind::List, rest)),
            b"set" => Ok(items(Kind::Set, rest)),
            b"frozenset" => Ok(items(Kind::FrozenSet, rest)),
            b"dictionary" if rest == 0 => leaf(Value::Dict(Vec::new())),
            b"dictionary" => Ok(Begun::Open(Frame::Dict {
                missing: rest,
                pairs: Vec::with_capacity(rest.min(RESERVED)),
                key: None,
            })),
            b"remote" => {
                let luid = Luid(int(tokens, rest)?);
                self.theirs.push(luid);
                leaf(Value::Theirs(luid))
            }
            b"local" => leaf(Value::Mine(Luid(int(tokens, rest)?))),
            b"reference" => {
                let number = int(tokens, rest.saturating_sub(1))?;
                references.open(number)?;
                Ok(Begun::Open(Frame::Reference {
                    number,
                    value: None,
                }))
            }
            b"dereference" => references.get(int(tokens, rest)?).map(Begun::Shared),
            b"decimal" if rest == 2 => {
                let digits = int(tokens, 1)?;
                leaf(Value::Decimal(digits, int(tokens, 1)?))
            }
            b"datetime" => leaf(Value::Time("datetime", text(tokens, rest)?)),
            b"date" => leaf(Value::Time("date", text(tokens, rest)?)),
            b"time" => leaf(Value::Time("time", text(tokens, rest)?)),
            b"timedelta" => leaf(Value::Time("timedelta", text(tokens, rest)?)),
            b"unpersistable" => leaf(Value::Unpersistable(text(tokens, rest)?)),
            FAILURE_CLASS if rest == 1 => Ok(Begun::Open(Frame::Failure(None))),
            tag => Err(Refused::Insecure(insecure(tag))),
        }
    }

    /// Counts another use of a shared value at the depth `depth`.
    fn expand(&mut self, shared: Shared, depth: usize) -> Result<Done, Refused> {
        self.expanded = self.expanded.saturating_add(shared.expanded);
        if self.expanded > self.limits.expanded_values
            || depth.saturating_add(shared.height) > self.limits.depth
        {
            return Err(Refused::TooLarge);
        }
        Ok(Done {
            value: Value::Shared(shared.value),
            height: shared.height,
        })
    }
}

/// A list with missing elements.
struct Open {
    frame: Frame,
    /// Number of values before the first element.
    expanded_before: usize,
    /// Number of levels below the list.
    height: usize,
}

enum Frame {
    Items {
        kind: Kind,
        missing: usize,
        items: Vec<Value>,
    },
    Dict {
        missing: usize,
        pairs: Vec<(Value, Value)>,
        key: Option<Value>,
    },
    Reference {
        number: i64,
        value: Option<Value>,
    },
    Failure(Option<Value>),
}

#[derive(Clone, Copy)]
enum Kind {
    List,
    Tuple,
    Set,
    FrozenSet,
}

/// The result of the first tokens of a value.
enum Begun {
    Leaf(Value),
    Shared(Shared),
    Open(Frame),
}

/// A complete value and its number of levels.
struct Done {
    value: Value,
    height: usize,
}

impl Frame {
    /// Adds a value. Returns whether it was the last element.
    fn add(&mut self, value: Value) -> bool {
        match self {
            Self::Items { missing, items, .. } => {
                items.push(value);
                *missing -= 1;
                *missing == 0
            }
            Self::Dict {
                missing,
                pairs,
                key,
            } => match key.take() {
                None => {
                    *key = Some(value);
                    false
                }
                Some(key) => {
                    pairs.push((key, value));
                    *missing -= 1;
                    *missing == 0
                }
            },
            Self::Reference { value: slot, .. } | Self::Failure(slot) => {
                *slot = Some(value);
                true
            }
        }
    }
}

impl Open {
    fn close(self, expanded: usize, references: &mut References) -> Result<Value, Refused> {
        Ok(match self.frame {
            Frame::Items { kind, items, .. } => kind.value(items),
            Frame::Dict { pairs, .. } => Value::Dict(pairs),
            Frame::Reference { number, value } => {
                let value = Arc::new(value.ok_or(END)?);
                references.close(
                    number,
                    Shared {
                        value: Arc::clone(&value),
                        expanded: expanded - self.expanded_before,
                        height: self.height,
                    },
                );
                Value::Shared(value)
            }
            Frame::Failure(state) => {
                let state = state.ok_or(END)?;
                let failure = read_failure(&state).ok_or(Refused::Malformed(
                    "the state of a failure is not a dictionary",
                ))?;
                Value::Failure(Box::new(failure))
            }
        })
    }
}

impl Kind {
    fn value(self, items: Vec<Value>) -> Value {
        match self {
            Self::List => Value::List(items),
            Self::Tuple => Value::Tuple(items),
            Self::Set => Value::Set(items),
            Self::FrozenSet => Value::FrozenSet(items),
        }
    }
}

/// The numbered values of one top-level value; entries without a value are incomplete.
#[derive(Default)]
struct References(HashMap<i64, Option<Shared>>);

#[derive(Clone)]
struct Shared {
    value: Arc<Value>,
    /// Number of values in the shared value.
    expanded: usize,
    height: usize,
}

impl References {
    fn open(&mut self, number: i64) -> Result<(), Refused> {
        match self.0.insert(number, None) {
            None => Ok(()),
            Some(_) => Err(Refused::Malformed("two references have the same number")),
        }
    }

    fn close(&mut self, number: i64, shared: Shared) {
        self.0.insert(number, Some(shared));
    }

    fn get(&self, number: i64) -> Result<Shared, Refused> {
        match self.0.get(&number) {
            Some(Some(shared)) => Ok(shared.clone()),
            Some(None) => Err(Refused::Malformed("a value contains itself")),
            None => Err(Refused::Malformed("a dereference has no reference")),
        }
    }
}

fn leaf(value: Value) -> Result<Begun, Refused> {
    Ok(Begun::Leaf(value))
}

fn items(kind: Kind, missing: usize) -> Begun {
    if missing == 0 {
        return Begun::Leaf(kind.value(Vec::new()));
    }
    Begun::Open(Frame::Items {
        kind,
        missing,
        items: Vec::with_capacity(missing.min(RESERVED)),
    })
}

/// The single element of a type with one byte string.
fn text(tokens: &mut vec::Drain<'_, Token>, elements: usize) -> Result<Bytes, Refused> {
    match tokens.next() {
        Some(Token::Bytes(bytes)) if elements == 1 => Ok(bytes),
        _ => Err(Refused::Malformed("one byte string is expected")),
    }
}

/// The single element of a type with one number.
fn int(tokens: &mut vec::Drain<'_, Token>, elements: usize) -> Result<i64, Refused> {
    match tokens.next() {
        Some(Token::Int(int)) if elements == 1 => Ok(int),
        _ => Err(Refused::Malformed("one number is expected")),
    }
}

/// The items of a dictionary have no type, and must not be mistaken for values.
fn expect_pair(token: Option<Token>) -> Result<(), Refused> {
    match token {
        Some(Token::List(2)) => Ok(()),
        _ => Err(Refused::Malformed("an item of a dictionary is not a pair")),
    }
}

fn insecure(tag: &[u8]) -> String {
    let shown = tag.get(..SHOWN_BYTES).unwrap_or(tag);
    format!("type {} is not allowed", shown.escape_ascii())
}

const END: Refused = Refused::Malformed("the expression ends early");

/// Number of elements to reserve memory for; the banana layer limits the actual number.
const RESERVED: usize = 1024;

/// Number of bytes of an unknown type's name to show in the error.
const SHOWN_BYTES: usize = 100;

/// Reads the state of a failure, with keys and texts in either spelling (PROTOCOL section 5).
/// Missing fields are empty. Returns `None` if the state is not a dictionary.
fn read_failure(state: &Value) -> Option<Failure> {
    let text = |value: &Value| value.as_text().map(Cow::into_owned);
    let field = |key| state.get(key).and_then(text).unwrap_or_default();
    state.as_dict()?;
    let parents = state
        .get("parents")
        .and_then(Value::as_items)
        .unwrap_or_default();
    Some(Failure {
        kind: field("type"),
        value: field("value"),
        traceback: field("traceback"),
        parents: parents.iter().filter_map(text).collect(),
    })
}
