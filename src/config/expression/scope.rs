//! The names that an expression sees, with their values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::json::to_value;
use super::patterns::Patterns;
use super::{Class, Mistake};

/// Values that are worked out when they are named: `kw.NAME` (CFL-104).
pub trait Named: fmt::Debug + Send + Sync {
    /// The value of `name`, which may look at `scope` itself; nothing if it is undefined.
    ///
    /// # Errors
    /// It cannot be worked out.
    fn value(&self, name: &str, scope: &Scope) -> Result<Option<Json>, Mistake>;
}

/// What names mean. What is not in it is undefined.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    parts: BTreeMap<&'static str, Arc<Json>>,
    named: Option<Arc<dyn Named>>,
    shared: Arc<BTreeMap<Arc<str>, Given>>,
    own: Vec<(Arc<str>, Given)>,
}

/// A value for names of the user's choice, in the shape of the engine as soon as it is used.
#[derive(Clone, Debug)]
pub struct Given(Arc<Held>);

#[derive(Debug)]
struct Held {
    json: Arc<Json>,
    value: OnceLock<Value>,
}

impl Given {
    /// `json`, for any number of names and scopes.
    #[must_use]
    pub fn new(json: Json) -> Self {
        Self(Arc::new(Held {
            json: Arc::new(json),
            value: OnceLock::new(),
        }))
    }

    /// The value.
    #[must_use]
    pub fn json(&self) -> &Arc<Json> {
        &self.0.json
    }

    fn value(&self) -> Value {
        self.0.value.get_or_init(|| to_value(&self.0.json)).clone()
    }
}

impl Scope {
    /// A scope in which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is known in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
            && self.named.is_none()
            && self.shared.is_empty()
            && self.own.is_empty()
    }

    /// A scope with these names of the user's choice, which any number of scopes may share.
    #[must_use]
    pub fn sharing(shared: Arc<BTreeMap<Arc<str>, Given>>) -> Self {
        Self {
            shared,
            ..Self::default()
        }
    }

    /// Lets a name of the user's choice mean `value`.
    pub fn give(&mut self, name: Arc<str>, value: Given) {
        self.own.push((name, value));
    }

    /// What a name of the user's choice means.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&Given> {
        let mut own = self.own.iter().rev();
        let own = own.find(|(known, _)| &**known == name);
        own.map(|(_, value)| value)
            .or_else(|| self.shared.get(name))
    }

    /// The names of the user's choice.
    pub fn given_names(&self) -> impl Iterator<Item = &str> {
        let own = self.own.iter().map(|(name, _)| &**name);
        own.chain(self.shared.keys().map(|name| &**name))
    }

    /// The same scope, in which `name` means `value` as well.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Json) -> Self {
        self.parts.insert(name, Arc::new(value));
        self
    }

    /// The same scope, in which `kw` has `named`.
    #[must_use]
    pub fn with_kw(mut self, named: Arc<dyn Named>) -> Self {
        self.named = Some(named);
        self
    }

    /// What `name` means; nothing if it is not known here.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.parts.get(name).map(|value| &**value)
    }

    /// The value `name` of `kw`; nothing if it is undefined.
    ///
    /// # Errors
    /// It cannot be worked out.
    pub fn named_value(&self, name: &str) -> Result<Option<Json>, Mistake> {
        match &self.named {
            Some(named) => named.value(name, self),
            None => Ok(None),
        }
    }

    /// What a name with its parts means, for messages.
    pub(super) fn look_up(&self, path: &[String]) -> Option<Json> {
        let (first, mut rest) = path.split_first()?;
        let mut value = match (first.as_str(), &self.named) {
            ("kw", Some(named)) => {
                let (name, after) = rest.split_first()?;
                rest = after;
                named.value(name, self).ok().flatten()?
            }
            (name, _) => self.parts.get(name)?.pointer_of(rest)?,
        };
        if first == "kw" {
            value = value.pointer_of(rest)?;
        }
        Some(value)
    }
}

/// Parts of JSON values by name.
trait PointerOf {
    fn pointer_of(&self, path: &[String]) -> Option<Json>;
}

impl PointerOf for Json {
    fn pointer_of(&self, path: &[String]) -> Option<Json> {
        let mut here = self;
        for part in path {
            here = here.get(part)?;
        }
        Some(here.clone())
    }
}

/// What the engine asks for the names of one expression.
#[derive(Debug)]
pub(super) struct Root {
    scope: Scope,
    patterns: Arc<Patterns>,
}

/// The name under which filters find the patterns; nobody can write it.
const PATTERNS: &str = "patterns of the expression";

impl Root {
    pub(super) fn new(scope: Scope, patterns: Arc<Patterns>) -> Self {
        Self { scope, patterns }
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == PATTERNS {
            let held = HeldPatterns(Arc::clone(&self.patterns));
            return Some(Value::from_object(held));
        }
        if key == "kw" && self.scope.named.is_some() {
            return Some(Value::from_object(Kw(self.scope.clone())));
        }
        if let Some(given) = self.scope.given(key) {
            return Some(given.value());
        }
        let json = self.scope.parts.get(key)?;
        Some(match json.as_object() {
            Some(_) => Value::from_object(Parts(Arc::clone(json))),
            None => to_value(json),
        })
    }
}

/// The patterns of the expression that is being worked out.
pub(super) fn patterns(state: &State<'_, '_>) -> Arc<Patterns> {
    let held = state.lookup(PATTERNS);
    let held = held
        .as_ref()
        .and_then(|value| value.downcast_object_ref::<HeldPatterns>());
    held.map(|held| Arc::clone(&held.0)).unwrap_or_default()
}

#[derive(Debug)]
struct HeldPatterns(Arc<Patterns>);

impl Object for HeldPatterns {}

/// A table whose entries are made when they are asked for.
#[derive(Debug)]
struct Parts(Arc<Json>);

impl Object for Parts {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.get(key).map(to_value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.as_object().into_iter().flat_map(|map| map.keys());
        Enumerator::Values(names.map(|name| Value::from(name.as_str())).collect())
    }
}

/// `kw`.
#[derive(Debug)]
struct Kw(Scope);

impl Object for Kw {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let named = self.0.named.as_ref()?;
        match named.value(key, &self.0) {
            Ok(value) => value.map(|value| to_value(&value)),
            Err(mistake) => Some(Value::from(carrying(mistake))),
        }
    }
}

/// An error of the engine that carries `mistake`.
pub(super) fn carrying(mistake: Mistake) -> Error {
    let kind = if mistake.class == Class::Undefined {
        ErrorKind::UndefinedError
    } else {
        ErrorKind::InvalidOperation
    };
    Error::new(kind, mistake.message.clone()).with_source(mistake)
}
